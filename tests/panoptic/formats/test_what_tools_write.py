"""Corrections as the tools' own code writes them, drawn as that code draws them."""

import json

import numpy as np
import pytest

from panoptic.dataset.corrections import read_correction
from panoptic.results.labelled import LabelledItem
from tests.panoptic.formats.labelled import WORDS, Labels, segmentation

SIZE = (30, 44)


@pytest.fixture
def item():
    """A picture "a" whose label is two halves."""
    ids = np.ones(SIZE, np.int32)
    ids[:, 22:] = 2
    labels = Labels()
    labels.frames["a"] = [segmentation(ids)]
    return LabelledItem("a", "/photos/a.jpg", "image", SIZE, "train", 0.5, None, 1, reader=labels)


def corrected(path, item):
    return read_correction(path, item, WORDS).labels[0]


SHAPES = {
    "polygon": [[3.4, 2.2], [30.7, 5.1], [18.2, 25.9]],
    "rectangle": [[30.6, 20.3], [4.2, 5.8]],
    "oriented_rectangle": [[10.0, 4.0], [30.0, 12.0], [26.0, 22.0], [6.0, 14.0]],
    "circle": [[20.0, 15.0], [26.0, 19.0]],
    "mask": [[5.0, 6.0], [14.0, 12.0]],
}


@pytest.mark.parametrize("kind", SHAPES)
def test_labelme_draws_the_same(item, tmp_path, kind):
    pytest.importorskip("labelme")
    from labelme import utils
    from labelme._label_file import read_label_file, write_label_file

    mask = np.random.default_rng(0).random((7, 10)) < 0.6
    shape = {"label": "car", "points": SHAPES[kind], "shape_type": kind, "group_id": None}
    shape |= {"flags": {}, "description": "", "mask": None}
    if kind == "mask":
        shape["mask"] = utils.img_arr_to_b64(mask.astype(np.uint8))
    blank = utils.img_arr_to_data(np.zeros((*SIZE, 3), np.uint8))
    path = tmp_path / "a.json"
    write_label_file(
        str(path),
        shapes=[shape],
        image_path="a.jpg",
        image_data=blank,
        image_height=SIZE[0],
        image_width=SIZE[1],
    )
    shapes = read_label_file(str(path)).shapes
    classes, _ = utils.shapes_to_label(SIZE, shapes, {"car": 1})
    np.testing.assert_array_equal(corrected(path, item).ids > 0, classes > 0)


CONFIG = """<View>
  <Image name="image" value="$image"/>
  <BrushLabels name="brush" toName="image"><Label value="car"/><Label value="road"/></BrushLabels>
  <RectangleLabels name="box" toName="image"><Label value="car"/></RectangleLabels>
  <PolygonLabels name="poly" toName="image"><Label value="car"/></PolygonLabels>
  <EllipseLabels name="round" toName="image"><Label value="car"/></EllipseLabels>
  <KeyPointLabels name="point" toName="image"><Label value="car"/></KeyPointLabels>
  <TextArea name="remark" toName="image"/>
</View>"""


def regions(converter):
    mask = np.zeros(SIZE, np.uint8)
    mask[2:9, 3:20] = 255
    shape = {"original_width": 44, "original_height": 30, "image_rotation": 0, "to_name": "image"}

    def region(id, kind, name, **value):
        return {"id": id, "type": kind, "from_name": name, **shape, "value": value}

    box = {"x": 50.0, "y": 20.0, "width": 30.0, "height": 20.0, "rotation": 30.0}
    return [
        region("b", "brushlabels", "brush", format="rle", rle=converter.mask2rle(mask))
        | {"value": {"format": "rle", "rle": converter.mask2rle(mask), "brushlabels": ["road"]}},
        region("r", "rectanglelabels", "box", **box, rectanglelabels=["car"]),
        region("p", "keypointlabels", "point", x=1.0, y=1.0, width=0.5, keypointlabels=["car"]),
        region("t", "textarea", "remark", text=["blurred"]),
    ]


@pytest.mark.parametrize("form", ["JSON", "JSON_MIN"])
def test_label_studio_exports_the_same(item, tmp_path, form):
    brush = pytest.importorskip("label_studio_sdk.converter.brush")
    from label_studio_sdk.converter import Converter
    from label_studio_sdk.converter.utils import convert_annotation_to_yolo_obb
    from shapely.geometry import Point, Polygon

    task = {
        "id": 7,
        "data": {"image": "/data/upload/1/1a2b3c4d-a.jpg"},
        "annotations": [
            {
                "id": 3,
                "was_cancelled": False,
                "ground_truth": False,
                "created_at": "2026-01-01T00:00:00.000000Z",
                "updated_at": "2026-01-02T00:00:00.000000Z",
                "lead_time": 3.2,
                "result": regions(brush),
            },
            {"id": 4, "was_cancelled": True, "created_at": "2026-01-03T00:00:00Z", "result": []},
        ],
    }
    source = tmp_path / "project.json"
    source.write_text(json.dumps([task]))
    if form == "JSON_MIN":
        converter = Converter(config=CONFIG, project_dir=str(tmp_path), download_resources=False)
        converter.convert(str(source), str(tmp_path / "out"), form, is_dir=False)
        source = tmp_path / "out" / "result.json"
    found = read_correction(source, item, WORDS)
    label = found.labels[0]
    road = next(s for s in label if s.category == "road")
    assert road.box == (3, 2, 20, 9)
    car = next(s for s in label if s.category == "car")
    corners = convert_annotation_to_yolo_obb(
        {**task["annotations"][0]["result"][1]["value"], "original_width": 44}
        | {"original_height": 30},
        normalize=False,
    )
    area = Polygon(corners)
    inside = [[area.contains(Point(x + 0.5, y + 0.5)) for x in range(44)] for y in range(30)]
    np.testing.assert_array_equal(label.mask(car.id), inside)
    assert any("keypoint is left out" in note for note in found.notes)


