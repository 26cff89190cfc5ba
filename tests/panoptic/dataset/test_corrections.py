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
        found = read_correction(file_of(folder, format, item), item, WORDS).labels
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
    found = read_correction(path, clip, WORDS).labels
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
    found = read_correction(tmp_path / "mine.png", item, WORDS).labels[0]
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
    found = read_correction(path, item, WORDS).labels[0]
    assert [(s.id, s.category) for s in found] == [(5, "road"), (4, "car"), (6, "car")]
    assert found.segment(4).area == 5 * 4 + 3 * 4
    assert found.segment(5).area == 10 * width - found.segment(4).area
    assert found.segment(6).box == (22, 17, 29, 24)
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
    found = read_correction(path, item, WORDS).labels[0]
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

    fails("a.json", "{", "it is damaged JSON: Expecting property name")
    fails("a.json", "[1, 2]", "of no form that is known")
    fails("a.json", "[]", "of no form that is known")
    fails("a.png", b"no picture", "cannot be read as a PNG")
    fails("a.xml", "<!DOCTYPE lolz [<!ENTITY lol 'lol'>]><a>&lol;</a>", "DOCTYPE")
    fails("a.xml", "<annotations><image", "damaged XML")
    shape = {"label": "cow", "points": [[0, 0], [3, 3]], "shape_type": "rectangle"}
    size = {"imageHeight": item.size[0], "imageWidth": item.size[1], "imagePath": "a.jpg"}
    fails("a.json", json.dumps({"shapes": [shape], **size}), "no category is called 'cow'")
    line = {**shape, "label": "car", "shape_type": "line"}
    fails("a.json", json.dumps({"shapes": [line], **size}), "a line is left out: shape 1")
    small = {**size, "imageHeight": 5, "shapes": [{**shape, "label": "car"}]}
    fails("a.json", json.dumps(small), "it is 44 x 5, the picture is 44 x 30")
    with pytest.raises(FileNotFoundError):
        read_correction(tmp_path / "nowhere.json", item, WORDS)
    other = Segment(1, 1, "lorry", True, 1.0)
    with CocoPanopticWriter(tmp_path / "coco") as writer:
        writer.add(PanopticSegmentation.from_ids((label.ids > 0).astype(int), [other]), "a.jpg")
    with pytest.raises(CorrectionError, match="no category is called 'lorry'"):
        read_correction(tmp_path / "coco" / "panoptic.json", item, WORDS)


def labelme(item, *shapes, name="a.jpg"):
    given = [{"label": "car", "points": [], "group_id": None, "flags": {}, **s} for s in shapes]
    height, width = item.size
    size = {"imageHeight": height, "imageWidth": width}
    return json.dumps({"version": "6.3.1", "shapes": given, "imagePath": name, **size})


def box(x0, y0, x1, y1, **more):
    return {"points": [[x0, y0], [x1, y1]], "shape_type": "rectangle", **more}


def cvat(shapes, name="a.jpg", size=(30, 44), head=""):
    image = f'<image id="0" name="{name}" width="{size[1]}" height="{size[0]}">{shapes}</image>'
    return f"<annotations><version>1.1</version>{head}{image}</annotations>"


def read(tmp_path, item, text, name="a.json"):
    path = tmp_path / (name if text[:1] in "{[" else "a.xml")
    path.write_text(text, "utf-8")
    return read_correction(path, item, WORDS)


def test_what_is_hidden_or_outside_is_told(items, tmp_path):
    shapes = box(2, 2, 4, 4), box(90, 90, 99, 99), box(1, 1, 6, 6, label="traffic light")
    found = read(tmp_path, items[0], labelme(items[0], *shapes))
    assert [s.category for s in found.labels[0]] == ["traffic light"]
    assert found.notes == (
        "a shape that covers no pixel of the picture is left out: shape 2 ('car')",
        "shape 1 ('car') is covered by regions above it",
    )


def test_shapes_of_one_id_are_one_segment_and_it_is_told(items, tmp_path):
    shapes = box(2, 2, 4, 4, group_id=9), box(8, 2, 9, 4, group_id=9), box(12, 2, 13, 4)
    found = read(tmp_path, items[0], labelme(items[0], *shapes))
    assert sorted(s.area for s in found.labels[0]) == [6, 9 + 6]
    assert found.notes == ("one car with the id 9: shape 1 ('car'), shape 2 ('car')",)


