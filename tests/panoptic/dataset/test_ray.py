import os
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest

from panoptic.dataset.runner import label_dataset
from panoptic.dataset.settings import DatasetSettings
from panoptic.dataset.store import DatasetStore
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
