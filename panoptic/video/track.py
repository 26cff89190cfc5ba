"""Panoptic video as one call: frames in, labelled frames out."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

from panoptic.io.clips import VideoInput
from panoptic.io.progress import Progress, shown
from panoptic.results.frame import PanopticFrame
from panoptic.settings.video import VideoSettings
from panoptic.video.file_session import FileSession
from panoptic.video.frame_views import LabelledAsAsked
from panoptic.video.hindsight import HeldBack
from panoptic.video.session import VideoSession
from prompts import Vocabulary
from sam2core.frames import prefetch

if TYPE_CHECKING:
    from panoptic.image_pipeline import ImagePipeline


def track(
    pipeline: ImagePipeline,
    video: Any,
    vocabulary: Vocabulary,
    settings: VideoSettings | None = None,
    both_ways: bool = False,
    progress: bool | Progress = True,
) -> Iterator[PanopticFrame]:
    """See ``PanopticPipeline.track``."""
    video = VideoInput.of(video, pictures=pipeline.settings.pictures)
    if both_ways and video.is_live:
        raise ValueError(
            "both_ways goes back in the video, which a stream of frames can't: give a file, a "
            "folder or an array"
        )
    if both_ways:
        frames = _both_ways(FileSession(pipeline, video, vocabulary, settings), progress)
    else:
        frames = _forward(VideoSession(pipeline, vocabulary, settings), video, progress)
    return LabelledAsAsked(frames, "track()")


def _both_ways(
    session: FileSession, progress: bool | Progress
) -> Generator[PanopticFrame, None, None]:
    with session:
        yield from session.run(both_ways=True, progress=progress)


def _forward(
    session: VideoSession, video: VideoInput, progress: bool | Progress
) -> Generator[PanopticFrame, None, None]:
    total, held = video.count, HeldBack(session)
    with shown(progress, "frames", total) as tell:
        for index, image in prefetch(video.source.frames(), lambda item: item):
            yield from held.step(image, video.time(index))
            tell(index + 1, total)
        yield from held.finish()
