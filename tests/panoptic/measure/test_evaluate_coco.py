"""Files against files, as other tools write them: pairing, words, folders, what is said."""

import json

import numpy as np
import pytest
from PIL import Image

from panoptic.errors import CocoFormatError
from panoptic.formats.coco_files import open_coco
from panoptic.formats.coco_panoptic import CocoPanoptic
from panoptic.measure.evaluate_coco import evaluate_coco

ROAD_AND_CAR = ["1122", "1122"]
CATEGORIES = [
    {"id": 7, "name": "road", "isthing": 0, "supercategory": "ground", "color": [1, 2, 3]},
    {"id": 3, "name": "car", "isthing": 1, "supercategory": "vehicle", "color": [4, 5, 6]},
]


def coco(path, images, categories=CATEGORIES, words=(7, 3), **more):
    """A COCO panoptic JSON written by hand: (id, file name, rows of ids) of each image."""
    folder = path.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    content = {"images": [], "annotations": [], "categories": categories, **more}
    for number, (image_id, name, rows) in enumerate(images):
        ids = np.array([[int(c) for c in row] for row in rows], np.uint8)
        png = f"{number:012}.png"
        Image.fromarray(np.stack([ids, ids * 0, ids * 0], -1)).save(folder / png)
        size = {"height": ids.shape[0], "width": ids.shape[1]}
        content["images"].append({"id": image_id, "file_name": name, **size})
        infos = [
            {"id": i, "category_id": c, "iscrowd": 0, "area": int((ids == i).sum())}
            for i, c in enumerate(words, start=1)
            if (ids == i).any()
        ]
        content["annotations"].append(
            {"image_id": image_id, "file_name": png, "segments_info": infos}
        )
    path.write_text(json.dumps(content))
    return path


def change(path, **fields):
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))
    return path


@pytest.fixture
def truth(tmp_path):
    return coco(
        tmp_path / "truth.json",
        [(285, "val/b.jpg", ROAD_AND_CAR), (139, "val/a.jpg", ["2222", "1111"])],
    )


def test_the_report_says_how_it_paired_and_what_it_left_out(truth, tmp_path):
    ours = coco(
        tmp_path / "ours.json",
        [(1, "a.png", ["2222", "1111"]), (2, "b.png", ROAD_AND_CAR), (3, "c.png", ROAD_AND_CAR)],
    )
    report = evaluate_coco(ours, truth)
    assert (report.images, report.all.pq) == (2, 1.0)
    assert report.paired_by == "file name (folder, ending or case differ)"
    assert report.notes == ("left out, not being in the truth: 1 predicted images",)
    assert report.to_dict()["paired_by"] == report.paired_by
    some = coco(tmp_path / "some.json", [(9, "a.jpg", ["2222", "1111"])])
    with pytest.raises(ValueError, match=r"1 of 2 images have no prediction.*285 .'val/b.jpg'"):
        evaluate_coco(some, truth)
    report = evaluate_coco(some, truth, skip_missing=True)
    assert (report.images, report.all.pq) == (1, 1.0)
    assert "1 images of the truth, the first is image 285 ('val/b.jpg')" in report.notes[0]


def test_words_that_the_truth_lacks_become_void_on_request(truth, tmp_path):
    words = [{"id": 1, "name": "Road", "isthing": 1}, {"id": 2, "name": "bus", "isthing": 1}]
    ours = coco(
        tmp_path / "ours.json",
        [(285, "b.jpg", ROAD_AND_CAR), (139, "a.jpg", ["2222", "1111"])],
        words,
        (1, 2),
    )
    with pytest.raises(ValueError, match="'bus'"):
        evaluate_coco(ours, truth, by_name=True)
    report = evaluate_coco(ours, truth, by_name=True, ignore_other_words=True)
    counts = {c.name: (c.is_thing, t.tp, t.fp, t.fn) for c, t in report.per_class.items()}
    assert counts == {"road": (False, 2, 0, 0), "car": (True, 0, 0, 2)}
    assert [note.split(":")[0] for note in report.notes] == [
        "by name, 'Road' is 'road' of the truth",
        "ignored, as the truth lacks them",
        "'Road' is a thing in the prediction and stuff in the truth",
        "the prediction has no word for 1 of the truth's 2 categories, which count as missed "
        "without --only-asked (only_asked=True)",
    ]
    asked = evaluate_coco(ours, truth, by_name=True, ignore_other_words=True, only_asked=True)
    assert [c.name for c in asked.per_class] == ["road"]
    assert asked.all.pq == 1.0
    # By id, such a word only matters where it occurs.
    by_id = change(ours, categories=[{**words[0], "id": 7}, {**words[1], "id": 8}])
    content = json.loads(by_id.read_text())["annotations"]
    for annotation in content:
        for info in annotation["segments_info"]:
            info["category_id"] += 6
    change(by_id, annotations=content)
    with pytest.raises(ValueError, match="category 8, which the ground truth does not know"):
        evaluate_coco(by_id, truth)
    assert evaluate_coco(by_id, truth, ignore_other_words=True).stuff.pq == 1.0


