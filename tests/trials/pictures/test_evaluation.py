"""What users saw when they measured results on pictures against a truth."""

import json
import shutil
import sqlite3

import numpy as np
import pytest
from PIL import Image

from panoptic.cli import main
from panoptic.dataset import manifest_schema
from panoptic.dataset.export import export
from panoptic.dataset.resumable_labelling import label_dataset
from panoptic.dataset.store import DatasetStore
from panoptic.formats.coco_panoptic import CocoPanoptic, CocoPanopticWriter
from panoptic.results.segment import UNKNOWN, UNKNOWN_ID, Segment
from panoptic.results.segmentation import PanopticSegmentation
from tests.panoptic.conftest import coco_sample  # noqa: F401
from tests.panoptic.dataset.colours import WORDS, ColourLabeller, picture


def label(*columns):
    """A picture of 4 x 4 whose columns are (category id, name, is thing); every one a segment."""
    ids = np.tile(np.repeat(np.arange(1, len(columns) + 1), 4 // len(columns)), (4, 1))
    segments = [Segment(i, *column, 1.0) for i, column in enumerate(columns, start=1)]
    return PanopticSegmentation.from_ids(ids.astype(np.int32), segments)


CAR, ROAD = (1, "car", True), (2, "road", False)
FOUR = {
    "a.jpg": label(CAR, ROAD),
    "b.jpg": label(ROAD, CAR),
    "c.jpg": label(CAR),
    "d.jpg": label(ROAD),
}


def written(folder, name, results, ids=()):
    """A COCO panoptic JSON of results by file name, with image ids, if any."""
    with CocoPanopticWriter(folder, name) as writer:
        for number, (file_name, result) in enumerate(results.items()):
            writer.add(result, file_name, ids[number] if ids else None)
    return str(folder / f"{name}.json")


def evaluated(tmp_path, *arguments):
    """The numbers of ``panoptic eval``, which must end well."""
    numbers = tmp_path / "numbers.json"
    numbers.unlink(missing_ok=True)
    assert main(["eval", *map(str, arguments), "--json", str(numbers)]) == 0
    return json.loads(numbers.read_text())


def test_labels_of_another_order_are_paired_by_file_name(tmp_path, capsys):
    ours = written(tmp_path, "ours", FOUR)
    theirs = written(tmp_path, "theirs", dict(reversed(FOUR.items())))
    assert evaluated(tmp_path, ours, theirs, "--by-name")["all"]["pq"] == 1.0
    assert "paired by file name" in capsys.readouterr().out


def test_a_result_for_cocos_sample_is_found_by_its_file_names(coco_sample, tmp_path):  # noqa: F811
    truth = CocoPanoptic.open(coco_sample / "panoptic_examples.json")
    results = {truth.images[i]["file_name"]: one for i, one in truth}
    ours = written(tmp_path, "ours", results)  # counts from 1, the sample from 142238
    assert evaluated(tmp_path, ours, coco_sample / "panoptic_examples.json")["all"]["pq"] == 1.0


@pytest.mark.parametrize("ours", ["val/A.PNG", "deep/er/val/a.jpeg", "a.jpg"])
def test_folder_ending_and_case_of_a_name_may_differ(tmp_path, ours):
    truth = written(tmp_path, "truth", {"val/a.jpg": FOUR["a.jpg"]}, [77])
    assert (
        evaluated(tmp_path, written(tmp_path, "ours", {ours: FOUR["a.jpg"]}), truth)["images"] == 1
    )


def test_one_name_in_two_folders_is_never_guessed(tmp_path, capsys):
    two = {"a/x.jpg": FOUR["a.jpg"], "b/x.jpg": FOUR["b.jpg"]}
    truth = written(tmp_path, "truth", two, [7, 8])
    ours = written(tmp_path, "ours", dict(reversed(two.items())))
    assert evaluated(tmp_path, ours, truth)["all"]["pq"] == 1.0
    bare = written(tmp_path, "bare", {"x.jpg": FOUR["a.jpg"]})
    assert main(["eval", bare, truth]) == 2
    assert "may be image 7 ('a/x.jpg') or image 8 ('b/x.jpg')" in capsys.readouterr().err


def test_the_same_numbers_with_other_names_are_not_the_same_pictures(tmp_path, capsys):
    truth = written(tmp_path, "truth", {"cat.jpg": FOUR["a.jpg"]})
    ours = written(tmp_path, "ours", {"dog.jpg": FOUR["b.jpg"]})
    assert main(["eval", ours, truth]) == 2
    assert "image 1 ('dog.jpg') of the prediction is 'cat.jpg'" in capsys.readouterr().err


@pytest.fixture(scope="module")
def coco_source(tmp_path_factory):
    """Twelve pictures with a COCO JSON of theirs, ids as COCO has them, and their truth."""
    root = tmp_path_factory.mktemp("coco")
    images, truth = [], {}
    for number in range(12):
        name = f"{'ab'[number % 2]}/{number // 2:012}.png"
        (root / "val2017" / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = picture(number)
        Image.fromarray(pixels).save(root / "val2017" / name)
        images.append({"id": 139 + 17 * (number * 5 % 12), "file_name": name})
        truth[name] = ColourLabeller().segment(pixels, WORDS)
    listed = root / "images_val2017.json"
    listed.write_text(json.dumps({"images": images, "annotations": [], "categories": []}))
    written(root, "truth", truth, [image["id"] for image in images])
    return root


@pytest.fixture(scope="module")
def coco_data_set(coco_source, tmp_path_factory):
    from panoptic.io.sources import open_source

    out = tmp_path_factory.mktemp("data") / "out"
    source = open_source(coco_source / "images_val2017.json", coco_source / "val2017")
    label_dataset(ColourLabeller(), source, WORDS, out, progress=False)
    return out


def test_a_coco_source_keeps_its_image_ids_through_a_data_set_and_its_export(
    coco_source, coco_data_set, tmp_path, capsys
):
    formats = ["--format", "coco_panoptic", "--format", "coco_instances"]
    assert main(["export", str(coco_data_set), *formats, "--to", str(tmp_path / "export")]) == 0
    listed = json.loads((coco_source / "images_val2017.json").read_text())["images"]
    wanted = {image["file_name"]: image["id"] for image in listed}
    for file in ("coco_panoptic/annotations/panoptic", "coco_instances/annotations/instances"):
        exported = [
            image
            for split in ("train", "val", "test")
            if (path := tmp_path / "export" / f"{file}_{split}.json").exists()
            for image in json.loads(path.read_text())["images"]
        ]
        assert {image["source_file_name"]: image["id"] for image in exported} == wanted
    capsys.readouterr()
    # One command, splits and all; the words were asked in the truth's own order.
    assert evaluated(tmp_path, tmp_path / "export", coco_source / "truth.json")["all"]["pq"] == 1.0
    assert "12 images, paired by image id" in capsys.readouterr().out


def test_an_export_of_several_splits_of_a_plain_folder_is_evaluated_as_one(coco_source, tmp_path):
    out = tmp_path / "out"
    label_dataset(ColourLabeller(), coco_source / "val2017", WORDS, out, progress=False)
    with DatasetStore.open(out) as store:
        (done,) = export(store.items(), WORDS, tmp_path, ["coco_panoptic"], progress=False)
    assert len(done.items) > 1
    report = evaluated(tmp_path, done.folder, coco_source / "truth.json")
    assert (report["images"], report["all"]["pq"]) == (12, 1.0)


def test_a_data_set_of_an_earlier_version_gets_its_image_ids_with_the_next_run(
    coco_source, coco_data_set, tmp_path
):
    out = shutil.copytree(coco_data_set, tmp_path / "out")
    with sqlite3.connect(out / "manifest.sqlite") as db:
        for column in manifest_schema._ADDED:
            db.execute(f"ALTER TABLE items DROP COLUMN {column}")
        for table in ("words", "corrections"):
            db.execute(f"DROP TABLE {table}")
        db.execute("PRAGMA user_version = 1")
    db.close()
    with DatasetStore.open(out) as store:
        assert {item.image_id for item in store.items()} == {None}
    from panoptic.io.sources import open_source

    source = open_source(coco_source / "images_val2017.json", coco_source / "val2017")
    run = label_dataset(ColourLabeller(), source, WORDS, out, progress=False)
    assert run.labelled == 0
    with DatasetStore.open(out) as store:
        assert None not in {item.image_id for item in store.items()}


def test_case_and_cocos_endings_of_words_are_told_not_guessed(tmp_path, capsys):
    truth = written(
        tmp_path, "truth", {"a.jpg": label((184, "tree-merged", False), (3, "car", True))}
    )
    words = label((1, "Tree", False), (2, "CAR", True))
    ours = written(tmp_path, "ours", {"a.jpg": words})
    assert evaluated(tmp_path, ours, truth, "--by-name")["all"]["pq"] == 1.0
    told = "by name, 'Tree' is 'tree-merged', 'CAR' is 'car' of the truth"
    assert told in capsys.readouterr().out


def test_words_that_the_truth_lacks_are_said_and_can_be_ignored(tmp_path, capsys):
    truth = written(tmp_path, "truth", {"a.jpg": label(CAR, ROAD)})
    ours = written(tmp_path, "ours", {"a.jpg": label(CAR, (5, "puddle", False))})
    assert main(["eval", ours, truth, "--by-name"]) == 2
    assert "'puddle'" in capsys.readouterr().err
    numbers = evaluated(tmp_path, ours, truth, "--by-name", "--ignore-other-words")
    assert {c["name"]: (c["tp"], c["fp"], c["fn"]) for c in numbers["per_class"]} == {
        "car": (1, 0, 0),
        "road": (0, 0, 1),
    }
    assert "ignored, as the truth lacks them: 'puddle'" in capsys.readouterr().out


def test_a_class_0_of_the_truth_is_not_our_unknown(tmp_path):
    truth = written(tmp_path, "truth", {"a.jpg": label((0, "wall", False), (1, "car", True))})
    ours = written(
        tmp_path, "ours", {"a.jpg": label((UNKNOWN_ID, UNKNOWN, True), (1, "car", True))}
    )
    per_class = evaluated(tmp_path, ours, truth, "--by-name")["per_class"]
    wall = next(c for c in per_class if c["name"] == "wall")
    assert (wall["tp"], wall["fp"], wall["fn"]) == (0, 0, 1)  # was found, as a wall, before


def test_numbers_written_as_text_are_the_same_numbers(tmp_path):
    truth = written(tmp_path, "truth", {"a.jpg": FOUR["a.jpg"]}, [139])
    content = json.loads((tmp_path / "truth.json").read_text())
    content["annotations"][0]["image_id"] = "000000000139"
    del content["images"]
    shutil.copytree(tmp_path / "truth", tmp_path / "ours")
    content["annotations"][0]["file_name"] = "mask.png"
    (tmp_path / "ours" / "a.png").rename(tmp_path / "ours" / "mask.png")
    (tmp_path / "ours.json").write_text(json.dumps(content))
    assert evaluated(tmp_path, tmp_path / "ours.json", truth)["all"]["pq"] == 1.0


def test_isthing_written_as_text_is_not_always_true(tmp_path):
    truth = written(tmp_path, "truth", {"a.jpg": label(CAR, ROAD)})
    content = json.loads((tmp_path / "truth.json").read_text())
    for category in content["categories"]:
        category["isthing"] = str(category["isthing"])
    (tmp_path / "truth.json").write_text(json.dumps(content))
    assert evaluated(tmp_path, truth, truth)["stuff"]["classes"] == 1


def test_an_image_annotated_twice_is_refused_not_halved(tmp_path, capsys):
    truth = written(tmp_path, "truth", {"a.jpg": FOUR["a.jpg"], "b.jpg": FOUR["b.jpg"]})
    content = json.loads((tmp_path / "truth.json").read_text())
    content["annotations"][1]["image_id"] = 1
    (tmp_path / "truth.json").write_text(json.dumps(content))
    assert main(["eval", truth, truth]) == 2
    assert "annotation of image 1 is listed twice" in capsys.readouterr().err


def test_a_truth_of_another_size_is_named_by_its_files(tmp_path, capsys):
    truth = written(tmp_path, "truth", {"a.jpg": FOUR["a.jpg"]})
    large = PanopticSegmentation.from_ids(np.ones((8, 8), np.int32), [Segment(1, *CAR, 1.0)])
    ours = written(tmp_path, "ours", {"a.jpg": large})
    assert main(["eval", ours, truth]) == 2
    error = capsys.readouterr().err
    assert "'a.jpg'" in error
    assert "a.png' is 8 x 8" in error
    assert "4 x 4 pixels" in error


def test_a_folder_of_results_can_be_given_as_it_is(tmp_path):
    written(tmp_path / "out", "panoptic", FOUR)
    truth = written(tmp_path, "truth", FOUR)
    assert evaluated(tmp_path, tmp_path / "out", truth)["all"]["pq"] == 1.0


def test_numbers_are_not_written_over_the_labels_that_they_are_of(tmp_path, capsys):
    ours, theirs = written(tmp_path, "ours", FOUR), written(tmp_path, "theirs", FOUR)
    (tmp_path / "folder").mkdir()
    (tmp_path / "notes").write_text("mine")
    for taken in (ours, theirs, tmp_path / "folder", tmp_path / "notes", "/dev/null"):
        before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
        assert main(["eval", ours, theirs, "--json", str(taken)]) == 2
        assert repr(str(taken)) in capsys.readouterr().err
        assert before == {p: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()}
    numbers = tmp_path / "numbers.json"
    numbers.touch()  # as mktemp makes it
    for _ in range(2):
        assert main(["eval", ours, theirs, "--json", str(numbers)]) == 0
        assert json.loads(numbers.read_text())["images"] == 4
