"""PASCAL VOC, read by the rules of the development kit, supervision and Datumaro."""

from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from panoptic.errors import CannotHold
from panoptic.formats import new_exporter
from panoptic.formats.picture_files import PictureFiles
from prompts import Vocabulary
from tests.panoptic.formats.labelled import WORDS, frames, write


@pytest.fixture(scope="module")
def folder(items, tmp_path_factory):
    return write(tmp_path_factory.mktemp("voc"), "pascal_voc", items)


def test_masks_and_boxes(folder, items):
    classes = {c.name: number for number, c in enumerate(WORDS, 1)}
    for name, (item, frame) in frames(items).items():
        truth = item.load(frame)
        by_class = Image.open(folder / "SegmentationClass" / f"{name}.png")
        by_object = Image.open(folder / "SegmentationObject" / f"{name}.png")
        assert by_class.mode == by_object.mode == "P"
        assert by_object.getpalette()[:9] == [0, 0, 0, 128, 0, 0, 0, 128, 0]
        root = ElementTree.parse(folder / "Annotations" / f"{name}.xml").getroot()
        assert (folder / "JPEGImages" / root.findtext("filename")).is_file()
        size = [int(root.findtext(f"size/{side}")) for side in ("height", "width", "depth")]
        assert size == [*item.size, 3]
        objects = root.findall("object")
        assert [o.findtext("name") for o in objects] == [s.category for s in truth]
        for number, (entry, segment) in enumerate(zip(objects, truth, strict=True), 1):
            mask = np.asarray(by_object) == number
            np.testing.assert_array_equal(mask, truth.mask(segment.id))
            assert (np.asarray(by_class)[mask] == classes[segment.category]).all()
            box = [int(entry.findtext(f"bndbox/{n}")) for n in ("xmin", "ymin", "xmax", "ymax")]
            assert box == [segment.box[0] + 1, segment.box[1] + 1, *segment.box[2:]]
        assert not np.asarray(by_class)[truth.ids == 0].any()


def test_splits(folder, items):
    for kind in ("Main", "Segmentation"):
        listed = {
            path.stem: path.read_text(encoding="utf-8").splitlines()
            for path in (folder / "ImageSets" / kind).iterdir()
        }
        for split in ("train", "val", "test"):
            assert listed[split] == [n for n, (i, _) in frames(items).items() if i.split == split]


def test_boxes_in_supervision(folder, items):
    import supervision as sv

    data = sv.DetectionDataset.from_pascal_voc(
        str(folder / "JPEGImages"), str(folder / "Annotations")
    )
    named = frames(items)
    seen = 0
    for path, _, found in data:
        item, frame = named[path.rpartition("/")[2].rpartition(".")[0]]
        truth = item.load(frame)
        seen += 1
        if len(truth):
            assert found.xyxy.tolist() == [list(s.box) for s in truth]
            assert [data.classes[c] for c in found.class_id] == [s.category for s in truth]
    assert seen == len(named)


def test_datumaro(folder, items):
    dm = pytest.importorskip("datumaro")
    data = dm.Dataset.import_from(str(folder), "voc_instance_segmentation")
    names = [c.name for c in data.categories()[dm.AnnotationType.label]]
    named = frames(items)
    for entry in data:
        item, frame = named.pop(entry.id)
        truth = item.load(frame)
        assert entry.subset == item.split
        masks = [a for a in entry.annotations if a.type == dm.AnnotationType.mask]
        masks.sort(key=lambda mask: mask.group)  # the palette index of the object
        assert [names[a.label] for a in masks] == [s.category for s in truth]
        for mask, segment in zip(masks, truth, strict=True):
            np.testing.assert_array_equal(mask.image.astype(bool), truth.mask(segment.id))
    assert not named


def test_too_many_categories_are_refused(tmp_path):
    words = Vocabulary(things=[f"thing {i}" for i in range(255)])
    with pytest.raises(CannotHold, match="254 categories, this has 255"):
        new_exporter("pascal_voc", tmp_path, words, PictureFiles())


def test_names_that_the_label_map_cannot_hold_are_refused(tmp_path):
    words = Vocabulary(things=["sign: stop"])
    with pytest.raises(CannotHold, match="colon"):
        new_exporter("pascal_voc", tmp_path, words, PictureFiles())


def test_the_label_map_lists_every_class(folder):
    lines = (folder / "labelmap.txt").read_text(encoding="utf-8").splitlines()
    assert lines[1:3] == ["background:0,0,0::", "car:128,0,0::"]
    assert len(lines) == 2 + len(WORDS)
