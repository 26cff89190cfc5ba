"""Evaluation of videos: VPQ, STQ, J&F and id switches of results in memory.

For results on disk see ``panoptic.video.folders``. The measures, in ``panoptic.video.metrics``,
are all counted in one pass over two streams of frames; what is kept of a frame are numbers, never
pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any, TypeVar

from panoptic.segmentation import PanopticSegmentation
from panoptic.tables import Table
from panoptic.video.metrics.frames import pair_frames
from panoptic.video.metrics.id_switches import IdSwitches, IdSwitchMeter
from panoptic.video.metrics.jf import FoundIdsMeter, JandF
from panoptic.video.metrics.stq import Stq, StqMeter
from panoptic.video.metrics.vpq import WINDOWS, Vpq, VpqMeter

T = TypeVar("T", Vpq, Stq, JandF, IdSwitches)


@dataclass(frozen=True)
class VideoReport:
    """The outcome of an evaluation. Reports of several videos add up to the one of all of them.

    A measure that the data doesn't know is None: DAVIS and SA-V have objects, but no categories.
    """

    videos: int
    frames: int
    jf: JandF
    vpq: Vpq | None = None
    stq: Stq | None = None
    switches: IdSwitches | None = None

    def __add__(self, other: VideoReport) -> VideoReport:
        return VideoReport(
            self.videos + other.videos,
            self.frames + other.frames,
            self.jf + other.jf,
            _add(self.vpq, other.vpq),
            _add(self.stq, other.stq),
            _add(self.switches, other.switches),
        )

    @classmethod
    def total(cls, reports: Iterable[VideoReport]) -> VideoReport:
        """All reports as one. Raises ``ValueError`` if there are none."""
        reports = list(reports)
        if not reports:
            raise ValueError("there is no video to evaluate")
        return reduce(add, reports)

    def tables(self, *, per_class: bool = True) -> list[Table]:
        """A table for each measure, everything but counts in percent."""
        from panoptic.video.report import as_tables

        return as_tables(self, per_class=per_class)

    def table(self, *, per_class: bool = True) -> str:
        """The tables as text."""
        return "\n\n".join(map(str, self.tables(per_class=per_class)))

    def to_dict(self) -> dict[str, Any]:
        """The report for JSON, everything but counts in [0, 1]; null where it isn't known."""
        from panoptic.video.report import as_dict

        return as_dict(self)

    def __str__(self) -> str:
        return self.table()


def evaluate_video(
    predictions: Iterable[PanopticSegmentation],
    truths: Iterable[PanopticSegmentation],
    *,
    name: str = "",
    windows: Sequence[int] = WINDOWS,
) -> VideoReport:
    """Compares the frames of one video with their truth; both may be generators.

    Segment ids must mean the same object in all frames of a side (and nothing to the other side).
    ``name`` appears with the objects of J&F; ``windows`` are the lengths of VPQ's tubes.

    Raises ``ValueError`` if the streams differ in length or a frame in size, if there is no frame,
    or if a category id means different things.
    """
    meters = VpqMeter(windows), StqMeter(), FoundIdsMeter(name), IdSwitchMeter()
    vpq, stq, jf, switches = meters
    frames = 0
    for pair in pair_frames(predictions, truths):
        vpq.add(pair)
        stq.add(pair)
        jf.add_pair(pair)
        switches.add(pair)
        frames += 1
    if not frames:
        raise ValueError(f"video {name!r} has no frames" if name else "the video has no frames")
    return VideoReport(1, frames, jf.result(), vpq.result(), stq.result(), switches.result())


def _add(a: T | None, b: T | None) -> T | None:
    if (a is None) != (b is None):
        raise ValueError("reports with different measures cannot be added")
    return None if a is None or b is None else a + b
