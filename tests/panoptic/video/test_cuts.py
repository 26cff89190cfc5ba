"""Cuts are found where shots change, and nowhere else."""

import io
import itertools

import numpy as np
import pytest
import torch

from benchmarks.lib.transitions import LIGHTS, close_up, dip, dissolve, flash, mirrored
from panoptic.settings.video import VideoSettings
from panoptic.video.cuts import CutDetector, FrameSignature, distance, unexplained
from sam2core import ImageSegmenter
from sam2core.frames import open_frames
from tests.panoptic.conftest import MEDIA

VIDEOS = MEDIA / "video"

DEFAULTS = VideoSettings()


def detector():
    return CutDetector(DEFAULTS)


def place(seed, size=(48, 64)):
    """A picture of coarse, strong colours, uint8 (H, W, 3)."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    rows = np.linspace(0, 5.99, size[0]).astype(int)
    return coarse[rows][:, np.linspace(0, 7.99, size[1]).astype(int)]


def through_a_file(state):
    stream = io.BytesIO()
    torch.save(state, stream)
    stream.seek(0)
    return torch.load(stream, weights_only=True)


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
    wild = detector()
    wild.ratio = 0.0
    assert cuts_of(frames, wild) == list(range(1, 12))
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
            second.load_state(through_a_file(first.state()))
            found = head + [second.step(frame) for frame in joined.frames[stop:]]
            assert [i for i, is_cut in enumerate(found) if is_cut] == whole


def seen_by(sam2, frames):
    """Frames with their image features."""
    tracker = ImageSegmenter(sam2).tracker()
    for frame in frames:
        tracker.step(frame)
        yield frame, tracker.overview()


def cuts_seen(sam2, frames):
    found = detector()
    return [i for i, seen in enumerate(seen_by(sam2, frames)) if found.step(*seen)]


def test_a_cut_to_the_mirrored_view_or_a_close_up_is_one(demo_clip, demo_sam2):
    for scenario in ("turn-and-grow", "pan"):
        frames = list(demo_clip(scenario).frames)[:16]
        for joined in (mirrored(frames, 8), close_up(frames, 8, 0.5, 0.3, 0.6)):
            assert cuts_seen(demo_sam2, joined.frames) == [8], scenario
        assert 8 not in cuts_of(mirrored(frames, 8).frames, detector()), "colours alone miss it"


def test_features_find_no_cut_where_there_is_none(demo_clip, demo_sam2):
    for scenario in ("shake", "light", "zoom"):
        frames = list(demo_clip(scenario).frames)
        for step in (1, 2):
            assert cuts_seen(demo_sam2, frames[::step]) == [], (scenario, step)
    frames = list(demo_clip("pan").frames)[:20]
    for name, light in LIGHTS.items():
        assert cuts_seen(demo_sam2, flash(frames, 12, 1, light)) == [], name


def test_something_large_that_passes_before_the_camera_is_no_cut(demo_clip, demo_sam2):
    frames = [f.copy() for f in list(demo_clip("move").frames)[:20]]
    height, width = frames[0].shape[:2]
    front = place(4, (height, width // 2))
    for i, frame in enumerate(frames):
        left = round((i - 6) * width / 10) - width // 2
        start, stop = max(0, left), min(width, left + width // 2)
        if start < stop:
            frame[height // 4 :, start:stop] = front[height // 4 :, start - left : stop - left]
    assert cuts_seen(demo_sam2, frames) == []


def test_a_new_shot_is_not_judged_by_the_one_before():
    assert found_by_features([0.02] * 6 + [0.5, 0.5, 0.5, 0.02]) == [7]


def overviews(*unlike):
    """One after the other that leave so much of the one before unexplained."""
    rng = np.random.default_rng(2)
    at = rng.standard_normal((6, 12, 12))
    yield at.astype(np.float32)
    for share in unlike:
        at = at - at.mean(axis=(1, 2), keepdims=True)
        new = rng.standard_normal(at.shape)
        new -= new.mean(axis=(1, 2), keepdims=True)
        new -= at * (at * new).sum() / (at * at).sum()
        new *= np.linalg.norm(at) / np.linalg.norm(new)
        at = (1 - share) * at + np.sqrt(1 - (1 - share) ** 2) * new
        yield at.astype(np.float32)


def found_by_features(unlike, light=None):
    """Where cuts are in a still, by its features alone; ``light`` is that of the last frame."""
    found, still = detector(), place(1)
    frames = [still] * len(unlike) + [still if light is None else light(still)]
    seen = zip(frames, overviews(*unlike), strict=True)
    return [i for i, (frame, overview) in enumerate(seen) if found.step(frame, overview)]


def test_as_much_of_the_features_must_be_new_as_is_said():
    assert found_by_features([0.02] * 6 + [0.26]) == [7]
    assert found_by_features([0.02] * 6 + [0.24]) == []
    # and four times as much as of late
    assert found_by_features([0.1] * 6 + [0.42]) == [7]
    assert found_by_features([0.1] * 6 + [0.38]) == []
    # which has to be known first
    assert found_by_features([0.02] * 4 + [0.5]) == [5]
    assert found_by_features([0.02] * 3 + [0.5]) == []


def test_features_are_not_asked_where_the_light_changes():
    def lit(gain):
        return lambda frame: np.clip(frame * gain, 0, 255).astype(np.uint8)

    dim = place(1) // 2
    for gain, cuts in ((1.2, [7]), (1.3, [])):
        found = detector()
        seen = zip([dim] * 7 + [lit(gain)(dim)], overviews(*[0.02] * 6, 0.5), strict=True)
        assert [i for i, (f, o) in enumerate(seen) if found.step(f, o)] == cuts


def test_what_moves_by_a_cell_is_explained():
    (wide,) = overviews()
    wide = np.concatenate([wide, wide[:, ::-1]], axis=2)
    one = wide[:, :, 4:16]
    assert unexplained(one, one) == pytest.approx(0, abs=1e-6)
    assert unexplained(one, wide[:, :, 5:17]) == pytest.approx(0, abs=1e-6)
    assert unexplained(one, wide[:, :, 6:18]) > 0.6
    even = np.ones_like(one)
    assert unexplained(even, even) == 0
    assert unexplained(one, one[:, :, ::-1]) > 0.6


def test_going_on_from_a_state_with_features(demo_clip, demo_sam2):
    frames = mirrored(list(demo_clip("pan").frames)[:12], 7).frames
    seen = list(seen_by(demo_sam2, frames))
    for stop in (3, 6, 7, 9):
        first, second = detector(), detector()
        head = [first.step(*each) for each in seen[:stop]]
        second.load_state(through_a_file(first.state()))
        found = head + [second.step(*each) for each in seen[stop:]]
        assert [i for i, is_cut in enumerate(found) if is_cut] == [7]
