"""Labels a video and writes it, so that it can be killed at any time and gone on with."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from panoptic.formats.video_formats import DEFAULT_FORMATS, VIDEO_FORMATS, VideoOutputs
from panoptic.formats.video_output import VideoInfo
from panoptic.io.clips import VideoInput
from panoptic.io.progress import Progress, shown
from panoptic.io.writer_lock import only_one
from panoptic.results.frame import PanopticFrame
from panoptic.video.resume_points import Checkpoint, Checkpoints, Request
from prompts import Vocabulary


class FrameLabeller(Protocol):
    """Labels the frames of one video in order."""

    def label(
        self, video: VideoInput, start: int, stop: int | None, state: Any
    ) -> Iterator[PanopticFrame]:
        """The frames from ``start`` to before ``stop``; ``state`` is None at frame 0, otherwise
        what :meth:`state` gave after the frame before ``start``."""

    def state(self) -> Any:
        """What going on after the last frame needs, in containers, numbers and tensors; None if
        it isn't possible from here."""


@dataclass(frozen=True)
class RecordSettings:
    """What is written, and how often."""

    formats: Sequence[str] = DEFAULT_FORMATS
    checkpoint_every: int = 50
    """Frames between checkpoints: what a kill costs at most, two seconds of video. A checkpoint
    takes a few megabytes and a tenth of a second."""
    limit: int | None = None
    """Frames after which it is enough; None for all."""
    sa_v_every: int = 1
    """SA-V's layout annotates every so many frames (the data set itself every fourth)."""

    def __post_init__(self) -> None:
        for name in self.formats:
            if name not in VIDEO_FORMATS:
                raise ValueError(f"no format {name!r}; there are {', '.join(VIDEO_FORMATS)}")
        if self.checkpoint_every < 1:
            raise ValueError(f"checkpoint_every must be 1 or more, got {self.checkpoint_every}")
        if self.limit is not None and self.limit < 1:
            raise ValueError(f"limit must be 1 or more frames, got {self.limit}")
        if self.sa_v_every < 1:
            raise ValueError(f"sa_v_every must be 1 or more, got {self.sa_v_every}")


class Summary:
    """What a video came to, counted frame by frame; numbers and lists, to be saved and restored."""

    def __init__(self, content: Mapping[str, Any] | None = None) -> None:
        start = {"frames": 0, "height": 0, "width": 0, "cuts": [], "unlabelled": 0.0}
        self.content: dict[str, Any] = {**start, "things": [], "stuff": [], **(content or {})}

    def add(self, frame: PanopticFrame) -> None:
        result, content = frame.segmentation, self.content
        content["frames"] += 1
        content["height"], content["width"] = result.height, result.width
        content["unlabelled"] += float((result.ids == 0).mean())
        if frame.is_cut:
            content["cuts"] = [*content["cuts"], frame.index]
        for kind, segments in (("things", result.things), ("stuff", result.stuff)):
            new = {s.id for s in segments} - set(content[kind])
            content[kind] = [*content[kind], *sorted(new)]


def record(
    video: VideoInput,
    labeller: FrameLabeller,
    vocabulary: Vocabulary,
    folder: Path,
    settings: RecordSettings | None = None,
    *,
    request: Request,
    resume: bool = False,
    progress: bool | Progress = True,
) -> Mapping[str, Any]:
    """Labels a video into ``folder``; returns its ``Summary``'s content.

    With ``resume``, goes on at the last checkpoint of a run with the same ``request``, or does
    nothing if that was done; the files are then, byte for byte, those of an undisturbed run.
    ``progress`` shows a bar on a terminal; a callback in its place is called with the frames done
    and their number, None where it isn't known. A live video can't be resumed; an interruption
    (Ctrl-C) is its end.

    Raises ``ValueError`` if there are no frames, or if a run can't be resumed, and ``DatasetError``
    (one, too) while another run writes into the folder.
    """
    settings = settings or RecordSettings()
    with only_one(folder, "labelling into"):
        return _record(video, labeller, vocabulary, folder, settings, request, resume, progress)


def _record(
    video: VideoInput,
    labeller: FrameLabeller,
    vocabulary: Vocabulary,
    folder: Path,
    settings: RecordSettings,
    request: Request,
    resume: bool,
    progress: bool | Progress,
) -> Mapping[str, Any]:
    info = VideoInfo(video.name, vocabulary, video.fps, video.frame_names, settings.sa_v_every)
    checkpoints = Checkpoints(folder, video.name, request)
    resume = resume and not video.is_live
    if resume and (done := checkpoints.finished()) is not None:
        remove_leftovers(folder, info)
        return done
    begun = checkpoints.load() if resume else None
    if begun is None:
        checkpoints.forget()
        begun = Checkpoint(0, None, Summary().content, tuple(settings.formats))
    new = [name for name in settings.formats if name not in begun.formats]
    if new:
        raise ValueError(
            f"the run that is to be resumed doesn't write {', '.join(new)}; start anew without "
            "--resume"
        )
    outputs = VideoOutputs(folder, info, settings.formats, begun.frame)
    summary = Summary(begun.summary)

    def checkpoint() -> None:
        outputs.checkpoint()
        state = None if video.is_live else labeller.state()
        if state is not None:
            frames, formats = summary.content["frames"], tuple(settings.formats)
            checkpoints.save(Checkpoint(frames, state, summary.content, formats))

    total = min((n for n in (video.count, settings.limit) if n is not None), default=None)
    try:
        with shown(progress, "frames", total) as tell:
            tell(begun.frame, total)
            for frame in labeller.label(video, begun.frame, settings.limit, begun.state):
                if frame.time is None:
                    frame = replace(frame, time=video.time(frame.index))
                outputs.add(frame)
                summary.add(frame)
                frames = summary.content["frames"]
                tell(frames, total)
                if frames % settings.checkpoint_every == 0:
                    checkpoint()
    except KeyboardInterrupt:
        if not video.is_live or not summary.content["frames"]:
            raise
    if not summary.content["frames"]:
        raise ValueError(f"{video.name}: there are no frames")
    checkpoint()  # putting the files together may be killed, too
    outputs.close()
    checkpoints.finish(summary.content)
    remove_leftovers(folder, info)
    return summary.content


def remove_leftovers(folder: Path, info: VideoInfo) -> None:
    """Removes what only resuming would have needed of this video, in every format."""
    for output in VIDEO_FORMATS.values():
        for path in output.leftovers(folder, info):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
