"""A session on disk: every step is there as soon as it is done, and a killed session goes on.

    session.json      what it is of: the clip, the words, the settings
    layers.bin        the masks of all frames, each version of them (``layer_store``)
    journal.jsonl     the steps, one a line; what isn't in it was never done
    tracker.pt        what labelling goes on from (``VideoSession.state``), as of some frame

Steps carry numbers. One that has the number of an earlier line takes its place and that of all
lines after: the earlier one was written, but whoever did it was interrupted and never told. Frames
after the tracker's are labelled again, to the same bytes; no edit is of these, since the tracker is
written before an edit is.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from panoptic.errors import OutputError
from panoptic.io.files import content_hash, read_json, whole_file, whole_folder, write_json
from panoptic.io.writer_lock import is_lock, only_one
from panoptic.settings.video import VideoSettings
from panoptic.video.layer_store import LayerStore, RecordFile, temporary_file
from panoptic.video.session import VideoSession
from panoptic.video.session_state import SessionState, Step
from prompts import Vocabulary
from sam2core import FrameSource

HEADER, LAYERS, JOURNAL, TRACKER = "session.json", "layers.bin", "journal.jsonl", "tracker.pt"
FORMAT = 1


@dataclass(frozen=True)
class SessionHeader:
    """What a session is of. ``path`` is where the clip was, None if it wasn't a file."""

    id: str
    """Of this session and no other."""
    vocabulary: Vocabulary
    settings: VideoSettings
    models: Any
    name: str
    path: str | None
    frames: int
    size: tuple[int, int]
    first_frame: str
    """``content_hash`` of its pixels."""

    @classmethod
    def read(cls, folder: Path) -> SessionHeader:
        """Raises ``ValueError`` where there is no session, or one of another version."""
        path = folder / HEADER
        if not path.is_file():
            raise ValueError(f"{str(folder)!r} holds no session: there is no {HEADER} in it")
        content = read_json(path)
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise ValueError(f"{str(path)!r} is no session of this version of panoptic")
        try:
            clip, (height, width) = content["clip"], content["clip"]["size"]
            return cls(
                str(content["id"]),
                Vocabulary.from_coco(content["words"]),
                VideoSettings(**content["settings"]),
                content["models"],
                *(clip["name"], clip["path"], int(clip["frames"]), (int(height), int(width))),
                clip["first_frame"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{str(path)!r} is damaged, or of another version of panoptic: {error!r}"
            ) from error

    def write(self, folder: Path) -> None:
        clip = {
            **{"name": self.name, "path": self.path, "frames": self.frames},
            **{"size": list(self.size), "first_frame": self.first_frame},
        }
        content = {
            "format": FORMAT,
            "id": self.id,
            "clip": clip,
            "words": self.vocabulary.to_coco(),
        }
        settings = {"settings": asdict(self.settings), "models": self.models}
        write_json(folder / HEADER, {**content, **settings}, indent=1)

    def check(self, source: FrameSource, models: Any) -> None:
        """Raises ``ValueError`` for another clip, and for other models."""
        if (len(source), source.size) != (self.frames, self.size):
            (height, width), (h, w) = self.size, source.size
            raise ValueError(
                f"the session is of {self.frames} frames of {width} x {height} pixels, the clip "
                f"has {len(source)} of {w} x {h}: give the clip that it was begun with"
            )
        if fingerprint(source) != self.first_frame:
            raise ValueError(
                f"the session is of {self.path or self.name!r}, and the first frame of the clip "
                "is another one: give the clip that it was begun with"
            )
        if models != self.models:
            raise ValueError(
                f"the session was made with the models {self.models}, not {models}: load these"
            )


def fingerprint(source: FrameSource) -> str:
    return content_hash(source[0].tobytes())


class SessionFolder:
    """The files of a session, open for writing; one at a time has them.

    Without a folder they have no names, and are gone once they are closed. Raises ``DatasetError``
    while another one has them, and ``OutputError`` where they can't be written.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._held = ExitStack()
        self.tracked = 0
        """The frames after which the tracker on disk stands."""
        try:
            if folder is None:
                self.file, journal = RecordFile.temporary(), temporary_file()
            else:
                self._held.enter_context(only_one(folder, "correcting the session in"))
                self.file = RecordFile((folder / LAYERS).open("a+b"))
                journal = (folder / JOURNAL).open("a+b", buffering=0)
        except OSError as error:
            self._held.close()
            place = "the system's folder for temporary files" if folder is None else repr(folder)
            raise OutputError(f"{place} can't be written to: {error.strerror or error}") from error
        self._held.callback(self.file.close)
        self._held.callback(journal.close)
        self._journal = journal

    @classmethod
    def create(cls, folder: Path, header: SessionHeader) -> SessionFolder:
        """Raises ``OutputError`` if there is something in the folder already."""
        require_empty(folder)
        opened = cls(folder)
        header.write(folder)
        return opened

    def copy(self, folder: Path, header: SessionHeader, session: VideoSession, frames: int) -> None:
        """The same session in another folder, which takes the place of what was there."""
        with whole_folder(folder) as building:
            header.write(building)
            self.file.copy(building / LAYERS)
            (building / JOURNAL).write_bytes(self._read_journal())
            if frames:
                _save_tracker(building / TRACKER, session, frames)

    def continues(self, folder: Path) -> bool:
        """Whether a folder has nothing but an earlier copy of this session, whose steps are all
        among these. ``DatasetError`` while another one has it."""
        with only_one(folder, "correcting the session in"):
            known = {HEADER, LAYERS, JOURNAL, TRACKER}
            if any(p.name not in known and not is_lock(p.name) for p in folder.iterdir()):
                return False
            journal = folder / JOURNAL
            return journal.is_file() and self._read_journal().startswith(journal.read_bytes())

    def append(self, step: Step, version: int) -> None:
        """A step is done once this returns; if it is interrupted, the number can be given anew."""
        self.file.check_open()
        line = json.dumps({"version": version, **step.plain()}) + "\n"
        kept = step.kind != "run" and self.folder is not None
        if kept:  # work of a person: it survives a power cut, too
            self.file.sync()
        self._journal.seek(0, os.SEEK_END)
        self._journal.write(line.encode())
        if kept:
            os.fsync(self._journal.fileno())

    def write_tracker(self, session: VideoSession, frames: int) -> None:
        """What labelling goes on from after so many frames; at 0 there is nothing to write."""
        if frames == self.tracked or self.folder is None:
            return
        self.file.sync()
        os.fsync(self._journal.fileno())
        _save_tracker(self.folder / TRACKER, session, frames)
        self.tracked = frames

    def replay(self, start: VideoSession) -> SessionState:
        """The state that the steps on disk led to; ``start`` is a session before its first frame.

        Raises ``ValueError`` where they can't be read.
        """
        saved = self._read_tracker()
        frames = 0 if saved is None else int(saved["frames"])
        self.tracked = frames
        if saved is not None:
            start = VideoSession.restore(
                *(start.pipeline, start.vocabulary, start.settings, saved["state"])
            )
        state = SessionState(start, LayerStore(file=self.file))
        for version, step in self._steps():
            if step.kind == "run" and len(state.recording) == frames:
                break  # frames that the tracker on disk doesn't know of
            if version != state.version + 1:
                raise ValueError(f"{self._name()} is damaged: step {state.version + 1} is missing")
            state = state.after(step)
        if len(state.recording) != frames:
            raise ValueError(
                f"{self._name()} holds {len(state.recording)} frames and the "
                f"tracker has seen {frames}: the session is damaged"
            )
        self._end_line()
        return state

    def close(self) -> None:
        self._held.close()

    def _steps(self) -> list[tuple[int, Step]]:
        steps: list[tuple[int, Step]] = []
        for line in self._read_journal().split(b"\n"):
            try:
                content = json.loads(line)
                version, step = int(content["version"]), Step.read(content)
            except (ValueError, KeyError, TypeError, AttributeError, IndexError):
                continue  # broken off; a step that is missing shows by its number
            while steps and steps[-1][0] >= version:
                steps.pop()
            steps.append((version, step))
        return steps

    def _name(self) -> str:
        return repr(str(self.folder / JOURNAL)) if self.folder else "the journal"

    def _read_journal(self) -> bytes:
        self.file.check_open()
        self._journal.seek(0)
        return self._journal.read()

    def _end_line(self) -> None:
        """What was broken off stays by itself."""
        size = self._journal.seek(0, os.SEEK_END)
        if size:
            self._journal.seek(size - 1)
            if self._journal.read(1) != b"\n":
                self._journal.write(b"\n")

    def _read_tracker(self) -> Mapping[str, Any] | None:
        import torch

        if self.folder is None or not (path := self.folder / TRACKER).exists():
            return None
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
            return {"frames": int(content["frames"]), "state": content["state"]}
        except Exception as error:  # whatever torch finds wrong
            raise ValueError(
                f"{str(path)!r} can't be read ({type(error).__name__}): the session is damaged"
            ) from error


def _save_tracker(path: Path, session: VideoSession, frames: int) -> None:
    import torch

    with whole_file(path, synced=True) as part:
        torch.save({"frames": frames, "state": session.state()}, part)


def require_empty(folder: Path) -> None:
    """Raises ``OutputError`` if there is something in a folder."""
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{str(folder)!r} is a file: a session is a folder")
    held = (
        sorted(p.name for p in folder.iterdir() if not is_lock(p.name)) if folder.exists() else []
    )
    if HEADER in held:
        raise OutputError(
            f"there is a session in {str(folder)!r} already: open it "
            "(pipeline.open_session), or choose another folder"
        )
    if held:
        raise OutputError(
            f"{str(folder)!r} isn't empty, it holds {', '.join(map(repr, held[:3]))}: choose "
            "another folder for the session"
        )
