"""One name for each id of a video: what it was called last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation


def with_last_names(results: Sequence[PanopticSegmentation]) -> list[PanopticSegmentation]:
    """The frames of a video, in order, in which an id has the category that it had last.

    A thing that is followed is what most looks for the words found it to be, so that its name may
    change on the way; what is known at last holds for all of it. What ``panoptic video`` writes and
    what a session on a file shows is named so; frames of a stream are named as they come.
    """
    last: dict[int, Segment] = {s.id: s for result in results for s in result}
    return [_named(result, last) for result in results]


def _named(result: PanopticSegmentation, last: dict[int, Segment]) -> PanopticSegmentation:
    if all(s.category_id == last[s.id].category_id for s in result):
        return result
    segments = tuple(
        replace(s, category_id=last[s.id].category_id, category=last[s.id].category) for s in result
    )
    return replace(result, segments=segments)
