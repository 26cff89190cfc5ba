"""Sources in which there is nothing to label, and what is in them instead."""

from __future__ import annotations

from collections import Counter
from typing import Any

from panoptic.errors import SourceError
from panoptic.io.sources.base import UNREAD_ENDINGS, Source

_SHOWN = 6


def check_not_empty(source: Source) -> None:
    """``SourceError`` if a source lists nothing; it says what is there instead.

    No more of it is listed than its first item.
    """
    if next(iter(source), None) is not None:
        return
    others: Counter[str] | None = getattr(source, "others", None)
    there = "" if others is None else "; there is nothing at all"
    if others:
        there = f"; there are {_counted(others)}"
    what = "no file matches" if getattr(source, "pattern", None) else "there is nothing to label in"
    raise SourceError(
        f"{what} {source.label!r}: no picture and no video by its ending, such as .jpg, .png, "
        f".tif, .heic, .mp4{there}"
    )


def left_out(source: Any) -> str | None:
    """What to say of the pictures and videos that a source, just listed, doesn't read."""
    others: Counter[str] | None = getattr(source, "others", None)
    unread = Counter({e: n for e, n in (others or {}).items() if e in UNREAD_ENDINGS})
    return f"left out, as these formats aren't read: {_counted(unread)}" if unread else None


def _counted(others: Counter[str]) -> str:
    parts = [f"{n} {ending or 'without ending'}" for ending, n in others.most_common(_SHOWN)]
    rest = sum(others.values()) - sum(n for _, n in others.most_common(_SHOWN))
    return ", ".join(parts) + (f" and {rest} others" if rest else "")
