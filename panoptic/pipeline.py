"""PanopticPipeline: pictures, videos and data sets labelled by words, from one place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from panoptic.image_pipeline import ImagePipeline
from prompts import Vocabulary

if TYPE_CHECKING:
    from panoptic.dataset.engines.local import Engine
    from panoptic.dataset.resumable_labelling import DatasetRun
    from panoptic.explore.widget import ExplorerWidget
    from panoptic.io.images import ImageLike
    from panoptic.io.progress import Progress
    from panoptic.io.sources import SourceLike
    from panoptic.results.frame import PanopticFrame
    from panoptic.settings.dataset import DatasetSettings
    from panoptic.settings.video import VideoSettings
    from panoptic.video.file_session import FileSession
    from panoptic.video.session import VideoSession


class PanopticPipeline(ImagePipeline):
    """Zero-shot panoptic labelling by composition: :class:`ImagePipeline`, and what video and
    data sets do with one. The methods here are doors; the work is in the rooms they name.
    """

    def explore(
        self,
        image: ImageLike,
        vocabulary: Vocabulary | None = None,
        levels: Mapping[str, Any] | None = None,
    ) -> ExplorerWidget:
        """A widget for notebooks: words and levels tried on one picture, quickly.

        Boxes, heatmaps and the embedding are kept, and only what depends on a change is done again.
        ``widget.result`` is the label that is shown, ``widget.vocabulary`` and ``widget.levels``
        what it was made with; ``levels`` are settings by key to begin with. This pipeline isn't
        changed. ``ModuleNotFoundError`` without the extra ``notebook``.
        """
        from panoptic.explore.widget import explore

        return explore(self, image, vocabulary, levels)

    def label_dataset(
        self,
        source: SourceLike,
        vocabulary: Vocabulary,
        out: str | Path,
        *,
        images: str | Path | None = None,
        settings: DatasetSettings | None = None,
        progress: bool | Progress = True,
        engine: Engine | None = None,
    ) -> DatasetRun:
        """Label a folder, a list, shards, ... into the folder ``out``; resumable, nothing lost.

        What the options mean, and what it raises: see
        ``panoptic.dataset.resumable_labelling.label_dataset``. This pipeline stays
        in memory beside those of several workers; where that is too much, call that with a
        ``panoptic.dataset.worker_recipe.PipelineRecipe``.
        """
        from panoptic.dataset.resumable_labelling import label_dataset

        return label_dataset(
            *(self, source, vocabulary, out),
            images=images,
            settings=settings,
            progress=progress,
            engine=engine,
        )

    def track(
        self,
        video: Any,
        vocabulary: Vocabulary,
        *,
        settings: VideoSettings | None = None,
        both_ways: bool = False,
        progress: bool | Progress = True,
    ) -> Iterator[PanopticFrame]:
        """Label a video: frames come one at a time, with ids that last, in constant memory.

        ``video`` is a video file, a folder of pictures, an array (T, H, W, 3), a sequence of
        pictures, or an iterator of them (a camera, say). ``both_ways`` also goes back through the
        video, so that what was found late is labelled in the frames before too; that takes
        something with a length, and frames come when both is done. ``progress`` shows a bar on a
        terminal; a callback in its place is called with the frames done and their number, None
        where it isn't known.
        """
        from panoptic.video.track import track

        return track(self, video, vocabulary, settings, both_ways, progress)

    def video_session(
        self, vocabulary: Vocabulary, settings: VideoSettings | None = None
    ) -> VideoSession:
        """Panoptic video for frames that come one by one: ``session.step(image)``."""
        from panoptic.video.session import VideoSession

        return VideoSession(self, vocabulary, settings)

    def open_video(
        self,
        video: Any,
        vocabulary: Vocabulary,
        settings: VideoSettings | None = None,
        folder: str | Path | None = None,
    ) -> FileSession:
        """A video to label and to correct by hand: see ``panoptic.video.FileSession``. With
        ``folder`` it is kept there, step by step."""
        from panoptic.video.file_session import FileSession

        return FileSession(self, video, vocabulary, settings, folder)

    def open_session(self, folder: str | Path, video: Any = None) -> FileSession:
        """Go on with a session that is kept in a folder: see ``FileSession.open``."""
        from panoptic.video.file_session import FileSession

        return FileSession.open(self, folder, video)

    def open_labels(
        self,
        labels: str | Path,
        video: Any,
        vocabulary: Vocabulary | None = None,
        settings: VideoSettings | None = None,
        folder: str | Path | None = None,
    ) -> FileSession:
        """Correct what ``panoptic video`` wrote: see ``FileSession.of_labels``."""
        from panoptic.video.file_session import FileSession

        return FileSession.of_labels(self, labels, video, vocabulary, settings, folder)
