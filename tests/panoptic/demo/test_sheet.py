"""The sheets to look at."""

import numpy as np
from PIL import Image

from panoptic.demo.clips import make_clip
from panoptic.demo.scenarios import SCENARIOS
from panoptic.demo.sheet import clip_strip, with_truth, write_sheets


def test_sheets_are_written_for_scenes_and_every_scenario(world, tmp_path):
    paths = write_sheets(world, tmp_path / "new", size=(64, 64), rows=2, columns=3, frames=8)
    assert {p.stem for p in paths} == {"scenes", "truth", *(f"clip-{s}" for s in SCENARIOS)}
    with Image.open(tmp_path / "new" / "scenes.png") as sheet:
        assert sheet.size == (3 * 68 + 4, 2 * 68 + 4)
        np.testing.assert_array_equal(np.asarray(sheet)[4:68, 4:68], world.scene(0, (64, 64)).image)


def test_truth_is_drawn_on_every_segment(world):
    scene = world.scene(2)
    drawn = with_truth(scene.image, scene.truth)
    assert drawn.shape == scene.image.shape
    for segment in scene.truth.segments:
        mask = scene.truth.ids == segment.id
        assert (drawn[mask] != scene.image[mask]).any(axis=-1).mean() > 0.9


def test_a_strip_shows_first_and_last_frame(world):
    clip = make_clip(world, "move", 0, 9, (64, 64))
    strip = clip_strip(clip, columns=3)
    np.testing.assert_array_equal(strip[22:86, 4:68], clip.frames[0])
    np.testing.assert_array_equal(strip[22:86, 140:204], clip.frames[8])
