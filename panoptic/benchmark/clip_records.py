"""What was done of a benchmark's clips: ``clips/VIDEO.json``, with the time that it took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from panoptic.errors import DatasetError
from panoptic.io.files import read_json, write_json
from panoptic.io.output_folder import OutputFolder


@dataclass(frozen=True)
class Pace:
    """Frames that were gone through, and the seconds that they took, with reading and writing."""

    frames: int = 0
    seconds: float = 0.0


class ClipRecords:
    """The records in an output folder; each appears whole or not at all."""

    def __init__(self, out: OutputFolder) -> None:
        self._out = out

    def get(self, video: str) -> Pace | None:
        """None if the clip isn't done. Raises ``DatasetError`` for a record that is damaged."""
        path = self._out.root / "clips" / f"{video}.json"
        if not path.is_file():
            return None
        try:
            return Pace(**read_json(path))
        except (TypeError, ValueError) as error:
            raise DatasetError(f"{str(path)!r} is damaged ({error}): delete it") from error

    def put(self, video: str, frames: int, seconds: float) -> None:
        write_json(self._out.file(f"clips/{video}.json"), asdict(Pace(frames, seconds)))

    def add(self, video: str, frames: int, seconds: float) -> None:
        """More of a clip, of a run that went on with it."""
        before = self.get(video) or Pace()
        self.put(video, before.frames + frames, before.seconds + seconds)

    def total(self, videos: Sequence[str]) -> Pace:
        found = [pace for video in videos if (pace := self.get(video)) is not None]
        return Pace(sum(p.frames for p in found), sum(p.seconds for p in found))
