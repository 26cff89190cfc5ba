"""One file of the hub into its cache, gone on with where it was broken off.

The hub's own package starts a broken download anew. Here what has come stays beside the cache's
blobs as ``<etag>.incomplete``, where `hf cache prune` knows it, and the next run goes on from
there. Links and references are made by the hub's package, so that the cache is as if that had
fetched the file.
"""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from panoptic.checkpoints.presence import cache_of

PAUSES = (1.0, 2.0, 4.0)
"""Seconds before each further try of a connection that brought nothing more."""
_CHUNK = 1 << 20
_OURS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO)


class UnreachableError(ValueError):
    """The hub can't be reached, or doesn't give what was asked for."""


@dataclass(frozen=True)
class HubFile:
    """``etag`` names its blob in the cache, None where the hub doesn't tell; ``sha256`` is None
    for small files, which git keeps."""

    name: str
    size: int
    etag: str | None
    sha256: str | None


@dataclass(frozen=True)
class Plan:
    """Files of one repository, at one commit, that aren't in the cache."""

    repository: str
    commit: str
    files: tuple[HubFile, ...]

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)

    @property
    def begun(self) -> int:
        """Bytes that have come already."""
        return sum(_size(_unfinished(self, file)) for file in self.files if file.etag)


def link(repository: str, name: str, commit: str | None) -> Path:
    """The path of a file in the cache; what isn't there is fetched by the hub's package.

    ``commit`` None is the branch ``main``, of which the cache then knows the commit. Raises
    :class:`UnreachableError`.
    """
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(repository, name, revision=commit))
    except Exception as error:  # of the hub's package, and of whichever HTTP library is under it
        raise UnreachableError(f"{name} of {repository}: {reason(error, repository)}") from error


def download(plan: Plan, file: HubFile, progress: Callable[[int], object]) -> None:
    """Bring a file's blob into the cache; ``progress`` is told how many bytes have come.

    Raises ``ValueError`` where the connection is lost, with what came kept for the next try, where
    the disk doesn't take it, or what came isn't what the hub has.
    """
    if file.etag is None:
        return  # the hub's package must find out, when it is asked for the link
    blob, part = _blob(plan, file), _unfinished(plan, file)
    if blob.exists() and _size(blob) == file.size:
        return
    blob.parent.mkdir(parents=True, exist_ok=True)
    if _size(part) > file.size:
        part.unlink()
    pauses = iter(PAUSES)
    part.touch()
    while (here := _size(part)) < file.size:
        lost: Exception = ConnectionError("it ended early")
        try:
            _stream(plan, file, part, progress)
        except Exception as error:  # of whichever HTTP library the hub's package has
            if isinstance(error, OSError) and error.errno in _OURS:
                raise ValueError(f"{part}: can't be written ({error.strerror})") from error
            if _refused(error):
                raise UnreachableError(
                    f"{file.name} of {plan.repository}: {reason(error, plan.repository)}"
                ) from error
            lost = error
        if _size(part) > here:
            pauses = iter(PAUSES)  # it goes on, if with breaks
        elif (pause := next(pauses, None)) is not None:
            time.sleep(pause)
        else:
            raise ValueError(_lost(plan, file, part, lost)) from lost
    if _size(part) != file.size or (file.sha256 and _sha256(part) != file.sha256):
        part.unlink()
        raise ValueError(
            f"what came of {file.name} of {plan.repository} isn't what the hub has; it was "
            "deleted, and the same command fetches it again"
        )
    os.replace(part, blob)


def _stream(plan: Plan, file: HubFile, part: Path, progress: Callable[[int], object]) -> None:
    """What is still to come of a file; ends early where the connection does."""
    from huggingface_hub import constants, hf_hub_url
    from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

    here = _size(part)
    headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
    if here:
        headers["Range"] = f"bytes={here}-"
    url = hf_hub_url(plan.repository, file.name, revision=plan.commit)
    timeout = constants.HF_HUB_DOWNLOAD_TIMEOUT
    with get_session().stream("GET", url, headers=headers, timeout=timeout) as response:
        hf_raise_for_status(response)
        again = here and response.status_code != 206  # a server that knows no ranges
        with part.open("wb" if again else "ab") as out:
            if again:
                progress(-here)
            for chunk in response.iter_bytes():
                out.write(chunk)
                progress(len(chunk))


def reason(error: Exception, repository: str) -> str:
    """Why the hub doesn't give something, in a line."""
    from huggingface_hub import constants
    from huggingface_hub.errors import GatedRepoError

    if isinstance(error, GatedRepoError):
        return (
            f"it is gated: accept its licence on {constants.ENDPOINT}/{repository}, then log in "
            "with `hf auth login`"
        )
    return " ".join(str(error).split())[:200] or type(error).__name__


def _refused(error: Exception) -> bool:
    """Whether asking again is of no use."""
    status = getattr(getattr(error, "response", None), "status_code", 0)
    return 400 <= status < 500 and status not in (408, 429)


def _lost(plan: Plan, file: HubFile, part: Path, error: Exception) -> str:
    from huggingface_hub import constants

    why = reason(error, plan.repository)
    return (
        f"the connection to {constants.ENDPOINT} was lost when {_size(part):,} of "
        f"{file.size:,} bytes of {file.name} of {plan.repository} had come ({why}); the same "
        "command goes on from there"
    )


def _blob(plan: Plan, file: HubFile) -> Path:
    assert file.etag is not None
    return cache_of(plan.repository) / "blobs" / file.etag


def _unfinished(plan: Plan, file: HubFile) -> Path:
    return _blob(plan, file).with_name(f"{file.etag}.incomplete")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
