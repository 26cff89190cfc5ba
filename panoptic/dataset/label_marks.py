"""Whether the files of a label are those that were written: by size and time, and by content.

Of many labels only sizes and times are looked at. Where these differ (a copied data set, a damaged
disk, another program) the content decides.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from panoptic.dataset.tasks import LabelMark

_PNG = b"\x89PNG\r\n\x1a\n"


def mark_of(files: Sequence[Path]) -> LabelMark:
    """The mark of files as they are; ``OSError`` where one is gone."""
    return LabelMark(_stamp(files), _digest(files))


def found_again(files: Sequence[Path], known: LabelMark | None) -> LabelMark | None:
    """The mark of files that are those that were written; None if they are gone or damaged.

    Without a mark to compare with they are good if each is whole in itself.
    """
    try:
        stamp = _stamp(files)
        if known is not None and known.stamp == stamp:
            return known
        if known is None and not all(map(is_whole, files)):
            return None
        digest = _digest(files)
    except OSError:
        return None
    return LabelMark(stamp, digest) if known is None or known.digest == digest else None


def _stamp(files: Iterable[Path]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for file in files:
        status = os.stat(file)
        digest.update(f"{file.name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _digest(files: Iterable[Path]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for file in files:
        data = file.read_bytes()
        digest.update(f"{file.name} {len(data)}\n".encode() + data)
    return digest.hexdigest()


def is_whole(file: Path) -> bool:
    """Whether a PNG or JSON is there to its end; ``OSError`` where it is gone."""
    data = file.read_bytes()
    if file.suffix == ".png":
        return _is_whole_png(data)
    try:
        return isinstance(json.loads(data), dict)
    except ValueError:
        return False


def _is_whole_png(data: bytes) -> bool:
    """Whether all parts of a PNG are there and have the checksums that they say."""
    if not data.startswith(_PNG):
        return False
    place = len(_PNG)
    while place + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, place)
        end = place + 8 + length
        if end + 4 > len(data):
            return False
        if struct.unpack_from(">I", data, end)[0] != zlib.crc32(data[place + 4 : end]):
            return False
        if data[place + 4 : place + 8] == b"IEND":
            return True
        place = end + 4
    return False
