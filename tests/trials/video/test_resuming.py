"""``panoptic video --resume``: what it says is done is on disk, and what it refuses stays."""

import json
import shutil
import sys
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

from panoptic.cli import main
from tests.detectors.conftest import clipseg_folder, grounding_dino_folder  # noqa: F401
from tests.panoptic.conftest import models_folder  # noqa: F401
from tests.panoptic.video.videos import files_of

WORDS = ["--things", "car, dog", "--stuff", "road, sky"]
LEVELS = ["--box-threshold", "0.5", "--text-threshold", "0.5", "--detect-every", "0.12"]
FRAMES = 5


def write_clip(folder, seed=0, frames=FRAMES):
    """A clip as a folder of pictures: coarse colours that drift, 40 x 32 pixels."""
    colours = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    colours = colours.repeat(8, 0).repeat(8, 1)
    folder.mkdir(parents=True)
    for number in range(frames):
        Image.fromarray(np.roll(colours, number, 1)).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def clip(tmp_path):
    return write_clip(tmp_path / "clips" / "drive")


@pytest.fixture
def label(tmp_path, models_folder):  # noqa: F811
    """``panoptic video`` into a folder beside the clips: (exit code, what it said on stderr)."""

    def run(*given, out="out"):
        models = ["--models", str(models_folder), "--checkpoint-every", "2"]
        return main(["video", *LEVELS, *models, "-o", str(tmp_path / out), *map(str, given)])

    return run


def results(out):
    """The bytes of all files but those of hidden ones, and what isn't a result."""
    return {k: v for k, v in files_of(out).items() if not k.startswith((".", "resume"))}


@pytest.fixture(scope="module")
def ctrl_c_at():
    """Has Ctrl-C come, in a ``with`` block, when the file whose path ends so is opened."""
    endings = []

    def hook(event, values):
        if event == "open" and endings and str(values[0]).endswith(endings[0]):
            raise KeyboardInterrupt

    sys.addaudithook(hook)

    @contextmanager
    def at(ending):
        endings.append(ending)
        try:
            yield
        finally:
            endings.clear()

    return at


def test_formats_that_are_asked_for_later_are_written(label, clip, tmp_path, capsys):
    assert label(clip, *WORDS, "--format", "timeline") == 0
    before = results(tmp_path / "out")
    assert label(clip, *WORDS, "--format", "timeline,vipseg,davis", "--resume") == 0
    assert "timeline, vipseg, davis" in capsys.readouterr().out
    label(clip, *WORDS, "--format", "timeline,vipseg,davis", out="whole")
    assert results(tmp_path / "out") == results(tmp_path / "whole")
    assert before.items() < results(tmp_path / "out").items()


def test_what_was_deleted_is_made_again(label, clip, tmp_path):
    assert label(clip, *WORDS, "--format", "vipseg,davis,sa-v") == 0
    before = results(tmp_path / "out")
    for gone in ("davis", "davis/drive/2.png", "vipseg/pred.json", "sa-v"):
        path = tmp_path / "out" / gone
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        assert label(clip, *WORDS, "--format", "vipseg,davis,sa-v", "--resume") == 0
        assert results(tmp_path / "out") == before


def test_another_format_leaves_those_under_way(label, clip, tmp_path, ctrl_c_at):
    with ctrl_c_at("drive/4.png"):
        assert label(clip, *WORDS, "--format", "overlay,sa-v") == 130
    assert label(clip, *WORDS, "--format", "davis", "--resume") == 0
    assert label(clip, *WORDS, "--format", "overlay,sa-v,davis", "--resume") == 0
    assert label(clip, *WORDS, "--format", "overlay,sa-v,davis", out="whole") == 0
    assert results(tmp_path / "out") == results(tmp_path / "whole")


