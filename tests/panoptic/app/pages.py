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

import pytest

from panoptic.cli import main

TOKEN = "a-token-that-stays-the-same"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# Python and torch are loaded once; each app is forked from there.
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["tests.panoptic.app.preloaded"])


class App:
    """``panoptic app`` with these arguments, always at the same address."""

    def __init__(self, *arguments: str | Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}/{TOKEN}/"
        self._arguments = [str(each) for each in arguments]
        self._process = None

    def start(self) -> None:
        fixed = ["--port", str(self.port), "--token", TOKEN, "--no-browser"]
        self._process = _PROCESSES.Process(target=main, args=(["app", *self._arguments, *fixed],))
        self._process.start()
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert self._process.is_alive(), "the app ended"
            time.sleep(0.05)
        raise AssertionError("the app doesn't answer")

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


@contextmanager
def browser_at_hand() -> Iterator[object]:
    """A headless Chromium; the test is skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: extra 'test'")
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f"no browser: install Debian's chromium, or name one in CHROMIUM ({BROWSERS})")
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=path, args=["--no-sandbox"] if root else []
        )
        yield browser
        browser.close()


class Page:
    """A page of the app, with what tests ask of it. Nothing may go elsewhere, or wrong."""

    def __init__(self, browser, app: App, tab: str = "", width=1280, height=860) -> None:
        self.page = browser.new_page()
        self.page.set_viewport_size({"width": width, "height": height})
        self.page.set_default_timeout(30_000)
        self.elsewhere: list[str] = []
        self.errors: list[str] = []
        self.page.on("request", lambda r: self._look(r.url, app.address))
        self.page.on("pageerror", lambda e: self.errors.append(str(e)))
        self.page.goto(f"{app.address}#{tab}" if tab else app.address)

    def _look(self, url: str, own: str) -> None:
        if not url.startswith((own, "data:", "blob:")):
            self.elsewhere.append(url)

    def close(self) -> None:
        self.page.close()
        assert (self.elsewhere, self.errors) == ([], [])

    def key(self) -> str:
        """The label that is shown."""
        self.page.wait_for_selector("#review[data-key]")
        return self.page.get_attribute("#review", "data-key")

    def show(self, key: str) -> None:
        """Whatever its verdict is."""
        self.filter("")
        self.page.click(f"#queue li[data-key='{key}']")
        self.page.wait_for_selector(f"#review[data-key='{key}']")

    def filter(self, verdict: str) -> None:
        self.key()
        if not self.page.is_visible("#filter-verdict"):
            self.page.click("#filters summary")
        with self.page.expect_response("**/review/queue"):
            self.page.select_option("#filter-verdict", verdict)

    def press(self, key: str) -> None:
        self.page.keyboard.press(key)

    def judge(self, key: str) -> str:
        """Presses a key that leads on; returns the label that was shown."""
        shown = self.key()
        self.press(key)
        self.page.wait_for_function("(k) => document.getElementById('review').dataset.key !== k",
                                    arg=shown)  # fmt: skip
        return shown

    def saved(self) -> None:
        """Waits until all that was decided is told to be in the data set."""
        self.page.wait_for_function(
            "() => document.getElementById('saved').dataset.waiting === '0'"
        )

    def point(self, canvas: str, size: tuple[int, int], x: float, y: float) -> tuple[float, float]:
        """Where a pixel of a picture of this size (height, width) is on the screen."""
        box = self.page.locator(canvas).bounding_box()
        scale = min(box["width"] / size[1], box["height"] / size[0])
        left = box["x"] + (box["width"] - size[1] * scale) / 2
        top = box["y"] + (box["height"] - size[0] * scale) / 2
        return left + (x + 0.5) * scale, top + (y + 0.5) * scale

    def text(self, selector: str) -> str:
        return self.page.inner_text(selector)

    def expect(self, selector: str, text: str) -> None:
        self.page.wait_for_function(
            "([s, t]) => document.querySelector(s)?.textContent.includes(t)", arg=[selector, text]
        )

    def listed(self, rows: str, name: str) -> list[str]:
        """What the rows of a list are called by."""
        return self.page.eval_on_selector_all(rows, f"rows => rows.map(r => r.dataset.{name})")

    def slide(self, selector: str, value: float) -> None:
        """Moves a slider."""
        moved = "(e, v) => { e.value = v; e.dispatchEvent(new Event('input')); }"
        self.page.eval_on_selector(selector, moved, value)
