"""Where a run stands, on disk: what ``--resume`` goes on from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from panoptic.io.files import whole_file
from panoptic_anything import __version__

Request = Mapping[str, Any]
"""What was asked for, by names for people; values may be mappings themselves. A run is only resumed
for the same request."""


class CheckpointError(ValueError):
    """A checkpoint that can't be used; without it, its frames are to be labelled again."""


@dataclass(frozen=True)
class Checkpoint:
    """``frame`` is the first one that isn't done; ``state`` is what the session goes on from."""

    frame: int
    state: Any
    summary: Mapping[str, Any]
    formats: Mapping[str, int] = field(default_factory=dict)
    """The formats under way, and the first frame that each lacks."""
    identity: str | None = None
    """Text that changes when one of the frames before ``frame`` does."""


class Checkpoints:
    """``FOLDER/resume/VIDEO.pt`` while a video is being labelled.

    States are plain containers, numbers and tensors, and are read as nothing else, so that a
    file from a stranger can do no harm.
    """

    def __init__(self, folder: Path, name: str, request: Request) -> None:
        self.path = folder / "resume" / f"{name}.pt"
        self._request = dict(request)

    def save(self, checkpoint: Checkpoint) -> None:
        import torch

        content = {field: getattr(checkpoint, field) for field in Checkpoint.__annotations__}
        content |= {"version": __version__, "request": self._request}
        content |= {"summary": dict(checkpoint.summary), "formats": dict(checkpoint.formats)}
        with whole_file(self.path) as part:
            torch.save(content, part)

    def load(self) -> Checkpoint | None:
        """Where the run stands, None if it wasn't begun.

        Raises ``CheckpointError`` if the file can't be read or is of another version, and
        ``ValueError`` if something else was asked for then.
        """
        import torch

        if not self.path.exists():
            return None
        try:
            content = torch.load(self.path, map_location="cpu", weights_only=True)
            version, request = content.pop("version"), content.pop("request")
            found = Checkpoint(**content)
        except Exception as error:  # torch raises what it happens to run into
            raise CheckpointError(
                f"the checkpoint {str(self.path)!r} can't be read ({type(error).__name__})"
            ) from error
        if version != __version__:
            raise CheckpointError(
                f"the checkpoint {str(self.path)!r} is of version {version}, this is {__version__}"
            )
        if changed := what_changed(request, self._request):
            raise ValueError(
                f"the run that {str(self.path)!r} is of was asked otherwise: {'; '.join(changed)}"
            )
        return found

    def forget(self) -> None:
        """There is nothing to go on from any more."""
        self.path.unlink(missing_ok=True)


def what_changed(then: Request, now: Request) -> list[str]:
    """What differs between two requests, each with its two values where they are short."""
    old, new = _flat(then), _flat(now)
    told = []
    for key in dict.fromkeys([*old, *new]):
        before, after = old.get(key, "nothing"), new.get(key, "nothing")
        if before == after:
            continue
        short = max(len(str(before)), len(str(after))) <= _SHORT
        told.append(f"{key} ({before} then, {after} now)" if short else key)
    return told


_SHORT = 80  # characters of a value that is worth showing


def _flat(request: Request, prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in request.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
