"""supervision's detections as a table: one row a segment and frame, ids as ``tracker_id``."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from panoptic.formats.video_output import Place, VideoInfo, present
from panoptic.io.files import whole_file

if TYPE_CHECKING:
    import supervision

    from panoptic.results.frame import PanopticFrame

# The first seven are those of supervision.CSVSink.
COLUMNS = (
    *("x_min", "y_min", "x_max", "y_max", "class_id", "confidence", "tracker_id"),
    *("class_name", "is_thing", "frame_index", "time", "mask"),
)


class DetectionsOutput:
    """``FOLDER/detections/VIDEO.csv`` with the columns of ``supervision.CSVSink``, and those of
    ``COLUMNS`` besides; ``mask`` is COCO's compressed RLE as JSON. :func:`read_detections` reads
    it back. Boxes are xyxy in pixels, right and bottom exclusive. Once it is closed, an id has the
    class that it had last in all rows."""

    def __init__(self, folder: Path, info: VideoInfo, start: int = 0) -> None:
        self.path = folder / "detections" / f"{info.name}.csv"
        self._fps = info.fps
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if start:
            _keep_before(self.path, start)
        self._file = self.path.open("a" if start else "w", encoding="utf-8", newline="")
        self._rows = csv.writer(self._file)
        if not start:
            self._rows.writerow(COLUMNS)

    def add(self, frame: PanopticFrame) -> None:
        from supervision import mask_to_rle

        time = frame.index / self._fps if frame.time is None else frame.time
        result = frame.segmentation
        for s in result:
            rle = {
                "size": [result.height, result.width],
                "counts": mask_to_rle(result.mask(s.id), compressed=True),
            }
            row = (
                *(*s.box, s.category_id, f"{s.score:.6g}", s.id),
                *(s.category, int(s.is_thing), frame.index, f"{time:.6f}", json.dumps(rle)),
            )
            self._rows.writerow(row)
        self._file.flush()

    def checkpoint(self) -> None:
        """Every frame is on disk as soon as it was added."""

    def close(self) -> Path:
        self._file.close()
        _name_as_last(self.path)
        return self.path

    @staticmethod
    def leftovers(folder: Path, info: VideoInfo) -> list[Path]:
        return []

    @staticmethod
    def files(folder: Path, info: VideoInfo) -> list[Path]:
        return present([folder / "detections" / f"{info.name}.csv"])

    @staticmethod
    def places(info: VideoInfo) -> list[Place]:
        return info.places("detections", ".csv")


def read_detections(path: str | Path) -> Iterator[tuple[int, supervision.Detections]]:
    """(frame index, detections with masks and ``tracker_id``) of every frame that has any.

    ``data`` holds ``class_name`` and ``is_thing``. Raises ``ValueError`` if columns are missing.
    """
    # Excel saves UTF-8 with a byte order mark.
    with Path(path).open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        missing = set(COLUMNS) - set(reader.fieldnames or ())
        if missing:
            raise ValueError(f"{str(path)!r} lacks the columns {', '.join(sorted(missing))}")
        for index, rows in groupby(reader, key=lambda row: int(row["frame_index"])):
            yield index, _detections(list(rows))


def _detections(rows: list[dict[str, Any]]) -> supervision.Detections:
    import supervision

    rles = [json.loads(row["mask"]) for row in rows]
    masks = [supervision.rle_to_mask(r["counts"], tuple(r["size"][::-1])) for r in rles]
    return supervision.Detections(
        xyxy=np.array([[float(row[name]) for name in COLUMNS[:4]] for row in rows], np.float32),
        mask=np.array(masks, bool),
        confidence=np.array([float(row["confidence"]) for row in rows], np.float32),
        class_id=np.array([int(row["class_id"]) for row in rows]),
        tracker_id=np.array([int(row["tracker_id"]) for row in rows]),
        data={
            "class_name": np.array([row["class_name"] for row in rows]),
            "is_thing": np.array([row["is_thing"] == "1" for row in rows]),
        },
    )


def _name_as_last(path: Path) -> None:
    """An id is what it was called last in all rows."""
    id, *named = (COLUMNS.index(name) for name in ("tracker_id", "class_id", "class_name"))
    last: dict[str, list[str]] = {}
    renamed = False
    for row in _rows(path):
        name = [row[at] for at in named]
        renamed = renamed or last.get(row[id], name) != name
        last[row[id]] = name
    if not renamed:
        return
    with whole_file(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for row in _rows(path):
            for at, value in zip(named, last[row[id]], strict=True):
                row[at] = value
            writer.writerow(row)


def _rows(path: Path) -> Iterator[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        yield from rows


def _keep_before(path: Path, start: int) -> None:
    """Cuts the table before frame ``start``, and a last row that isn't whole."""
    column = COLUMNS.index("frame_index")
    with path.open("rb+") as file:
        end = len(file.readline())  # the header
        for line in iter(file.readline, b""):
            row = next(csv.reader([line.decode("utf-8", "replace")]))
            if not line.endswith(b"\n") or int(row[column]) >= start:
                break
            end = file.tell()
        file.truncate(end)
