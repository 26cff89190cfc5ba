from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from panoptic.formats.overlay_video import OverlayOutput, _Part, draw
from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation
from tests.panoptic.video.videos import INFO, VOCABULARY, decoded, labelled


@pytest.fixture(scope="module")
def frames():
    return labelled(frames=9)


def write(folder, frames, start=0, every=4, info=INFO):
    output = OverlayOutput(folder, info, start)
    for frame in frames:
        if frame.index % every == 0:
            output.checkpoint()
        output.add(frame)
    return output


def test_the_overlay_shows_every_frame_at_its_time(tmp_path, frames):
    pictures, times = decoded(write(tmp_path, frames).close())
    assert len(pictures) == len(frames)
    assert times == pytest.approx([i / 12.5 for i in range(len(frames))], abs=1e-4)
    for picture, frame in zip(pictures, frames, strict=True):
        drawn = np.asarray(draw(frame.segmentation, frame.image, VOCABULARY)).astype(int)
        assert picture.shape == drawn.shape
        assert np.abs(picture - drawn).mean() < 6  # what compression leaves


def test_variable_times_are_kept_and_always_rise(tmp_path, frames):
    own = [0.0, 0.04, 0.5, 0.5, 1.25, 1.3, 2.0, 2.1, 4.0]
    timed = [replace(f, time=t) for f, t in zip(frames, own, strict=True)]
    _, times = decoded(write(tmp_path, timed).close())
    assert times == pytest.approx(own, abs=1e-3)
    assert all(a < b for a, b in pairwise(times))


@pytest.mark.parametrize("killed", [1, 5, 9])
def test_a_resumed_overlay_is_that_of_an_undisturbed_run(tmp_path, frames, killed):
    whole = write(tmp_path / "whole", frames).close()
    write(tmp_path / "killed", frames[:killed])
    start = (killed - 1) // 4 * 4
    resumed = write(tmp_path / "killed", frames[start:], start=start)
    assert resumed.close().read_bytes() == whole.read_bytes()
    leftovers = OverlayOutput.leftovers(tmp_path / "killed", INFO)
    assert {*(tmp_path / "killed" / "overlays").iterdir()} == {resumed.path, *leftovers}


def test_parts_are_whole_videos_while_it_runs(tmp_path, frames):
    write(tmp_path, frames[:6])
    (part,) = (tmp_path / "overlays" / "clip.parts").glob("*.mp4")
    assert part.name == "00000000-00000004.mp4"
    assert len(decoded(part)[0]) == 4


def test_a_resumed_overlay_misses_no_part(tmp_path, frames):
    write(tmp_path, frames)
    (tmp_path / "overlays" / "clip.parts" / "00000000-00000004.mp4").unlink()
    with pytest.raises(ValueError, match="does not hold the frames before 8"):
        OverlayOutput(tmp_path, INFO, 8)


@pytest.mark.parametrize("size", [(64, 81), (63, 80), (35, 33)])
def test_odd_sizes_and_a_single_frame(tmp_path, size):
    (frame, *_) = labelled("move", frames=8, size=size)
    pictures, times = decoded(write(tmp_path, [frame]).close())
    assert len(pictures) == 1
    assert times == [0.0]
    assert pictures.shape[1] % 2 == pictures.shape[2] % 2 == 0


def test_pictures_larger_than_the_overlay_are_reduced():
    image = np.zeros((1501, 2001, 3), np.uint8)
    picture = draw(PanopticSegmentation.empty(*image.shape[:2]), image, VOCABULARY)
    assert picture.size == (1280, 960)


def test_an_id_keeps_its_colour_whoever_else_is_there():
    things = VOCABULARY.things[0]
    ids = np.zeros((60, 60), np.int32)
    ids[:, :30], ids[:, 30:] = 4, 9
    segments = [Segment(i, things.id, things.name, True, 1.0) for i in (4, 9)]
    alone = np.where(ids == 9, 9, 0)
    both = draw(PanopticSegmentation.from_ids(ids, segments), None, VOCABULARY)
    one = draw(PanopticSegmentation.from_ids(alone, segments), None, VOCABULARY)
    place = (both.width - 40, both.height - 20)
    assert both.getpixel(place) == one.getpixel(place)
    assert both.getpixel((20, 20)) != both.getpixel(place)


def test_a_video_without_frames_is_no_video(tmp_path):
    with pytest.raises(ValueError, match="no frame of 'clip' was written"):
        OverlayOutput(tmp_path, INFO).close()


def test_the_same_frames_are_the_same_bytes_each_time(tmp_path):
    # x264 with a macroblock tree gave other bytes in some of fifty tries, at widths like this one.
    rng = np.random.default_rng(0)
    coarse = [rng.integers(0, 255, (60, 77, 3), np.uint8) for _ in range(7)]
    pictures = [Image.fromarray(c).resize((616, 480)) for c in coarse]
    seen = set()
    junk: list[np.ndarray] = []
    for number in range(60):
        # Memory that was used for something else before, as in a long run.
        sizes = rng.integers(1_000, 3_000_000, 6)
        junk += [np.full(size, rng.integers(255), np.uint8) for size in sizes]
        if number % 2:
            junk = junk[::3]
        part = _Part(tmp_path, number, (616, 480), 25)
        for picture in pictures:
            part.add(picture)
        part.close(number + 7)
        seen.add((tmp_path / f"{number:08d}-{number + 7:08d}.mp4").read_bytes())
    assert len(seen) == 1
