"""``panoptic image`` on tiny random models."""

import json
import os
import re
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from panoptic.cli import main
from panoptic.formats.coco_panoptic import CocoPanoptic
from tests.panoptic.commands.shell import last_line, panoptic

WORDS = ["--things", "car, dog", "--stuff", "road, sky"]


@pytest.fixture
def picture_file(picture, tmp_path):
    path = tmp_path / "street.jpg"
    Image.fromarray(picture).save(path)
    return path


@pytest.fixture
def command(models_folder, tmp_path):
    """``panoptic image`` with tiny models and low levels; returns the exit code."""
    levels = ["--box-threshold", "0.5", "--text-threshold", "0.5"]

    def run(*arguments):
        given = [str(a) for a in arguments]
        output = ["-o", str(tmp_path / "out")]
        return main(["image", *levels, "--models", str(models_folder), *output, *given])

    return run


def test_a_picture_becomes_an_overlay_and_coco_files(command, picture_file, tmp_path, capsys):
    assert command(picture_file, *WORDS) == 0
    out = tmp_path / "out"
    assert sorted(str(p.relative_to(out)) for p in out.rglob("*") if p.is_file()) == [
        ".lock",
        ".panoptic-output.jsonl",
        "overlays/street.png",
        "panoptic.json",
        "panoptic/street.png",
    ]
    coco = CocoPanoptic.open(out / "panoptic.json")
    result = coco.load(1)
    assert (result.width, result.height) == (120, 90)
    assert len(result) > 0
    content = json.loads((out / "panoptic.json").read_text())
    assert [c["name"] for c in content["categories"]] == ["car", "dog", "road", "sky"]
    assert content["images"][0]["file_name"] == "street.jpg"
    with Image.open(out / "overlays" / "street.png") as overlay:
        assert overlay.width == 960
    printed = capsys.readouterr().out
    assert "street.jpg" in printed
    assert "120 x 90" in printed


def test_in_a_pipe_there_are_plain_lines_and_nothing_on_stderr(
    models_folder, picture_file, tmp_path
):
    """In a process of its own: libraries advise their users when they are imported."""
    given = [*WORDS, "--models", str(models_folder), "-o", str(tmp_path / "out")]
    done = panoptic("image", str(picture_file), *given, "--box-threshold", "0.5")
    assert (done.returncode, done.stderr) == (0, "")
    head, row, last = done.stdout.splitlines()
    assert re.split("  +", head.strip()) == [
        *("picture", "pixels", "things", "stuff", "unlabelled", "seconds")
    ]
    cells = re.split("  +", row.strip())
    assert cells[:2] == ["street.jpg", "120 x 90"]
    assert len(cells) == 6
    assert last.startswith("1 labelled, in ")


