"""Parquet, loaded by the package ``datasets``."""

import numpy as np
import pytest

from panoptic.results.id_map import rgb_to_ids
from tests.panoptic.formats.labelled import WORDS, frames, write

datasets = pytest.importorskip("datasets")


def load(folder, cache):
    return datasets.load_dataset(str(folder), cache_dir=str(cache))


def test_load_dataset(items, tmp_path):
    folder = write(tmp_path, "huggingface", items)
    data = load(folder, tmp_path / "cache")
    assert set(data) == {"train", "val", "test"}
    places = {(item.key, frame): item for item, frame in frames(items).values()}
    for split, rows in data.items():
        for row in rows:
            item = places.pop((row["key"], row["frame"]))
            assert item.split == split
            truth = item.load(row["frame"])
            assert (row["height"], row["width"]) == item.size
            np.testing.assert_array_equal(
                np.asarray(row["image"].convert("RGB")), item.picture(row["frame"])
            )
            np.testing.assert_array_equal(rgb_to_ids(np.asarray(row["label"])), truth.ids)
            assert row["quality"] == (item.quality and pytest.approx(item.quality))
            for found, segment in zip(row["segments"], truth, strict=True):
                assert found["id"] == segment.id
                assert found["category"] == WORDS.by_id(found["category_id"]).name
                assert found["category"] == segment.category
                assert found["area"] == segment.area
                assert found["score"] == pytest.approx(segment.score)
                x0, y0, x1, y1 = segment.box
                assert list(found["bbox"]) == [x0, y0, x1 - x0, y1 - y0]
    assert not places


def test_large_splits_are_several_files(items, tmp_path, monkeypatch):
    monkeypatch.setattr("panoptic.formats.huggingface.SHARD_BYTES", 1)
    monkeypatch.setattr("panoptic.formats.huggingface._ROWS", 2)
    folder = write(tmp_path, "huggingface", items)
    names = sorted(path.name for path in (folder / "data").glob("train*"))
    assert names == [f"train-0000{i}-of-00004.parquet" for i in range(4)]
    found = {path.name for path in folder.iterdir() if path.name[0] != "."}
    assert found == {"README.md", "data", "export.json"}
    rows = load(folder, tmp_path / "cache")["train"]
    assert [(r["key"], r["frame"]) for r in rows] == [
        (i.key, f) for i in items if i.split == "train" for f in range(i.frames)
    ]