def test_datumaro_reads_a_turned_box_of_cvat_the_same(item, tmp_path):
    dm = pytest.importorskip("datumaro")
    from shapely.geometry import Point, Polygon

    (tmp_path / "images").mkdir()
    from PIL import Image

    Image.new("RGB", SIZE[::-1]).save(tmp_path / "images" / "a.jpg")
    path = tmp_path / "annotations.xml"
    path.write_text(
        "<annotations><version>1.1</version><meta><task><labels><label><name>car</name>"
        "<attributes></attributes></label></labels></task></meta>"
        '<image id="0" name="a.jpg" width="44" height="30">'
        '<box label="car" source="manual" occluded="0" xtl="8.00" ytl="10.00" xbr="30.00"'
        ' ybr="18.00" rotation="33.00" z_order="0"></box></image></annotations>'
    )
    (entry,) = dm.Dataset.import_from(str(tmp_path), "cvat")
    (box,) = entry.annotations
    area = Polygon(np.array(box.as_polygon()).reshape(-1, 2))
    inside = [[area.contains(Point(x + 0.5, y + 0.5)) for x in range(44)] for y in range(30)]
    np.testing.assert_array_equal(corrected(path, item).ids > 0, inside)


@pytest.mark.parametrize("form", ["polygon", "uncompressed", "compressed"])
def test_pycocotools_decodes_the_same(item, tmp_path, form):
    mask = pytest.importorskip("pycocotools.mask")
    rng = np.random.default_rng(0)
    pixels = np.asfortranarray(rng.random(SIZE) < 0.4, np.uint8)
    if form == "polygon":  # along pixels' edges: rasterisers differ on slopes
        given = [[4, 5, 20, 5, 20, 15, 4, 15], [30, 20, 40, 20, 40, 29, 30, 29]]
        rles = mask.frPyObjects(given, *SIZE)
        pixels = mask.decode(mask.merge(rles))
    else:
        given = mask.encode(pixels)
        given["counts"] = given["counts"].decode()
        if form == "uncompressed":
            flat = pixels.ravel(order="F").astype(int)
            edges = np.flatnonzero(np.diff(flat)) + 1
            counts = np.diff([0, *edges, flat.size]).tolist()
            given = {"size": list(SIZE), "counts": [0, *counts] if flat[0] else counts}
            assert np.array_equal(mask.decode(mask.frPyObjects(given, *SIZE)), pixels)
    annotation = {"id": 1, "image_id": 5, "category_id": 9, "iscrowd": 0, "segmentation": given}
    content = {
        "images": [{"id": 5, "file_name": "a.jpg", "height": SIZE[0], "width": SIZE[1]}],
        "annotations": [annotation],
        "categories": [{"id": 9, "name": "car", "supercategory": ""}],
    }
    path = tmp_path / "instances_default.json"
    path.write_text(json.dumps(content))
    np.testing.assert_array_equal(corrected(path, item).ids > 0, pixels > 0)


def drawn_in_datumaro(dm):
    """What CVAT hands to Datumaro, which writes its COCO and most other exports."""
    mask = np.zeros(SIZE, bool)
    mask[20:26, 30:40] = True
    mask[22, 33] = False
    square = [4, 5, 20, 5, 20, 15, 4, 15]
    annotations = [
        dm.Mask(mask, label=1, id=1, group=1),
        dm.Polygon(square, label=0, id=2, group=2, attributes={"occluded": True}),
    ]
    item = dm.DatasetItem("a", subset="default", annotations=annotations)
    item.media = dm.Image.from_numpy(np.zeros((*SIZE, 3), np.uint8))
    expected = np.where(mask, 2, 0)
    expected[5:15, 4:20] = 1
    return dm.Dataset.from_iterable([item], categories=["car", "road"]), expected


@pytest.mark.parametrize("form", ["coco_instances", "coco_panoptic", "cvat"])
def test_datumaros_exports_are_read(item, tmp_path, form):
    dm = pytest.importorskip("datumaro")
    data, expected = drawn_in_datumaro(dm)
    if form == "coco_panoptic":  # which has masks only
        masks = data.transform("polygons_to_masks")
        masks.export(str(tmp_path / "out"), form, save_media=False)
    else:
        data.export(str(tmp_path / "out"), form, save_media=form == "cvat")
    found = read_correction(tmp_path / "out", item, WORDS)
    words = {s.id: {"car": 1, "road": 2}[s.category] for s in found.labels[0]}
    numbers = np.vectorize(lambda id: words.get(id, 0))(found.labels[0].ids)
    np.testing.assert_array_equal(numbers, expected)
