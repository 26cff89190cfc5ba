import sys
import tarfile
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from panoptic.errors import ImageError, ImageNotFoundError
from panoptic.io.clips import (
    JoinedFrames,
    VideoInput,
    join_clips,
    open_camera,
)
from panoptic.io.frame_reader import FrameReader
from panoptic.io.sources.base import IMAGE_ENDINGS, Unit
from panoptic.io.sources.shards import TarSource
from sam2core.errors import FramesError, FramesWarning
from sam2core.frames import PICTURE_ENDINGS, FrameSource, IterFrames, open_frames
from tests.sam2core.test_frames import clip, encode


@pytest.fixture
def video(tmp_path):
    return encode(tmp_path / "walk.mkv", clip(6), times=[0, 1, 2, 10, 11, 30])


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "stills"
    path.mkdir()
    for number, frame in enumerate(clip(4)):
        Image.fromarray(frame).save(path / f"frame_{number}.png")
    return path


def test_a_file_has_its_own_pace_and_times(video):
    opened = VideoInput.of(video, fps=99)
    assert (opened.name, opened.count, opened.is_live) == ("walk", 6, False)
    assert opened.time(3) == pytest.approx(0.4, abs=1e-3)
    assert opened.time(5) == pytest.approx(1.2, abs=1e-3)


def test_a_folder_has_the_pace_it_is_given(folder):
    assert VideoInput.of(folder).time(3) == pytest.approx(3 / 25)
    opened = VideoInput.of(folder, name="mine", fps=10)
    assert (opened.name, opened.time(3)) == ("mine", pytest.approx(0.3))