@pytest.mark.parametrize(
    ("shape", "why"),
    [
        ({"shape_type": "cuboid", "points": [[1, 1]]}, "shapes of the type 'cuboid' are not read"),
        ({"shape_type": "mask", "points": [[0, 0], [3, 3]], "mask": "AAAA"}, "no PNG in base64"),
        ({"shape_type": "mask", "points": [[0, 0], [3, 3]], "mask": "ä"}, "no PNG in base64"),
        ({"shape_type": "polygon", "points": [[0, 0], [3, 3]]}, "a polygon of 2 points is none"),
        ({"shape_type": "circle", "points": [[0, 0]]}, "a circle of 1 points is none"),
        ({"points": [[0, 0], [3, float("nan")], [1, 1]]}, "a point is two numbers"),
        ({"points": [[0, 0], [3, 1e300], [1, 1]]}, "a point is two numbers of no more than"),
        ({"label": None, "points": [[0, 0], [9, 0], [0, 9]]}, "'label' must be a text, got None"),
        ({"group_id": "x", **box(0, 0, 3, 3)}, "'group_id' must be a number, got 'x'"),
    ],
)
def test_shapes_that_are_none_are_refused_by_their_place(items, tmp_path, shape, why):
    with pytest.raises(CorrectionError, match=rf"'a': shape 2.*{why}"):
        read(tmp_path, items[0], labelme(items[0], box(0, 0, 3, 3), shape))


def test_a_mask_that_leads_out_of_the_picture_is_refused(items, tmp_path):
    mask = '<mask label="car" rle="0, 4" left="43" top="0" width="2" height="2" z_order="0"/>'
    with pytest.raises(CorrectionError, match=r"mask 1 \('car'\): its mask of 2 x 2 at \(43, 0\)"):
        read(tmp_path, items[0], cvat(mask))
    with pytest.raises(CorrectionError, match="its rle has 5 pixels, a mask of 2 x 2 has 4"):
        read(tmp_path, items[0], cvat(mask.replace("0, 4", "0, 5").replace("43", "40")))


def test_the_order_and_groups_of_cvat(items, tmp_path):
    corners = 'xtl="{}.00" ytl="2.00" xbr="{}.00" ybr="6.00"'
    shapes = [
        f'<box label="car" {corners.format(2, 6)} z_order="2" group_id="3"/>',
        f'<box label="road" {corners.format(0, 20)} z_order="-1"/>',
        f'<box label="car" {corners.format(10, 12)} z_order="0" group_id="3"/>',
    ]
    found = read(tmp_path, items[0], cvat("".join(shapes)))
    assert {s.category: s.area for s in found.labels[0]} == {"car": 24, "road": 80 - 24}


def test_frames_of_a_video_as_cvat_calls_its_pictures(items, tmp_path):
    clip = items[-1]
    car = '<box label="car" xtl="0" ytl="0" xbr="4" ybr="4" z_order="0"/>'
    found = read(tmp_path, clip, cvat(car, "frame_000003", clip.size))
    assert list(found.labels) == [3]
    with pytest.raises(CorrectionError, match="the frames are 0 to 4"):
        read(tmp_path, clip, cvat(car, "frame_000007", clip.size))
    write_ids(tmp_path / "000002.png", clip.load(2).ids)
    assert list(read_correction(tmp_path / "000002.png", clip, WORDS).labels) == [2]
    write_ids(tmp_path / "mine.png", clip.load(2).ids)
    with pytest.raises(CorrectionError, match="its name tells no frame"):
        read_correction(tmp_path / "mine.png", clip, WORDS)


def test_two_pictures_of_one_name_are_not_chosen_from(items, tmp_path):
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "a.json").write_text(labelme(items[0], box(0, 0, 3, 3)), "utf-8")
    with pytest.raises(CorrectionError, match=r"one/a\.json and two/a\.json are both called so"):
        read_correction(tmp_path, items[0], WORDS)


def test_one_damaged_file_of_a_folder_does_not_hinder_the_others(items, tmp_path):
    (tmp_path / "a.json").write_text(labelme(items[0], box(0, 0, 3, 3)), "utf-8")
    (tmp_path / "b.json").write_text("{", "utf-8")
    assert len(read_correction(tmp_path, items[0], WORDS).labels) == 1
    with pytest.raises(CorrectionError, match=r"no label of it.*b\.json, it is damaged JSON"):
        read_correction(tmp_path, items[1], WORDS)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("<annotation><object/></annotation>", "PASCAL VOC's, which hold boxes only"),
        ("<svg/>", "its root is 'svg', not CVAT's 'annotations'"),
        ('<?xml version="1.0" encoding="klingon"?><a/>', "it is damaged XML"),
        ('{"items": [], "categories": {}, "info": {}}', "Datumaro's JSON"),
        ('{"_via_img_metadata": {}}', "VGG Image Annotator's JSON"),
        ('{"things": ["car"]}', "a vocabulary, which holds no label"),
        ("[" * 100_000, "it is no JSON of a tool"),
    ],
)
def test_what_is_of_another_form_is_named(items, tmp_path, text, why):
    with pytest.raises(CorrectionError, match=why):
        read(tmp_path, items[0], text)


def test_tracks_of_two_tasks_are_refused(items, tmp_path):
    tasks = "<tasks><task><name>x</name></task><task><name>y</name></task></tasks>"
    track = '<track id="0" label="car"><box frame="0" outside="0"/></track>'
    text = f"<annotations><meta><project>{tasks}</project></meta>{track}</annotations>"
    with pytest.raises(CorrectionError, match="it holds the tracks of 2 tasks"):
        read(tmp_path, items[-1], text)
