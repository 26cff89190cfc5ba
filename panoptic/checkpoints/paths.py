"""Paths of checkpoints on this machine: fetched where they aren't there yet, and looked at."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from panoptic.checkpoints.fetch import UnreachableError, fetch, listed
from panoptic.checkpoints.needed import BESIDE, Part, is_of, missing_files
from panoptic.checkpoints.presence import HubPart, Presence, hub_parts, lacks_tokenizer, presence
from panoptic.presets import DEMO_WEIGHTS

_OWN_TOKENIZER = "BERT's tokenizer.json or vocab.txt beside the checkpoint does as well"
_HINT = (
    "--models demo (in Python: from_pretrained('demo')) needs no network, and `panoptic models` "
    "lists what there is"
)


def locate(sources: Mapping[Part, str]) -> dict[Part, str]:
    """The path of each checkpoint, given as a path, a name on the hub or a preset's part.

    What is whole in the hub's cache is used as it is, without asking the hub; what isn't is
    fetched, after a line that says how much it is. All is looked at before anything is loaded.

    Raises ``ValueError`` for what is neither here nor to be had, and for what is damaged: it names
    the file, what is wrong with it, and what to delete.
    """
    wanted: list[HubPart] = []
    for part, source in sources.items():
        wanted += _wanted(source, part)
    here = {one: presence(one) for one in wanted}
    absent = {one: found for one, found in here.items() if not found.whole}
    if absent:
        _fetch(absent)
    paths = {part: _path(source, part) for part, source in sources.items()}
    for part, path in paths.items():
        check(path, part)
    return {part: str(path) for part, path in paths.items()}


def _wanted(source: str, part: Part) -> list[HubPart]:
    """What is needed of the hub, in the cache or not."""
    path = Path(source)
    if path.exists():
        alone = path.suffix == ".pth" and lacks_tokenizer(path)
        return hub_parts(source.rpartition("/")[2], part)[1:] if alone else []
    if path.is_absolute() or source.startswith("."):
        raise ValueError(f"{source}: there is no such checkpoint on this machine")
    return hub_parts(source, part)


def _path(source: str, part: Part) -> Path:
    if Path(source).exists():
        return Path(source)
    path = presence(hub_parts(source, part)[0]).path
    assert path is not None, source
    return path


def _fetch(absent: Mapping[HubPart, Presence]) -> None:
    try:
        fetch(list(absent))
    except UnreachableError as error:
        alone = all(one.part == "tokenizer" for one in absent)
        hint = _OWN_TOKENIZER if alone else _HINT
        raise ValueError(f"{_what_is_missing(absent)} ({error}); {hint}") from error
    for one in absent:
        if missing := presence(one).missing:
            raise ValueError(
                f"{one.name}: {', '.join(missing)} isn't in it; it is no checkpoint of this kind"
            )


def _what_is_missing(absent: Mapping[HubPart, Presence]) -> str:
    nothing = [one.name for one, found in absent.items() if found.path is None]
    parts = [
        f"{one.name} is on this machine only in part ({listed(found.missing)} "
        f"{'is' if len(found.missing) == 1 else 'are'} missing)"
        for one, found in absent.items()
        if found.path is not None
    ]
    if nothing:
        parts.append(
            f"{listed(nothing)} {'is' if len(nothing) == 1 else 'are'} not on this machine"
        )
    rest = "the rest" if len(parts) > len(nothing) else "it" if len(absent) == 1 else "they"
    return f"{'; '.join(parts)}, and {rest} could not be fetched from the Hugging Face hub"


def check(path: Path, part: Part) -> None:
    """See whether a checkpoint, a file or a folder, is whole; reads no more than headers.

    Raises ``ValueError`` as :func:`locate`. Folders of other models are left to who loads them.
    """
    from sam2core.weight_files import DamagedFileError, check_file, check_weights, first_layout

    try:
        if path.is_file():
            check_weights(path)
            return
        for name in dict.fromkeys(name for names in BESIDE.values() for name in names):
            if (path / name).is_file():
                check_file(path / name)
        if (first := first_layout(path)) is not None:
            check_weights(first)
        elif part == "sam2":
            for file in sorted(path.glob("*.pt")):
                check_file(file)
        if is_of(path, part) and (missing := missing_files(path, part)):
            raise ValueError(f"{path}: {', '.join(missing)} is missing beside config.json")
    except DamagedFileError as error:
        if DEMO_WEIGHTS not in error.path.parents:
            raise
        again = "It is part of this package: install that again"
        raise DamagedFileError(error.path, error.problem, again) from error
