"""Label Studio: tasks by its published schema, run lengths by its SDK where it's installed."""

import json
import urllib.parse
from xml.etree import ElementTree

import numpy as np
import pytest

from panoptic.formats.rle import brush, read_brush, runs
from tests.panoptic.formats.labelled import WORDS, frames, write


@pytest.fixture(scope="module")
def folder(items, tmp_path_factory):
    return write(tmp_path_factory.mktemp("studio"), "label_studio", items)


def tasks(folder):
    for path in sorted(folder.glob("*.json")):
        if path.name != "export.json":
            yield from json.loads(path.read_text(encoding="utf-8"))


def check(folder, items, decode):
    view = ElementTree.parse(folder / "label_config.xml").getroot()
    labels = {label.get("value") for label in view.iter("Label")}
    assert labels == {c.name for c in WORDS}
    named = frames(items)
    for task in tasks(folder):
        url = urllib.parse.urlparse(task["data"]["image"])
        assert url.path == "/data/local-files/"
        place = urllib.parse.parse_qs(url.query)["d"][0]
        assert (folder / place).is_file()
        item, frame = named.pop(place.rpartition("/")[2].rpartition(".")[0])
        assert (task["data"]["key"], place.partition("/")[0]) == (item.key, item.split)
        truth = item.load(frame)
        (prediction,) = task["predictions"]
        assert len(prediction["result"]) == len(truth)
        for region, segment in zip(prediction["result"], truth, strict=True):
            assert region["from_name"] == view.find("BrushLabels").get("name")
            assert region["to_name"] == view.find("Image").get("name")
            assert (region["original_height"], region["original_width"]) == item.size
            assert region["value"]["brushlabels"] == [segment.category]
            mask = decode(region["value"]["rle"], *item.size)
            np.testing.assert_array_equal(mask, truth.mask(segment.id))
    assert not named


def test_tasks(folder, items):
    check(folder, items, read_brush)


def test_masks_by_its_sdk(folder, items):
    converter = pytest.importorskip("label_studio_sdk.converter.brush")

    def decode(rle, height, width):
        return converter.decode_rle(rle).reshape(height, width, 4)[..., 3] > 0

    check(folder, items, decode)


def test_masks_of_its_sdk_are_read():
    converter = pytest.importorskip("label_studio_sdk.converter.brush")
    rng = np.random.default_rng(0)
    for share in (0.0, 0.5, 0.99, 1.0):
        mask = rng.random((23, 17)) < share
        rle = converter.mask2rle(mask.astype(np.uint8) * 255)
        np.testing.assert_array_equal(read_brush(rle, 23, 17), mask)


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (300, 400)])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_brush_there_and_back(shape, share):
    mask = np.random.default_rng(1).random(shape) < share
    rle = brush(mask)
    assert all(0 <= byte <= 255 for byte in rle)
    np.testing.assert_array_equal(read_brush(rle, *shape), mask)


def test_what_a_brush_half_covers_is_its_own():
    """Its edge is smooth: any opacity counts, as in Label Studio's own masks."""
    sizes = "".join(f"{size - 1:04b}" for size in (3, 4, 8, 16))
    values = "".join(f"{value:08b}" for value in (0, 0, 0, 0, 9, 9, 9, 1))
    bits = f"{8:032b}{7:05b}{sizes}0{0:02b}{7:03b}{values}"  # a block of eight values as they are
    bits += "0" * (-len(bits) % 8)
    rle = [int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)]
    np.testing.assert_array_equal(read_brush(rle, 1, 2), [[False, True]])


def test_run_lengths_of_other_pictures_are_refused():
    rle = brush(np.ones((3, 4), bool))
    with pytest.raises(ValueError, match="a mask 3 x 4 has"):
        read_brush([*rle[:3], 99, *rle[4:]], 4, 3)
    with pytest.raises(ValueError, match="too early"):
        read_brush(rle[:-2], 3, 4)


def test_runs_begin_with_false():
    assert runs(np.array([1, 1, 0, 1], bool)) == [0, 2, 1, 1]
    assert runs(np.array([0, 0, 1], bool)) == [2, 1]
    assert runs(np.zeros(3, bool)) == [3]
