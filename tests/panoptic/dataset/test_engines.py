import os
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest

from panoptic.dataset.errors import DatasetError
from panoptic.dataset.recipe import recipe_of
from panoptic.dataset.runner import label_dataset
from panoptic.dataset.settings import DatasetSettings
from panoptic.dataset.store import DatasetStore
from tests.panoptic.dataset.colours import WORDS, ColourLabeller, contents, fill

TWO = DatasetSettings(batch=2, chunk=4, workers=2)


@dataclass(frozen=True)
class Mortal(ColourLabeller):
    """Its process is killed by the picture of a certain size, as often as there are lives."""

    lives: str = ""
    size: tuple[int, int] = (40, 40)

    def segment_batch(self, images, vocabulary):
        folder = Path(self.lives)
        if any(image.shape[:2] == self.size for image in images):
            for life in folder.iterdir():
                life.unlink()
                os.kill(os.getpid(), signal.SIGKILL)
        return super().segment_batch(images, vocabulary)


@pytest.fixture
def source(tmp_path):
    fill(tmp_path / "in", 14)
    return tmp_path / "in"


def _lives(tmp_path, count):
    folder = tmp_path / "lives"
    folder.mkdir()
    for i in range(count):
        (folder / str(i)).touch()
    return str(folder)


def test_several_processes_give_what_one_gives(source, tmp_path):
    (source / "a/0001.png").write_bytes(b"no picture")
    run = label_dataset(ColourLabeller(), source, WORDS, tmp_path / "two", settings=TWO)
    assert (run.labelled, run.failed) == (13, 1)
    label_dataset(ColourLabeller(), source, WORDS, tmp_path / "one")
    assert contents(tmp_path / "two") == contents(tmp_path / "one")
    with run.open() as store, DatasetStore.open(tmp_path / "one") as one:
        assert list(store.items()) == list(one.items())


def test_a_worker_that_is_killed_is_started_again_and_nothing_is_lost(source, tmp_path):
    labeller = Mortal(lives=_lives(tmp_path, 1))
    run = label_dataset(labeller, source, WORDS, tmp_path / "out", settings=TWO)
    assert (run.labelled, run.failed, run.counts.waiting) == (14, 0, 0)
    assert not os.listdir(labeller.lives)
    label_dataset(ColourLabeller(), source, WORDS, tmp_path / "one")
    assert contents(tmp_path / "out") == contents(tmp_path / "one")


def test_workers_that_die_without_doing_anything_end_the_run(source, tmp_path):
    for path in sorted(source.rglob("*.png")):  # every chunk has a picture that kills
        path.write_bytes((source / "a/0002.png").read_bytes())
    labeller = Mortal(lives=_lives(tmp_path, 50))
    one = DatasetSettings(batch=2, chunk=4, workers=1)
    engine_of_one = _engine(labeller, tmp_path / "out", one)
    with pytest.raises(DatasetError, match="died 3 times without labelling anything"):
        label_dataset(labeller, source, WORDS, tmp_path / "out", settings=one, engine=engine_of_one)


def _engine(labeller, out, settings):
    from panoptic.dataset.engines.processes import ProcessEngine
    from panoptic.dataset.labels import LabelFiles

    return ProcessEngine(recipe_of(labeller), WORDS, LabelFiles(out), settings)


def test_what_cannot_be_made_again_needs_one_worker(source, tmp_path):
    @dataclass(frozen=True)
    class Local(ColourLabeller):  # a class within a function can't be pickled
        pass

    with pytest.raises(DatasetError, match="use one worker"):
        label_dataset(Local(), source, WORDS, tmp_path / "out", settings=TWO)


def test_a_pipeline_is_made_again_with_the_settings_that_it_has(tiny, picture, words):
    tiny.settings = tiny.settings.__class__(region_side=64, seed=3)
    again = recipe_of(tiny)(None)
    assert again.settings == tiny.settings
    assert again.things.settings == tiny.things.settings
    assert again.segment(picture, words) == tiny.segment(picture, words)
