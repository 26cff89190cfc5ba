"""Parquet with pictures and labels inside, as the package ``datasets`` loads it.

    data/train-00000-of-00003.parquet
    README.md                               the data set's card

A row is a picture (or a frame): ``image``, ``label`` (a PNG, id = R + 256 G + 65536 B), and
``segments``. ``datasets.load_dataset("this folder")`` gives it with its splits.
"""

from __future__ import annotations

import io
import json
import pickle
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

from panoptic.formats.exporter import ExportItem, PictureSink
from panoptic.results.id_map import ids_to_rgb
from panoptic.results.labelled import SPLITS, Split
from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation
from prompts import Vocabulary

SHARD_BYTES = 400 * 2**20
_ROWS, _GROUP_BYTES = 256, 32 * 2**20  # of a row group, which is what is in memory at a time

_SEGMENT = {
    **{"id": "int32", "category_id": "int32", "category": "string", "is_thing": "bool"},
    **{"score": "float32", "quality": "float32", "area": "int64"},
}


class HuggingFaceExporter:
    @staticmethod
    def check(vocabulary: Vocabulary) -> None:
        import pyarrow  # noqa: F401

    def __init__(self, folder: Path, vocabulary: Vocabulary, pictures: PictureSink) -> None:
        self.folder = folder
        self.pictures = pictures
        self.vocabulary = vocabulary
        self._splits: dict[Split, _Shards] = {}

    def add(self, item: ExportItem) -> None:
        if not item.is_video:
            self._take(item.split, self._row(item, 0))
            return
        # A video is in whole or not at all, and may not fit into memory.
        with tempfile.TemporaryFile() as spool:
            for frame in range(item.item.frames):
                pickle.dump(self._row(item, frame), spool)
            spool.seek(0)
            for _ in range(item.item.frames):
                self._take(item.split, pickle.load(spool))

    def _take(self, split: Split, row: dict[str, Any]) -> None:
        if split not in self._splits:
            self._splits[split] = _Shards(self.folder / "data", split)
        self._splits[split].add(row)

    def _row(self, item: ExportItem, frame: int) -> dict[str, Any]:
        result = item.load(frame)
        path = self.pictures.put(item, frame, self.folder / "picture")
        data = path.read_bytes()
        path.unlink()
        return {
            **{"key": item.key, "frame": frame, "width": result.width},
            **{"height": result.height, "quality": item.item.quality},
            "image": {"bytes": data, "path": item.frame_name(frame) + path.suffix},
            "label": {"bytes": _png(result), "path": item.frame_name(frame) + ".png"},
            "segments": [_segment(s) for s in result],
        }

    def close(self) -> None:
        for shards in self._splits.values():
            shards.close()
        (self.folder / "README.md").write_text(self._card(), encoding="utf-8")

    def _card(self) -> str:
        files = [
            {"split": split, "path": f"data/{split}-*"} for split in SPLITS if split in self._splits
        ]
        rows = "".join(
            f"| {c.id} | {c.name} | {'thing' if c.is_thing else 'stuff'} |\n"
            for c in self.vocabulary
        )
        # JSON is YAML, too.
        return (
            "---\n"
            f"configs: {json.dumps([{'config_name': 'default', 'data_files': files}])}\n"
            "task_categories: [image-segmentation]\n"
            "---\n\n"
            "Pictures with panoptic labels, made by machine. `label` is an id map: "
            "id = R + 256 G + 65536 B, 0 is void; `segments` tells what each id is.\n\n"
            f"| category_id | category | kind |\n| --: | :-- | :-- |\n{rows}"
        )


class _Shards:
    """The files of a split. How many there are is known at the end, then they get their names."""

    def __init__(self, folder: Path, split: Split) -> None:
        self._folder = folder
        self._split = split
        self._rows: list[dict[str, Any]] = []
        self._bytes = self._written = 0
        self._paths: list[Path] = []
        self._writer: Any = None
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, row: dict[str, Any]) -> None:
        self._rows.append(row)
        self._bytes += len(row["image"]["bytes"]) + len(row["label"]["bytes"])
        if len(self._rows) >= _ROWS or self._bytes >= _GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        import pyarrow
        from pyarrow import parquet

        schema = _schema()
        if self._writer is None:
            self._paths.append(self._folder / f"{self._split}-{len(self._paths):05d}.spool")
            self._writer = parquet.ParquetWriter(self._paths[-1], schema)
        self._writer.write_table(pyarrow.Table.from_pylist(self._rows, schema=schema))
        self._written += self._bytes
        self._rows, self._bytes = [], 0
        if self._written >= SHARD_BYTES:
            self._end()

    def _end(self) -> None:
        self._writer.close()
        self._writer, self._written = None, 0

    def close(self) -> None:
        if self._rows:
            self._flush()
        if self._writer is not None:
            self._end()
        for number, path in enumerate(self._paths):
            path.rename(
                path.with_name(f"{self._split}-{number:05d}-of-{len(self._paths):05d}.parquet")
            )


def _schema() -> Any:
    """The columns, with the note by which ``datasets`` knows which of them are pictures."""
    import pyarrow

    picture = pyarrow.struct({"bytes": pyarrow.binary(), "path": pyarrow.string()})
    types = {name: pyarrow.type_for_alias(kind) for name, kind in _SEGMENT.items()}
    types["bbox"] = pyarrow.list_(pyarrow.int32())
    plain = {"key": "string", "frame": "int32", "width": "int32", "height": "int32"}
    plain["quality"] = "float32"
    features: dict[str, Any] = {
        **{"image": {"_type": "Image"}, "label": {"_type": "Image"}},
        **{name: _value(kind) for name, kind in plain.items()},
        "segments": [
            {name: _value(kind) for name, kind in _SEGMENT.items()} | {"bbox": [_value("int32")]}
        ],
    }
    columns = [("image", picture), ("label", picture)]
    columns += [(name, pyarrow.type_for_alias(kind)) for name, kind in plain.items()]
    columns.append(("segments", pyarrow.list_(pyarrow.struct(types))))
    note = json.dumps({"info": {"features": features}})
    return pyarrow.schema(columns, metadata={"huggingface": note})


def _value(kind: str) -> dict[str, str]:
    return {"dtype": kind, "_type": "Value"}


def _segment(segment: Segment) -> dict[str, Any]:
    x0, y0, x1, y1 = segment.box
    return {
        **{name: getattr(segment, name) for name in _SEGMENT},
        "bbox": [x0, y0, x1 - x0, y1 - y0],
    }


def _png(result: PanopticSegmentation) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(ids_to_rgb(result.ids)).save(buffer, format="PNG")
    return buffer.getvalue()
