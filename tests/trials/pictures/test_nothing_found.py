"""Sources in which there is nothing to label, as users met them."""

import sys

import numpy as np
import pytest
from PIL import Image

from panoptic.cli import main
from panoptic.dataset.resumable_labelling import label_dataset
from panoptic.errors import SourceError
from panoptic.io.images import load_image
from panoptic.io.pillow_files import readable_formats
from panoptic.io.sources import open_source
from tests.panoptic.dataset.colours import WORDS, ColourLabeller, fill

ASKED = ["--things", "cat", "--models", "demo"]


def refused(source, tmp_path, capsys):
    """The message of the command, which must have made nothing."""
    out = tmp_path / "out"
    assert main(["dataset", str(source), *ASKED, "-o", str(out)]) == 2
    assert not out.exists()
    with pytest.raises(SourceError):
        label_dataset(ColourLabeller(), source, WORDS, out)
    assert not out.exists()
    return capsys.readouterr().err


def test_an_empty_folder_is_no_success(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    text = refused(tmp_path / "in", tmp_path, capsys)
    assert "there is nothing to label in" in text
    assert "nothing at all" in text


def test_a_pattern_without_a_match_is_no_success(tmp_path, capsys):
    fill(tmp_path / "in", 2)
    assert "no file matches" in refused(tmp_path / "in" / "*.jpeg", tmp_path, capsys)


def test_a_folder_of_raw_pictures_says_what_is_there(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    for name in ("a.nef", "b.NEF", "notes.txt"):
        (tmp_path / "in" / name).write_bytes(b"raw")
    assert "there are 2 .nef, 1 .txt" in refused(tmp_path / "in", tmp_path, capsys)


@pytest.mark.parametrize("content", [b"", b"# a comment\n\n"])
def test_an_empty_list_is_no_success(tmp_path, capsys, content):
    (tmp_path / "list.txt").write_bytes(content)
    refused(tmp_path / "list.txt", tmp_path, capsys)


def test_raw_pictures_beside_others_are_said_to_be_left_out(tmp_path, caplog):
    fill(tmp_path / "in", 2)
    (tmp_path / "in" / "a.cr2").write_bytes(b"raw")
    with caplog.at_level("INFO", "panoptic.dataset"):
        label_dataset(ColourLabeller(), tmp_path / "in", WORDS, tmp_path / "out")
    assert "left out, as these formats aren't read: 1 .cr2" in caplog.text


def test_heic_is_read_or_says_how(tmp_path, monkeypatch):
    heif = pytest.importorskip("pillow_heif")
    path = tmp_path / "IMG_0001.HEIC"
    pixels = np.full((64, 64, 3), (200, 30, 30), np.uint8)
    heif.from_pillow(Image.fromarray(pixels)).save(path, quality=95)
    assert np.abs(load_image(path).astype(int) - pixels).max() < 12
    assert [unit.name for unit in open_source(tmp_path)] == ["IMG_0001.HEIC"]
    readable_formats.cache_clear()
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    try:
        run = label_dataset(ColourLabeller(), tmp_path, WORDS, tmp_path / "out")
        (failure,) = run.open().failures()
        assert "pillow-heif: pip install 'panoptic-anything[heif]'" in failure.error
    finally:
        readable_formats.cache_clear()


def test_overlays_of_an_earlier_run_are_no_pictures(tmp_path):
    """With nothing but the names to tell, as earlier versions left them."""
    fill(tmp_path / "in", 2)
    for name in ("out/overlays/a.png", "out/panoptic/a.png", "out/mine/b.png"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(path)
    (tmp_path / "in/out/panoptic.json").write_text("{}")
    names = sorted(unit.name for unit in open_source(tmp_path / "in"))
    assert names == ["a/0001.png", "b/0000.png", "out/mine/b.png"]
    only_ours = tmp_path / "in" / "out"
    with pytest.raises(SourceError, match="2 output of this program"):
        label_dataset(ColourLabeller(), f"{only_ours}/*a*/*.png", WORDS, tmp_path / "new")


def test_a_data_set_says_that_a_moving_picture_is_taken_as_a_still(tmp_path, caplog):
    (tmp_path / "in").mkdir()
    frames = [Image.new("RGB", (24, 24), (30, 60, level)) for level in (150, 160, 180)]
    for ending in ("gif", "png", "webp", "tif"):
        path = tmp_path / "in" / f"moving.{ending}"
        frames[0].save(path, save_all=True, append_images=frames[1:])
    with caplog.at_level("INFO", "panoptic.dataset"):
        label_dataset(ColourLabeller(), tmp_path / "in", WORDS, tmp_path / "out")
    for ending in ("gif", "png", "webp", "tif"):
        assert f"moving.{ending}' holds 3 pictures, and the first is taken" in caplog.text
