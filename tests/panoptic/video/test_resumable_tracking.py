import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from panoptic.errors import DatasetError
from panoptic.formats.video_formats import VIDEO_FORMATS
from panoptic.io.clips import VideoInput
from panoptic.video.resumable_tracking import RecordSettings, record
from sam2core.frames import IterFrames, open_frames
from tests.panoptic.video.videos import VOCABULARY, decoded, files_of, labelled

REQUEST = {"words": "all", "models": "known"}


class Known:
    """A labeller of frames that are known, which remembers a tensor that every frame changes:
    labels that are wrong where a state was lost."""

    def __init__(self, frames, *, resumable=True, pause=0.0, before=None):
        self.frames, self.resumable, self.pause, self.before = frames, resumable, pause, before
        self.memory = torch.zeros(2, dtype=torch.int64)
        self.labelled = []

    def label(self, video, start, stop, state):
        if state is not None:
            self.memory = state["memory"]
        for index, image in video.source.frames(start, stop):
            if index == self.before:
                raise KeyboardInterrupt
            time.sleep(self.pause)
            self.labelled.append(index)
            self.memory = self.memory + torch.tensor([1, index])
            shift = int(self.memory.sum()) % 5
            frame = self.frames[index]
            assert np.array_equal(frame.image, image)
            truth = frame.segmentation
            yield frame.with_segmentation(type(truth).from_ids(np.roll(truth.ids, shift), truth))

    def state(self):
        return {"memory": self.memory} if self.resumable else None


@pytest.fixture(scope="module")
def frames():
    return labelled(frames=11)


def video(frames):
    return VideoInput("clip", open_frames([f.image for f in frames]), 12.5, None, "same")


def run(
    folder, frames, labeller=None, formats=tuple(VIDEO_FORMATS), every=4, request=REQUEST, **more
):
    settings = RecordSettings(formats, every, more.pop("limit", None))
    labeller = labeller or Known(frames)
    source = more.pop("source", None) or video(frames)
    return record(source, labeller, VOCABULARY, folder, settings, request=request, **more)


def test_a_video_is_labelled_and_counted(tmp_path, frames):
    told = []
    summary = run(tmp_path, frames, progress=lambda *call: told.append(call))
    assert summary["frames"] == 11
    assert (summary["height"], summary["width"]) == (64, 80)
    assert summary["cuts"] == [f.index for f in frames if f.is_cut] != []
    things = {s.id for f in frames for s in f.segmentation.things}
    assert set(summary["things"]) == things
    assert told == [(done, 11) for done in range(12)]
    folders = {path.name for path in tmp_path.iterdir()}
    assert folders == {
        *["overlays", "timelines", "vipseg", "davis", "sa-v", "detections", "resume", ".lock"]
    }


@pytest.mark.parametrize("before", [2, 4, 7, 10])
def test_an_interrupted_run_is_gone_on_with(tmp_path, frames, before):
    whole = run(tmp_path / "whole", frames)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", frames, Known(frames, before=before))
    again = Known(frames)
    assert run(tmp_path / "cut", frames, again, resume=True) == whole
    assert again.labelled[0] == before // 4 * 4
    assert files_of(tmp_path / "cut") == files_of(tmp_path / "whole")


def test_two_runs_into_one_folder_do_not_undo_each_other(tmp_path, frames):
    class Disturbed(Known):
        def label(self, *asked):
            for frame in super().label(*asked):
                if frame.index == 5:
                    with pytest.raises(DatasetError, match="another run is labelling into"):
                        run(tmp_path / "out", frames)
                yield frame

    run(tmp_path / "alone", frames)
    run(tmp_path / "out", frames, Disturbed(frames))
    assert files_of(tmp_path / "out") == files_of(tmp_path / "alone")


def test_a_run_that_is_done_is_not_done_again(tmp_path, frames):
    whole = run(tmp_path, frames)
    before = files_of(tmp_path)
    again = Known(frames)
    assert run(tmp_path, frames, again, resume=True) == whole
    assert again.labelled == []
    assert files_of(tmp_path) == before
    run(tmp_path, frames, again)
    assert len(again.labelled) == 11


def test_what_cannot_be_resumed_starts_at_the_first_frame(tmp_path, frames):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", frames, Known(frames, before=7, resumable=False))
    again = Known(frames, resumable=False)
    run(tmp_path / "cut", frames, again, resume=True)
    assert again.labelled[0] == 0
    run(tmp_path / "whole", frames)
    assert files_of(tmp_path / "cut") == files_of(tmp_path / "whole")


def test_another_request_is_not_resumed(tmp_path, frames):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, frames, Known(frames, before=7), formats=("davis",))
    with pytest.raises(ValueError, match="can't be resumed: words changed since"):
        run(tmp_path, frames, resume=True, request={**REQUEST, "words": "few"})
    with pytest.raises(ValueError, match="doesn't write sa-v"):
        run(tmp_path, frames, resume=True, formats=("davis", "sa-v"))
    run(tmp_path, frames, formats=("davis",), resume=True)
    with pytest.raises(ValueError, match="can't be resumed: models changed since"):
        run(tmp_path, frames, resume=True, request={**REQUEST, "models": "others"})


def test_a_checkpoint_that_is_broken_says_so(tmp_path, frames):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, frames, Known(frames, before=7))
    path = tmp_path / "resume" / "clip.pt"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match="is no checkpoint of this version"):
        run(tmp_path, frames, resume=True)


def test_a_limit_ends_a_video_early(tmp_path, frames):
    assert run(tmp_path, frames, limit=3)["frames"] == 3
    assert len(decoded(tmp_path / "overlays" / "clip.mp4")[0]) == 3


def test_interrupting_a_live_video_is_its_end(tmp_path, frames):
    live = VideoInput("camera-0", IterFrames(f.image for f in frames), 12.5)
    assert run(tmp_path, frames, Known(frames, before=5), source=live)["frames"] == 5
    assert len(decoded(tmp_path / "overlays" / "camera-0.mp4")[0]) == 5
    assert not (tmp_path / "resume" / "camera-0.pt").exists()


def test_settings_are_checked():
    with pytest.raises(ValueError, match="no format 'gif'"):
        RecordSettings(("gif",))
    with pytest.raises(ValueError, match="checkpoint_every must be 1 or more, got 0"):
        RecordSettings(checkpoint_every=0)
    with pytest.raises(ValueError, match="limit must be 1 or more frames"):
        RecordSettings(limit=0)


def test_killed_with_sigkill_and_resumed_the_files_are_the_same(tmp_path, frames):
    program = (
        "from pathlib import Path\n"
        "from tests.panoptic.video.test_resumable_tracking import *\n"
        "frames = labelled(frames=11)\n"
        f"run(Path({str(tmp_path / 'killed')!r}), frames, Known(frames, pause=0.5))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program])
    checkpoint = tmp_path / "killed" / "resume" / "clip.pt"
    deadline = time.monotonic() + 300
    while not checkpoint.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.7)  # into the frames after it
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    again = Known(frames)
    run(tmp_path / "killed", frames, again, resume=True)
    assert again.labelled[0] >= 4
    run(tmp_path / "whole", frames)
    assert files_of(tmp_path / "killed") == files_of(tmp_path / "whole")
    assert len(decoded(tmp_path / "killed" / "overlays" / "clip.mp4")[0]) == 11
