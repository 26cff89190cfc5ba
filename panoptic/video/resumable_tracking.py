"""Labels a video and writes it, so that it can be killed at any time and gone on with.

The states of a clip and of its formats, and what leads from one to another: docs/resuming.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from panoptic.formats.video_formats import (
    DEFAULT_FORMATS,
    VIDEO_FORMATS,
    Claim,
    VideoOutputs,
    remove_leftovers,
    remove_written,
)
from panoptic.formats.video_output import VideoInfo
from panoptic.io.clips import VideoInput
from panoptic.io.progress import Progress, shown
from panoptic.results.frame import PanopticFrame
from panoptic.video.clip_record import ClipPlace, ClipRecord, Written, forget, identity_of
from panoptic.video.resume_points import Checkpoint, CheckpointError, Checkpoints, Request
from panoptic.video.summary import Summary
from prompts import Vocabulary
from sam2core.errors import FramesError


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


@dataclass(frozen=True)
class Recorded:
    """What became of a video: its ``Summary``'s content, how many frames were gone through for it
    now, and what its files lack and why."""

    summary: Mapping[str, Any]
    labelled: int
    formats: tuple[str, ...] = ()
    """The formats that hold frames, of those asked for."""
    problems: tuple[str, ...] = ()


def record(
    video: VideoInput,
    labeller: FrameLabeller,
    vocabulary: Vocabulary,
    folder: Path,
    settings: RecordSettings | None = None,
    *,
    request: Request,
    place: ClipPlace | None = None,
    resume: bool = False,
    progress: bool | Progress = True,
    say: Callable[[str], object] = str,
    claim: Claim = lambda folder, match: None,
) -> Recorded:
    """Labels a video into ``folder``. Whoever calls it holds the folder's lock.

    With ``resume``, each format that is whole on disk stays as it is, and what was begun is gone on
    with at the last checkpoint; a format that is new goes through the clip from its first frame.
    The files are then, byte for byte, those of an undisturbed run. Without, the video begins anew.
    ``place`` is where the clip is; ``claim`` as for ``VideoOutputs``. ``progress`` shows a bar on a
    terminal; a callback in its place is called with the frames done and their number, None where
    it isn't known. ``say`` is told what is worth knowing and no problem.

    A picture that can't be read, or is of another size, ends the clip: its files hold the frames
    before, and once it is repaired it can be resumed. A format that can't go on ends alone. Both
    are told as ``problems``. A live video can't be resumed; an interruption (Ctrl-C) is its end,
    and when its reader fails, its files are closed before that is raised.

    Raises ``ValueError`` if there are no frames, no format can be written, or what is there was
    made for another request or clip (it is then left as it is).
    """
    settings = settings or RecordSettings()
    place = place or ClipPlace(None, video.name)
    return _Recording(video, vocabulary, folder, settings, request, place, say, claim).run(
        labeller, resume and not video.is_live, progress
    )


class _Recording:
    """One call of :func:`record`."""

    def __init__(
        self,
        video: VideoInput,
        vocabulary: Vocabulary,
        folder: Path,
        settings: RecordSettings,
        request: Request,
        place: ClipPlace,
        say: Callable[[str], object],
        claim: Claim,
    ) -> None:
        self.video, self.folder, self.settings = video, folder, settings
        self.say, self.claim = say, claim
        self.info = VideoInfo(
            video.name, vocabulary, video.fps, video.frame_names, settings.sa_v_every
        )
        self.points = Checkpoints(folder, video.name, request)
        self.request = request
        self.known = ClipRecord.begin(video, request, place)
        numbers = (n for n in (video.count, settings.limit) if n is not None)
        self.wanted = min(numbers, default=None)
        self.broken: str | None = None

    def run(self, labeller: FrameLabeller, resume: bool, progress: bool | Progress) -> Recorded:
        known = ClipRecord.load(self.folder, self.video.name) if resume else None
        if known is not None:
            known.check(self.video, self.request)
            self.known = known
            if "sa-v" not in self.settings.formats:  # what is under way stays as it was asked for
                self.info = replace(self.info, sa_v_every=known.sa_v_every)
        todo = self._todo()
        if not todo:
            if self.known.whole:
                self._tidy()
            return self._recorded(0)
        begun = self._checkpoint_before() if known is not None else None
        if begun is None:
            self.points.forget()
        before = self.known
        self._begin(todo)
        ahead = dict(begun.formats) if begun is not None else {}
        if before.sa_v_every != self.info.sa_v_every:
            ahead.pop("sa-v", None)
        outputs = VideoOutputs(self.folder, self.info, todo, ahead=ahead, claim=self.claim)
        refused = dict(outputs.ended)
        if not outputs.open:  # what is in the way isn't ours to remove
            self._take_back(before)
            raise ValueError("; ".join(f"{self.info.name}: {r}" for r in refused.values()))
        if begun is None or min(outputs.next.values()) < begun.frame:
            begun = Checkpoint(0, None, Summary().content)
        failure, whole, summary = self._label(labeller, outputs, begun, progress)
        if not summary.frames:
            remove_written(self.folder, self.info, [n for n in todo if n not in refused])
            self._take_back(before)
            raise failure or FramesError(self.broken or f"{self.info.name}: there are no frames")
        self._finish(outputs, summary, whole, refused)
        if failure is not None:
            raise failure
        return self._recorded(summary.frames - begun.frame, refused)

    # -- what there is ----------------------------------------------------------------------

    def _todo(self) -> list[str]:
        """The formats that aren't whole on disk: of those asked for, and of those that a run
        began and was kept from finishing."""
        asked = {*self.settings.formats, *self.known.under_way}
        lacking = self.known.lacks(self.folder, self.info, self.video, self.settings.limit)
        return [name for name in lacking if name in asked]

    def _checkpoint_before(self) -> Checkpoint | None:
        try:
            begun = self.points.load()
        except CheckpointError as error:
            self.say(f"{self.info.name}: {error}: it is labelled from its first frame")
            return None
        if begun is not None and begun.identity != identity_of(self.video, begun.frame):
            raise ValueError(
                f"{self.info.name}: the clip changed in the frames that were labelled. What is "
                "there is left as it is: choose another output folder"
            )
        return begun

    def _begin(self, todo: Sequence[str]) -> None:
        """From here on nothing is said of the formats that are written."""
        for place in self.info.places("resume", ".json", ".pt"):
            self.claim(*place)
        formats = {n: w for n, w in self.known.formats.items() if n not in todo}
        every = self.info.sa_v_every
        self.known = replace(self.known, formats=formats, under_way=tuple(todo), sa_v_every=every)
        if self.known.identity is None:
            self.known = replace(self.known, identity=identity_of(self.video, self.known.frames))
        self._save()

    # -- labelling --------------------------------------------------------------------------

    def _label(
        self,
        labeller: FrameLabeller,
        outputs: VideoOutputs,
        begun: Checkpoint,
        progress: bool | Progress,
    ) -> tuple[Exception | None, bool, Summary]:
        """What the caller is to raise, whether the clip is through, and what it came to."""
        summary, limit = Summary(begun.summary), self.settings.limit
        if limit is not None and limit < begun.frame:
            self.say(f"{self.info.name}: {begun.frame} frames were labelled before, which stay")
            limit = begun.frame
        done = limit is not None and limit == begun.frame
        frames = labeller.label(self.video, begun.frame, limit, begun.state)
        failure: Exception | None = None
        with shown(progress, "frames", self.wanted) as tell:
            tell(begun.frame, self.wanted)
            while outputs.open and not done:
                try:
                    frame = self._next(frames)
                    if frame is None:
                        break
                    self._add(frame, outputs, summary)
                    tell(summary.frames, self.wanted)
                    if summary.frames % self.settings.checkpoint_every == 0:
                        self._checkpoint(labeller, outputs, summary)
                except (KeyboardInterrupt, Exception) as error:
                    if not (self.video.is_live and summary.frames):
                        raise
                    if not isinstance(error, KeyboardInterrupt):
                        failure = error
                    break
        cut_short = self.broken is not None or not outputs.open
        reached = limit is not None and summary.frames >= limit
        all_there = self.video.count is not None and summary.frames >= self.video.count
        whole = not cut_short and (all_there or not reached)
        if whole and summary.frames:
            self._checkpoint(labeller, outputs, summary)  # closing may be killed, too
        return failure, whole, summary

    def _next(self, frames: Iterator[PanopticFrame]) -> PanopticFrame | None:
        """The next frame, None if there is none, or none that can be read."""
        try:
            return next(frames, None)
        except (FramesError, OSError) as error:
            self.broken = str(error)
            return None

    def _add(self, frame: PanopticFrame, outputs: VideoOutputs, summary: Summary) -> None:
        if frame.time is None:
            frame = replace(frame, time=self.video.time(frame.index))
        before = len(outputs.ended)
        outputs.add(frame)
        summary.add(frame)
        if len(outputs.ended) > before:  # so that a run that is resumed doesn't begin them anew
            ended = [n for n in self.known.under_way if outputs.ended.get(n) and outputs.next[n]]
            rest = tuple(n for n in self.known.under_way if n not in ended)
            self.known = replace(
                self.known.with_formats(self._written(ended, outputs)), under_way=rest
            )
            self._save()

    def _checkpoint(self, labeller: FrameLabeller, outputs: VideoOutputs, summary: Summary) -> None:
        outputs.checkpoint()
        state = None if self.video.is_live else labeller.state()
        if state is not None:
            formats = {n: at for n, at in outputs.next.items() if n not in outputs.ended}
            identity = identity_of(self.video, summary.frames)
            self.points.save(Checkpoint(summary.frames, state, summary.content, formats, identity))

    # -- the end ----------------------------------------------------------------------------

    def _finish(
        self, outputs: VideoOutputs, summary: Summary, whole: bool, refused: Mapping[str, str]
    ) -> None:
        outputs.close()
        names = [n for n in outputs.next if n in self.known.under_way and outputs.next[n]]
        known = self.known.with_formats(self._written(names, outputs))
        if summary.frames >= known.frames:
            known = replace(
                known,
                frames=summary.frames,
                identity=identity_of(self.video, summary.frames),
                whole=whole,
                broken=self.broken,
                summary=summary.content,
            )
        self.known = replace(known, under_way=())
        self._save()
        if whole or self.video.is_live:
            self._tidy()

    def _written(self, names: Sequence[str], outputs: VideoOutputs) -> dict[str, Written]:
        return {
            name: Written.of(
                VIDEO_FORMATS[name].files(self.folder, self.info),
                outputs.next[name],
                outputs.ended.get(name),
            )
            for name in names
        }

    def _tidy(self) -> None:
        self.points.forget()
        remove_leftovers(self.folder, self.info)

    def _take_back(self, before: ClipRecord) -> None:
        """Nothing came of it: the record is what it was, if there was one."""
        self.known = before
        if before.formats or before.under_way:
            self._save()
        else:
            forget(self.folder, self.info.name)

    def _save(self) -> None:
        self.known.save(self.folder, self.info.name)

    def _recorded(self, labelled: int, refused: Mapping[str, str] | None = None) -> Recorded:
        name = self.info.name
        told = [f"{each} isn't written: {reason}" for each, reason in (refused or {}).items()]
        told += self.known.problems("" if self.video.is_live else "; --resume goes on once it can")
        held = tuple(n for n in self.settings.formats if n in self.known.formats)
        problems = tuple(f"{name}: {text}" for text in told)
        return Recorded(self.known.summary, labelled, held, problems)
