import os
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest

from panoptic.dataset.resumable_labelling import label_dataset
from panoptic.dataset.store import DatasetStore
from panoptic.dataset.worker_recipe import PipelineRecipe
from panoptic.errors import DatasetError
from panoptic.settings.dataset import DatasetSettings
from tests.panoptic.dataset.colours import WORDS, ColourLabeller, contents, fill

pytestmark = pytest.mark.slow
ray = pytest.importorskip("ray")
ROOT = Path(__file__).resolve().parents[3]
SETTINGS = DatasetSettings(batch=2, chunk=4, workers=2, engine="ray")


@dataclass(frozen=True)
class Killed(ColourLabeller):
    """One process that works with it is killed, once."""

    life: str = ""

    def segment_batch(self, images, vocabulary):
        try:
            os.unlink(self.life)
        except FileNotFoundError:
            return super().segment_batch(images, vocabulary)
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture(scope="module")
def cluster():
    """Two slots on this machine."""
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        runtime_env={"env_vars": {"PYTHONPATH": str(ROOT)}},
    )
    yield
    ray.shutdown()


@pytest.mark.parametrize("lives", [0, 1])
def test_a_cluster_gives_what_one_process_gives_even_if_a_worker_is_killed(
    cluster, tmp_path, lives
):
    source = tmp_path / "in"
    fill(source, 14)
    (source / "a/0001.png").write_bytes(b"no picture")
    life = tmp_path / "life"
    if lives:
        life.touch()
    run = label_dataset(Killed(life=str(life)), source, WORDS, tmp_path / "ray", settings=SETTINGS)
    assert not life.exists()
    assert (run.labelled, run.failed, run.counts.waiting) == (13, 1, 0)
    label_dataset(ColourLabeller(), source, WORDS, tmp_path / "one")
    assert contents(tmp_path / "ray") == contents(tmp_path / "one")
    with run.open() as store, DatasetStore.open(tmp_path / "one") as one:
        assert list(store.items()) == list(one.items())
        assert [f.error for f in store.failures()] == [f.error for f in one.failures()]


def test_a_recipe_is_settled_by_the_cluster_and_labels_as_it_does_here(
    cluster, tmp_path, models_folder, words
):
    fill(tmp_path / "in", 4)
    recipe = PipelineRecipe({"source": str(models_folder), "device": "cpu"})
    runs = [
        label_dataset(recipe, tmp_path / "in", words, tmp_path / name, settings=settings)
        for name, settings in (("ray", SETTINGS), ("here", DatasetSettings(batch=2, chunk=4)))
    ]
    assert contents(tmp_path / "ray") == contents(tmp_path / "here")
    assert len(contents(tmp_path / "ray")) == 8
    assert runs[0].open().settings == runs[1].open().settings


@pytest.mark.parametrize("asked", ["cuda:1", "cuda"])
def test_a_device_that_no_actor_can_have_is_told_before_anything_is_made(cluster, tmp_path, asked):
    fill(tmp_path / "in", 4)
    recipe = PipelineRecipe({"source": "demo", "device": asked})
    with pytest.raises(DatasetError, match="cuda"):
        label_dataset(recipe, tmp_path / "in", WORDS, tmp_path / "out", settings=SETTINGS)
    assert not (tmp_path / "out").exists()
