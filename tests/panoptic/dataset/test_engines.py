import json
import logging
import os
import pickle
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from panoptic import PanopticPipeline
from panoptic.dataset.engines.ray import actor_device
from panoptic.dataset.resumable_labelling import label_dataset
from panoptic.dataset.store import DatasetStore
from panoptic.dataset.worker_recipe import PipelineRecipe, recipe_of
from panoptic.devices import choose_devices
from panoptic.errors import DatasetError, SettingsChangedError
from panoptic.settings.dataset import DatasetSettings
from sam2core.precision import choose_dtype, name_of
from tests.panoptic.dataset.colours import WORDS, ColourLabeller, contents, fill

ONE = DatasetSettings(batch=2, chunk=4)
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
    from panoptic.dataset.label_files import LabelFiles

    return ProcessEngine(recipe_of(labeller), WORDS, LabelFiles(out), settings)


def test_what_cannot_be_made_again_needs_one_worker(source, tmp_path):
    @dataclass(frozen=True)
    class Local(ColourLabeller):  # a class within a function can't be pickled
        pass

    with pytest.raises(DatasetError, match="use one worker"):
        label_dataset(Local(), source, WORDS, tmp_path / "out", settings=TWO)


@dataclass(frozen=True)
class Noted(ColourLabeller):
    """Leaves a note of the device that it was made for."""

    notes: str = ""
    device: str = ""

    def segment_batch(self, images, vocabulary):
        (Path(self.notes) / f"{os.getpid()} {self.device}").touch()
        return super().segment_batch(images, vocabulary)


@dataclass(frozen=True)
class NotedRecipe:
    notes: str
    device: str | None
    dtype: str | None = None

    def settled(self, devices):
        return self

    def __call__(self, device=None):
        return Noted(notes=self.notes, device=str(device))


def _devices_of_two_workers(asked, source, tmp_path):
    notes = tmp_path / "notes"
    notes.mkdir()
    recipe = NotedRecipe(str(notes), asked)
    run = label_dataset(recipe, source, WORDS, tmp_path / "out", settings=TWO)
    assert (run.labelled, run.failed) == (14, 0)
    return {path.name.split()[1] for path in notes.iterdir()}


def test_workers_are_on_the_device_that_was_asked_for(source, tmp_path):
    assert _devices_of_two_workers("cpu", source, tmp_path) == {"cpu"}


def test_where_nothing_is_asked_for_workers_take_what_the_machine_has(source, tmp_path):
    chosen = _devices_of_two_workers(None, source, tmp_path)
    assert chosen <= set(choose_devices(None, 2))


def test_a_device_that_is_not_there_is_told_before_anything_is_made(source, tmp_path):
    recipe = NotedRecipe(str(tmp_path), "cuda:99")
    with pytest.raises(ValueError, match="there is no device 'cuda:99'"):
        label_dataset(recipe, source, WORDS, tmp_path / "out", settings=TWO)
    assert not (tmp_path / "out").exists()


def test_a_recipe_makes_the_labels_of_its_pipeline_in_whatever_process(
    source, tmp_path, models_folder, words, caplog
):
    caplog.set_level(logging.INFO, "panoptic.dataset")
    recipe = PipelineRecipe({"source": str(models_folder), "device": "cpu", "dtype": "bfloat16"})
    runs = [
        label_dataset(recipe, source, words, tmp_path / "two", settings=TWO),
        label_dataset(recipe, source, words, tmp_path / "one", settings=ONE),
        label_dataset(recipe(), source, words, tmp_path / "pipeline", settings=TWO),
    ]
    assert caplog.messages[:2] == ["2 workers on cpu in bfloat16", "on cpu in bfloat16"]
    told = [run.open().settings for run in runs]
    assert told[0] == told[1] == told[2]
    for part in ("things", "stuff", "segmenter"):
        assert told[0][part]["dtype"] == "torch.bfloat16"
    assert "cpu" not in json.dumps(told[0])
    labels = [contents(run.out) for run in runs]
    assert len(labels[0]) == 28
    assert labels[0] == labels[1] == labels[2]


def test_labels_in_another_dtype_are_other_labels(source, tmp_path, models_folder, words):
    recipe = PipelineRecipe({"source": str(models_folder), "device": "cpu", "dtype": "float32"})
    label_dataset(recipe, source, words, tmp_path / "out", settings=ONE)
    other = PipelineRecipe(recipe.arguments | {"dtype": "bfloat16"})
    with pytest.raises(SettingsChangedError, match=r"dtype was 'torch\.float32', is 'torch\.bf"):
        label_dataset(other, source, words, tmp_path / "out", settings=ONE)


@pytest.mark.parametrize(
    ("given", "asked"),
    [({}, None), ({"device": "cpu"}, "cpu"), ({"device": torch.device("cpu")}, "cpu")],
)
def test_a_pipeline_knows_which_device_was_asked_for(given, asked, models_folder):
    pipeline = PanopticPipeline.from_pretrained(models_folder, dtype="bfloat16", **given)
    recipe = recipe_of(pipeline)
    assert (recipe.device, recipe.dtype) == (asked, "bfloat16")
    assert pickle.loads(pickle.dumps(recipe)).device == asked


def test_what_is_left_open_is_settled_for_all_devices(models_folder):
    recipe = PipelineRecipe({"source": str(models_folder)})
    assert (recipe.device, recipe.dtype) == (None, None)
    assert recipe.settled(["cpu"]).dtype == name_of(choose_dtype("cpu"))
    assert recipe.settled(["cpu", "mps"]).dtype == "float32"
    asked = PipelineRecipe({"source": str(models_folder), "dtype": "float16"})
    assert asked.settled(["cpu"]).dtype == asked.dtype == "float16"


@pytest.mark.parametrize(
    ("asked", "has_gpus", "device"),
    [
        *((None, True, "cuda"), (None, False, "cpu"), ("cpu", True, "cpu"), ("cpu", False, "cpu")),
        *(("cuda", True, "cuda"), ("mps", False, "mps")),
    ],
)
def test_the_actors_of_a_cluster_are_on_the_device_that_was_asked_for(asked, has_gpus, device):
    assert actor_device(asked, has_gpus) == device


@pytest.mark.parametrize(
    ("asked", "has_gpus", "told"),
    [("cuda:1", True, "CUDA_VISIBLE_DEVICES"), ("cuda", False, "no machine of the Ray cluster")],
)
def test_what_a_cluster_cannot_give_is_told(asked, has_gpus, told):
    with pytest.raises(DatasetError, match=told):
        actor_device(asked, has_gpus)


def test_a_pipeline_is_made_again_with_the_settings_that_it_has(tiny, picture, words):
    tiny.settings = tiny.settings.changed({"region_side": 64, "seed": 3})
    again = recipe_of(tiny)(None)
    assert again.settings == tiny.settings
    assert again.things.settings == tiny.things.settings
    assert again.segment(picture, words) == tiny.segment(picture, words)
