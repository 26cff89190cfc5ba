"""What people saw at dissolves, at dips to black, and when a camera flashed."""

import numpy as np

from benchmarks.lib.transitions import LIGHTS, dip, dissolve, flash
from panoptic.settings.video import VideoSettings
from panoptic.video.cuts import CutDetector


def shot(seed, frames=24):
    """Coarse colours with a square that moves, uint8 (60, 80, 3)."""
    rng = np.random.default_rng(seed)
    back = rng.integers(40, 216, (6, 8, 3), np.uint8).repeat(10, 0).repeat(10, 1)
    moving = []
    for i in range(frames):
        frame = back.copy()
        frame[20:32, 10 + i : 24 + i] = (230, 30, 30)
        moving.append(frame)
    return moving


def cuts_of(frames):
    detector = CutDetector(VideoSettings())
    return [i for i, frame in enumerate(frames) if detector.step(frame)]


def test_masks_of_the_first_shot_stayed_through_a_dissolve():
    for length in (4, 10):
        joined = dissolve(shot(1), shot(2), length)
        assert joined.stop - 2 <= cuts_of(joined.frames)[-1] <= joined.stop + 3


def test_after_a_dip_to_black_or_white_the_masks_of_before_were_still_there():
    for grey in (0, 255):
        joined = dip(shot(1), shot(2), 8, grey)
        cuts = cuts_of(joined.frames)
        assert any(joined.stop - 8 <= at <= joined.stop + 3 for at in cuts)
        assert cuts[0] >= joined.start + 8, "nothing else is shown before"


def test_a_camera_flash_began_two_shots():
    for light in LIGHTS.values():
        assert cuts_of(flash(shot(1), 12, 1, light)) == []
