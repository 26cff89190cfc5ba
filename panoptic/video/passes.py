"""The ways a pipeline labels a video that is written: forward as it comes, or both ways."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

from panoptic.io.clips import VideoInput
from panoptic.io.progress import Progress
from panoptic.results.frame import PanopticFrame
from panoptic.settings.video import VideoSettings
from panoptic.video.file_session import FileSession
from panoptic.video.hindsight import HeldBack
from panoptic.video.session import VideoSession
from prompts import Vocabulary
from sam2core.frames import IterFrames, prefetch

if TYPE_CHECKING:
    from panoptic.image_pipeline import ImagePipeline


class ForwardPass:
    """Frames are labelled one after the other; a run can be gone on with after any of them."""

    def __init__(
        self,
        pipeline: ImagePipeline,
        vocabulary: Vocabulary,
        settings: VideoSettings | None = None,
    ) -> None:
        self._begin = pipeline, vocabulary, settings
        self._held: HeldBack | None = None

    def label(
        self, video: VideoInput, start: int, stop: int | None, state: Any
    ) -> Iterator[PanopticFrame]:
        begin = self._begin
        if state is None:
            held = HeldBack(VideoSession(*begin))
        else:
            told = {int(id): bool(shown) for id, shown in state["told"]}
            held = HeldBack(VideoSession.restore(*begin, state["session"]), told)
        self._held = held
        for frame in self._frames(video, start, held):
            if stop is not None and frame.index >= stop:
                return  # later frames were looked at as far as the earlier ones depend on them
            yield frame

    def _frames(
        self, video: VideoInput, start: int, held: HeldBack
    ) -> Generator[PanopticFrame, None, None]:
        try:
            for index, image in prefetch(video.source.frames(start), lambda item: item):
                yield from held.step(image, video.time(index))
        except (KeyboardInterrupt, Exception) as error:
            if isinstance(error, KeyboardInterrupt) and not video.is_live:
                raise
            self._held = None  # what is left is given as it is, but not gone on from
            yield from held.finish()
            raise
        yield from held.finish()

    def state(self) -> Any:
        return None if self._held is None else self._held.state()


class BothWaysPass:
    """All of the video is gone through forward and back before the first frame is written, so
    that a run that is killed starts anew. ``progress`` is told the frames done and their number,
    in which every frame counts for each way."""

    def __init__(
        self,
        pipeline: ImagePipeline,
        vocabulary: Vocabulary,
        settings: VideoSettings | None = None,
        progress: bool | Progress = True,
    ) -> None:
        self._begin = pipeline, vocabulary, settings
        self._progress = progress

    def label(
        self, video: VideoInput, start: int, stop: int | None, state: Any
    ) -> Iterator[PanopticFrame]:
        """Raises ``ValueError`` for a live video, and for a part of one."""
        pipeline, vocabulary, settings = self._begin
        if isinstance(video.source, IterFrames) or stop is not None:
            raise ValueError(f"{video.name}: only a whole video that is at hand goes both ways")
        with FileSession(pipeline, video, vocabulary, settings) as session:
            yield from session.run(both_ways=True, progress=self._progress)

    def state(self) -> Any:
        return None
