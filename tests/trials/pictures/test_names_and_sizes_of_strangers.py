"""Names that steer terminals, and files at URLs that never end, as users met them."""

import re
from dataclasses import dataclass, field

import fsspec
import pytest
from PIL import Image

from panoptic.cli import main
from panoptic.dataset.resumable_labelling import label_dataset
from panoptic.io.sources.base import Unit
from panoptic.io.sources.opening import local_video
from panoptic.settings.tree import Settings
from tests.panoptic.dataset.colours import WORDS, ColourLabeller

EVIL = "\x1b]0;title\x07\x9b31m\u202egpj"
STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def test_names_of_files_steer_no_terminal(tmp_path, models_folder, capsys, picture):
    """Whatever a command prints: rows, errors, what is left out, where the results are."""
    folder = tmp_path / f"in {EVIL}"
    folder.mkdir()
    Image.fromarray(picture).save(folder / f"good {EVIL}.png")
    (folder / f"bad {EVIL}.png").write_bytes(b"nothing")
    asked = ["--things", "car", "--stuff", "road", "--models", str(models_folder)]
    good, bad = str(folder / f"good {EVIL}.png"), str(folder / f"bad {EVIL}.png")
    out = str(tmp_path / f"out {EVIL}")
    commands = {
        "image": (1, ["image", good, bad, *asked, "-o", out + "i"]),
        "no image": (2, ["image", bad, *asked, "-o", out + "j"]),
        "dataset": (1, ["dataset", str(folder), *asked, "-o", out]),
        "report": (0, ["report", out]),
        "review": (0, ["review", out]),
        "accept": (1, ["review", out, "--accept", EVIL]),
        "export": (0, ["export", out, "--format", "coco_panoptic"]),
        "eval": (2, ["eval", bad, bad]),
        "video": (2, ["video", bad, *asked, "-o", out + "v"]),
        "settings": (2, ["settings", "--set", f"{EVIL}=3"]),
        "words": (2, ["image", good, "--vocabulary", bad]),
        "usage": (2, ["image", f"--{EVIL}"]),
    }
    for name, (code, command) in commands.items():
        assert main(command) == code, (name, capsys.readouterr())
        told = capsys.readouterr()
        for text in (told.out, told.err):
            assert not STEERING.search(text), (name, text)
        assert "title" in told.out + told.err or name in ("report", "export"), name


@dataclass(frozen=True)
class CarefulLabeller(ColourLabeller):
    settings: Settings = field(default_factory=Settings)


def test_what_comes_from_a_url_has_a_limit(tmp_path):
    """The size that the other side tells is not asked; it may tell any, or none."""
    files = fsspec.filesystem("memory")
    files.pipe("/endless/clip.mp4", b"x" * 50_000)
    files.pipe("/endless/photo.png", b"x" * 50_000)
    limits = {"pictures.max_bytes": 20_000, "pictures.max_video_bytes": 30_000}
    labeller = CarefulLabeller(settings=Settings().changed(limits))
    run = label_dataset(labeller, "memory://endless", WORDS, tmp_path / "out")
    reasons = {failure.name: failure.error for failure in run.open().failures()}
    files.rm("/endless", recursive=True)
    assert "larger than 20,000 bytes; the setting pictures.max_bytes" in reasons["photo.png"]
    assert "larger than 30,000 bytes; the setting pictures.max_video_by" in reasons["clip.mp4"]


def test_a_copy_that_grows_too_large_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    files = fsspec.filesystem("memory")
    files.pipe("/large.mp4", b"x" * 5_000_000)
    unit = Unit("large.mp4", "memory:///large.mp4", "video")
    with (
        pytest.raises(ValueError, match="larger than 1,000,000 bytes"),
        local_video(unit, 1_000_000),
    ):
        pass
    files.rm("/large.mp4")
    assert not list(tmp_path.iterdir())