def test_what_was_not_asked_is_no_void_to_be_wrong_on(tmp_path):
    truth = coco(tmp_path / "truth.json", [(1, "a.jpg", ["1122", "1122"])])
    ours = coco(tmp_path / "ours.json", [(1, "a.jpg", ["1111", "1111"])], CATEGORIES[:1], (7,))
    # Road covers the car, which isn't asked for: IoU 4 / 8, no match.
    report = evaluate_coco(ours, truth, only_asked=True)
    assert [(c.name, t.tp, t.fp, t.fn) for c, t in report.per_class.items()] == [("road", 0, 1, 1)]


def test_a_category_0_counts_and_unknown_does_not(tmp_path):
    zero = [{"id": 0, "name": "wall", "isthing": 0}, {"id": 1, "name": "door", "isthing": 1}]
    truth = coco(tmp_path / "truth.json", [(1, "a.jpg", ROAD_AND_CAR)], zero, (0, 1))
    assert evaluate_coco(truth, truth).all.classes == 2
    mine = [{"id": 0, "name": "unknown", "isthing": 1}, {"id": 5, "name": "door", "isthing": 1}]
    ours = coco(tmp_path / "ours.json", [(1, "a.jpg", ROAD_AND_CAR)], mine, (0, 5))
    counts = evaluate_coco(ours, truth, by_name=True).per_class
    assert {c.name: (t.tp, t.fp, t.fn) for c, t in counts.items()} == {
        "wall": (0, 0, 1),
        "door": (1, 0, 0),
    }
    other = coco(tmp_path / "other.json", [(1, "a.jpg", ROAD_AND_CAR)], zero, (0, 1))
    change(other, categories=[{**zero[0], "name": "sky"}, zero[1]])
    with pytest.raises(ValueError, match="no categories called 'sky'"):
        evaluate_coco(other, truth, by_name=True)


def test_flags_written_as_text_are_read_and_others_refused(tmp_path, truth):
    text = [{**c, "isthing": str(c["isthing"])} for c in CATEGORIES]
    change(truth, categories=text)
    assert evaluate_coco(truth, truth).stuff.classes == 1
    change(truth, categories=[{"id": 7, "name": "road"}, CATEGORIES[1]])
    assert evaluate_coco(truth, truth).notes == (
        "1 categories of the truth count as things, having no isthing",
    )
    change(truth, categories=[{**CATEGORIES[0], "isthing": "perhaps"}])
    with pytest.raises(CocoFormatError, match=r"truth.json.*isthing must be 0 or 1, got 'perhaps'"):
        CocoPanoptic.open(truth)


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (
            lambda c: c["annotations"].append(c["annotations"][0]),
            "annotation of image 285 is listed",
        ),
        (lambda c: c["images"].append(c["images"][0]), "image 285 is listed twice"),
        (lambda c: c["categories"].append(c["categories"][0]), "category 7 is listed twice"),
        (lambda c: c["categories"][0].update(id="7"), "id of the category .* must be an integer"),
        (
            lambda c: c["annotations"][0]["segments_info"][0].update(category_id="7"),
            "image 285, segment .* must be integers",
        ),
        (lambda c: c["annotations"][0].update(image_id=1.5), "an image id must be an integer"),
        (
            lambda c: c["annotations"][0]["segments_info"][0].update(iscrowd=2),
            "iscrowd must be 0 or 1, got 2",
        ),
    ],
)
def test_what_would_be_lost_or_guessed_is_refused_by_place(truth, break_it, message):
    content = json.loads(truth.read_text())
    break_it(content)
    truth.write_text(json.dumps(content))
    with pytest.raises(CocoFormatError, match=rf"truth\.json.*{message}"):
        CocoPanoptic.open(truth)


def test_folders_stand_for_the_files_in_them(tmp_path, truth):
    coco(tmp_path / "out" / "panoptic.json", [(1, "a.jpg", ROAD_AND_CAR)])
    assert [f.json_path.name for f in open_coco(tmp_path / "out")] == ["panoptic.json"]
    annotations = tmp_path / "export" / "coco_panoptic" / "annotations"
    for split, image in (("train", (5, "val/b.jpg")), ("val", (6, "val/a.jpg"))):
        rows = ROAD_AND_CAR if split == "train" else ["2222", "1111"]
        coco(annotations / f"panoptic_{split}.json", [(*image, rows)])
    for folder in (annotations.parent.parent, annotations.parent, annotations):
        assert evaluate_coco(folder, truth).all.pq == 1.0
        assert evaluate_coco(folder, folder).images == 2
    with pytest.raises(ValueError, match="holds 2 JSON files"):
        evaluate_coco(annotations.parent, truth, prediction_folder=tmp_path)
    change(annotations / "panoptic_val.json", categories=[{**CATEGORIES[0], "name": "sea"}])
    with pytest.raises(CocoFormatError, match=r"category 7 is 'road' in .* and 'sea' in"):
        open_coco(annotations)
    with pytest.raises(
        FileNotFoundError, match=r"no COCO panoptic JSON: looked for panoptic\.json"
    ):
        open_coco(tmp_path)
    (tmp_path / "manifest.sqlite").touch()
    with pytest.raises(FileNotFoundError, match="export it"):
        open_coco(tmp_path)
