"""Cuts are found where shots change, and nowhere else."""

import itertools
import json

import numpy as np
import pytest

from benchmarks.lib.transitions import LIGHTS, dip, dissolve, flash
from panoptic.settings.video import VideoSettings
from panoptic.video.cuts import CutDetector, FrameSignature, distance
from sam2core.frames import open_frames
from tests.panoptic.conftest import MEDIA

VIDEOS = MEDIA / "video"

DEFAULTS = VideoSettings()


def detector(ratio=DEFAULTS.cut_ratio):
    return CutDetector(DEFAULTS.cut_distance, ratio)


def place(seed, size=(48, 64)):
    """A picture of coarse, strong colours, uint8 (H, W, 3)."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    rows = np.linspace(0, 5.99, size[0]).astype(int)
    return coarse[rows][:, np.linspace(0, 7.99, size[1]).astype(int)]


def cuts_of(frames, detector):
    return [i for i, frame in enumerate(frames) if detector.step(frame)]


def test_every_change_of_place_is_a_cut():
    frames = [place(1)] * 5 + [place(2)] * 5 + [place(1)] * 3 + [place(3)]
    assert cuts_of(frames, detector()) == [5, 10, 13]


def test_light_is_no_cut():
    frames = [(place(1) * gain).astype(np.uint8) for gain in (1, 0.5, 1, 0.4, 0.9, 0.6)]
    assert cuts_of(frames, detector()) == []


def test_a_moving_camera_is_no_cut():
    wide = place(1, (48, 256))
    frames = [wide[:, x : x + 64] for x in range(0, 190, 8)]
    assert cuts_of(frames, detector()) == []
    # The shift is what makes the difference: a jump across half the picture is too far.
    jump = distance(FrameSignature.of(wide[:, :64]), FrameSignature.of(wide[:, 120:184]))
    assert jump > 2 * distance(FrameSignature.of(wide[:, :64]), FrameSignature.of(wide[:, 8:72]))


def test_where_all_frames_differ_none_is_special():
    frames = [place(i) for i in range(12)]
    assert cuts_of(frames, detector(ratio=0.0)) == list(range(1, 12))
    assert max(cuts_of(frames, detector())) <= 4  # until it is known what is usual


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (3, 7), (300, 20)])
def test_any_size(size):
    frames = [np.full((*size, 3), v, np.uint8) for v in (0, 0, 255, 255)]
    assert cuts_of(frames, detector()) == []  # an even picture that only gets brighter


def test_going_on_from_a_state():
    frames = [place(1)] * 3 + [place(2)] * 3 + [place(3)] * 2
    for stop in range(1, 8):
        first, second = detector(), detector()
        head = [first.step(f) for f in frames[:stop]]
        second.load_state(first.state())
        assert head + [second.step(f) for f in frames[stop:]] == [i in (3, 6) for i in range(8)]


def test_the_cuts_of_the_demo_world(demo_clip):
    for scenario in ("cut", "cut-back", "shake", "light", "pan"):
        clip = demo_clip(scenario)
        assert tuple(cuts_of(clip.frames, detector())) == clip.cuts, scenario
    assert len(demo_clip("cut-back").cuts) == 2


@pytest.fixture(scope="module")
def real_clips():
    """The first twenty frames of each real clip, by name."""
    if not VIDEOS.is_dir():
        pytest.skip("needs the real clips")
    clips = {path.name: open_frames(path) for path in sorted(VIDEOS.glob("*.mp4"))}
    return {name: [f for _, f in clip.frames(0, 19)] for name, clip in clips.items()}


def test_real_clips_joined_are_cut_where_they_were_joined(real_clips):
    assert len(real_clips) >= 2
    for one, other in itertools.permutations(real_clips.values(), 2):
        assert cuts_of([*one, *other], detector()) == [len(one)]


@pytest.fixture(scope="module")
def shots(demo_clip):
    """Pairs of shots of the demo world, each of still and moving cameras."""
    frames = {s: list(demo_clip(s).frames)[:24] for s in ("move", "pan", "flow")}
    return [(frames["move"], frames["pan"]), (frames["pan"], frames["flow"])]


@pytest.mark.parametrize("length", [2, 4, 10])
def test_a_dissolve_is_a_cut_once_it_is_over(shots, length):
    for one, other in shots:
        joined = dissolve(one, other, length)
        cuts = cuts_of(joined.frames, detector())
        assert joined.stop - length / 3 <= cuts[-1] <= joined.stop + 4, cuts


@pytest.mark.parametrize("grey", [0, 255])
@pytest.mark.parametrize("length", [1, 3, 8])
def test_a_dip_to_black_or_white_is_a_cut(shots, length, grey):
    for one, other in shots:
        joined = dip(one, other, length, grey)
        cuts = cuts_of(joined.frames, detector())
        assert joined.stop - length <= cuts[-1] <= joined.stop + 4, cuts


@pytest.mark.parametrize("light", LIGHTS)
@pytest.mark.parametrize("length", [1, 2])
def test_a_flash_is_no_cut(shots, light, length):
    for frames, _ in shots:
        assert cuts_of(flash(frames, 12, length, LIGHTS[light]), detector()) == []


def test_a_picture_that_goes_black_and_comes_back_is_no_cut(shots):
    frames, _ = shots[0]
    joined = dip(frames[:12], frames[12:], 4, 0)
    assert cuts_of(joined.frames, detector()) == []


def test_going_on_from_a_state_within_a_transition(shots):
    one, other = shots[0]
    for joined in (dissolve(one, other, 10), dip(one, other, 3, 0), dip(one, other, 3, 255)):
        whole = cuts_of(joined.frames, detector())
        for stop in range(joined.start - 2, joined.stop + 2):
            first, second = detector(), detector()
            head = [first.step(frame) for frame in joined.frames[:stop]]
            second.load_state(json.loads(json.dumps(first.state())))
            found = head + [second.step(frame) for frame in joined.frames[stop:]]
            assert [i for i, is_cut in enumerate(found) if is_cut] == whole
