"""How what labelled a data set differs from what is asked for now."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from panoptic.errors import SettingsChangedError
from prompts import Vocabulary


def check_version(root: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """``SettingsChangedError`` if another version of this package labelled the data set."""
    if "version" not in now or before.get("version") == now["version"]:
        return
    version = f"version {before['version']}" if "version" in before else "an earlier version"
    raise SettingsChangedError(
        f"{str(root)!r} was labelled by {version} of this package, this is {now['version']}: "
        "labels of both don't belong into one data set. Label it all anew with --redo (what is "
        "there is kept in previous/), or choose another folder. Export, report and review take "
        "it as it is"
    )


def difference(
    words: Vocabulary,
    settings: Mapping[str, Any],
    asked_words: Vocabulary,
    asked: Mapping[str, Any],
) -> str:
    """What differs between the words and settings of a data set and those asked for, in words."""
    if words != asked_words:
        return f"its words are {words!r}, now {asked_words!r}"
    old, new = _flat(settings), _flat(asked)
    differences = [
        f"{name} was {old.get(name)!r}, is {new.get(name)!r}"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]
    return "; ".join(differences[:4]) or "settings that an earlier version wrote"


def _flat(settings: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{before}{name}.")
        else:
            flat[before + name] = value
    return flat