def test_identity_changes_with_the_clip(video, folder):
    of_file, of_folder = VideoInput.of(video).identity, VideoInput.of(folder).identity
    assert VideoInput.of(video).identity == of_file != of_folder
    video.write_bytes(video.read_bytes() + b"\0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FramesWarning)
        assert VideoInput.of(video).identity != of_file
    (folder / "frame_3.png").unlink()
    assert VideoInput.of(folder).identity != of_folder


def pixels_of(opened):
    return [frame for _, frame in opened.source.frames()]


def test_one_video_is_opened_in_many_ways(video, folder, tmp_path):
    stills = [folder / f"frame_{number}.png" for number in range(4)]
    for given in (folder, str(folder), stills, clip(4), list(clip(4)), open_frames(clip(4))):
        assert np.array_equal(pixels_of(VideoInput.of(given)), clip(4))
    live = VideoInput.of(iter(stills))
    assert live.is_live
    assert live.count is None
    assert np.array_equal(pixels_of(live), clip(4))
    with pytest.raises(FramesError, match="can't be gone back in"):
        _ = live.at_hand
    opened = VideoInput.of(video)
    assert VideoInput.of(opened) is opened
    again = VideoInput.of(opened.source)
    assert (again.fps, again.times.tolist()) == (opened.fps, opened.times.tolist())


def test_a_video_of_a_data_set_is_opened_where_it_lies(video, tmp_path):
    with tarfile.open(tmp_path / "shard.tar", "w") as tar:
        tar.add(video, "walk.mkv")
    (unit,) = TarSource(str(tmp_path / "shard.tar"))
    opened = VideoInput.of(unit)
    assert np.array_equal(opened.at_hand[5], VideoInput.of(video).at_hand[5])
    opened.close()
    lost = Unit("lost.mkv", str(tmp_path / "lost.mkv"), "video")
    with pytest.raises(ImageNotFoundError, match="there is no such file"):
        VideoInput.of(lost)
    empty = tmp_path / "empty.mkv"
    empty.write_bytes(b"nothing")
    with pytest.raises(ImageError, match="can't be opened"):
        VideoInput.of(Unit("empty.mkv", str(empty), "video"))


def test_pictures_of_a_video_are_read_as_pictures_are(tmp_path):
    clear = Image.fromarray(np.zeros((6, 8, 4), np.uint8))
    deep = Image.fromarray(np.full((6, 8), 40_000, np.uint16))
    for number, picture in enumerate((clear, deep)):
        picture.save(tmp_path / f"{number}.png")
    white, grey = pixels_of(VideoInput.of(tmp_path))
    assert (white == 255).all()
    assert (grey == round(40_000 / 257)).all()
    assert np.array_equal(FrameReader()(tmp_path / "0.png"), white)
    assert np.array_equal(FrameReader()(clear), white)
    assert np.array_equal(FrameReader()(torch.from_numpy(grey)), grey)
    (tmp_path / "1.png").write_bytes(b"nothing")
    with pytest.raises(FramesError, match=r"1\.png: no picture of a known format"):
        pixels_of(VideoInput.of(tmp_path))


def test_frames_of_folders_are_of_formats_that_are_pictures():
    assert set(PICTURE_ENDINGS) <= IMAGE_ENDINGS


def test_joined_clips_are_one_video(video, folder):
    joined = join_clips([video, folder, video])
    frames = [*clip(6), *clip(4), *clip(6)]
    assert (joined.name, joined.count) == ("walk+stills+walk", 16)
    assert isinstance(joined.source, FrameSource)
    assert joined.source.size == (32, 48)
    indices, read = zip(*joined.source.frames(), strict=True)
    assert list(indices) == list(range(16))
    assert all(np.array_equal(a, b) for a, b in zip(read, frames, strict=True))
    assert np.array_equal(joined.source[9], frames[9])
    with pytest.raises(IndexError):
        joined.source[16]
    times = [joined.time(i) for i in range(16)]
    assert times == sorted(times)
    assert times[6] == pytest.approx(times[5] + 1 / joined.fps)
    assert times[9] - times[6] == pytest.approx(3 / 25)


@pytest.mark.parametrize(
    ("start", "stop", "reverse"),
    [(0, None, False), (3, 9, False), (4, 10, False), (9, None, True), (8, 2, True),
     (10, 10, False), (3, -1, True), (5, 3, True)],
)  # fmt: skip
def test_joined_frames_go_any_way_one_source_does(start, stop, reverse):
    frames = clip(10)
    joined = JoinedFrames(
        [open_frames(frames[:4]), open_frames(frames[4:5]), open_frames(frames[5:])]
    )
    expected = list(open_frames(frames).frames(start, stop, reverse))
    found = list(joined.frames(start, stop, reverse))
    assert [i for i, _ in found] == [i for i, _ in expected]
    for (_, a), (_, b) in zip(found, expected, strict=True):
        assert np.array_equal(a, b)


def test_clips_of_different_sizes_are_not_joined(video, tmp_path):
    small = encode(tmp_path / "small.mkv", clip(2, 16, 24))
    with pytest.raises(FramesError, match=r"small.mkv is 24 x 16 pixels and .*walk.mkv 48 x 32"):
        join_clips([video, small])
    with pytest.raises(FramesError, match="no clips to join"):
        join_clips([])


def test_a_live_video_has_no_length():
    live = VideoInput("live", IterFrames([]), 10)
    assert live.is_live
    assert live.time(20) == 2
    assert live.count is None


@pytest.mark.skipif(sys.platform != "linux", reason="looks for a device file")
def test_a_camera_that_is_not_there():
    with pytest.raises(FramesError, match=r"camera 97 \(/dev/video97\) can't be opened"):
        open_camera(97)


def test_frames_that_are_files_have_names(tmp_path):
    for name in ("00000136.jpg", "00000141.jpg"):
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    assert VideoInput.of(tmp_path).frame_names == ("00000136", "00000141")
    Image.new("RGB", (8, 8)).save(tmp_path / "00000136.png")
    assert VideoInput.of(tmp_path).frame_names[:2] == ("00000136.jpg", "00000136.png")
    assert VideoInput.of(np.zeros((2, 8, 8, 3), np.uint8)).frame_names == ()
    joined = join_clips([tmp_path, tmp_path])
    assert joined.frame_names == ()
