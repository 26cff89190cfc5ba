"""A data set with a video, killed and begun again."""

import signal
import subprocess
import sys

import numpy as np
import pytest
import torch

from panoptic.dataset.resumable_labelling import label_dataset
from panoptic.dataset.store import DatasetStore
from panoptic.video.session import VideoSession
from tests.panoptic.dataset.colours import contents

FRAMES = 24
HELD_BACK = 5
"""Frames that were labelled and not given yet: an interruption costs them."""
KILLED = """
import os, signal, sys
from pathlib import Path
import torch
from panoptic import PanopticPipeline, Vocabulary
from panoptic.dataset.resumable_labelling import label_dataset
from panoptic.video.session import VideoSession

step, frames = VideoSession.step, []

def step_or_die(*arguments):
    frames.append(1)
    if len(frames) == 22:
        os.kill(os.getpid(), signal.SIGKILL)
    return step(*arguments)

VideoSession.step = step_or_die
models, source, out, threads = sys.argv[1:]
torch.set_num_threads(int(threads))  # sums in another order differ in their last bits
words = Vocabulary(things=["car", "dog"], stuff=["road", "sky"])
pipeline = PanopticPipeline.from_pretrained(models, dtype="float32")
label_dataset(pipeline, source, words, out)
"""


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A square that moves over two colours, without losses."""
    import av

    path = tmp_path_factory.mktemp("clip") / "square.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "bgr0"
        for number in range(FRAMES):
            image = np.full((48, 64, 3), (40, 90, 200), np.uint8)
            image[24:] = (90, 160, 60)
            image[14:28, number : number + 16] = (220, 40, 40)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def pipeline(models_folder):
    from panoptic import PanopticPipeline

    return PanopticPipeline.from_pretrained(models_folder, dtype="float32")


@pytest.fixture(scope="module")
def words():
    from prompts import Vocabulary

    return Vocabulary(things=["car", "dog"], stuff=["road", "sky"])


@pytest.fixture
def stepped(monkeypatch):
    """How many frames were labelled."""
    step, frames = VideoSession.step, []

    def counted(*arguments):
        frames.append(1)
        return step(*arguments)

    monkeypatch.setattr(VideoSession, "step", counted)
    return frames


@pytest.fixture(scope="module")
def undisturbed(pipeline, words, clip, tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed")
    label_dataset(pipeline, clip, words, out)
    assert len(contents(out)) == 2 * FRAMES
    return out


def test_a_killed_data_set_goes_on_within_its_video(
    undisturbed, models_folder, pipeline, words, clip, tmp_path, stepped
):
    out = tmp_path / "out"
    given = models_folder, clip, out, torch.get_num_threads()
    arguments = [sys.executable, "-c", KILLED, *map(str, given)]
    assert subprocess.run(arguments).returncode == -signal.SIGKILL
    run = label_dataset(pipeline, clip, words, out)
    assert run.labelled == 1
    assert len(stepped) <= FRAMES - 10
    assert contents(out) == contents(undisturbed)
    with run.open() as store:
        segments = store.segments("square")
    with DatasetStore.open(undisturbed) as store:
        assert segments == store.segments("square")
    assert not (out / ".unfinished").exists()


def test_an_interrupted_data_set_does_not_finish_its_video_first(
    undisturbed, pipeline, words, clip, tmp_path, stepped, monkeypatch
):
    step = VideoSession.step

    def interrupted(*arguments):
        if len(stepped) == 15:
            signal.raise_signal(signal.SIGINT)
        return step(*arguments)

    monkeypatch.setattr(VideoSession, "step", interrupted)
    run = label_dataset(pipeline, clip, words, tmp_path / "out")
    assert run.interrupted
    assert run.counts.waiting == 1
    assert len(stepped) < 20
    assert label_dataset(pipeline, clip, words, tmp_path / "out").labelled == 1
    assert len(stepped) <= FRAMES + 1 + HELD_BACK
    assert contents(tmp_path / "out") == contents(undisturbed)


@pytest.mark.parametrize("change", ["another clip", "other words", "a frame is gone"])
def test_what_was_begun_otherwise_is_begun_anew(
    undisturbed, pipeline, words, clip, tmp_path, stepped, monkeypatch, change
):
    from panoptic.settings.dataset import DatasetSettings
    from prompts import Vocabulary

    path, out = tmp_path / "in" / "square.mkv", tmp_path / "out"
    path.parent.mkdir()
    path.write_bytes(clip.read_bytes())
    step = VideoSession.step

    def interrupted(*arguments):
        if len(stepped) == 12:
            signal.raise_signal(signal.SIGINT)
        return step(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(VideoSession, "step", interrupted)
        assert label_dataset(pipeline, path, words, out).interrupted
    asked, settings = words, None
    if change == "another clip":
        path.write_bytes(path.read_bytes() + b"\0" * 64)
    elif change == "other words":
        asked, settings = Vocabulary(things=["dog"], stuff=["sky"]), DatasetSettings(redo=True)
    else:
        next((out / ".unfinished").rglob("000003.png")).unlink()
    stepped.clear()
    label_dataset(pipeline, path, asked, out, settings=settings)
    assert len(stepped) == FRAMES
    if asked is words:
        assert contents(out) == contents(undisturbed)
