import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from panoptic.errors import CocoFormatError
from panoptic.formats.coco_panoptic import CocoPanoptic, CocoPanopticWriter
from panoptic.results.id_map import ids_to_rgb, rgb_to_ids
from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation

IDS = np.array([[0, 70_000, 70_000], [300, 300, 300]], np.int32)
RESULT = PanopticSegmentation.from_ids(
    IDS,
    [Segment(70_000, 1, "cat", True, 0.9, quality=0.5), Segment(300, 7, "grass", False, 0.25)],
)


def saved(tmp_path, result=RESULT):
    path = result.save(tmp_path, "one")
    return path, json.loads(path.read_text())


def rewrite(path, content):
    path.write_text(json.dumps(content))
    return path


def test_colours_are_the_digits_of_the_id():
    ids = np.array([[0, 255, 256, 65_536, 3_937_500]])
    assert ids_to_rgb(ids)[0].tolist() == [
        [0, 0, 0],
        [255, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
        [220, 20, 60],
    ]
    assert np.array_equal(rgb_to_ids(ids_to_rgb(ids)), ids)


def test_crowd_is_written_and_read_back(tmp_path):
    crowd = [replace(s, is_crowd=s.id == 300) for s in RESULT]
    path, content = saved(tmp_path, PanopticSegmentation(IDS, tuple(crowd)))
    told = content["annotations"][0]["segments_info"]
    assert [(s["id"], s["iscrowd"]) for s in told] == [(70_000, 0), (300, 1)]
    assert [s.is_crowd for s in CocoPanoptic.open(path).load()] == [False, True]


def test_files_are_those_of_the_format(tmp_path):
    _, content = saved(tmp_path)
    png = np.asarray(Image.open(tmp_path / "one.png"))
    assert png[0, 1].tolist() == [70_000 % 256, 70_000 // 256 % 256, 70_000 // 65_536]
    assert content["annotations"] == [
        {
            "image_id": 1,
            "file_name": "one.png",
            "segments_info": [
                {
                    "id": 70_000,
                    "category_id": 1,
                    "area": 2,
                    "bbox": [1, 0, 2, 1],
                    "iscrowd": 0,
                    "score": 0.9,
                    "quality": 0.5,
                },
                {
                    "id": 300,
                    "category_id": 7,
                    "area": 3,
                    "bbox": [0, 1, 3, 1],
                    "iscrowd": 0,
                    "score": 0.25,
                },
            ],
        }
    ]
    assert content["categories"] == [
        {"id": 1, "name": "cat", "isthing": 1},
        {"id": 7, "name": "grass", "isthing": 0},
    ]
    assert content["images"] == [{"id": 1, "file_name": "", "height": 2, "width": 3}]


def test_an_empty_result_survives_the_files(tmp_path):
    path, content = saved(tmp_path, PanopticSegmentation.empty(4, 5))
    assert content["annotations"][0]["segments_info"] == []
    assert PanopticSegmentation.load(path) == PanopticSegmentation.empty(4, 5)


def test_same_result_same_bytes(tmp_path):
    RESULT.save(tmp_path, "a")
    RESULT.save(tmp_path / "b", "a")
    for name in ("a.png", "a.json"):
        assert (tmp_path / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_many_results_share_one_json(tmp_path):
    categories = [
        {"id": 1, "name": "cat", "isthing": 1, "color": [1, 2, 3]},
        {"id": 9, "name": "sky", "isthing": 0},
    ]
    with CocoPanopticWriter(tmp_path, "labels", categories) as writer:
        writer.add(RESULT, "a/street.jpg")
        writer.add(PanopticSegmentation.empty(1, 1), "b/street.png")
        writer.add(RESULT, "überall 7.jpg", image_id=42)
    assert sorted(p.name for p in (tmp_path / "labels").iterdir()) == [
        "street-2.png",
        "street.png",
        "überall 7.png",
    ]
    data = CocoPanoptic.open(tmp_path / "labels.json")
    assert dict(data) == {1: RESULT, 2: PanopticSegmentation.empty(1, 1), 42: RESULT}
    assert [c["name"] for c in data.categories.values()] == ["cat", "grass", "sky"]
    assert data.categories[1]["color"] == [1, 2, 3]
    assert data.images[42]["file_name"] == "überall 7.jpg"


def test_without_success_no_json_appears(tmp_path):
    def fail_halfway():
        with CocoPanopticWriter(tmp_path) as writer:
            writer.add(RESULT, "a.jpg")
            raise RuntimeError("halfway")

    with pytest.raises(RuntimeError, match="halfway"):
        fail_halfway()
    assert not (tmp_path / "panoptic.json").exists()


def test_one_data_set_has_one_meaning_per_id(tmp_path):
    writer = CocoPanopticWriter(tmp_path, categories=[{"id": 1, "name": "dog", "isthing": 1}])
    with pytest.raises(ValueError, match="'dog' in this data set and 'cat'"):
        writer.add(RESULT, "a.jpg")
    writer = CocoPanopticWriter(tmp_path)
    writer.add(RESULT, "a.jpg", image_id=3)
    with pytest.raises(ValueError, match="image id 3 was written already"):
        writer.add(RESULT, "b.jpg", image_id=3)


def test_coco_sample_is_read_and_written_back(coco_sample, tmp_path):
    data = CocoPanoptic.open(coco_sample / "panoptic_examples.json")
    assert len(data) == 2
    given = data.annotations[142238]["segments_info"]
    result = data.load(142238)
    assert [(s.area, s.is_crowd) for s in result] == [(g["area"], g["iscrowd"] == 1) for g in given]
    assert sum(s.is_crowd for s in result) == 1
    assert {s.category for s in result.stuff} >= {"tree-merged", "sky-other-merged"}
    with CocoPanopticWriter(tmp_path, "again", data.categories.values()) as writer:
        for image_id, one in data:
            writer.add(one, data.images[image_id]["file_name"], image_id)
    assert dict(CocoPanoptic.open(tmp_path / "again.json")) == dict(data)


def test_which_image_must_be_clear(tmp_path):
    with CocoPanopticWriter(tmp_path) as writer:
        writer.add(RESULT, "a.jpg")
        writer.add(RESULT, "b.jpg")
    with pytest.raises(ValueError, match="2 images: say which"):
        PanopticSegmentation.load(tmp_path / "panoptic.json")
    with pytest.raises(ValueError, match="no image 3"):
        PanopticSegmentation.load(tmp_path / "panoptic.json", 3)
    assert PanopticSegmentation.load(tmp_path / "panoptic.json", 2) == RESULT


def test_png_and_json_must_hold_the_same_ids(tmp_path):
    path, content = saved(tmp_path)
    infos = content["annotations"][0]["segments_info"]
    infos.append({"id": 5, "category_id": 1})
    with pytest.raises(CocoFormatError, match=r"\[5\] of the JSON are not in the PNG"):
        PanopticSegmentation.load(rewrite(path, content))
    del infos[1:]
    with pytest.raises(CocoFormatError, match=r"only in the map: \[300\]"):
        PanopticSegmentation.load(rewrite(path, content))


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "no list 'annotations'"),
        ('{"annotations": {}}', "no list 'annotations'"),
        ('{"annotations": [{"image_id": 1, "file_name": "a.png"}]}', "segments_info"),
        ('{"annotations": [7]}', "one.json"),
        ('{"annotations": [], "categories": [{"id": 1}]}', "no 'name'"),
        (
            '{"annotations": [{"image_id": 1, "file_name": "a.png", "segments_info": '
            '[{"id": 1, "category_id": 1}, {"id": 1, "category_id": 1}]}]}',
            "segment id twice",
        ),
        (
            '{"annotations": [{"image_id": 1, "file_name": "a.png", "segments_info": '
            '[{"id": "1", "category_id": 1}]}]}',
            "must be integers",
        ),
    ],
)
def test_a_json_of_something_else_is_refused(tmp_path, broken, message):
    path = tmp_path / "one.json"
    path.write_text(broken)
    with pytest.raises(CocoFormatError, match=message):
        CocoPanoptic.open(path)