def test_what_changes_no_label_is_no_reason_to_refuse(label, clip, tmp_path):
    davis = ["--format", "davis", "--resume"]
    assert label(clip, *WORDS, *davis, "--background", "0.5", "--limit", 2) == 0
    for given in (
        ["--background", "0.5"],
        ["--set", "regions.background=0.5", "--limit", 2],
        ["--background", ".50", "--device", "cpu", "--dtype", "float32", "--checkpoint-every", 3],
    ):
        assert label(clip, *WORDS, *davis, *given) == 0
        assert len(list((tmp_path / "out" / "davis" / "drive").iterdir())) == FRAMES


def test_a_folder_of_models_is_the_same_by_another_path(label, clip, tmp_path, models_folder):  # noqa: F811
    assert label(clip, *WORDS, "--format", "davis") == 0
    (tmp_path / "moved").symlink_to(models_folder)
    assert label(clip, *WORDS, "--format", "davis", "--models", tmp_path / "moved", "--resume") == 0


def test_a_clip_in_front_changes_no_names(label, tmp_path):
    clips = [write_clip(tmp_path / "clips" / name / "drive", i) for i, name in enumerate("abc")]
    assert label(*clips[1:], *WORDS, "--format", "davis") == 0
    before = results(tmp_path / "out")
    assert label(*clips, *WORDS, "--format", "davis", "--resume") == 0
    added = results(tmp_path / "out").keys() - before.keys()
    assert before.items() < results(tmp_path / "out").items()
    assert {name.split("/")[1].removesuffix(".json") for name in added} == {"drive-3"}
    shutil.move(tmp_path / "clips", tmp_path / "moved")  # known by what they show
    moved = [tmp_path / "moved" / name / "drive" for name in "cab"]
    whole = files_of(tmp_path / "out")
    assert label(*moved, *WORDS, "--format", "davis", "--resume") == 0
    assert files_of(tmp_path / "out") == whole


def test_one_refusal_does_not_stop_the_others(label, tmp_path, capsys):
    first, second = (write_clip(tmp_path / "clips" / name, i) for i, name in enumerate("ab"))
    assert label(first, *WORDS, "--format", "davis") == 0
    Image.new("RGB", (40, 32)).save(first / "1.png")
    before = results(tmp_path / "out")
    capsys.readouterr()
    assert label(first, second, *WORDS, "--format", "davis", "--resume") == 1
    told = capsys.readouterr().err
    assert "left out: a: what is there was made otherwise: the clip itself" in told
    assert before.items() < results(tmp_path / "out").items()
    assert len(list((tmp_path / "out" / "davis" / "b").iterdir())) == FRAMES


def test_advice_deletes_nothing(label, clip, tmp_path, capsys):
    assert label(clip, *WORDS, "--format", "davis") == 0
    before = files_of(tmp_path / "out")
    capsys.readouterr()
    assert label(clip, "--things", "car", "--format", "davis", "--resume") == 2
    told = capsys.readouterr().err
    assert "words.dog (thing 2 then, nothing now)" in told
    assert "choose another output folder" in told
    assert "start anew" not in told
    assert files_of(tmp_path / "out") == before


def test_earlier_results_never_go_silently(label, clip, tmp_path, capsys):
    out = tmp_path / "out"
    assert label(clip, *WORDS, "--format", "davis") == 0
    (out / "davis" / "notes.txt").write_text("mine")
    before = files_of(out)
    assert label(clip, *WORDS, "--limit", 1) == 2
    told = capsys.readouterr().err
    assert "isn't empty" in told
    assert "--resume" in told
    assert "--overwrite" in told
    assert files_of(out) == before
    assert label(clip, *WORDS, "--limit", 1, "--format", "davis", "--overwrite") == 0
    assert len(list((out / "davis" / "drive").iterdir())) == 1
    assert (out / "davis" / "notes.txt").read_text() == "mine"


