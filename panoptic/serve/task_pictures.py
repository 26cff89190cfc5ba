"""The picture of a Label Studio task, from where tasks may have one, and from nowhere else.

- ``data:image/...;base64,...``: within the task.
- ``/data/upload/...`` and other paths of Label Studio: fetched from the one that was named, with
  its key, which goes nowhere else.
- ``/data/local-files/?d=...``: a file below the folder that was named, if one was; else fetched.
- ``s3://``, ``gs://``, ``azure-blob://``: Label Studio gives an address for it.
- ``http(s)://...``: fetched if its host is on the list, at each redirect anew.
"""

from __future__ import annotations

import base64
import binascii
import posixpath
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote_to_bytes, urlsplit

from panoptic.serve.fetching import Fetcher
from panoptic.serve.limits import MEGABYTE
from panoptic.serve.refusals import Refused

_CLOUD = ("s3", "gs", "azure-blob")
_UPLOADS = ("upload/", "/upload/")


@dataclass(frozen=True)
class TaskPictures:
    """Reads them. ``files`` is Label Studio's root of local files on this machine."""

    fetcher: Fetcher
    files: Path | None = None
    most: int = 64 * MEGABYTE

    def read(self, place: Any, task: Any = None) -> bytes:
        """The bytes of a picture; ``task`` is the task's id. ``Refused`` (413, 422, 502)."""
        if not isinstance(place, str) or not place:
            raise Refused(422, f"expected the address of a picture, got {str(place)[:60]!r}")
        if place.startswith("data:"):
            return self._within(place)
        scheme = urlsplit(place).scheme.lower()
        if scheme in ("http", "https"):
            return self.fetcher.get(place, self.most)
        if scheme in _CLOUD:
            if not isinstance(task, int):
                raise Refused(
                    422, f"{place!r} needs the task's id to be looked up, and it has none"
                )
            encoded = base64.urlsafe_b64encode(place.encode()).decode()
            return self.fetcher.get_own(f"/tasks/{task}/presign/?fileuri={encoded}", self.most)
        if place.startswith(_UPLOADS):
            place = "/data/" + place.lstrip("/")
        if place.startswith("/data/local-files/") and self.files is not None:
            return self._local(place, self.files)
        if place.startswith(("/data/", "/storage-data/", "/tasks/", "/projects/")):
            return self.fetcher.get_own(_normal(place), self.most)
        raise Refused(
            422,
            f"the picture {place[:80]!r} is in no place that is read: expected data:, http(s):, or "
            "a path of Label Studio such as /data/upload/1/street.jpg",
        )

    def _within(self, place: str) -> bytes:
        head, comma, body = place.partition(",")
        if not comma or not head.startswith("data:image/"):
            raise Refused(422, f"expected data:image/...;base64,..., got {place[:40]!r}")
        try:
            data = base64.b64decode(body) if ";base64" in head else unquote_to_bytes(body)
        except (binascii.Error, ValueError) as error:
            raise Refused(422, f"the picture in data: is damaged: {error}") from error
        return data

    def _local(self, place: str, root: Path) -> bytes:
        values = parse_qs(urlsplit(place).query).get("d") or [""]
        root = root.resolve()
        try:
            path = (root / posixpath.normpath("/" + values[-1]).lstrip("/")).resolve()
            if not path.is_relative_to(root) or not path.is_file():
                raise FileNotFoundError
            if path.stat().st_size > self.most:
                raise Refused(413, f"{values[-1]!r} is larger than {self.most / MEGABYTE:g} MiB")
            return path.read_bytes()
        except (OSError, ValueError) as error:
            raise Refused(
                422, f"there is no picture {values[-1][:80]!r} in the folder of local files"
            ) from error


def _normal(place: str) -> str:
    """A path of Label Studio as its server has it: nothing in it leads elsewhere."""
    parts = urlsplit(place)
    path = quote(posixpath.normpath(parts.path), safe="/%-._~!$&'()*+,;=:@")
    slash = "/" if parts.path.endswith("/") and path != "/" else ""
    return path + slash + (f"?{parts.query}" if parts.query else "")
