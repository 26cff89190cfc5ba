"""Frames from every kind of source are the same frames, whichever way they are read."""

from __future__ import annotations

import itertools
import warnings
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from sam2core import frame_order
from sam2core.errors import FramesError
from sam2core.frames import AnimatedPicture, IterFrames, PictureFrames, VideoFile, open_frames
from sam2core.prefetch import prefetch

MEDIA = Path(__file__).parents[2].parent / "shared" / "media" / "video"

FORMATS = {
    "ffv1.mkv": ("ffv1", "bgr0", {}, 0),
    "h264.mp4": ("libx264", "yuv444p", {"qp": "0", "g": "6"}, 3),
    "bframes.mkv": ("libx264", "yuv420p", {"crf": "5", "g": "7", "bf": "3", "b_adapt": "0"}, 24),
    "bframes.mp4": ("libx264", "yuv420p", {"crf": "5", "g": "7", "bf": "3", "b_adapt": "0"}, 24),
    "bframes.ts": ("libx264", "yuv420p", {"crf": "5", "g": "7", "bf": "3", "b_adapt": "0"}, 24),
    "mpeg2.ts": ("mpeg2video", "yuv420p", {"qscale": "2", "g": "5", "bf": "2"}, 40),
    "opengop.mkv": ("libx264", "yuv420p", {"crf": "5", "g": "6", "bf": "2", "flags": "-cgop"}, 24),
    "mpeg4.avi": ("mpeg4", "yuv420p", {"qscale": "2", "g": "6", "bf": "2"}, 40),
    "vp9.webm": ("libvpx-vp9", "yuv420p", {"crf": "10", "g": "6"}, 40),
    "raw.h264": ("libx264", "yuv420p", {"crf": "5", "g": "6", "bf": "2"}, 24),
}
"""Encoder, pixel format, options, and how far a decoded value may be from what was encoded."""


def clip(count: int = 20, height: int = 32, width: int = 48) -> np.ndarray:
    """Smooth frames (lossy codecs stay close) that all differ, and have no symmetry."""
    t, y, x = np.ogrid[:count, :height, :width]
    red = 40 + 160 * (t % 10) / 9 + 0 * y + 0 * x
    green = 60 + 120 * y / height + 0 * t + 0 * x
    blue = 30 + 60 * x / width + 12 * (t // 10) + 0 * y
    return np.stack([red, green, blue], axis=-1).astype(np.uint8)


def encode(
    path: Path,
    frames: np.ndarray,
    codec: str = "ffv1",
    pixels: str = "bgr0",
    options: dict[str, str] | None = None,
    rotation: int = 0,
    times: list[int] | None = None,
) -> Path:
    faststart = {"movflags": "faststart"} if path.suffix == ".mp4" else {}
    with av.open(str(path), "w", options=faststart) as container:
        stream = container.add_stream(codec, rate=25, options=options or {})
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], pixels
        if rotation:
            stream.set_display_rotation(rotation)
        for i, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            picture.pts = i if times is None else times[i]
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def collected(source, *args, **kwargs) -> tuple[list[int], np.ndarray]:
    pairs = list(source.frames(*args, **kwargs))
    return [i for i, _ in pairs], np.array([frame for _, frame in pairs])


@pytest.fixture(params=FORMATS)
def encoded(request, tmp_path) -> tuple[Path, np.ndarray, int]:
    codec, pixels, options, tolerance = FORMATS[request.param]
    frames = clip()
    return encode(tmp_path / request.param, frames, codec, pixels, options), frames, tolerance


def test_video_gives_back_what_was_encoded(encoded):
    path, frames, tolerance = encoded
    video = open_frames(path)
    assert isinstance(video, VideoFile)
    assert len(video) == len(frames)
    assert video.size == frames.shape[1:3]
    assert video.fps == 25
    indices, decoded = collected(video)
    assert indices == list(range(len(frames)))
    assert decoded.dtype == np.uint8
    assert np.abs(decoded.astype(int) - frames).max() <= tolerance
    # Neighbours differ by more than the tolerance in red, so no frame is another's.
    nearest = np.abs(decoded[:, None, ..., 0].astype(int) - frames[None, ..., 0]).mean((2, 3))
    assert all(i in np.flatnonzero(row == row.min()) for i, row in enumerate(nearest))


