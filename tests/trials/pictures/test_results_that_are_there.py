"""Results of an earlier run, and files of others, in the folder that results are to go to."""

import json

import pytest
from PIL import Image

from panoptic.cli import main
from panoptic.formats.coco_panoptic import CocoPanoptic
from tests.panoptic.dataset.colours import picture

WORDS = ["--things", "car, dog", "--stuff", "road, sky"]


@pytest.fixture
def label(tmp_path, models_folder):
    def run(*names, more=()):
        paths = []
        for seed, name in enumerate(names):
            path = tmp_path / "in" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture(seed)).save(path)
            paths.append(str(path))
        out = ["--models", str(models_folder), "-o", str(tmp_path / "out"), *more]
        return main(["image", *paths, *WORDS, *out])

    return run


def listed(out):
    return [
        image["file_name"] for image in json.loads((out / "panoptic.json").read_text())["images"]
    ]


def test_earlier_results_are_not_written_over_unless_asked(label, tmp_path, capsys):
    out = tmp_path / "out"
    assert label("monday.png") == 0
    (out / "notes.txt").write_text("mine")
    (out / "overlays" / "holiday.png").write_text("mine, too")
    assert label("tuesday.png") == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "'notes.txt'" in error
    assert "written by panoptic image" in error
    assert "--overwrite" in error
    assert listed(out) == ["monday.png"]
    assert label("tuesday.png", more=["--overwrite"]) == 0
    assert listed(out) == ["tuesday.png"]
    assert sorted(p.name for p in (out / "overlays").iterdir()) == ["holiday.png", "tuesday.png"]
    assert [p.name for p in (out / "panoptic").iterdir()] == ["tuesday.png"]
    assert (out / "notes.txt").read_text() == "mine"


def test_pictures_that_cannot_be_read_leave_earlier_results_alone(label, tmp_path):
    out = tmp_path / "out"
    assert label("monday.png") == 0
    broken = tmp_path / "broken.png"
    broken.write_text("no picture")
    assert main(["image", str(broken), *WORDS, "-o", str(out), "--overwrite"]) == 2
    assert label(more=["no-such.png", "--overwrite"]) == 2
    assert listed(out) == ["monday.png"]


def test_a_photograph_in_the_way_is_not_written_over(label, tmp_path, capsys):
    out = tmp_path / "out"
    (out / "overlays").mkdir(parents=True)
    (out / "overlays" / "monday.png").write_text("mine")
    assert label("monday.png", more=["--overwrite"]) == 2
    assert "'overlays/monday.png'" in capsys.readouterr().err
    assert (out / "overlays" / "monday.png").read_text() == "mine"


def test_pictures_of_one_name_get_results_of_their_own(label, tmp_path):
    names = ["a/x.png", "b/x.png", "X.png", "x-2.png", "-rf.png"]
    assert label(*names) == 0
    found = sorted(path.name for path in (tmp_path / "out" / "panoptic").iterdir())
    assert len({name.casefold() for name in found}) == len(names)
    assert not any(name.startswith("-") for name in found)
    coco = CocoPanoptic.open(tmp_path / "out" / "panoptic.json")
    for image_id in coco.annotations:
        assert coco.load(image_id)
