"""Ctrl-C, once and twice."""

import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
from PIL import Image

SLOW = """
import sys
from panoptic.dataset.resumable_labelling import label_dataset
from panoptic.settings.dataset import DatasetSettings
from tests.trials.pictures.test_ctrl_c import SlowRecipe
from tests.panoptic.dataset.colours import WORDS

settings = DatasetSettings(workers=2, batch=1, chunk=1)
label_dataset(SlowRecipe(), sys.argv[1], WORDS, sys.argv[2], settings=settings)
"""


class SlowRecipe:
    """Workers whose models take minutes for a picture."""

    device = "cpu"
    dtype = "float32"

    def settled(self, devices):
        return self

    def __call__(self, device):
        return Slow()


class Slow:
    def fingerprint(self):
        return {}

    def segment_batch(self, images, vocabulary):
        print("working", os.getpid(), file=sys.stderr, flush=True)
        threading.Event().wait(300)


@pytest.mark.slow
def test_a_second_ctrl_c_ends_at_once(tmp_path):
    """Not after what two workers have in hand, which may take minutes."""
    for number in range(4):
        Image.fromarray(np.full((24, 32, 3), number, np.uint8)).save(tmp_path / f"{number}.png")
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW, str(tmp_path), str(tmp_path / "out")],
        stderr=subprocess.PIPE,
        text=True,
    )
    workers = []
    for line in process.stderr:
        if line.startswith("working"):
            workers.append(int(line.split()[1]))
        if len(workers) == 2:
            break
    process.send_signal(signal.SIGINT)
    for line in process.stderr:
        if "once more to stop at once" in line:
            break
    process.send_signal(signal.SIGINT)
    try:
        process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode != 0
    for worker in workers:
        with pytest.raises(ProcessLookupError):
            os.kill(worker, 0)
