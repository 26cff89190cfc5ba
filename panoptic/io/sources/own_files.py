"""What this program wrote among the pictures of a source: no pictures to be labelled."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from panoptic.errors import OutputError
from panoptic.io.output_record import RECORD, OutputRecord

# Of versions that kept no record: what is there, and which folders beside it are output then.
_IMAGE = ("panoptic.json", "overlays"), ("overlays", "panoptic", "explain")
_VIDEO = (
    ("overlays", "timelines"),
    ("overlays", "timelines", "vipseg", "davis", "sa-v", "detections"),
)


@dataclass(frozen=True)
class OwnFiles:
    """The files and folders in ``folder`` that are output, by its record or by their names."""

    folder: str
    record: OutputRecord | None
    names: frozenset[str] = frozenset()

    @classmethod
    def of(cls, folder: str) -> OwnFiles | None:
        """Of an output folder; None if it is none."""
        if os.path.lexists(os.path.join(folder, RECORD)):
            try:
                return cls(folder, OutputRecord.read(Path(folder)))
            except OutputError:  # told by whoever writes there
                pass
        names = [
            name
            for there, ours in (_IMAGE, _VIDEO)
            if all(os.path.exists(os.path.join(folder, each)) for each in there)
            for name in ours
        ]
        return cls(folder, None, frozenset(names)) if names else None

    def has(self, path: str) -> bool:
        """Whether a file is ours, or a folder with all in it. ``path`` is below ``folder``."""
        name = os.path.relpath(path, self.folder).replace(os.sep, "/")
        return name in self.names or (self.record is not None and self.record.has(name))