def test_pictures_of_every_kind_in_one_run(command, picture, tmp_path, capsys):
    rgb = Image.fromarray(picture)
    grey = np.asarray(rgb.convert("L"))
    turned = Image.Exif()
    turned[0x0112] = 6
    odd = {
        "portrait.png": (rgb.crop((0, 0, 40, 90)), {}),
        "pixel.png": (rgb.crop((0, 0, 1, 1)), {}),
        "grey.png": (rgb.convert("L"), {}),
        "alpha.png": (rgb.convert("RGBA"), {}),
        "deep.png": (Image.fromarray(grey.astype(np.uint16) * 257), {}),
        "cmyk.jpg": (rgb.convert("CMYK"), {}),
        "turned.jpg": (rgb, {"exif": turned}),
    }
    for name, (image, options) in odd.items():
        image.save(tmp_path / name, **options)
    whole = (tmp_path / "grey.png").read_bytes()
    claims = bytearray(whole)
    claims[16:24] = (200_000).to_bytes(4, "big") * 2  # width and height
    claims[29:33] = zlib.crc32(bytes(claims[12:29])).to_bytes(4, "big")
    bad = {"cut.png": whole[: len(whole) // 2], "claims.png": bytes(claims), "none.gif": b""}
    for name, content in bad.items():
        (tmp_path / name).write_bytes(content)
    assert command(*(tmp_path / name for name in (*odd, *bad)), *WORDS, "--batch", "3") == 1
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == len(bad)
    for name, line in zip(bad, errors, strict=True):
        assert line.startswith("panoptic image: left out: ")
        assert name in line
    coco = CocoPanoptic.open(tmp_path / "out" / "panoptic.json")
    sizes = {i["file_name"]: (i["width"], i["height"]) for i in coco.images.values()}
    assert sizes == {
        **dict.fromkeys(odd, (120, 90)),
        **{"portrait.png": (40, 90), "pixel.png": (1, 1), "turned.jpg": (90, 120)},
    }
    assert np.array_equal(coco.load(5).ids, coco.load(3).ids), "16 bits of grey are the same grey"


def test_same_command_same_bytes(command, picture_file, tmp_path):
    written = []
    for _ in range(2):
        assert command(picture_file, *WORDS, "--overwrite") == 0
        out = tmp_path / "out"
        written.append({p.name: p.read_bytes() for p in out.rglob("*.png")})
        written[-1]["json"] = (out / "panoptic.json").read_bytes()
    assert written[0] == written[1]


def test_no_more_things_than_asked_for(command, picture_file, tmp_path):
    def things():
        result = CocoPanoptic.open(tmp_path / "out" / "panoptic.json").load(1)
        return len(result.things)

    low = ["--box-threshold", "0.1", "--text-threshold", "0.1"]
    assert command(picture_file, *WORDS, *low) == 0
    assert things() > 1
    assert command(picture_file, *WORDS, *low, "--max-boxes", "1", "--overwrite") == 0
    assert things() == 1


def test_words_from_a_file_and_steps_explained(command, picture_file, tmp_path):
    words = tmp_path / "words.yaml"
    words.write_text("things: {car: [red car]}\nstuff: [road]\n")
    assert command(picture_file, "--vocabulary", words, "--explain") == 0
    steps = tmp_path / "out" / "explain" / "street"
    assert (steps / "sheet.png").is_file()
    assert "Things asked: car\n" in (steps / "explain.txt").read_text()


def test_pictures_that_cannot_be_read_are_left_out(command, picture_file, tmp_path, capsys):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n")
    folder = tmp_path / "more"
    folder.mkdir()
    again = folder / "street.png"
    Image.open(picture_file).save(again)
    assert command(picture_file, broken, again, *WORDS, "--batch", "2") == 1
    streams = capsys.readouterr()
    assert "left out" in streams.err
    assert "broken.png" in streams.err
    content = json.loads((tmp_path / "out" / "panoptic.json").read_text())
    assert [i["file_name"] for i in content["images"]] == ["street.jpg", "street.png"]
    pngs = {a["file_name"] for a in content["annotations"]}
    assert pngs == {"street.png", "street-2.png"}
    assert {p.name for p in (tmp_path / "out" / "overlays").iterdir()} == pngs


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "say what to look for"),
        (["--things", "car", "--vocabulary", "x.yaml"], "either in a --vocabulary file"),
        (["--vocabulary", "nowhere.yaml"], "nowhere.yaml"),
        (["--things", "car; dog"], "no ';'"),
        (["--things", "car, car"], "occurs twice"),
        (["--things", "car", "--stuff", "car"], "both a thing"),
        (["--things", "zeppelin"], "zeppelin"),
        ([*WORDS, "--max-boxes", "0"], "max_boxes must be"),
        ([*WORDS, "--box-threshold", "7"], "box_threshold must be in [0, 1]"),
        ([*WORDS, "--background", "-1"], "background must be in [0, 1)"),
        ([*WORDS, "--device", "abacus"], "there is no device 'abacus'; there are"),
        ([*WORDS, "--batch", "0"], "Invalid value for '--batch'"),
        ([*WORDS, "--sam2", "nobody/nothing"], "nobody/nothing"),
    ],
)
def test_mistakes_are_one_line_and_code_2(
    command, picture_file, tmp_path, capsys, arguments, message
):
    assert command(picture_file, *arguments) == 2
    error = last_line(capsys)
    assert error.startswith("panoptic image: error: ")
    assert message in error
    assert not list(tmp_path.glob("out/**/*.json"))
    assert not list(tmp_path.glob("out/**/*.png"))


def test_pictures_that_are_not_there(command, tmp_path, capsys):
    assert command(tmp_path / "missing.jpg", *WORDS) == 2
    assert "missing.jpg' is not there" in last_line(capsys)
    assert command(tmp_path, *WORDS) == 2
    assert "is a folder; name the pictures in it" in last_line(capsys)
    text = tmp_path / "text.jpg"
    text.write_text("no picture")
    assert command(text, *WORDS) == 2
    assert "none of the 1 pictures can be read" in last_line(capsys)
    assert not list(tmp_path.glob("out/**/*.json"))


def test_the_output_must_be_a_folder(picture_file, models_folder, capsys):
    models = ["--models", str(models_folder)]
    assert main(["image", str(picture_file), *WORDS, *models, "-o", str(picture_file)]) == 2
    assert "street.jpg" in last_line(capsys)


def test_models_that_are_not_here_name_those_that_are(picture_file, tmp_path):
    """In a process of its own: the hub's library looks at its switches when it is imported."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "cache")}
    command = [sys.executable, "-m", "panoptic.cli", "image", str(picture_file), *WORDS]
    done = subprocess.run(
        [*command, "--models", "small", "-o", str(tmp_path / "out")],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert "IDEA-Research/grounding-dino-tiny" in done.stderr
    assert "--models demo" in done.stderr
    assert not (tmp_path / "out" / "panoptic.json").exists()


def test_words_that_the_demo_models_cannot_know_are_told_at_once(picture_file, tmp_path, capsys):
    out = ["-o", str(tmp_path / "out"), "--models", "demo"]
    assert main(["image", str(picture_file), "--things", "cat, dentist", *out]) == 2
    error = last_line(capsys)
    assert "no word for 'dentist'" in error
    assert "octopus" in error
    assert main(["image", str(picture_file), "--stuff", "cat", *out]) == 2
    assert "they know sky, grass" in last_line(capsys)
