"""A headless Chromium that is there, Debian's say, by Playwright (extra ``test``)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.lib.app_process import BROWSERS, find_browser, launch


@contextmanager
def chromium() -> Iterator[Any]:
    """The browser. ``FileNotFoundError`` where there is none."""
    from playwright.sync_api import sync_playwright

    path = find_browser()
    if path is None:
        raise FileNotFoundError(
            f"no browser: install Debian's chromium, or name one in CHROMIUM ({BROWSERS})"
        )
    with sync_playwright() as started:
        browser = launch(started, path)
        yield browser
        browser.close()
