import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from panoptic.cli import main
from panoptic.formats.vipseg import VipsegVideos
from tests.panoptic.conftest import MEDIA
from tests.panoptic.video.videos import decoded, files_of
from tests.sam2core.test_frames import encode

WORDS = ["--things", "car, dog", "--stuff", "road, sky"]
ALL = ["overlay", "vipseg", "davis", "sa-v", "detections", "timeline"]


def scene(seed, frames, size=(48, 64)):
    """Coarse colours that drift, uint8 (T, H, W, 3)."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (4, 5, 3), dtype=np.uint8).repeat(16, 0).repeat(16, 1)
    return np.stack([np.roll(coarse, i, 1)[: size[0], : size[1]] for i in range(frames)])


@pytest.fixture
def clip(tmp_path):
    return encode(tmp_path / "drive.mkv", scene(0, 7))


@pytest.fixture
def arguments(models_folder):
    """``panoptic video`` with tiny models and low levels, as a command line."""

    def line(output, *given):
        levels = ["--box-threshold", "0.5", "--text-threshold", "0.5", "--detect-every", "0.12"]
        models = ["--models", str(models_folder)]
        return ["video", *levels, *models, "-o", str(output), *map(str, given)]

    return line


@pytest.fixture
def command(arguments, tmp_path):
    return lambda *given: main(arguments(tmp_path / "out", *given))


def cells(text):
    """The rows of the table that was printed, by name."""
    rows = [line.split() for line in text.splitlines() if line[:1].strip()]
    return {row[0]: row[1:] for row in rows}


def test_a_clip_becomes_files_of_every_format(command, clip, tmp_path, capsys):
    assert command(clip, *WORDS, "--format", "all") == 0
    out = tmp_path / "out"
    assert sorted(path.name for path in out.iterdir()) == [
        *(".lock", ".panoptic-output.jsonl", "davis", "detections", "overlays", "resume"),
        *("sa-v", "timelines", "vipseg"),
    ]
    videos = VipsegVideos.open(out / "vipseg")
    frames = list(videos.frames("drive"))
    assert len(frames) == len(decoded(out / "overlays" / "drive.mp4")[0]) == 7
    assert any(len(frame) for frame in frames)
    assert [c.name for c in videos.categories.values()] == ["car", "dog", "road", "sky"]
    content = json.loads((out / "sa-v" / "drive_auto.json").read_text())
    assert content["video_frame_count"] == 7
    with Image.open(out / "timelines" / "drive.png") as timeline:
        assert timeline.width == 960
    row = cells(capsys.readouterr().out)["drive"]
    assert row[:4] == ["7", "64", "x", "48"]


def test_what_is_written_can_be_chosen(command, clip, tmp_path):
    assert command(clip, *WORDS, "--format", "davis, timeline", "--limit", 2) == 0
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {".lock", ".panoptic-output.jsonl", "davis", "timelines", "resume"}
    assert len(list((tmp_path / "out" / "davis" / "drive").iterdir())) == 2


def test_killed_and_resumed_the_files_are_those_of_an_undisturbed_run(
    arguments, clip, tmp_path, capsys
):
    given = [clip, *WORDS, "--format", "all", "--checkpoint-every", 2]
    program = f"from panoptic.cli import main; main({arguments(tmp_path / 'killed', *given)!r})"
    process = subprocess.Popen([sys.executable, "-c", program])
    checkpoint = tmp_path / "killed" / "resume" / "drive.pt"
    deadline = time.monotonic() + 500
    while not checkpoint.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    unfinished = files_of(tmp_path / "killed")
    assert "overlays/drive.mp4" not in unfinished
    assert main(arguments(tmp_path / "killed", *given, "--resume")) == 0
    assert main(arguments(tmp_path / "whole", *given)) == 0
    assert files_of(tmp_path / "killed") == files_of(tmp_path / "whole")
    assert len(decoded(tmp_path / "killed" / "overlays" / "drive.mp4")[0]) == 7

    capsys.readouterr()
    assert main(arguments(tmp_path / "killed", *given, "--resume")) == 0
    assert cells(capsys.readouterr().out)["drive"][-1] == "-"  # nothing was left to do
    assert main(arguments(tmp_path / "killed", *given, "--resume", "--device", "cpu")) == 0
    assert main(arguments(tmp_path / "killed", *given, "--resume", "--dtype", "float16")) == 2
    assert "segmenter.dtype (torch.float32 then, torch.float16 now)" in capsys.readouterr().err
    other = [*given[:2], "car", *given[3:], "--resume"]
    assert main(arguments(tmp_path / "killed", *other)) == 2
    assert "words.dog (thing 2 then, nothing now)" in capsys.readouterr().err


def test_joined_clips_are_one_video_with_a_cut(command, clip, tmp_path, capsys):
    second = encode(tmp_path / "park.mkv", scene(9, 5))
    assert command(clip, second, *WORDS, "--join", "--format", "timeline") == 0
    row = cells(capsys.readouterr().out)["drive+park"]
    assert row[0] == "12"
    assert row[6] == "7"  # the cut
    lines = (tmp_path / "out" / "timelines" / "drive+park.jsonl").read_text().splitlines()
    cuts = [
        r["frame"] for r in map(json.loads, lines) if any(e["kind"] == "cut" for e in r["events"])
    ]
    assert cuts == [7]


def test_both_ways_writes_every_frame_once(command, clip, tmp_path, capsys):
    assert command(clip, *WORDS, "--both-ways", "--format", "vipseg") == 0
    assert len(list(VipsegVideos.open(tmp_path / "out" / "vipseg").frames("drive"))) == 7
    assert command(clip, *WORDS, "--both-ways", "--limit", 3, "--resume") == 2
    assert "--both-ways goes through whole clips" in capsys.readouterr().err


def test_clips_that_cannot_be_read_are_named_and_left_out(command, clip, tmp_path, capsys):
    empty, text, cut = tmp_path / "empty.mp4", tmp_path / "notes.mp4", tmp_path / "cut.mp4"
    empty.write_bytes(b"")
    text.write_text("no video at all")
    whole = encode(tmp_path / "whole.mp4", scene(1, 12), "libx264", "yuv420p")
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 19 // 20])
    bare = tmp_path / "bare"
    bare.mkdir()
    missing = tmp_path / "missing.mp4"
    clips = [empty, text, missing, bare, cut, clip]
    assert command(*clips, *WORDS, "--format", "davis", "--limit", 2) == 1
    printed = capsys.readouterr()
    told = printed.err
    assert f"left out: {empty}: can't be read as a video (it is empty)" in told
    assert f"left out: {text}: can't be read as a video" in told
    assert f"left out: {missing}: no such file or folder" in told
    assert f"left out: {bare}: there are no pictures in this folder" in told
    assert f"{cut}: the file is cut off or damaged" in told
    assert set(cells(printed.out)) >= {"cut", "drive"}
    assert command(empty, text, *WORDS) == 2
    assert "it is empty" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("frames", "options", "size"),
    [
        (scene(2, 1), {}, (48, 64)),
        (scene(3, 2, (33, 47)), {}, (33, 47)),
        (scene(4, 2), {"codec": "libx264", "pixels": "yuv420p", "rotation": 90}, (64, 48)),
        (scene(5, 4), {"times": [0, 1, 20, 21]}, (48, 64)),
    ],
    ids=["one frame", "odd size", "rotated", "variable frame rate"],
)
def test_unusual_videos(command, tmp_path, frames, options, size):
    ending = "mp4" if "rotation" in options else "mkv"
    path = encode(tmp_path / f"odd.{ending}", frames, **options)
    assert command(path, *WORDS, "--format", "vipseg,overlay") == 0
    labelled = list(VipsegVideos.open(tmp_path / "out" / "vipseg").frames("odd"))
    assert [frame.ids.shape for frame in labelled] == [size] * len(frames)
    pictures, times = decoded(tmp_path / "out" / "overlays" / "odd.mp4")
    assert len(pictures) == len(frames)
    expected = options.get("times", range(len(frames)))
    assert times == pytest.approx([t / 25 for t in expected], abs=0.01)


def test_a_video_in_which_nothing_is_found_is_whole_too(command, clip, tmp_path, capsys):
    levels = ["--box-threshold", 1, "--background", 0.999]
    assert command(clip, *WORDS, *levels, "--format", "all") == 0
    row = cells(capsys.readouterr().out)["drive"]
    assert row[4:6] == ["0", "0"]
    assert row[-3:-1] == ["100.0", "%"]
    frames = list(VipsegVideos.open(tmp_path / "out" / "vipseg").frames("drive"))
    assert [len(frame) for frame in frames] == [0] * 7
    assert len(decoded(tmp_path / "out" / "overlays" / "drive.mp4")[0]) == 7


def test_a_folder_of_pictures_has_the_pace_it_is_given(command, tmp_path):
    folder = tmp_path / "stills"
    folder.mkdir()
    for number, frame in enumerate(scene(6, 3)):
        Image.fromarray(frame).save(folder / f"{number}.png")
    assert command(folder, *WORDS, "--fps", 10, "--format", "overlay") == 0
    times = decoded(tmp_path / "out" / "overlays" / "stills.mp4")[1]
    assert times == pytest.approx([0, 0.1, 0.2], abs=1e-3)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--format", "mov"], "no format 'mov'; there are overlay"),
        (["--detect-every", -1], "detect_every must be seconds from 0 on"),
        (["--max-objects", 0], "max_objects must be at least 1"),
        (["--fps", 0], "--fps must be above 0"),
        (["--vocabulary", "words.yaml"], "either in a --vocabulary file or as"),
    ],
)
def test_wrong_requests_are_said_before_anything_is_loaded(given, message, clip, tmp_path, capsys):
    line = ["video", str(clip), *WORDS, "-o", str(tmp_path / "out"), *map(str, given)]
    assert main(line) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="looks for a device file")
def test_a_number_is_a_camera(command, capsys):
    assert command("97", *WORDS) == 2
    assert "camera 97 (/dev/video97) can't be opened" in capsys.readouterr().err


def test_a_real_clip(command, tmp_path):
    path = MEDIA / "video" / "08_driving.mp4"
    if not path.is_file():
        pytest.skip(f"no {path}")
    assert command(path, *WORDS, "--limit", 2, "--format", "vipseg,overlay") == 0
    (first, second) = VipsegVideos.open(tmp_path / "out" / "vipseg").frames("08_driving")
    assert first.ids.shape == second.ids.shape == (720, 1280)
    assert len(decoded(tmp_path / "out" / "overlays" / "08_driving.mp4")[0]) == 2
