"""Segments.ai, checked by hand and loaded by its SDK where that is installed."""

import json

import numpy as np
import pytest
from PIL import Image

from tests.panoptic.formats.labelled import WORDS, frames, write


@pytest.fixture(scope="module")
def folder(items, tmp_path_factory):
    return write(tmp_path_factory.mktemp("segments"), "segments_ai", items)


def bitmap_ids(image):
    """As Segments.ai documents it: the four bytes are an integer, with 255 on top to be dropped."""
    rgba = np.asarray(image).copy()
    assert (rgba[..., 3] == 255).all()
    rgba[..., 3] = 0
    return rgba.view("<u4")[..., 0]


def check(samples, items, load):
    named = frames(items)
    for sample in samples:
        item, frame = named.pop(sample["name"].rpartition(".")[0])
        truth = item.load(frame)
        assert sample["metadata"] == {"split": item.split}
        np.testing.assert_array_equal(bitmap_ids(load(sample)), truth.ids)
        label = sample["labels"]["ground-truth"]["attributes"]
        found = [(a["id"], a["category_id"]) for a in label["annotations"]]
        assert found == [(s.id, s.category_id) for s in truth]
    assert not named


def test_release(folder, items):
    release = json.loads((folder / "release.json").read_text(encoding="utf-8"))["dataset"]
    listed = release["task_attributes"]["categories"]
    assert [(c["id"], c["name"]) for c in listed] == [(c.id, c.name) for c in WORDS]
    store = folder / "panoptic_labels" / "v1"

    def load(sample):
        url = sample["labels"]["ground-truth"]["attributes"]["segmentation_bitmap"]["url"]
        assert (store / sample["attributes"]["image"]["url"]).is_file()
        return Image.open(store / url)

    check(release["samples"], items, load)


def test_its_sdk(folder, items):
    segments = pytest.importorskip("segments")
    data = segments.SegmentsDataset(str(folder / "release.json"), segments_dir=str(folder))
    assert [(c.id, c.name) for c in data.categories] == [(c.id, c.name) for c in WORDS]
    samples = [data.samples[i] | {"loaded": data[i]} for i in range(len(data))]
    check(samples, items, lambda sample: sample["loaded"]["segmentation_bitmap"])
    assert all(sample["loaded"]["image"] is not None for sample in samples)
