"""An app in a process of its own, as the command starts it, and a browser that looks at it."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from panoptic.cli import main

TOKEN = "a-token-that-stays-the-same"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# Python and torch are loaded once; each app is forked from there.
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["benchmarks.lib.app_preloaded"])


class App:
    """``panoptic app`` with these arguments, always at the same address."""

    def __init__(self, *arguments: str | Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}/{TOKEN}/"
        self._arguments = [str(each) for each in arguments]
        self._process: Any = None

    def start(self) -> None:
        fixed = ["--port", str(self.port), "--token", TOKEN, "--no-browser"]
        self._process = _PROCESSES.Process(target=main, args=(["app", *self._arguments, *fixed],))
        self._process.start()
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            if not self._process.is_alive():
                raise RuntimeError("the app ended")
            time.sleep(0.05)
        raise RuntimeError("the app doesn't answer")

    def kill(self) -> None:
        """As kill -9 does."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
        self._process = None


@contextmanager
def running(*arguments: str | Path) -> Iterator[App]:
    app = App(*arguments)
    app.start()
    try:
        yield app
    finally:
        app.kill()


def find_browser() -> str | None:
    """A Chromium, or the one that the variable CHROMIUM names."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)


def launch(playwright: Any, path: str) -> Any:
    """That browser, without a window."""
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    return playwright.chromium.launch(executable_path=path, args=["--no-sandbox"] if root else [])
