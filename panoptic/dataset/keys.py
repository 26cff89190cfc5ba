"""Keys: file names that strangers chose, made safe to build paths of on any system."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable

_MAX_PART_BYTES = 100  # file systems allow 255, and endings and frame numbers come on top
_MAX_KEY_BYTES = 180  # some formats make one file name of the whole key
_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f\\:*?"<>|.\s\ud800-\udfff\u2028\u2029\u202a-\u202e]')
# Names that Windows keeps for devices.
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)


def clean_key(name: str) -> str:
    """The key that a name within a source suggests: POSIX, relative, without dots.

    The ending goes, what could lead elsewhere or isn't plain text becomes ``_``; letters of all
    scripts stay. Different names may come out alike: see ``free_key``.
    """
    parts = [part for part in re.split(r"[/\\]", name) if part not in ("", ".")]
    if parts and (stem := re.sub(r"(?<=.)\.[^.]{1,8}$", "", parts[-1], flags=re.DOTALL)):
        parts[-1] = stem
    key = "/".join(_clean_part(part) for part in parts) or "_"
    if len(key.encode()) > _MAX_KEY_BYTES:
        key = f"{_digest(name)[:16]}/{key.rpartition('/')[2]}"
    return key


def free_key(name: str, taken: Callable[[str], bool]) -> str:
    """``clean_key``, with a number where that key is taken; ``taken`` gets keys in folded case."""
    key = clean_key(name)
    number = 1
    while taken((free := key if number == 1 else f"{key}-{number}").casefold()):
        number += 1
    return free


def printable(text: str, most: int = 400) -> str:
    """Text from strangers on one line, fit for terminals and for files in UTF-8."""
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return safe if len(safe) <= most else safe[: most - 1] + "…"


def _clean_part(part: str) -> str:
    part = _UNSAFE.sub("_", unicodedata.normalize("NFC", part))
    if _RESERVED.fullmatch(part) or part.startswith(("-", "~")):
        part = "_" + part
    if len(part.encode()) > _MAX_PART_BYTES:
        start = part.encode()[: _MAX_PART_BYTES - 13].decode(errors="ignore")
        part = f"{start}-{_digest(part)[:12]}"
    return part


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
