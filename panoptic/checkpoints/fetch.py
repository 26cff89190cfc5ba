"""Fetching checkpoints from the hub into its cache: said beforehand, with progress.

What has come of a broken download is gone on with, see ``panoptic.checkpoints.download``.
"""

from __future__ import annotations

import logging
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from panoptic.checkpoints.download import HubFile, Plan, UnreachableError, download, link, reason
from panoptic.checkpoints.needed import choose_files, files_of_index
from panoptic.checkpoints.presence import HubPart, cache_of, presence

log = logging.getLogger("panoptic.checkpoints")
log.setLevel(logging.INFO)

_SPARE = 50_000_000  # bytes that a disk is left with


def fetch(wanted: Sequence[HubPart]) -> None:
    """Bring what is needed of repositories into the hub's cache.

    Says first what, how much and where from; then shows bars on a terminal, a line per file
    elsewhere. Raises :class:`UnreachableError`, and ``ValueError`` where the disk is too small or
    the connection was lost.
    """
    plans = {one: plan for one in wanted if (plan := _plan(one)).files}
    if not plans:
        return
    _announce(list(plans.values()))
    begin = time.monotonic()
    for one, plan in plans.items():
        try:
            with _alone(plan):
                if not presence(one).whole:  # or another process has fetched it in the meantime
                    _fetch_files(plan)
        except OSError as error:
            raise ValueError(
                f"{cache_of(plan.repository)}: can't be written ({error}); the environment "
                "variable HF_HUB_CACHE names another folder"
            ) from error
    say(f"fetched in {time.monotonic() - begin:.0f} s")


def say(text: str) -> None:
    """A line to the log where the program has set up logging, else to stderr.

    ``logging.getLogger("panoptic.checkpoints").setLevel("WARNING")`` is what silences it.
    """
    if log.hasHandlers():
        log.info(text)
    elif log.isEnabledFor(logging.INFO):
        print(text, file=sys.stderr, flush=True)


def _plan(wanted: HubPart) -> Plan:
    """What is to be fetched of a repository, by what the hub says of its files."""
    from huggingface_hub import HfApi, try_to_load_from_cache

    repository = wanted.repository
    try:
        info = HfApi().model_info(repository, files_metadata=True, timeout=10)
        commit = info.sha or "main"
        files = {file.rfilename: file for file in info.siblings or []}
        names = [wanted.file] if wanted.file else choose_files(list(files), wanted.part)
        if names[-1:] and names[-1].endswith(".index.json"):
            index = link(repository, names[-1], commit)
            names = [*names, *files_of_index(index)]
        if unknown := [name for name in names if name not in files]:
            raise ValueError(f"{', '.join(unknown)} isn't in {repository}")
        absent = [
            name
            for name in names
            if not isinstance(try_to_load_from_cache(repository, name, revision=commit), str)
        ]
        if not absent:  # only that the cache doesn't know this commit as the latest
            link(repository, names[0], None)
    except Exception as error:  # of whichever HTTP library, or because offline mode is set
        raise UnreachableError(f"{repository}: {reason(error, repository)}") from error
    return Plan(
        repository,
        commit,
        tuple(HubFile(name, files[name].size or 0, *_blob(files[name])) for name in absent),
    )


def _blob(sibling: Any) -> tuple[str, str | None]:
    """Name of a file's blob in the cache, and its SHA-256 where the hub knows that."""
    if sibling.lfs is not None:
        return sibling.lfs.sha256, sibling.lfs.sha256
    return sibling.blob_id, None


def _announce(plans: Sequence[Plan]) -> None:
    """Say what is fetched; raises ``ValueError`` where there is no room for it."""
    from huggingface_hub import constants

    cache = Path(constants.HF_HUB_CACHE).expanduser()
    each = [
        f"{plan.repository} ({len(plan.files)} file{'s' * (len(plan.files) > 1)}, "
        f"{readable(plan.size)})"
        for plan in plans
    ]
    size, begun = sum(plan.size for plan in plans), sum(plan.begun for plan in plans)
    total = f", {readable(size)} in all" if len(plans) > 1 else ""
    before = f"; {readable(begun)} of it have come before" if begun else ""
    say(f"fetching {listed(each)}{total} from {constants.ENDPOINT} into {cache}{before}")
    there = next(folder for folder in (cache, *cache.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    if free < size - begun + _SPARE:
        raise ValueError(
            f"{readable(size - begun)} are to be fetched, but {there} has only {readable(free)} "
            "free: make room, or name a folder on another disk in the environment variable "
            "HF_HUB_CACHE"
        )


@contextmanager
def _alone(plan: Plan) -> Iterator[None]:
    """Let one process at a time fetch a repository; the others find it there afterwards."""
    from filelock import FileLock, Timeout

    folder = cache_of(plan.repository)
    lock = FileLock(folder.parent / ".locks" / folder.name / "panoptic.lock")
    Path(lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say(f"waiting for another process that is fetching {plan.repository}")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _fetch_files(plan: Plan) -> None:
    from huggingface_hub.utils import tqdm

    with tqdm(
        total=plan.size,
        initial=plan.begun,
        unit="B",
        unit_scale=True,
        desc=plan.repository,
        disable=None,  # where there is no terminal
        name="panoptic.checkpoints",
    ) as bar:
        for number, file in enumerate(plan.files):
            download(plan, file, bar.update)
            # The first goes by the branch's name, by which the cache then knows the commit.
            link(plan.repository, file.name, None if number == 0 else plan.commit)
            link(plan.repository, file.name, plan.commit)
            if bar.disable:
                say(f"fetched {file.name} of {plan.repository} ({readable(file.size)})")


def listed(names: Sequence[str]) -> str:
    """Names as "a, b and c"."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def readable(size: int) -> str:
    """Bytes as "1.48 GB", "689 MB", "12 kB"."""
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size >= unit:
            return f"{size / unit:.2f} {name}" if unit == 10**9 else f"{size / unit:.0f} {name}"
    return f"{size} bytes"
