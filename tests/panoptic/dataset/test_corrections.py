"""What other tools hand back is the label that was drawn in them."""

import json
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from panoptic.dataset.corrections import read_correction
from panoptic.errors import CorrectionError
from panoptic.formats.coco_panoptic import CocoPanopticWriter, write_ids
from panoptic.formats.exporter import ExportItem
from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation
from tests.panoptic.formats.labelled import WORDS, data_set, write


@pytest.fixture(scope="module")
def items(tmp_path_factory):
    return data_set(tmp_path_factory.mktemp("source"))


def judged(label):
    """A label that a person looked at."""
    return PanopticSegmentation(label.ids, tuple(replace(s, quality=1.0) for s in label))


def file_of(folder, format, item):
    name = ExportItem(item).frame_name(0)
    if format == "label_studio":
        path = folder / f"{item.split}.json"
        tasks = json.loads(path.read_text(encoding="utf-8"))
        for task in tasks:  # as Label Studio exports what a person submitted
            (prediction,) = task.pop("predictions")
            old = {"id": 1, "updated_at": "2026-01-01T00:00:00Z", "result": []}
            new = {"id": 2, "updated_at": "2026-01-02T00:00:00Z", "result": prediction["result"]}
            task["annotations"] = [new, old]
        path = folder / "annotated.json"
        path.write_text(json.dumps(tasks), encoding="utf-8")
        return path
    return {
        "coco_panoptic": folder / "annotations" / f"panoptic_{item.split}.json",
        "labelme": folder / item.split / f"{name}.json",
        "cvat_images": folder / item.split / "annotations.xml",
    }[format]


@pytest.mark.parametrize("format", ["coco_panoptic", "labelme", "label_studio", "cvat_images"])
def test_exports_read_back(items, tmp_path, format):
    folder = write(tmp_path, format, items)
    for item in items:
        found = read_correction(file_of(folder, format, item), item, WORDS)
        frames = range(1 if format == "labelme" else item.frames)
        assert sorted(found) == list(frames)
        for frame in frames:
            truth = judged(item.load(frame))
            assert found[frame].ids.tolist() == truth.ids.tolist()
            assert sorted(found[frame], key=lambda s: s.id) == list(truth)


def test_a_video_of_cvat_reads_back(items, tmp_path):
    clip = items[-1]
    folder = write(tmp_path, "cvat_video", items)
    path = folder / clip.split / ExportItem(clip).name / "annotations.xml"
    found = read_correction(path, clip, WORDS)
    assert sorted(found) == list(range(clip.frames))
    for frame, label in found.items():
        truth = judged(clip.load(frame))
        np.testing.assert_array_equal(label.ids, truth.ids)
        assert sorted(label, key=lambda s: s.id) == list(truth)


def test_a_png_of_ids(items, tmp_path):
    item = items[0]
    ids = item.load().ids.copy()
    ids[:5] = 0
    write_ids(tmp_path / "mine.png", ids)
    found = read_correction(tmp_path / "mine.png", item, WORDS)[0]
    np.testing.assert_array_equal(found.ids, ids)
    ids[:5] = 12_345
    write_ids(tmp_path / "mine.png", ids)
    with pytest.raises(CorrectionError, match=r"no segments have the ids \[12345\]"):
        read_correction(tmp_path / "mine.png", item, WORDS)


def test_shapes_that_people_draw_in_labelme(items, tmp_path):
    item = items[0]
    height, width = item.size
    shapes = [
        {"label": "road", "points": [[0, 0], [width - 1, 0], [width - 1, 9], [0, 9]]},
        {"label": "car", "points": [[2, 2], [6, 5]], "shape_type": "rectangle", "group_id": 4},
        {"label": "car", "points": [[12, 2], [14, 5]], "shape_type": "rectangle", "group_id": 4},
        {"label": "car", "points": [[25, 20], [25, 23]], "shape_type": "circle"},
    ]
    content = {"shapes": shapes, "imagePath": "a.jpg", "imageHeight": height, "imageWidth": width}
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content))
    found = read_correction(path, item, WORDS)[0]
    assert [(s.id, s.category) for s in found] == [(1, "road"), (4, "car"), (2, "car")]
    assert found.segment(4).area == 5 * 4 + 3 * 4
    assert found.segment(1).area == 10 * width - found.segment(4).area
    assert found.segment(2).box == (22, 17, 29, 24)
    assert all(s.score == 1.0 and s.quality == 1.0 for s in found)


def test_shapes_that_people_draw_in_cvat(items, tmp_path):
    item = items[0]
    size = {"height": str(item.size[0]), "width": str(item.size[1])}
    root = ElementTree.Element("annotations")
    image = ElementTree.SubElement(root, "image", {"id": "0", "name": "x/a.jpg", **size})
    corners = {"points": "2.00,2.00;8.00,2.00;8.00,6.00;2.00,6.00"}
    above = {"label": "car", "z_order": "1", **corners}
    ElementTree.SubElement(image, "polygon", above)
    box = {"label": "road", "xtl": "0.0", "ytl": "0.0", "xbr": "10.0", "ybr": "10.0"}
    ElementTree.SubElement(image, "box", {**box, "z_order": "0"})
    path = tmp_path / "annotations.xml"
    path.write_bytes(ElementTree.tostring(root))
    found = read_correction(path, item, WORDS)[0]
    segments = {s.category: s for s in found}
    assert segments["car"].box == (2, 2, 8, 6)
    assert {name: s.area for name, s in segments.items()} == {"car": 24, "road": 100 - 24}


def test_what_is_no_correction(items, tmp_path):
    item = items[0]
    label = item.load()

    def fails(name, content, message, of=item):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.raises(CorrectionError, match=message):
            read_correction(path, of, WORDS)

    fails("a.json", "{", "is damaged: JSONDecodeError")
    fails("a.json", "[1, 2]", "is damaged: TypeError")
    fails("a.json", "[]", "holds no label of 'a', which is called 'a' in exports")
    fails("a.png", b"no picture", "cannot be read as a PNG")
    fails("a.xml", "<!DOCTYPE lolz [<!ENTITY lol 'lol'>]><a>&lol;</a>", "DOCTYPE")
    fails("a.xml", "<annotations><image", "is damaged: ParseError")
    shape = {"label": "cow", "points": [[0, 0], [3, 3]], "shape_type": "rectangle"}
    size = {"imageHeight": item.size[0], "imageWidth": item.size[1], "imagePath": "a.jpg"}
    fails("a.json", json.dumps({"shapes": [shape], **size}), "no category is called 'cow'")
    line = {**shape, "label": "car", "shape_type": "line"}
    fails("a.json", json.dumps({"shapes": [line], **size}), "'line' have no area")
    small = {**size, "imageHeight": 5, "shapes": [{**shape, "label": "car"}]}
    fails("a.json", json.dumps(small), "it is 44 x 5, the picture is 44 x 30")
    with pytest.raises(FileNotFoundError):
        read_correction(tmp_path / "nowhere.json", item, WORDS)
    other = Segment(1, 1, "lorry", True, 1.0)
    with CocoPanopticWriter(tmp_path / "coco") as writer:
        writer.add(PanopticSegmentation.from_ids((label.ids > 0).astype(int), [other]), "a.jpg")
    with pytest.raises(CorrectionError, match="category 1 is not 'lorry'"):
        read_correction(tmp_path / "coco" / "panoptic.json", item, WORDS)
