"""A format that can't go on, and a camera that gives no more: what is there is whole."""

from dataclasses import replace

import numpy as np
import pytest

from panoptic.io.clips import VideoInput
from panoptic.results.frame import PanopticFrame
from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation
from panoptic.video.resumable_tracking import RecordSettings, record
from sam2core.frames import IterFrames, open_frames
from tests.panoptic.video.videos import VOCABULARY, decoded

SIZE, FRAMES = (16, 24), 9
ALL = ("overlay", "vipseg", "davis", "sa-v", "detections", "timeline")


class Swarm:
    """Labels 40 new segments in every frame."""

    def label(self, video, start, stop, state):
        for index, image in video.source.frames(start, stop):
            ids = np.zeros(SIZE, np.int32)
            ids.flat[:40] = 1 + 40 * index + np.arange(40)
            car = VOCABULARY.things[0]
            segments = [Segment(int(i), car.id, car.name, True, 0.5) for i in ids.flat[:40]]
            yield PanopticFrame(index, image, PanopticSegmentation.from_ids(ids, segments), ())

    def state(self):
        return {}


def pictures(count=FRAMES):
    return [np.full((*SIZE, 3), 20 * i, np.uint8) for i in range(count)]


def run(folder, video, **more):
    settings = RecordSettings(ALL, checkpoint_every=3)
    return record(video, Swarm(), VOCABULARY, folder, settings, request={}, **more)


def test_a_format_at_its_limit_ends_alone(tmp_path):
    video = VideoInput("clip", open_frames(pictures()), 10.0, None, "same")
    for resume in (False, True):
        (told,) = run(tmp_path, video, resume=resume).problems
        assert "davis holds 6 frames only: frame 6: a palette PNG holds 254 objects" in told
        assert len(list((tmp_path / "davis" / "clip").iterdir())) == 6
        assert len(decoded(tmp_path / "overlays" / "clip.mp4")[0]) == FRAMES
        assert len(list((tmp_path / "vipseg" / "pan_pred" / "clip").iterdir())) == FRAMES
        assert (tmp_path / "sa-v" / "clip_auto.json").stat().st_size > 0


@pytest.mark.parametrize("frames", [1, 5])
def test_a_camera_that_is_unplugged_leaves_a_video_and_json(tmp_path, frames):
    def unplugged():
        yield from pictures(frames)
        raise OSError(19, "No such device")

    video = replace(VideoInput("camera-0", IterFrames(unplugged()), 10.0))
    (told,) = run(tmp_path, video).problems
    assert told == (
        f"camera-0: it ends after {frames} frames, which its files hold: [Errno 19] No such device"
    )
    assert len(decoded(tmp_path / "overlays" / "camera-0.mp4")[0]) == frames
    assert (tmp_path / "vipseg" / "pred.json").stat().st_size > 0
    assert (tmp_path / "sa-v" / "camera-0_auto.json").stat().st_size > 0