@pytest.mark.parametrize("name", ["../secret.png", "/etc/secret.png", "a/../../b.png", "..\\b.png"])
def test_names_that_lead_elsewhere_are_refused(tmp_path, name):
    path, content = saved(tmp_path)
    content["annotations"][0]["file_name"] = name
    with pytest.raises(CocoFormatError, match="leads elsewhere"):
        PanopticSegmentation.load(rewrite(path, content))


def test_a_segment_without_a_category_is_refused(tmp_path):
    path, content = saved(tmp_path)
    del content["categories"][0]
    with pytest.raises(CocoFormatError, match="'categories' does not list"):
        PanopticSegmentation.load(rewrite(path, content))


def test_pngs_that_are_none_are_refused(tmp_path):
    path, _ = saved(tmp_path)
    Image.new("L", (3, 2)).save(tmp_path / "one.png")
    with pytest.raises(CocoFormatError, match=r"one\.png.*RGB PNG was expected, got L"):
        PanopticSegmentation.load(path)
    (tmp_path / "one.png").write_bytes(b"GIF89a")
    with pytest.raises(CocoFormatError, match=r"one\.png.*cannot be read"):
        PanopticSegmentation.load(path)
    (tmp_path / "one.png").unlink()
    with pytest.raises(FileNotFoundError):
        PanopticSegmentation.load(path)
    with pytest.raises(FileNotFoundError, match="PNG folder"):
        CocoPanoptic.open(path, tmp_path / "nowhere")
