"""Frames and pictures by one loader, animated pictures with their own times."""

import resource
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from panoptic import load_image
from panoptic.io.clips import VideoInput
from tests.sam2core.test_frames import encode

RNG = np.random.default_rng(0)
FRAMES = RNG.integers(0, 256, (3, 12, 16, 3), dtype=np.uint8)


def frames_of(given):
    return [frame for _, frame in VideoInput.of(given).source.frames()]


def test_sixteen_bit_frames_are_the_pictures_that_they_are(tmp_path):
    deep = RNG.integers(0, 65_536, (3, 12, 16)).astype(np.uint16)
    deep[:, 0, 0] = 65_535
    for number, frame in enumerate(deep):
        Image.fromarray(frame).save(tmp_path / f"{number}.png")
    pictures = [load_image(tmp_path / f"{number}.png") for number in range(3)]
    for given in (tmp_path, sorted(tmp_path.iterdir()), list(deep), deep, iter(list(deep))):
        assert np.array_equal(frames_of(given), pictures)


def test_hidden_colours_are_hidden_in_videos_too():
    clear = np.concatenate([FRAMES, np.zeros((3, 12, 16, 1), np.uint8)], -1)
    for given in (clear, list(clear), [Image.fromarray(frame) for frame in clear]):
        assert (np.array(frames_of(given)) == 255).all()


@pytest.mark.parametrize("kind", ["video", "picture"])
def test_floats_and_tensors_are_taken_by_both(kind):
    first = torch.from_numpy(FRAMES)
    for given in (
        FRAMES / 255,
        (FRAMES / 255).astype(np.float32),
        FRAMES.astype(np.uint16) * 257,
        first,
        first.permute(0, 3, 1, 2),
        first / 255,
        (first / 255).permute(0, 3, 1, 2).requires_grad_(),
        list(first.permute(0, 3, 1, 2)),
    ):
        read = frames_of(given) if kind == "video" else [load_image(frame) for frame in given]
        assert np.array_equal(read, FRAMES)


def test_a_dark_first_frame_makes_no_glare_of_the_others(tmp_path):
    """One range for a clip: each with its own would flicker."""
    deep = np.stack([np.full((12, 16), level, np.uint16) for level in (200, 900, 4000, 900, 200)])
    for number, frame in enumerate(deep):
        Image.fromarray(frame).save(tmp_path / f"{number}.png")
    levels = [int(frame[0, 0, 0]) for frame in frames_of(tmp_path)]
    assert levels == [round(255 * level / 4095) for level in (200, 900, 4000, 900, 200)]


@pytest.mark.parametrize("ending", ["gif", "png", "webp"])
def test_an_animation_keeps_its_times(tmp_path, ending):
    path = tmp_path / f"moving.{ending}"
    pictures = [Image.fromarray(frame) for frame in FRAMES]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=[40, 200, 120])
    clip = VideoInput.of(path)
    assert clip.times is not None
    assert clip.times.tolist() == pytest.approx([0, 0.04, 0.24])
    assert clip.fps == pytest.approx(3 / 0.36)
    assert clip.time(2) == pytest.approx(0.24)


def test_a_still_of_what_moves_is_said_to_be_one(tmp_path, caplog):
    path = tmp_path / "moving.gif"
    pictures = [Image.fromarray(frame) for frame in FRAMES]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=40)
    load_image(path)
    assert "moving.gif' holds 3 pictures, and the first is taken" in caplog.text


def test_memory_before_the_first_frame_does_not_grow_with_the_clips(tmp_path):
    def held():
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * resource.getpagesize() / 2**20

    still = np.zeros((2, 1080, 1920, 3), np.uint8)
    path = encode(tmp_path / "large.mkv", still)
    opened = [VideoInput.of(path) for _ in range(3)]  # what libraries take once
    before = held()
    opened += [VideoInput.of(path) for _ in range(20)]
    assert held() - before < 20, "a megabyte a clip; a frame has three"
    assert len(opened) == 23


def test_nobody_is_told_to_do_what_is_being_done(tmp_path, caplog):
    """Of each frame of a GIF it was said that only the first is taken."""
    pages = [Image.fromarray(frame) for frame in FRAMES]
    pages[0].save(tmp_path / "walk.gif", save_all=True, append_images=pages[1:])
    assert len(frames_of(tmp_path / "walk.gif")) == 3
    assert "the first is taken" not in caplog.text
