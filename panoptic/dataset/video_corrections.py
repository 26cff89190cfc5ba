"""Videos of a data set corrected by hand: a session on their labels, and the labels it leads to.

The session of a video is kept in ``sessions/`` of the data set, and every edit is in the data set
as soon as it is made: the frames that it changed are corrections. An edit is a small mapping as in
``panoptic.dataset.hand_corrections``, of a frame, and one more kind, ``{"edit": "propagate"}``.

A kill between a session's step and the data set's leaves a mark in the session's folder: when it is
opened again, the data set is brought to where the session stands. Where the data set's corrections
are others than the session made, as after a rejection or a correction from another tool, the
session begins anew from what stands.
"""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from panoptic.dataset.decisions import Decided, Decision
from panoptic.dataset.hand_corrections import EDITS
from panoptic.dataset.store import DatasetStore
from panoptic.errors import StaleLabelError
from panoptic.image_pipeline import ImagePipeline
from panoptic.io.files import read_json, write_json
from panoptic.results.labelled import LabelledItem
from panoptic.video.file_session import FileSession
from panoptic.video.given_labels import GivenLabels

VIDEO_EDITS = (*EDITS, "propagate")
SESSIONS = "sessions"
_MARK = "written.json"


class VideoCorrections:
    """Corrects videos of a data set, one at a time. Several threads may use it."""

    def __init__(self, store: DatasetStore, pipeline: Callable[[], ImagePipeline]) -> None:
        self._store = store
        self._pipeline = pipeline
        self._lock = threading.RLock()
        self._open: tuple[str, FileSession] | None = None

    def correct(
        self, key: str, frame: int, edit: Mapping[str, Any], decision: Decision
    ) -> list[int]:
        """Makes an edit; returns the frames that it changed, which are corrected now.

        Raises ``ValueError`` and ``KeyError`` for edits that make no sense, ``StaleLabelError`` if
        the label isn't the one that was looked at.
        """
        with self._lock:
            if decision.seen not in (None, self._store.decisions.version(key)):
                raise StaleLabelError(f"{key!r} has been changed meanwhile: look at it again")
            session = self.session(key)
            self._mark(key, None)
            steps = len(session.undoable)
            try:
                frames = _made(session, frame, edit)
                self._write(session, key, frames, decision, edit, frame)
            except BaseException:
                while len(session.undoable) > steps:
                    session.undo()
                self._mark(key, self._standing(key))
                raise
            self._mark(key, self._standing(key))
            return frames

    def undone(self, decided: Decided) -> None:
        """The data set stands where it stood before an edit, and the session follows."""
        with self._lock:
            key, opened = decided.key, self._open
            if (
                opened is not None
                and opened[0] == key
                and len(opened[1].undoable) == decided.what.get("step")
            ):
                opened[1].undo()
                self._mark(key, self._standing(key))

    def session(self, key: str) -> FileSession:
        """The session of a video, begun or gone on with. The latest stays open."""
        with self._lock:
            if self._open is not None and self._open[0] == key and self._is_written(key):
                return self._open[1]
            self.close()
            item, folder = self._store.item(key), self.folder(key)
            session = self._gone_on_with(item, folder) or self._begun(item, folder)
            self._open = key, session
            return session

    def close(self) -> None:
        with self._lock:
            if self._open is not None:
                self._open[1].close()
            self._open = None

    def folder(self, key: str) -> Path:
        """Where the session is kept: another one for other labels."""
        row = self._store.manifest.row(key)
        made_by = hashlib.sha256(f"{row['content']} {row['settings']}".encode()).hexdigest()[:8]
        return self._store.root / SESSIONS / f"{key}.{made_by}"

    # ---------------------------------------------------------------------------------------

    def _begun(self, item: LabelledItem, folder: Path) -> FileSession:
        if folder.exists():  # of corrections that stand no longer
            shutil.rmtree(folder)
        labels = GivenLabels(self._store.vocabulary, item.frames, item.load)
        folder.parent.mkdir(parents=True, exist_ok=True)
        session = FileSession.of_labels(self._pipeline(), labels, _path(item), folder=folder)
        self._mark(item.key, self._standing(item.key))
        return session

    def _gone_on_with(self, item: LabelledItem, folder: Path) -> FileSession | None:
        mark = self._read_mark(folder)
        if mark is None or (mark["standing"] is not None and not self._is_written(item.key)):
            return None
        try:
            session = FileSession.open(self._pipeline(), folder, _path(item))
        except ValueError:
            return None
        if mark["standing"] is None:  # killed between the session's step and the data set's
            differ = [
                index
                for index in range(session.labelled)
                if session.frame(index).segmentation != item.load(index)
            ]
            self._write(session, item.key, differ, None, {}, 0)
            self._mark(item.key, self._standing(item.key))
        return session

    def _write(
        self,
        session: FileSession,
        key: str,
        frames: Iterable[int],
        decision: Decision | None,
        edit: Mapping[str, Any],
        frame: int,
    ) -> None:
        corrected = {index: session.frame(index).segmentation for index in frames}
        if not corrected:
            if decision is None:
                return
            raise ValueError("nothing has to be changed by that")
        if decision is not None:
            what = {**edit, "frame": frame, "session": True, "step": len(session.undoable)}
            what["frames"] = sorted(corrected)
            decision = Decision(decision.by, decision.request, decision.seen, what)
        self._store.set_verdict(key, "corrected", corrected=corrected, decision=decision)

    def _standing(self, key: str) -> dict[str, str]:
        """The corrections that stand, by frame."""
        found = self._store.corrections(key)
        return {str(frame): path.name for frame, path in found.items()}

    def _is_written(self, key: str) -> bool:
        """Whether the data set's corrections are those that the session led to."""
        mark = self._read_mark(self.folder(key))
        return mark is not None and mark["standing"] == self._standing(key)

    def _mark(self, key: str, standing: Mapping[str, str] | None) -> None:
        """``standing`` None: the session goes ahead, the data set follows."""
        write_json(self.folder(key) / _MARK, {"standing": standing})

    @staticmethod
    def _read_mark(folder: Path) -> dict[str, Any] | None:
        try:
            found = read_json(folder / _MARK)
            return found if "standing" in found else None
        except (OSError, ValueError, TypeError):
            return None


def _path(item: LabelledItem) -> str:
    if "://" in item.source or not Path(item.source).exists():
        raise ValueError(
            f"{item.name!r} is no file on this machine: only such videos can be corrected here"
        )
    return item.source


def _made(session: FileSession, frame: int, edit: Mapping[str, Any]) -> list[int]:
    """The frames that an edit changes, once it is made."""
    kind = edit.get("edit")
    if kind == "click":
        point = float(edit["x"]), float(edit["y"])
        session.click(frame, int(edit["segment"]), point, bool(edit.get("positive", True)))
        return [frame]
    if kind == "box":
        session.add_box(frame, edit["box"], int(edit["word"]))
        return [frame]
    if kind == "propagate":
        if not session.edits.pending:
            raise ValueError("there is nothing to propagate: click or draw a box first")
        return list(session.propagate(progress=False).indices)
    if kind not in ("relabel", "delete"):
        raise ValueError(f"an edit is one of {', '.join(VIDEO_EDITS)}, got {kind!r}")
    segment = int(edit["segment"])
    concerned = set(session.edits.group(segment))
    if kind == "relabel":
        concerned |= set(session.edits.group(session.relabel(segment, int(edit["word"]))))
    else:
        session.remove(segment)
    records = (session.recording[index] for index in range(session.labelled))
    return [r.layers.index for r in records if concerned & set(r.layers.ids)]
