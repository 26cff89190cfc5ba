"""Evaluation of videos: VPQ, STQ, J&F and id switches of results in memory.

For results on disk see ``panoptic.measure.evaluate_folders``. The measures, in modules beside, are
all counted in one pass over two streams of frames; what is kept of a frame are numbers, never
pixels.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence, Sized

from panoptic.io.progress import Progress, shown
from panoptic.measure.frame_pairs import pair_frames
from panoptic.measure.id_switches import IdSwitchMeter
from panoptic.measure.jf import FoundIdsMeter
from panoptic.measure.stq import StqMeter
from panoptic.measure.video_report import VideoReport
from panoptic.measure.vpq import WINDOWS, VpqMeter
from panoptic.results.segmentation import PanopticSegmentation


def evaluate_video(
    predictions: Iterable[PanopticSegmentation],
    truths: Iterable[PanopticSegmentation],
    *,
    name: str = "",
    windows: Sequence[int] = WINDOWS,
    frame_names: Sequence[str] = (),
    counted: Collection[int] | None = None,
    progress: bool | Progress = True,
) -> VideoReport:
    """Compares the frames of one video with their truth; both may be generators.

    Segment ids must mean the same object in all frames of a side (and nothing to the other side).
    ``name`` appears with the objects of J&F; ``windows`` are the lengths of VPQ's tubes, of which a
    shorter video has none; ``frame_names`` are what errors call the frames. ``counted`` are the ids
    of the categories that count; true segments of others are neither missed nor void.
    ``progress`` shows a bar on a terminal; a callback in its place is called with the frames done
    and their number, None where ``truths`` has no length.

    Raises ``ValueError`` if the streams differ in length or a frame in size, if there is no frame,
    or if a category id means different things.
    """
    meters = VpqMeter(windows), StqMeter(), FoundIdsMeter(name), IdSwitchMeter()
    vpq, stq, jf, switches = meters
    frames = 0
    total = len(truths) if isinstance(truths, Sized) else None
    with shown(progress, "frames", total) as tell:
        for pair in pair_frames(predictions, truths, frame_names, counted):
            vpq.add(pair)
            stq.add(pair)
            jf.add_pair(pair)
            switches.add(pair)
            frames += 1
            tell(frames, total)
    if not frames:
        raise ValueError(f"video {name!r} has no frames" if name else "the video has no frames")
    return VideoReport(1, frames, jf.result(), vpq.result(), stq.result(), switches.result())
