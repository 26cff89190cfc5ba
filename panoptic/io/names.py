"""Names of files, made of names that strangers chose: safe on any system, and never two alike.

Every place where a name becomes a path is one of these:

- ``clean_key`` and ``free_key``: the name of an item in its source to its key, a path without
  dots. What is made of a key (``KEY.png``, ``KEY.json``, ``KEY.frames/``) is then like nothing
  that is made of another key, be it ``KEY/...``.
- ``flat_name``: a key to one part of a path, as exports name files.
- ``clean_stem`` and ``free_stem``: a picture's or a clip's own name to that of its results.

Names are told apart as the strictest file systems do: whatever the case, and however accents are
put together.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable

_MAX_PART_BYTES = 100  # file systems allow 255, and endings and frame numbers come on top
_MAX_KEY_BYTES = 180  # of a path; systems allow 255 for the part that formats make of all of it
_JOINT = "--"
_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f\\:*?"<>|.\s\ud800-\udfff\u2028\u2029\u202a-\u202e]')
# Names that Windows keeps for devices.
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)
_MARK = re.compile(r"x[0-9a-f]{16}", re.IGNORECASE)
# Dots and spaces are common in names, and harm no name of a result.
_UNSAFE_IN_STEM = re.compile(_UNSAFE.pattern.replace(r".\s", "/"))


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
    return _numbered(clean_key(name), taken)


def flat_name(key: str) -> str:
    """A key as one part of a path, its folders joined by ``--``; without spaces.

    Two keys that differ in folded case give names that do: where the joint could be mistaken, a
    mark follows that no name without one ends in.
    """
    name = "_".join(key.replace("/", _JOINT).split())
    parts = key.split("/")
    is_plain = (
        name == key.replace("/", _JOINT)
        and _JOINT not in key
        and not any(part.startswith("-") or part.endswith("-") for part in parts)
        and not _MARK.fullmatch(parts[-1])
        and len(name.encode()) <= _MAX_KEY_BYTES
    )
    return name if is_plain else marked_name(name, key)


def marked_name(name: str, key: str) -> str:
    """The name with a mark of the key, which no other key's name has."""
    start = name.encode()[: _MAX_KEY_BYTES - 19].decode(errors="ignore")
    return f"{start}{_JOINT}x{_digest(key)[:16]}"


def clean_stem(name: str) -> str:
    """What results of a picture or clip are called, without ending; it stays as it is where that
    can be. ``name`` is one part of a path, already without ending."""
    stem = _UNSAFE_IN_STEM.sub("_", unicodedata.normalize("NFC", name)).strip(" ").rstrip(".")
    return _short(_plain_start(stem or "_"))


def free_stem(name: str, taken: Callable[[str], bool]) -> str:
    """``clean_stem``, numbered where that name is taken; ``taken`` gets names in folded case."""
    return _numbered(clean_stem(name), taken)


def _numbered(name: str, taken: Callable[[str], bool]) -> str:
    number = 1
    while taken((free := name if number == 1 else f"{name}-{number}").casefold()):
        number += 1
    return free


def printable(text: str, most: int = 400) -> str:
    """Text from strangers on one line, fit for terminals and for files in UTF-8."""
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return safe if len(safe) <= most else safe[: most - 1] + "…"


def _clean_part(part: str) -> str:
    return _short(_plain_start(_UNSAFE.sub("_", unicodedata.normalize("NFC", part))))


def _plain_start(part: str) -> str:
    """What no shell takes for an option or a home, and Windows for no device."""
    is_device = _RESERVED.fullmatch(part.partition(".")[0])
    return "_" + part if is_device or part.startswith(("-", "~")) else part


def _short(part: str) -> str:
    if len(part.encode()) <= _MAX_PART_BYTES:
        return part
    start = part.encode()[: _MAX_PART_BYTES - 13].decode(errors="ignore")
    return f"{start}-{_digest(part)[:12]}"


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
