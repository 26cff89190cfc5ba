"""Cityscapes, read by the rules of its scripts, and by them where they are installed."""

import json

import numpy as np
import pytest
from PIL import Image

from panoptic.dataset.export import export
from panoptic.errors import CannotHold, NothingExported
from panoptic.formats import new_exporter
from panoptic.formats.picture_files import PictureFiles
from panoptic.results.labelled import LabelledItem
from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation
from prompts import Vocabulary
from tests.panoptic.formats.labelled import WORDS, Labels, write

OWN = Vocabulary(things=["car", "person"], stuff=["road", "sky"])


def read(path):
    with Image.open(path) as image:
        return np.asarray(image)


def test_ids_and_colours(items, tmp_path):
    folder = write(tmp_path, "cityscapes", items)
    labels = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
    assert [(x["name"], x["id"], x["hasInstances"]) for x in labels] == [
        (c.name, c.id, c.is_thing) for c in WORDS
    ]
    files = sorted((folder / "gtFine").rglob("*_gtFine_instanceIds.png"))
    assert len(files) == sum(item.frames for item in items)
    by_key = {item.key: item for item in items}
    for path in files:
        assert len(path.name.split("_")) == 5  # city, sequence, frame, type, what
        kind = path.parent.name
        stem, frame = path.name.split("_")[0], int(path.name.split("_")[2])
        keys = {"a": "a", "zero": "zero", "clips--ride": "clips/ride"}
        key = next((k for s, k in keys.items() if s == stem), None)
        key = key or ("sub/b_1" if stem.startswith("sub--b-1-") else "sub/--grey ü")
        item = by_key[key]
        assert (kind == "images") == (item.kind == "image")
        truth = item.load(frame)
        instances, classes = read(path), read(str(path).replace("instanceIds", "labelIds"))
        color = read(str(path).replace("instanceIds", "color"))
        assert (classes.dtype, instances.dtype) in [("uint8", "uint16"), ("uint8", "int32")]
        np.testing.assert_array_equal(classes, np.maximum(truth.category_map(), 0))
        things = {}
        for segment in truth:
            mask = truth.mask(segment.id)
            (value,) = np.unique(instances[mask])
            if segment.is_thing:
                number = things.setdefault(segment.category_id, [])
                assert value == 1000 * segment.category_id + len(number)
                number.append(value)
            else:
                assert value == segment.category_id
            assert tuple(color[mask][0]) == WORDS.color(segment.category_id)
        assert not instances[truth.ids == 0].any()
        picture = (
            str(path)
            .replace("gtFine/", "leftImg8bit/")
            .replace("gtFine_instanceIds", "leftImg8bit")
        )
        np.testing.assert_array_equal(read(picture), item.picture(frame))


@pytest.fixture
def street(tmp_path):
    """One picture in Cityscapes' own words, the words not in its order."""
    ids = np.zeros((20, 30), np.int32)
    ids[:8], ids[12:] = 1, 2
    ids[10:16, 3:9], ids[10:16, 12:18], ids[9:15, 22:25] = 3, 4, 5
    names = {1: "sky", 2: "road", 3: "car", 4: "car", 5: "person"}
    segments = [
        Segment(i, OWN.by_name(n).id, n, OWN.by_name(n).is_thing, 1.0) for i, n in names.items()
    ]
    labels = Labels()
    labels.frames["street"] = [PanopticSegmentation.from_ids(ids, segments)]
    path = tmp_path / "street.png"
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(path)
    item = LabelledItem("street", str(path), "image", (20, 30), "val", None, None, 1, reader=labels)
    (done,) = export([item], OWN, tmp_path, ["cityscapes"])
    return item, done.folder / "gtFine" / "val" / "images" / "street_000000_000000_gtFine"


def test_official_words_get_official_ids(street):
    item, stem = street
    instances = read(f"{stem}_instanceIds.png")
    values = [int(np.unique(instances[item.load().mask(i)])[0]) for i in range(1, 6)]
    assert values == [23, 7, 26_000, 26_001, 24_000]
    assert tuple(read(f"{stem}_color.png")[0, 0]) == (70, 130, 180)


def test_its_own_scripts(street):
    pytest.importorskip("cityscapesscripts")
    from cityscapesscripts.evaluation.instances2dict import instances2dict
    from cityscapesscripts.helpers.labels import name2label

    from panoptic.formats.cityscapes import OFFICIAL

    for is_thing, table in OFFICIAL.items():
        for name, (number, color) in table.items():
            label = name2label[name]
            assert (label.id, label.color, label.hasInstances) == (number, color, is_thing)
    item, stem = street
    path = f"{stem}_instanceIds.png"
    (found,) = instances2dict([path]).values()
    areas = {
        name: sorted(i["pixelCount"] for i in instances)
        for name, instances in found.items()
        if instances
    }
    truth = item.load()
    expected = {}
    for segment in truth.things:
        expected.setdefault(segment.category, []).append(segment.area)
    assert {n: areas[n] for n in expected} == {n: sorted(a) for n, a in expected.items()}


def test_too_many_words_for_its_ids(tmp_path):
    words = Vocabulary(things=[f"thing {i}" for i in range(66)])
    with pytest.raises(CannotHold, match="'thing 65' has 66"):
        new_exporter("cityscapes", tmp_path, words, PictureFiles())
    new_exporter(
        "cityscapes", tmp_path, Vocabulary(stuff=[f"stuff {i}" for i in range(255)]), PictureFiles()
    )


@pytest.mark.parametrize("things", [1000, 1001])
def test_a_thousand_things_of_one_word_are_the_most(tmp_path, things):
    """The next one's number would be that of the next class."""
    ids = np.arange(things, dtype=np.int32)[None] + 1
    car = OWN.by_name("car")
    labels = Labels()
    segments = [Segment(i, car.id, "car", True, 1.0) for i in ids[0].tolist()]
    labels.frames["crowd"] = [PanopticSegmentation.from_ids(ids, segments)]
    path = tmp_path / "crowd.png"
    Image.fromarray(np.zeros((1, things, 3), np.uint8)).save(path)
    size = ids.shape
    item = LabelledItem("crowd", str(path), "image", size, "val", None, None, 1, reader=labels)
    if things > 1000:
        with pytest.raises(NothingExported, match="don't hold so many 'car'"):
            export([item], OWN, tmp_path, ["cityscapes"])
        return
    (done,) = export([item], OWN, tmp_path, ["cityscapes"])
    (made,) = (done.folder / "gtFine").rglob("*_instanceIds.png")
    np.testing.assert_array_equal(read(made)[0], 26_000 + np.arange(1000))