def test_a_broken_picture_late_in_a_folder_costs_only_itself(label, clip, tmp_path, capsys):
    whole = (clip / "3.png").read_bytes()
    (clip / "3.png").write_bytes(whole[:60])
    other = write_clip(tmp_path / "clips" / "other", 1)
    assert label(clip, other, *WORDS, "--format", "davis,vipseg") == 1
    told = capsys.readouterr().err
    assert "drive: it ends after 3 frames, which its files hold" in told
    assert "3.png" in told
    assert len(list((tmp_path / "out" / "davis" / "drive").iterdir())) == 3
    assert len(list((tmp_path / "out" / "davis" / "other").iterdir())) == FRAMES
    pred = json.loads((tmp_path / "out" / "vipseg" / "pred.json").read_text())
    assert [len(video["annotations"]) for video in pred["annotations"]] == [3, FRAMES]
    (clip / "3.png").write_bytes(whole)  # and the repaired folder is gone on with
    assert label(clip, other, *WORDS, "--format", "davis,vipseg", "--resume") == 0
    label(clip, other, *WORDS, "--format", "davis,vipseg", out="whole")
    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")


def test_a_picture_of_another_size_costs_only_itself(label, clip, tmp_path, capsys):
    whole = (clip / "4.png").read_bytes()
    Image.new("RGB", (20, 20)).save(clip / "4.png")
    assert label(clip, *WORDS, "--format", "davis,timeline") == 1
    assert "4.png is 20 x 20 pixels, and the frames before it 40 x 32" in capsys.readouterr().err
    assert len(list((tmp_path / "out" / "davis" / "drive").iterdir())) == 4
    (clip / "4.png").write_bytes(whole)
    assert label(clip, *WORDS, "--format", "davis,timeline", "--resume") == 0
    assert len(list((tmp_path / "out" / "davis" / "drive").iterdir())) == FRAMES


def test_frames_that_come_to_a_folder_later_are_labelled(label, clip, tmp_path):
    more = write_clip(tmp_path / "clips" / "more", frames=FRAMES + 2)
    assert label(clip, *WORDS, "--format", "davis") == 0
    for number in (FRAMES, FRAMES + 1):
        shutil.copy(more / f"{number}.png", clip)
    (clip / "Thumbs.db").write_bytes(b"no picture")
    assert label(clip, *WORDS, "--format", "davis", "--resume") == 0
    assert label(clip, *WORDS, "--format", "davis", out="whole") == 0
    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")


def test_pictures_that_are_not_compressed_are_known_by_what_they_show(label, tmp_path, capsys):
    """All BMPs of one size are of one length: another clip passed for the one that was labelled."""

    def bitmaps(place, seed):
        folder = write_clip(tmp_path / "clips" / place / "drive", seed)
        for path in list(folder.iterdir()):
            Image.open(path).save(path.with_suffix(".bmp"))
            path.unlink()
        return folder

    clip, other = bitmaps("a", 0), bitmaps("b", 1)
    assert label(clip, *WORDS, "--format", "davis") == 0
    before = results(tmp_path / "out")
    assert label(other, *WORDS, "--format", "davis", "--resume") == 0  # a clip by itself
    assert (tmp_path / "out" / "davis" / "drive-2").is_dir()
    shutil.copy(other / "2.bmp", clip / "2.bmp")
    capsys.readouterr()
    assert label(clip, *WORDS, "--format", "timeline", "--resume") == 2
    assert "drive: what is there was made otherwise: the clip itself" in capsys.readouterr().err
    assert before.items() < results(tmp_path / "out").items()


def test_every_clip_that_cannot_be_read_is_named(label, clip, tmp_path, capsys):
    (tmp_path / "empty.mp4").touch()
    nameless = tmp_path / "drive\udcff"
    shutil.copytree(clip, nameless)
    assert label(tmp_path / "empty.mp4", tmp_path / "gone.mp4", nameless, *WORDS) == 2
    told = capsys.readouterr().err
    assert "empty.mp4: can't be read as a video (it is empty)" in told
    assert "gone.mp4: no such file" in told
    assert "the name isn't Unicode" in told
    assert label(clip, *WORDS, "--fps", "nan") == 2
    assert "--fps must be above 0 and finite" in capsys.readouterr().err
