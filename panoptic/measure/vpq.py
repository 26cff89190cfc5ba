"""Video panoptic quality (VPQ): PQ of tubes in a window that slides over the video.

Kim et al., Video Panoptic Segmentation (CVPR 2020, arXiv 2006.11339, section 4). A tube is what
one id covers in k frames in a row. True and predicted tubes of one category match where their IoU
over all k frames is above 0.5; void and crowd are handled as in PQ. The window moves by one frame;
counts are summed over all its places and all videos, PQ is taken per category and averaged, and
VPQ is the mean over the window lengths. A video shorter than a window has no tubes of that length;
a length that no video has is left out of the mean.

An id whose category changes within a window counts as what it was at the window's start, as in the
authors' evaluation (https://github.com/mcahny/vps), whose numbers these are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from panoptic.measure.frame_pairs import FramePair, add_category
from panoptic.measure.pq import Label, Overlaps, Quality, Tally, tally
from panoptic.results.segment import NamedCategory

WINDOWS = (1, 2, 4, 6)  # frames; VIPSeg's choice where every frame is annotated


@dataclass(frozen=True)
class Vpq:
    """VPQ of one or more videos: ``tallies[k]`` counts the tubes of k frames by category id."""

    tallies: Mapping[int, Mapping[int, Tally]]
    categories: Mapping[int, NamedCategory]

    def __add__(self, other: Vpq) -> Vpq:
        if self.tallies.keys() != other.tallies.keys():
            raise ValueError(
                f"VPQ of windows {sorted(self.tallies)} and of {sorted(other.tallies)} "
                "cannot be added: use the same windows"
            )
        categories = dict(self.categories)
        for category in other.categories.values():
            add_category(categories, category)
        tallies = {k: _sum(counts, other.tallies[k]) for k, counts in self.tallies.items()}
        return Vpq(tallies, categories)

    @property
    def windows(self) -> tuple[int, ...]:
        return tuple(sorted(self.tallies))

    def quality(self, window: int, things: bool | None = None) -> Quality:
        """PQ, SQ and RQ of the tubes of one length, of all categories, things or stuff alone."""
        return Quality.mean(
            count
            for category_id, count in self.tallies[window].items()
            if things is None or self.categories[category_id].is_thing == things
        )

    def vpq(self, things: bool | None = None) -> float:
        """The mean over the window lengths that have tubes, in [0, 1]; 0 if none has."""
        each = [self.quality(k, things) for k in self.windows]
        counted = [quality.pq for quality in each if quality.classes]
        return sum(counted) / len(counted) if counted else 0.0

    def per_class(self) -> dict[NamedCategory, float]:
        """For every category that occurs, its mean over the window lengths."""
        counted = {
            i: [counts[i].quality.pq for counts in self.tallies.values() if i in counts]
            for i in sorted(self.categories)
        }
        return {self.categories[i]: sum(v) / len(v) for i, v in counted.items() if v}


class VpqMeter:
    """Counts one video, frame by frame; keeps what the longest window needs, not the pixels.

    Raises ``ValueError`` if a window length is below 1 or none is given.
    """

    def __init__(self, windows: Sequence[int] = WINDOWS) -> None:
        if not windows or min(windows) < 1:
            raise ValueError(f"windows are lengths of 1 frame or more, got {tuple(windows)}")
        self._tallies: dict[int, dict[int, Tally]] = {k: {} for k in sorted(set(windows))}
        self._categories: dict[int, NamedCategory] = {}
        self._frames: deque[FrameCounts] = deque(maxlen=max(windows))

    def add(self, pair: FramePair) -> None:
        for category in pair.categories.values():
            add_category(self._categories, category)
        self._frames.append(FrameCounts(pair.overlaps, pair.true, pair.predicted))
        frames = list(self._frames)
        for k, tallies in self._tallies.items():
            if len(frames) >= k:
                self._tallies[k] = _sum(tallies, _tubes(frames[-k:]))

    def result(self) -> Vpq:
        return Vpq(self._tallies, self._categories)


@dataclass(frozen=True)
class FrameCounts:
    """What remains of a frame: shared pixels, and what the ids are."""

    overlaps: Overlaps
    true: Mapping[int, Label]
    predicted: Mapping[int, Label]


def _tubes(frames: Sequence[FrameCounts]) -> dict[int, Tally]:
    true: dict[int, Label] = {}
    predicted: dict[int, Label] = {}
    for frame in reversed(frames):  # the earliest has the last word
        true.update(frame.true)
        predicted.update(frame.predicted)
    return tally(Overlaps.total(f.overlaps for f in frames), true, predicted)


def _sum(a: Mapping[int, Tally], b: Mapping[int, Tally]) -> dict[int, Tally]:
    return {i: a.get(i, Tally()) + b.get(i, Tally()) for i in sorted({*a, *b})}