def test_video_is_the_same_in_every_order(encoded):
    path, frames, _ = encoded
    video = open_frames(path)
    _, decoded = collected(video)
    shuffled = np.random.default_rng(0).permutation(len(frames))
    for i in [*shuffled, 3, 3, 4, 5, 2]:
        assert np.array_equal(video[int(i)], decoded[i]), i
    indices, falling = collected(video, len(frames) - 1, reverse=True)
    assert indices == list(range(len(frames)))[::-1]
    assert np.array_equal(falling, decoded[::-1])
    indices, part = collected(video, 8, 13)
    assert indices == [8, 9, 10, 11, 12]
    assert np.array_equal(part, decoded[8:13])
    indices, part = collected(video, 12, 7, reverse=True)
    assert indices == [12, 11, 10, 9, 8]
    assert np.array_equal(part, decoded[12:7:-1])


def test_reverse_holds_no_more_than_a_chunk(tmp_path, monkeypatch):
    frames = clip(20)
    path = encode(tmp_path / "a.mkv", frames, options={"g": "4"})
    monkeypatch.setattr(frame_order, "CHUNK_BYTES", 5 * frames[0].nbytes + 1)
    video = open_frames(path)
    read, chunks = video._read, []
    video._read = lambda start, stop: chunks.append((start, stop)) or read(start, stop)
    indices, falling = collected(video, 18, reverse=True)
    assert indices == list(range(19))[::-1]
    assert np.array_equal(falling, frames[18::-1])
    # Within the bound of 5 frames, chunks begin at key frames (0, 4, 8, …).
    assert chunks == [(16, 19), (12, 16), (8, 12), (4, 8), (0, 4)]


def test_two_iterators_and_indexing_do_not_disturb_each_other(tmp_path):
    frames = clip(12)
    video = open_frames(encode(tmp_path / "a.mkv", frames))
    first, second = video.frames(), video.frames(6)
    for i in range(6):
        assert np.array_equal(next(first)[1], frames[i])
        assert np.array_equal(next(second)[1], frames[6 + i])
        assert np.array_equal(video[11 - i], frames[11 - i])


def test_variable_frame_rate_counts_frames(tmp_path):
    frames = clip(8)
    path = encode(tmp_path / "a.mkv", frames, times=[0, 1, 2, 10, 11, 30, 31, 32])
    video = open_frames(path)
    assert len(video) == 8
    assert np.array_equal(collected(video)[1], frames)
    assert np.array_equal(video[5], frames[5])
    assert np.allclose(video.times, np.array([0, 1, 2, 10, 11, 30, 31, 32]) / 25, atol=1e-3)


@pytest.mark.parametrize(("height", "width"), [(17, 33), (1, 1), (5, 64)])
def test_odd_sizes_and_one_frame(tmp_path, height, width):
    frames = clip(1, height, width)
    video = open_frames(encode(tmp_path / "a.mkv", frames))
    assert (len(video), video.size) == (1, (height, width))
    assert np.array_equal(video[0], frames[0])
    assert np.array_equal(collected(video, reverse=True)[1], frames)


@pytest.mark.skipif(
    not hasattr(av.VideoStream, "set_display_rotation"), reason="this PyAV can't write rotation"
)
@pytest.mark.parametrize("degrees", [90, 180, -90])
def test_rotation_is_applied(tmp_path, degrees):
    frames = clip(3)
    path = encode(tmp_path / "a.mp4", frames, *FORMATS["h264.mp4"][:3], rotation=degrees)
    video = open_frames(path)
    upright = np.rot90(frames, degrees // 90, axes=(1, 2))
    assert video.size == upright.shape[1:3]
    assert np.abs(video[2].astype(int) - upright[2]).max() <= 3


@pytest.mark.parametrize("name", ["h264.mp4", "bframes.mp4", "ffv1.mkv", "vp9.webm"])
def test_a_cut_file_gives_its_whole_frames_and_warns(tmp_path, name):
    codec, pixels, options, tolerance = FORMATS[name]
    frames = clip(60)
    path = encode(tmp_path / name, frames, codec, pixels, options)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.6)])
    with pytest.warns(UserWarning, match="cut off or damaged"):
        video = open_frames(path)
    assert 10 < len(video) < 58
    indices, decoded = collected(video)
    assert indices == list(range(len(video)))
    assert np.array_equal(video[len(video) - 1], decoded[-1])
    if "bframes" not in name:  # there, the last ones come before frames that are cut off
        assert np.abs(decoded.astype(int) - frames[: len(video)]).max() <= tolerance


