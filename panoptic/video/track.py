"""Panoptic video as one call: frames in, labelled frames out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from panoptic.io.clips import times_of
from panoptic.io.progress import Progress
from panoptic.results.frame import PanopticFrame
from panoptic.settings.video import VideoSettings
from panoptic.video.file_session import FileSession
from panoptic.video.session import VideoSession
from prompts import Vocabulary
from sam2core import open_frames
from sam2core.frames import IterFrames, prefetch

if TYPE_CHECKING:
    from panoptic.image_pipeline import ImagePipeline


def track(
    pipeline: ImagePipeline,
    video: Any,
    vocabulary: Vocabulary,
    settings: VideoSettings | None = None,
    both_ways: bool = False,
    progress: Progress | None = None,
) -> Iterator[PanopticFrame]:
    """See ``ImagePipeline.track``."""
    live = isinstance(video, (Iterator, IterFrames))
    if both_ways and live:
        raise ValueError(
            "both_ways goes back in the video, which a stream of frames can't: give a file, a "
            "folder or an array"
        )
    if both_ways:
        return _both_ways(FileSession(pipeline, video, vocabulary, settings), progress)
    session = VideoSession(pipeline, vocabulary, settings)
    if isinstance(video, Iterator):
        video = IterFrames(video)
    source = video if isinstance(video, IterFrames) else open_frames(video)
    return _forward(session, source, progress)


def _both_ways(session: FileSession, progress: Progress | None) -> Iterator[PanopticFrame]:
    with session:
        yield from session.run(both_ways=True, progress=progress)


def _forward(
    session: VideoSession, source: Any, progress: Progress | None
) -> Iterator[PanopticFrame]:
    times = times_of(source)
    total = None if isinstance(source, IterFrames) else len(source)
    for index, image in prefetch(source.frames(), lambda item: item):
        yield session.step(image, None if times is None else float(times[index]))
        if progress is not None:
            progress(index + 1, total)
