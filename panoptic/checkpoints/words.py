"""Lists and sizes as they are said."""

from __future__ import annotations

from collections.abc import Sequence


def listed(names: Sequence[str]) -> str:
    """Names as "a, b and c"."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def readable(size: int) -> str:
    """Bytes as "1.48 GB", "689 MB", "12 kB"."""
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size >= unit:
            return f"{size / unit:.2f} {name}" if unit == 10**9 else f"{size / unit:.0f} {name}"
    return f"{size} bytes"