def test_whole_files_do_not_warn(encoded):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        collected(open_frames(encoded[0]))


def test_a_broken_frame_is_replaced_by_the_one_before(tmp_path):
    frames = clip(12)
    options = {"g": "1", "slicecrc": "1"}
    path = encode(tmp_path / "a.mkv", frames, options=options)
    with av.open(str(path)) as container:
        packets = [bytes(p) for p in container.demux() if p.size]
    data = path.read_bytes()
    assert data.count(packets[5]) == 1
    path.write_bytes(data.replace(packets[5], bytes([255]) * len(packets[5])))
    video = open_frames(path)
    assert len(video) == 12
    with pytest.warns(UserWarning, match="frame 5 can't be decoded"):
        _, decoded = collected(video)
    kept = [0, 1, 2, 3, 4, 4, 6, 7, 8, 9, 10, 11]
    assert np.array_equal(decoded, frames[kept])
    assert np.array_equal(video[5], frames[4])
    assert np.array_equal(collected(video, 11, reverse=True)[1], frames[kept][::-1])


def test_packets_that_are_no_frames_are_not_counted(tmp_path):
    """As in interlaced video, where a packet may be half a frame."""
    frames = clip(12)
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25, options={"slicecrc": "1", "g": "1"})
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "bgr0"
        for i, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            picture.pts = 2 * i
            for packet in stream.encode(picture):
                container.mux(packet)
                other = av.Packet(bytes([255]) * 60)
                other.stream, other.time_base = stream, packet.time_base
                other.pts = other.dts = packet.pts + 1
                container.mux(other)
    video = open_frames(path)
    assert len(video) == 12
    assert np.array_equal(collected(video)[1], frames)
    assert np.array_equal(video[7], frames[7])
    assert np.array_equal(collected(video, 11, reverse=True)[1], frames[::-1])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.mp4", b"", "can't be read as a video .it is empty"),
        ("text.mp4", b"no video at all\n" * 50, "can't be read as a video"),
        ("text.txt", b"no video at all\n" * 50, "there is no video"),
        ("zeros.mkv", bytes(4000), "can't be read as a video"),
    ],
)
def test_what_is_no_video_says_so(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(FramesError, match=message) as caught:
        open_frames(path)
    assert name in str(caught.value)


def test_sound_alone_is_no_video(tmp_path):
    path = tmp_path / "a.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        samples.rate = 8000
        container.mux(stream.encode(samples))
    with pytest.raises(FramesError, match="no video"):
        open_frames(path)


def test_missing_files_and_wrong_types(tmp_path):
    with pytest.raises(FramesError, match="no such file"):
        open_frames(tmp_path / "nothing.mp4")
    with pytest.raises(FramesError, match="an iterator goes into IterFrames"):
        open_frames(iter([np.zeros((2, 2, 3), np.uint8)]))
    with pytest.raises(FramesError, match="empty sequence"):
        open_frames([])
    with pytest.raises(FramesError, match="must be uint8"):
        open_frames(np.zeros((2, 4, 4, 3), np.float32))
    with pytest.raises(FramesError, match="one picture of shape"):
        open_frames(np.zeros((4, 4, 3), np.uint8))


@pytest.mark.parametrize("as_list", [False, True])
def test_arrays(as_list):
    frames = clip(6)
    source = open_frames(list(frames) if as_list else frames)
    assert (len(source), source.size) == (6, (32, 48))
    assert np.array_equal(collected(source)[1], frames)
    assert np.array_equal(collected(source, 4, 0, reverse=True)[1], frames[4:0:-1])
    assert open_frames(source) is source
    assert [len(list(source.frames(s))) for s in (5, 6)] == [1, 0]
    for index in (-1, 6):
        with pytest.raises(IndexError):
            source[index]


@pytest.mark.parametrize(("start", "reverse"), [(-1, False), (7, False), (6, True), (-1, True)])
def test_a_start_outside_says_so_at_once(start, reverse):
    with pytest.raises(FramesError, match="a frame of the 6"):
        open_frames(clip(6)).frames(start, reverse=reverse)


def test_a_folder_is_read_in_natural_order(tmp_path):
    frames = clip(12)
    for i, frame in enumerate(frames):
        Image.fromarray(frame).save(tmp_path / f"frame_{i}.png")
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / ".hidden.png").write_bytes(b"")
    source = open_frames(str(tmp_path))
    assert len(source) == 12
    assert np.array_equal(collected(source)[1], frames)


