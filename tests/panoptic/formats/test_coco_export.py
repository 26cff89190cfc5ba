"""COCO panoptic and instances, read back by our reader, pycocotools and supervision."""

import json
from pathlib import Path

import numpy as np
import pytest

from panoptic.formats.coco_panoptic import CocoPanoptic
from panoptic.io.images import load_image
from tests.panoptic.formats.labelled import WORDS, frames, write


def test_panoptic_gives_every_label_back(items, tmp_path):
    folder = write(tmp_path, "coco_panoptic", items)
    named = frames(items)
    for split in ("train", "val", "test"):
        read = CocoPanoptic.open(folder / "annotations" / f"panoptic_{split}.json")
        assert list(read.categories.values()) == WORDS.to_coco()
        for image_id, image in read.images.items():
            item, frame = named.pop(image["file_name"].rpartition(".")[0])
            assert item.split == split
            assert read.load(image_id) == item.load(frame)
            picture = load_image(folder / split / image["file_name"])
            np.testing.assert_array_equal(picture, item.picture(frame))
    assert not named


def test_panoptic_quality_of_an_export_is_perfect(items, tmp_path):
    from panoptic.measure.evaluate_pictures import evaluate

    folder = write(tmp_path, "coco_panoptic", items)
    read = CocoPanoptic.open(folder / "annotations" / "panoptic_train.json")
    truth = [i.load(f) for i in items if i.split == "train" for f in range(i.frames)]
    report = evaluate((result for _, result in read), truth, WORDS)
    assert report.all.pq == 1.0


def test_pictures_stay_as_they_are_unless_exif_turns_them(items, tmp_path):
    folder = write(tmp_path, "coco_panoptic", items)
    source = {item.key: item.source for item in items}
    assert (folder / "train" / "a.jpg").read_bytes() == Path(source["a"]).read_bytes()
    assert (folder / "val" / "sub--b_1.png").exists()


@pytest.mark.parametrize(
    ("format", "labels", "pictures"),
    [
        ("coco_instances", "annotations/instances_{}.json", "{}"),
        ("fiftyone", "{}/labels.json", "{}/data"),  # as FiftyOne's COCODetectionDataset lies
    ],
)
def test_instances_in_pycocotools(items, tmp_path, format, labels, pictures):
    from pycocotools.coco import COCO

    folder = write(tmp_path, format, items)
    named = frames(items)
    seen = set()
    for split in ("train", "val", "test"):
        coco = COCO(folder / labels.format(split))
        names = {c["id"]: c["name"] for c in coco.loadCats(coco.getCatIds())}
        assert names == {c.id: c.name for c in WORDS}
        for image in coco.loadImgs(coco.getImgIds()):
            assert (folder / pictures.format(split) / image["file_name"]).is_file()
            item, frame = named.pop(image["file_name"].rpartition(".")[0])
            truth = item.load(frame)
            found = coco.loadAnns(coco.getAnnIds(imgIds=image["id"]))
            assert [a["segment_id"] for a in found] == [s.id for s in truth]
            for annotation, segment in zip(found, truth, strict=True):
                assert annotation["id"] not in seen
                seen.add(annotation["id"])
                mask = coco.annToMask(annotation).astype(bool)
                np.testing.assert_array_equal(mask, truth.mask(segment.id))
                assert annotation["category_id"] == segment.category_id
                assert (annotation["area"], annotation["iscrowd"]) == (segment.area, 0)
                x0, y0, x1, y1 = segment.box
                assert annotation["bbox"] == [x0, y0, x1 - x0, y1 - y0]
                assert annotation["score"] == segment.score
    assert not named


def test_instances_in_supervision(items, tmp_path):
    import supervision as sv

    folder = write(tmp_path, "coco_instances", items)
    data = sv.DetectionDataset.from_coco(
        str(folder / "train"),
        str(folder / "annotations" / "instances_train.json"),
        force_masks=True,
    )
    assert data.classes == [c.name for c in WORDS]
    named = frames(items)
    for path, picture, found in data:
        item, frame = named[path.rpartition("/")[2].rpartition(".")[0]]
        truth = item.load(frame)
        assert picture.shape[:2] == item.size
        assert [data.classes[c] for c in found.class_id] == [s.category for s in truth]
        for mask, segment in zip(found.mask, truth, strict=True):
            np.testing.assert_array_equal(mask, truth.mask(segment.id))


def test_only_what_was_read_is_in_the_file(items, tmp_path):
    folder = write(tmp_path, "coco_instances", items[:1])
    assert [p.name for p in (folder / "annotations").iterdir()] == ["instances_train.json"]
    content = json.loads((folder / "annotations" / "instances_train.json").read_text("utf-8"))
    assert len(content["images"]) == 1
