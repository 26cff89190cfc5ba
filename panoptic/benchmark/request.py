"""What a benchmark's folder was begun with: one run, whatever often it is gone on with."""

from __future__ import annotations

from collections.abc import Mapping

from panoptic.errors import DatasetError, SettingsChangedError
from panoptic.io.files import read_json, write_json
from panoptic.io.output_folder import OutputFolder

_NAME = "request.json"


def check_request(out: OutputFolder, asked: Mapping[str, str]) -> None:
    """Keeps what is asked for in a new folder. ``SettingsChangedError`` if one that is gone on with
    was begun otherwise, ``DatasetError`` if what it was begun with can't be read."""
    path = out.root / _NAME
    if not path.exists():
        write_json(out.file(_NAME), dict(asked), indent=1)
        return
    try:
        before = dict(read_json(path))
    except (OSError, TypeError, ValueError) as error:
        raise DatasetError(f"{str(path)!r} is damaged ({error}): choose another folder") from error
    differing = [
        f"{name} was {before.get(name)!r}, is {asked.get(name)!r}"
        for name in [*before, *(set(asked) - set(before))]
        if before.get(name) != asked.get(name)
    ]
    if differing:
        raise SettingsChangedError(
            f"{str(out.root)!r} was begun with another request: {'; '.join(differing[:4])}. Ask "
            "for what it was, or choose another folder"
        )
