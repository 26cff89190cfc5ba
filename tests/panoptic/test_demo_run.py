"""The demo job. Models: the bundled ones, or tiny random ones where only files matter."""

import json

import numpy as np
import pytest
from PIL import Image

from panoptic.cli import main
from panoptic.demo.scenes import HELD_OUT_WORLD, demo_vocabulary
from panoptic.measure.evaluate_coco import evaluate_coco

SCENES = 3


@pytest.fixture(scope="module")
def demo(tmp_path_factory, module_capture):
    folder = tmp_path_factory.mktemp("demo")
    assert main(["demo", "-o", str(folder), "--scenes", str(SCENES), "--device", "cpu"]) == 0
    return folder, module_capture()


@pytest.fixture(scope="module")
def module_capture():
    """What was printed so far in this module."""
    import contextlib
    import io

    stream = io.StringIO()
    with contextlib.redirect_stdout(stream):
        yield stream.getvalue


def test_everything_is_written(demo):
    folder, _ = demo
    names = [f"scene-{n:02}.png" for n in range(1, SCENES + 1)]
    for part in ("pictures", "overlays", "prediction", "truth"):
        assert sorted(p.name for p in (folder / part).iterdir()) == names
    with Image.open(folder / "demo.png") as sheet:
        assert sheet.width > 2000
    assert (folder / "explain" / "sheet.png").is_file()
    assert not list(folder.rglob("*.part"))


def test_the_table_is_that_of_the_files(demo):
    folder, printed = demo
    report = evaluate_coco(folder / "prediction.json", folder / "truth.json")
    rows = {line.split()[0]: line.split() for line in printed.splitlines() if line.strip()}
    for name, quality in (("all", report.all), ("things", report.things), ("stuff", report.stuff)):
        assert rows[name][1] == f"{100 * quality.pq:.1f}"
    categories = json.loads((folder / "prediction.json").read_text())["categories"]
    assert [c["name"] for c in categories] == [c.name for c in demo_vocabulary()]


def test_the_bundled_models_tell_the_stuff_of_their_world(demo):
    """Far below what they reach (see benchmarks/results), far above what chance gives."""
    report = evaluate_coco(demo[0] / "prediction.json", demo[0] / "truth.json")
    assert report.stuff.pq > 0.4


def test_models_without_the_words_of_the_world_are_refused(models_folder, tmp_path, capsys):
    assert main(["demo", "--models", str(models_folder), "-o", str(tmp_path / "demo")]) == 2
    assert "has no word for" in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.json"))
    assert main(["demo", "--scenes", "0"]) == 2


def test_scenes_differ_with_the_seed():
    from panoptic.demo.artwork import load_artwork
    from panoptic.demo.scenes import World

    world = World(load_artwork(), seed=HELD_OUT_WORLD)
    one, two = (world.scene(np.random.default_rng((seed, 0)), (64, 64)).image for seed in (0, 1))
    assert not np.array_equal(one, two)


def test_a_demo_takes_the_place_of_an_earlier_one_and_leaves_the_rest(demo, tmp_path):
    for part in ("pictures", "truth", "explain"):
        (tmp_path / part).mkdir()
    # As versions without a record left it, and something of a person's.
    for old in ("pictures/scene-40.png", "truth/scene-01.png", "explain/sheet.png", "demo.png"):
        (tmp_path / old).write_text("old")
    (tmp_path / "pictures" / "mine.png").write_text("mine")
    for _ in range(2):
        assert main(["demo", "-o", str(tmp_path), "--scenes", "1", "--device", "cpu"]) == 0
        found = sorted(path.name for path in (tmp_path / "pictures").iterdir())
        assert found == ["mine.png", "scene-01.png"]
    for part in ("pictures", "truth", "prediction", "overlays"):  # the same scenes every time
        name = "scene-01.png"
        assert (tmp_path / part / name).read_bytes() == (demo[0] / part / name).read_bytes()
