import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from panoptic.formats.sa_v import Masklets
from panoptic.formats.video_formats import VIDEO_FORMATS
from panoptic.formats.video_output import VideoInfo
from panoptic.formats.vipseg import VipsegVideos
from panoptic.io.clips import VideoInput
from panoptic.io.writer_lock import only_one
from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation
from panoptic.video.clip_record import records
from panoptic.video.resumable_tracking import RecordSettings, record
from sam2core.errors import FramesError
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


@pytest.fixture(scope="module")
def whole(frames, tmp_path_factory):
    """The files of a run of all formats that nobody disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    run(folder, frames)
    return files_of(folder)


def video(frames):
    return VideoInput("clip", open_frames([f.image for f in frames]), 12.5, None, "same")


def run(
    folder, frames, labeller=None, formats=tuple(VIDEO_FORMATS), every=4, request=REQUEST, **more
):
    settings = RecordSettings(formats, every, more.pop("limit", None))
    labeller = labeller or Known(frames)
    source = more.pop("source", None) or video(frames)
    with only_one(folder, "writing into"):
        return record(source, labeller, VOCABULARY, folder, settings, request=request, **more)


def test_a_video_is_labelled_and_counted(tmp_path, frames):
    told = []
    recorded = run(tmp_path, frames, progress=lambda *call: told.append(call))
    assert (recorded.labelled, recorded.problems) == (11, ())
    assert set(recorded.formats) == set(VIDEO_FORMATS)
    summary = recorded.summary
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
def test_an_interrupted_run_is_gone_on_with(tmp_path, frames, whole, before):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, frames, Known(frames, before=before))
    again = Known(frames)
    assert run(tmp_path, frames, again, resume=True).summary["frames"] == 11
    assert again.labelled[0] == before // 4 * 4
    assert files_of(tmp_path) == whole


def test_a_run_that_is_done_is_not_done_again(tmp_path, frames):
    formats = ("davis", "vipseg", "sa-v")
    first = run(tmp_path, frames, formats=formats)
    before = files_of(tmp_path)
    again = Known(frames)
    resumed = run(tmp_path, frames, again, formats=formats, resume=True)
    assert resumed == replace(first, labelled=0)
    assert again.labelled == []
    assert files_of(tmp_path) == before
    run(tmp_path, frames, again, formats=formats)
    assert len(again.labelled) == 11


def test_what_cannot_be_resumed_starts_at_the_first_frame(tmp_path, frames, whole):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", frames, Known(frames, before=7, resumable=False))
    again = Known(frames, resumable=False)
    run(tmp_path / "cut", frames, again, resume=True)
    assert again.labelled[0] == 0
    assert files_of(tmp_path / "cut") == whole


def test_another_request_is_not_resumed_and_what_is_there_stays(tmp_path, frames):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, frames, Known(frames, before=7), formats=("davis",))
    before = files_of(tmp_path)
    others = {"words": {"dog": 2}, "models": "known"}
    with pytest.raises(ValueError, match=r"otherwise: words \(all then, nothing now\); words.dog"):
        run(tmp_path, frames, resume=True, request=others)
    assert files_of(tmp_path) == before
    run(tmp_path, frames, formats=("davis",), resume=True)
    before = files_of(tmp_path)
    with pytest.raises(ValueError, match=r"models \(known then, others now\). It is left as it is"):
        run(tmp_path, frames, resume=True, request={**REQUEST, "models": "others"})
    assert files_of(tmp_path) == before


def test_another_clip_is_not_taken_for_the_one_that_was_labelled(tmp_path, frames):
    run(tmp_path, frames, formats=("davis",))
    other = replace(video(frames), identity="another")
    with pytest.raises(ValueError, match="made otherwise: the clip itself"):
        run(tmp_path, frames, source=other, resume=True)
    slower = replace(video(frames), fps=5.0)
    with pytest.raises(ValueError, match=r"frames a second \(12.5 then, 5 now\)"):
        run(tmp_path, frames, source=slower, resume=True)


@pytest.mark.parametrize("damage", ["cut off", "of another version"])
def test_a_checkpoint_that_cannot_be_used_costs_its_frames_only(tmp_path, frames, whole, damage):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", frames, Known(frames, before=7))
    path = tmp_path / "cut" / "resume" / "clip.pt"
    if damage == "cut off":
        path.write_bytes(path.read_bytes()[:200])
    else:
        torch.save({**torch.load(path), "version": "0.0.1"}, path)
    told = []
    run(tmp_path / "cut", frames, resume=True, formats=("davis",), say=told.append)
    assert [damage == "cut off", True] == ["can't be read" in told[0], "from its first" in told[0]]
    assert files_of(tmp_path / "cut") == whole


def test_a_new_format_goes_through_the_clip_and_those_under_way_are_finished(tmp_path, frames):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", frames, Known(frames, before=9), formats=("overlay", "sa-v"))
    with pytest.raises(KeyboardInterrupt):  # before the formats under way have caught up
        run(tmp_path / "cut", frames, Known(frames, before=6), formats=("davis",), resume=True)
    again = Known(frames)
    asked = ("timeline", "davis")
    recorded = run(tmp_path / "cut", frames, again, formats=asked, resume=True)
    assert again.labelled[0] == 0
    assert recorded.formats == asked
    run(tmp_path / "whole", frames, formats=("overlay", "sa-v", "davis", "timeline"))
    assert files_of(tmp_path / "cut") == files_of(tmp_path / "whole")


@pytest.mark.parametrize("name", VIDEO_FORMATS)
def test_what_was_deleted_or_damaged_is_made_again_and_nothing_else_is(
    tmp_path, frames, whole, name
):
    for path, content in whole.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    info = VideoInfo("clip", VOCABULARY)
    for damage in ("deleted", "changed"):
        path = VIDEO_FORMATS[name].files(tmp_path, info)[0]
        if damage == "deleted":
            path.unlink()
        else:
            path.write_bytes(path.read_bytes()[:-10] + bytes(10))
        others = {
            p: p.stat().st_mtime_ns
            for each in VIDEO_FORMATS
            for p in VIDEO_FORMATS[each].files(tmp_path, info)
            if each != name
        }
        again = Known(frames)
        run(tmp_path, frames, again, resume=True)
        assert len(again.labelled) == 11
        assert files_of(tmp_path) == whole
        assert {p: p.stat().st_mtime_ns for p in others} == others


def test_while_it_is_made_again_nothing_is_claimed_of_it(tmp_path, frames):
    formats = ("vipseg", "davis", "timeline")
    run(tmp_path, frames, formats=formats)
    (tmp_path / "davis" / "clip" / "00003.png").unlink()
    (tmp_path / "vipseg" / "pan_pred" / "clip" / "00003.png").unlink()
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, frames, Known(frames, before=6), formats=formats, resume=True)
    ((name, known),) = records(tmp_path)
    assert (name, list(known.formats), known.under_way) == ("clip", ["timeline"], formats[1::-1])
    assert not VipsegVideos.open(tmp_path / "vipseg").annotations


@pytest.mark.parametrize("name", ["vipseg", "davis", "sa-v", "detections", "timeline"])
def test_what_is_lost_of_a_format_under_way_begins_anew(tmp_path, frames, whole, name):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", frames, Known(frames, before=9))
    info = VideoInfo("clip", VOCABULARY)
    output = VIDEO_FORMATS[name]
    for folder, match in output.places(info):
        for path in (tmp_path / "cut" / folder).glob(match):
            path.unlink()
    again = Known(frames)
    run(tmp_path / "cut", frames, again, resume=True)
    assert again.labelled[0] == 0
    assert files_of(tmp_path / "cut") == whole


def test_a_format_that_cannot_go_on_ends_alone(tmp_path, frames):
    """DAVIS holds 254 objects: here every frame has 40 new ones."""
    many = [swarm(f, new=40) for f in frames]
    told = "clip: davis holds 6 frames only: frame 6: a palette PNG holds 254 objects"
    whole = run(tmp_path / "whole", many)
    assert len(whole.problems) == 1
    assert whole.problems[0].startswith(told)
    assert len(list((tmp_path / "whole" / "davis" / "clip").iterdir())) == 6
    assert len(decoded(tmp_path / "whole" / "overlays" / "clip.mp4")[0]) == 11
    for before in (5, 10):
        out = tmp_path / f"cut {before}"
        with pytest.raises(KeyboardInterrupt):
            run(out, many, Known(many, before=before))
        resumed = run(out, many, resume=True)
        assert resumed.problems == whole.problems
        assert files_of(out) == files_of(tmp_path / "whole")
    again = Known(many)
    assert run(tmp_path / "whole", many, again, resume=True).problems == whole.problems
    assert again.labelled == []
    alone = Known(many)
    run(tmp_path / "alone", many, alone, formats=("davis",))
    assert len(alone.labelled) == 7  # nobody wants the others


def swarm(frame, new):
    """The frame with segments of a pixel each that no frame before had."""
    ids = np.zeros(frame.segmentation.ids.shape, np.int32)
    ids.flat[:new] = 1 + frame.index * new + np.arange(new)
    category = VOCABULARY.things[0]
    segments = [Segment(int(i), category.id, category.name, True, 0.5) for i in ids.flat[:new]]
    return replace(frame, segmentation=PanopticSegmentation.from_ids(ids, segments))


def test_a_format_that_cannot_begin_is_told_and_the_others_are_written(tmp_path, frames):
    (tmp_path / "out" / "davis").mkdir(parents=True)

    def claim(folder, match):
        if folder.startswith("davis"):
            raise ValueError("somebody else's")

    recorded = run(tmp_path / "out", frames, formats=("davis", "timeline"), claim=claim)
    assert recorded.problems == ("clip: davis isn't written: somebody else's",)
    assert recorded.formats == ("timeline",)
    theirs = tmp_path / "none" / "davis" / "clip" / "00000.png"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("theirs")
    with pytest.raises(ValueError, match="clip: somebody else's"):
        run(tmp_path / "none", frames, formats=("davis",), claim=claim)
    assert theirs.read_text() == "theirs"
    assert not list((tmp_path / "none").glob("resume/*"))


def test_a_limit_ends_a_video_early(tmp_path, frames):
    assert run(tmp_path, frames, limit=3).summary["frames"] == 3
    assert len(decoded(tmp_path / "overlays" / "clip.mp4")[0]) == 3


@pytest.mark.parametrize("limit", [3, 6])
def test_a_limit_that_is_dropped_goes_on_at_the_last_checkpoint(tmp_path, frames, whole, limit):
    run(tmp_path / "out", frames, limit=limit)
    again = Known(frames)
    run(tmp_path / "out", frames, again, limit=limit, resume=True)
    assert again.labelled == []
    assert run(tmp_path / "out", frames, again, resume=True).summary["frames"] == 11
    assert again.labelled[0] == limit // 4 * 4
    run(tmp_path / "out", frames, again, limit=2, resume=True)  # more than that is there
    assert files_of(tmp_path / "out") == whole


def test_a_limit_below_what_was_labelled_keeps_that(tmp_path, frames):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, frames, Known(frames, before=9))
    told = []
    recorded = run(tmp_path, frames, limit=5, resume=True, say=told.append)
    assert recorded.summary["frames"] == 8
    assert told == ["clip: 8 frames were labelled before, which stay"]
    assert len(decoded(tmp_path / "overlays" / "clip.mp4")[0]) == 8


@pytest.mark.parametrize("broken", [1, 6, 8])
def test_a_frame_that_cannot_be_read_ends_the_clip_until_it_is_repaired(
    tmp_path, frames, whole, broken
):
    class Damaged(Known):
        def label(self, *asked):
            for frame in super().label(*asked):
                if frame.index == broken:
                    raise FramesError("7.png: it is damaged")
                yield frame

    recorded = run(tmp_path / "out", frames, Damaged(frames))
    assert recorded.problems == (
        f"clip: it ends after {broken} frames, which its files hold: 7.png: it is damaged; "
        "--resume goes on once it can",
    )
    assert len(decoded(tmp_path / "out" / "overlays" / "clip.mp4")[0]) == broken
    assert run(tmp_path / "out", frames, Damaged(frames), resume=True).problems
    again = Known(frames)
    assert run(tmp_path / "out", frames, again, resume=True).problems == ()
    assert again.labelled[0] == broken // 4 * 4
    assert files_of(tmp_path / "out") == whole


def test_masklets_of_another_pace_are_made_again(tmp_path, frames):
    source, formats = video(frames), ("sa-v", "davis")

    def write(every, before=None, formats=formats):
        settings = RecordSettings(formats, 4, sa_v_every=every)
        labeller = Known(frames, before=before)
        given = {"request": REQUEST, "resume": True}
        return record(source, labeller, VOCABULARY, tmp_path, settings, **given)

    write(1)
    assert len(Masklets.open(tmp_path / "sa-v" / "clip_auto.json")) == 11
    assert write(4).labelled == 11
    assert len(Masklets.open(tmp_path / "sa-v" / "clip_auto.json")) == 3
    assert write(4).labelled == write(1, formats=("davis",)).labelled == 0
    with pytest.raises(KeyboardInterrupt):
        write(2, before=9)
    write(1, formats=("davis",))  # what is under way is finished as it was begun
    assert len(Masklets.open(tmp_path / "sa-v" / "clip_auto.json")) == 6
    with pytest.raises(KeyboardInterrupt):
        write(3, before=9)
    write(4)
    assert len(Masklets.open(tmp_path / "sa-v" / "clip_auto.json")) == 3


def test_a_clip_without_a_frame_leaves_nothing(tmp_path, frames):
    with pytest.raises(ValueError, match="there are no frames"):
        run(tmp_path, frames, source=VideoInput("camera-0", IterFrames([]), 12.5))
    assert [path.name for path in tmp_path.rglob("*.*") if path.name != ".lock"] == []


@pytest.mark.parametrize("error", [OSError(19, "No such device"), FramesError("x"), KeyError("y")])
def test_a_camera_that_is_unplugged_leaves_whole_files(tmp_path, frames, error):
    def unplugged():
        yield from (f.image for f in frames[:6])
        raise error

    live = VideoInput("camera-0", IterFrames(unplugged()), 12.5)
    if isinstance(error, KeyError):  # a program's own fault is its to know
        with pytest.raises(KeyError):
            run(tmp_path, frames, source=live)
    else:
        (told,) = run(tmp_path, frames, source=live).problems
        assert told.startswith("camera-0: it ends after 6 frames, which its files hold: ")
    assert len(decoded(tmp_path / "overlays" / "camera-0.mp4")[0]) == 6
    assert len(list(VipsegVideos.open(tmp_path / "vipseg").frames("camera-0"))) == 6
    assert len(Masklets.open(tmp_path / "sa-v" / "camera-0_auto.json")) == 6
    left = [path.name for path in tmp_path.rglob("*.part*")]
    assert left == [] == list(tmp_path.rglob("*.frames"))


def test_interrupting_a_live_video_is_its_end(tmp_path, frames):
    live = VideoInput("camera-0", IterFrames(f.image for f in frames), 12.5)
    assert run(tmp_path, frames, Known(frames, before=5), source=live).summary["frames"] == 5
    assert len(decoded(tmp_path / "overlays" / "camera-0.mp4")[0]) == 5
    assert not (tmp_path / "resume" / "camera-0.pt").exists()


def test_settings_are_checked():
    with pytest.raises(ValueError, match="no format 'gif'"):
        RecordSettings(("gif",))
    with pytest.raises(ValueError, match="checkpoint_every must be 1 or more, got 0"):
        RecordSettings(checkpoint_every=0)
    with pytest.raises(ValueError, match="limit must be 1 or more frames"):
        RecordSettings(limit=0)


def test_killed_with_sigkill_and_resumed_the_files_are_the_same(tmp_path, frames, whole):
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
    assert files_of(tmp_path / "killed") == whole
    assert len(decoded(tmp_path / "killed" / "overlays" / "clip.mp4")[0]) == 11
