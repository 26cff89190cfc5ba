"""KeptSession: where a session stands, in memory and on disk, and the ways back and forth."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from panoptic.io.clips import VideoInput
from panoptic.settings.video import VideoSettings
from panoptic.video.edits import Edits
from panoptic.video.hand_edits import HandEdits
from panoptic.video.layer_store import LayerStore
from panoptic.video.refine import Refiner
from panoptic.video.session import VideoSession
from panoptic.video.session_folder import SessionFolder, SessionHeader, fingerprint, require_empty
from panoptic.video.session_state import Draft, SessionState, Step
from prompts import Vocabulary

if TYPE_CHECKING:
    from typing_extensions import Self

    from panoptic.image_pipeline import ImagePipeline


@dataclass(frozen=True)
class _Now:
    """Where a session stands and where that is kept: replaced by one assignment."""

    state: SessionState
    disk: SessionFolder


class KeptSession:
    """What :class:`FileSession` is, but for labelling and editing."""

    def __init__(
        self,
        pipeline: ImagePipeline,
        video: Any,
        vocabulary: Vocabulary,
        settings: VideoSettings | None = None,
        folder: str | Path | None = None,
    ) -> None:
        clip = VideoInput.of(video, pictures=pipeline.settings.pictures)
        session = VideoSession(pipeline, vocabulary, settings)
        if folder is not None:
            require_empty(Path(folder))
        header = _header(pipeline, clip, video, session)
        disk = SessionFolder(None) if folder is None else SessionFolder.create(Path(folder), header)
        self._set_up(pipeline, clip, header)
        self._now = _Now(SessionState(session, LayerStore(file=disk.file)), disk)

    @classmethod
    def open(cls, pipeline: ImagePipeline, folder: str | Path, video: Any = None) -> Self:
        """Go on with a session that is in a folder.

        ``video`` is the clip, where it isn't a file any more that is where it was. ``ValueError``
        for another clip or other models, and where the folder holds no session, ``DatasetError``
        while another process has it open.
        """
        folder = Path(folder)
        header = SessionHeader.read(folder)
        if video is None and header.path is None:
            raise ValueError(
                f"the session in {str(folder)!r} is of frames that weren't a file: give them as "
                "video="
            )
        given = header.path if video is None else video
        clip = VideoInput.of(given, pictures=pipeline.settings.pictures)
        header.check(clip.at_hand, _models(pipeline))
        disk = SessionFolder(folder)
        try:
            start = VideoSession(pipeline, header.vocabulary, header.settings)
            self = cls.__new__(cls)
            self._set_up(pipeline, clip, header)
            self._now = _Now(disk.replay(start), disk)
        except BaseException:
            disk.close()
            raise
        return self

    def _set_up(self, pipeline: ImagePipeline, clip: VideoInput, header: SessionHeader) -> None:
        self.pipeline, self.video, self.source = pipeline, clip, clip.at_hand
        self.vocabulary, self.settings = header.vocabulary, header.settings
        self._header = header
        refiner = Refiner(pipeline.segmenter, self.source)
        self._hand = HandEdits(pipeline, self.source, self.vocabulary, self.settings, refiner)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the files; temporary ones are gone then."""
        self._write_tracker()
        self._now.disk.close()

    @property
    def labelled(self) -> int:
        """Frames that are labelled."""
        return len(self._now.state.recording)

    @property
    def recording(self) -> LayerStore:
        """The masks of all frames as they were made, before :attr:`edits`."""
        return self._now.state.recording

    @property
    def edits(self) -> Edits:
        """All that was said by hand."""
        return self._now.state.edits

    @property
    def session(self) -> VideoSession:
        """What follows the segments, as of the latest frame."""
        return self._now.state.session

    @property
    def filled(self) -> int:
        """Frames that were gone back through."""
        return self._now.state.filled

    @property
    def folder(self) -> Path | None:
        """Where the session is kept; None for temporary files."""
        return self._now.disk.folder

    @property
    def undoable(self) -> tuple[str, ...]:
        """What can be undone, in words, the latest last. Labelling isn't an edit; going both ways
        through the video can't be undone, nor what was before that."""
        return tuple(step.name for step in self._now.state.undo)

    @property
    def redoable(self) -> tuple[str, ...]:
        """What can be made again, in words, what comes next last."""
        return tuple(step.name for step in self._now.state.redo)

    def undo(self) -> str:
        """Take the latest edit back; returns what it was. ``ValueError`` if there is none."""
        if not self.undoable:
            raise ValueError("there is no edit to undo")
        name = self.undoable[-1]
        self._commit(self._now.state.step_back(self.vocabulary))
        return name

    def redo(self) -> str:
        """Make again what was undone; returns what it is. ``ValueError`` if there is nothing."""
        if not self.redoable:
            raise ValueError("there is nothing to redo")
        name = self.redoable[-1]
        self._commit(self._now.state.step_again(self.vocabulary))
        return name

    def save(self, folder: str | Path | None = None) -> Path:
        """Keep the session in a folder, from now on; returns it.

        :meth:`open` goes on with it, what can be undone included. A session that has a folder
        already is saved with every step; it moves on to another one if that is given, and the first
        one stays as it is. ``OutputError`` for a folder that holds something else, be it this
        session with other edits, and ``DatasetError`` while that is open.
        """
        now = self._now
        target = now.disk.folder if folder is None else Path(folder)
        if target is None:
            raise ValueError("the session has no folder yet: save(folder)")
        if now.disk.folder is not None and target.resolve() == now.disk.folder.resolve():
            self._write_tracker()
            return target
        if not (self._is_ours(target) and now.disk.continues(target)):
            require_empty(target)
        now.disk.copy(target, self._header, now.state.session, self.labelled)
        disk = SessionFolder(target)
        disk.tracked = self.labelled
        recording = now.state.recording.in_file(disk.file)
        self._now = _Now(replace(now.state, recording=recording), disk)
        now.disk.close()
        return target

    def _do(self, name: str, edit: Callable[[Draft], Any]) -> Any:
        self._write_tracker()
        now = self._now.state
        draft = now.draft()
        answer = edit(draft)
        self._commit(now.step("do", name, draft, self.vocabulary))
        return answer

    def _commit(self, step: Step, session: VideoSession | None = None) -> None:
        now = self._now
        after = _Now(now.state.after(step, session), now.disk)
        if step.kind in ("undo", "redo", "fill"):
            self._write_tracker()
        now.disk.append(step, after.state.version)
        self._now = after

    def _write_tracker(self) -> None:
        now = self._now
        now.disk.write_tracker(now.state.session, len(now.state.recording))

    def _is_ours(self, folder: Path) -> bool:
        """Whether it holds an earlier copy of this very session."""
        try:
            return SessionHeader.read(folder).id == self._header.id
        except (ValueError, OSError):
            return False


def _header(
    pipeline: ImagePipeline, clip: VideoInput, video: Any, session: VideoSession
) -> SessionHeader:
    source = clip.at_hand
    path = str(Path(video).resolve()) if isinstance(video, str | Path) else None
    return SessionHeader(
        uuid.uuid4().hex,
        session.vocabulary,
        session.settings,
        _models(pipeline),
        clip.name,
        path,
        len(source),
        source.size,
        fingerprint(source),
    )


def _models(pipeline: ImagePipeline) -> Any:
    """What the models are, for comparison; the device makes no difference."""
    loaded = pipeline.loaded_with
    if loaded is None:
        return None
    return json.loads(json.dumps({**loaded, "device": None}, default=str))
