"""A page of the app in a real browser, with what tests ask of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from benchmarks.lib.app_process import BROWSERS, App, find_browser, launch, running

__all__ = ["App", "Page", "browser_at_hand", "running"]


@contextmanager
def browser_at_hand() -> Iterator[object]:
    """A headless Chromium; the test is skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: extra 'test'")
    path = find_browser()
    if path is None:
        pytest.skip(f"no browser: install Debian's chromium, or name one in CHROMIUM ({BROWSERS})")
    with playwright.sync_playwright() as started:
        browser = launch(started, path)
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