def test_natural_order():
    names = ["b10.png", "b2.png", "B1.png", "a.png", "b02.png", "12.png", "²3.png"]
    assert sorted(names, key=frame_order.natural_order)[:6] == [
        "12.png",
        "a.png",
        "B1.png",
        "b02.png",
        "b2.png",
        "b10.png",
    ]


def test_a_folder_names_the_picture_that_does_not_fit(tmp_path):
    with pytest.raises(FramesError, match="no pictures in this folder"):
        open_frames(tmp_path)
    Image.new("RGB", (8, 6)).save(tmp_path / "1.png")
    Image.new("RGB", (8, 7)).save(tmp_path / "2.png")
    (tmp_path / "3.png").write_bytes(b"no picture")
    source = open_frames(tmp_path)
    with pytest.raises(FramesError, match=r"2\.png is 8 x 7 pixels, .* 8 x 6"):
        source[1]
    with pytest.raises(FramesError, match=r"3\.png: can't be read"):
        source[2]


@pytest.mark.parametrize("ending", ["gif", "webp", "png"])
def test_animated_pictures(tmp_path, ending, monkeypatch):
    frames = clip(9) // 64 * 64  # few colours: a GIF can hold them
    frames[np.arange(9), 2, 4 * np.arange(9)] = 255  # equal frames would be joined to one
    pictures = [Image.fromarray(f) for f in frames]
    path = tmp_path / f"a.{ending}"
    options = {"lossless": True} if ending == "webp" else {}
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=40, **options)
    monkeypatch.setattr(frame_order, "CHUNK_BYTES", 4 * frames[0].nbytes)
    source = open_frames(path)
    assert isinstance(source, AnimatedPicture)
    assert (len(source), source.size) == (9, (32, 48))
    assert np.array_equal(collected(source)[1], frames)
    assert np.array_equal(collected(source, 8, reverse=True)[1], frames[::-1])
    assert np.array_equal(source[5], frames[5])


def test_one_picture_is_one_frame(tmp_path):
    Image.new("L", (5, 4), 7).save(tmp_path / "a.png")
    source = open_frames(tmp_path / "a.png")
    assert isinstance(source, PictureFrames)
    assert np.array_equal(source[0], np.full((4, 5, 3), 7))
    assert len(source) == 1


def test_streams_go_forward_once():
    frames = clip(7)
    stream = IterFrames(iter(frames))
    indices, first = collected(stream, 0, 3)
    assert indices == [0, 1, 2]
    assert np.array_equal(first, frames[:3])
    with pytest.raises(FramesError, match="is at frame 3"):
        stream.frames(0)
    with pytest.raises(FramesError, match="only goes forward"):
        stream.frames(3, reverse=True)
    indices, rest = collected(stream, 3)
    assert indices == [3, 4, 5, 6]
    assert np.array_equal(rest, frames[3:])
    with pytest.raises(FramesError, match="frame 1 is 9 x 8 pixels"):
        list(IterFrames([np.zeros((8, 8, 3), np.uint8), np.zeros((8, 9, 3), np.uint8)]).frames())


def test_video_through_prefetch(tmp_path):
    frames = clip(10)
    video = open_frames(encode(tmp_path / "a.mkv", frames))
    seen = list(prefetch(video.frames(), lambda item: (item[0], item[1].sum()), depth=2))
    assert seen == [(i, f.sum()) for i, f in enumerate(frames)]


@pytest.mark.skipif(not MEDIA.is_dir(), reason="needs the real clips")
@pytest.mark.parametrize(
    ("name", "count", "size"),
    [
        ("01_dog.mp4", 289, (720, 1280)),
        ("02_cups.mp4", 300, (720, 1280)),
        ("08_driving.mp4", 124, (720, 1280)),
        ("bedroom.mp4", 200, (540, 960)),
    ],
)
def test_real_clips(name, count, size):
    video = open_frames(MEDIA / name)
    assert (len(video), video.size) == (count, size)
    head = [frame for _, frame in video.frames(0, 5)]
    assert all(not np.array_equal(a, b) for a, b in itertools.pairwise(head))
    assert np.array_equal(video[4], head[4])
    falling = [frame for _, frame in video.frames(4, reverse=True)]
    assert np.array_equal(np.array(falling[::-1]), np.array(head))
