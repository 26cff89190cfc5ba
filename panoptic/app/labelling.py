"""The run that labels the whole folder: a process of its own, which outlives the app."""

from __future__ import annotations

import os
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from panoptic.app.given import Given
from panoptic.dataset.manifest import Manifest
from panoptic.dataset.store import MANIFEST
from panoptic.errors import DatasetError
from panoptic.io.files import read_json, write_text
from panoptic.io.writer_lock import RUN
from panoptic.video.layer_store import temporary_file
from prompts import Vocabulary


@dataclass(frozen=True)
class Command:
    """A command line: ``arguments`` after the program's name."""

    arguments: tuple[str, ...]
    files: Mapping[Path, str]
    """What it reads and has to be written first."""

    @property
    def text(self) -> str:
        """As it is typed."""
        return shlex.join(["panoptic", *self.arguments])


class Labelling:
    """Starts ``panoptic dataset``, and tells how far it is, whoever started it."""

    def __init__(self, given: Given, changes: Mapping[str, Any] | None = None) -> None:
        """``changes`` are the settings that the app itself was started with."""
        self._given = given
        self._changes = dict(changes or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._output: IO[bytes] | None = None
        self._text = ""

    def command(
        self, vocabulary: Vocabulary, models: Sequence[str], levels: Mapping[str, Any]
    ) -> Command:
        """Labels all that the app was started on; what was labelled otherwise is labelled anew.

        ``ValueError`` where there is nothing to label.
        """
        source, out = self._given.source, self._given.out
        if source is None:
            raise ValueError(
                "there is no folder to label: start the app on one, panoptic app FOLDER -o OUT"
            )
        files: dict[Path, str] = {}
        words = [
            text
            for option, categories in (
                ("--things", vocabulary.things),
                ("--stuff", vocabulary.stuff),
            )
            if categories
            for text in (option, ", ".join(c.name for c in categories))
        ]
        if any(c.synonyms for c in vocabulary):
            path = out.with_name(f"{out.name}-words.yaml")
            files[path] = _yaml(vocabulary)
            words = ["--vocabulary", str(path)]
        settings = {**self._changes, **levels}
        sets = [
            text for key, value in settings.items() for text in ("--set", f"{key}={_value(value)}")
        ]
        redo = ["--redo"] if (out / MANIFEST).exists() else []
        arguments = ["dataset", source, *words, *models, *sets, *redo, "-o", str(out)]
        return Command(tuple(arguments), files)

    def start(self, command: Command) -> None:
        """Starts it. ``ValueError`` while another run is at it."""
        if self.state()["running"]:
            raise ValueError(f"{str(self._given.out)!r} is being labelled already")
        for path, text in command.files.items():
            write_text(path, text)
        self._output = temporary_file()
        self._text = command.text
        self._process = subprocess.Popen(
            [sys.executable, "-m", "panoptic.cli", *command.arguments],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # what ends the app doesn't end it
        )

    def state(self) -> dict[str, Any]:
        """How far it is: ``running``, the counts of items, and at the end its last words."""
        process, out = self._process, self._given.out
        code = None if process is None else process.poll()
        running = (process is not None and code is None) or _is_held(out)
        told = self._told() if process is not None and code is not None else ""
        return {
            "running": running,
            "command": self._text or None,
            "code": code,
            "told": told,
            "counts": _counts(out),
        }

    def _told(self) -> str:
        assert self._output is not None
        size = os.fstat(self._output.fileno()).st_size
        return os.pread(self._output.fileno(), 4000, max(0, size - 4000)).decode(errors="replace")


def _counts(out: Path) -> dict[str, int] | None:
    if not (out / MANIFEST).is_file():
        return None
    try:
        manifest = Manifest(out / MANIFEST)
        try:
            counts = manifest.counts()
        finally:
            manifest.close()
    except (DatasetError, sqlite3.Error):
        return None  # the run that was started is just making it
    return {"done": counts.done, "failed": counts.failed, "waiting": counts.waiting}


def _is_held(out: Path) -> bool:
    """Whether a run on this machine says that it is at work there."""
    try:
        process = int(read_json(out / f"{RUN}.json")["process"])
        os.kill(process, 0)
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return process != os.getpid()


def _value(value: Any) -> str:
    return (
        "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    )


def _yaml(vocabulary: Vocabulary) -> str:
    import yaml

    return yaml.safe_dump(
        {
            "things": [c.name for c in vocabulary.things],
            "stuff": [c.name for c in vocabulary.stuff],
            "synonyms": {c.name: list(c.synonyms) for c in vocabulary if c.synonyms},
        },
        sort_keys=False,
        allow_unicode=True,
    )
