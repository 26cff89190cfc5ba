"""Where a run stands, on disk: what ``--resume`` goes on from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from panoptic.io.files import read_json, whole_file, write_text

Request = Mapping[str, str]
"""What was asked for, by names for people: a run is only resumed for the same request."""


@dataclass(frozen=True)
class Checkpoint:
    """``frame`` is the first one that isn't done; ``state`` is what the session goes on from."""

    frame: int
    state: Any
    summary: Mapping[str, Any]
    formats: tuple[str, ...]


class Checkpoints:
    """``FOLDER/resume/VIDEO.pt`` while a video is being labelled, ``VIDEO.json`` when it is done.

    States are plain containers, numbers and tensors, and are read as nothing else, so that a
    file from a stranger can do no harm.
    """

    def __init__(self, folder: Path, name: str, request: Request) -> None:
        self._unfinished = folder / "resume" / f"{name}.pt"
        self._finished = folder / "resume" / f"{name}.json"
        self._request = dict(request)

    def save(self, checkpoint: Checkpoint) -> None:
        import torch

        content = {
            "request": self._request,
            "frame": checkpoint.frame,
            "state": checkpoint.state,
            "summary": dict(checkpoint.summary),
            "formats": list(checkpoint.formats),
        }
        with whole_file(self._unfinished) as part:
            torch.save(content, part)

    def load(self) -> Checkpoint | None:
        """Where the run stands, None if it wasn't begun.

        Raises ``ValueError`` if something else was asked for then, or the file can't be read.
        """
        import torch

        if not self._unfinished.exists():
            return None
        try:
            content = torch.load(self._unfinished, map_location="cpu", weights_only=True)
            self._check(content["request"])
            return Checkpoint(
                content["frame"], content["state"], content["summary"], tuple(content["formats"])
            )
        except (OSError, RuntimeError, EOFError, KeyError, TypeError) as error:
            raise ValueError(
                f"{str(self._unfinished)!r} is no checkpoint of this version: start anew without "
                f"--resume ({type(error).__name__})"
            ) from error

    def finish(self, summary: Mapping[str, Any]) -> None:
        """The video is done; its state isn't needed any more."""
        content = {"request": self._request, "summary": dict(summary)}
        write_text(self._finished, json.dumps(content, ensure_ascii=False, indent=1))
        self._unfinished.unlink(missing_ok=True)

    def finished(self) -> Mapping[str, Any] | None:
        """The summary of a video that is done, None if it isn't. Raises ``ValueError`` as
        :meth:`load` does."""
        if not self._finished.exists():
            return None
        content = read_json(self._finished)
        self._check(content["request"])
        return content["summary"]

    def forget(self) -> None:
        """Begins anew."""
        self._unfinished.unlink(missing_ok=True)
        self._finished.unlink(missing_ok=True)

    def _check(self, request: Request) -> None:
        keys = [*self._request, *request]
        changed = [k for k in dict.fromkeys(keys) if self._request.get(k) != request.get(k)]
        if changed:
            raise ValueError(
                f"this run can't be resumed: {', '.join(changed)} changed since it was begun; ask "
                "for the same again, or start anew without --resume"
            )
