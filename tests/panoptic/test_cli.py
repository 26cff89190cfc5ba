import json
import os
import re
import signal
import subprocess
import sys
import zlib
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pytest
from PIL import Image
from typer import Argument, Option, Typer
from typer.main import get_command

from panoptic.cli import main
from panoptic.coco import CocoPanoptic, CocoPanopticWriter
from panoptic.commands.command import add
from panoptic.presets import PRESETS
from panoptic.segmentation import PanopticSegmentation, Segment
from panoptic.video.layouts.vipseg_writer import VipsegWriter

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


def last_line(capsys):
    return capsys.readouterr().err.strip().splitlines()[-1]


def test_a_picture_becomes_an_overlay_and_coco_files(command, picture_file, tmp_path, capsys):
    assert command(picture_file, *WORDS) == 0
    out = tmp_path / "out"
    assert sorted(str(p.relative_to(out)) for p in out.rglob("*") if p.is_file()) == [
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
        assert command(picture_file, *WORDS) == 0
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
    assert command(picture_file, *WORDS, *low, "--max-boxes", "1") == 0
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


def panoptic(*arguments, **options):
    command = [sys.executable, "-m", "panoptic.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, **options)


def in_a_terminal(*arguments, columns=100):
    """What a command shows on a terminal so wide (colours left away), and its code."""
    ours, theirs = os.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "TERM": "xterm", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "panoptic.cli", *map(str, arguments)]
    process = subprocess.Popen(command, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 65_536)
        except OSError:  # how Linux says that the other side is closed
            break
        if not part:
            break
        shown += part
    os.close(ours)
    return process.wait(), re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())


def test_help_is_quick_and_complete():
    code = (
        "import sys\nfrom panoptic.cli import main\n"
        "main(['--help']), main(['image', '--help'])\n"
        "print([m for m in ('torch', 'transformers', 'numpy') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip().splitlines()[-1] == "[]"
    for name in ("image", "demo", "eval", "models"):
        assert f"\n│ {name} " in out.stdout
    for panel in ("Label", "Measure", "Look up", "Words", "Models", "Settings"):
        assert f"\n╭─ {panel} ─" in out.stdout
    assert "  panoptic image street.jpg --things" in out.stdout


def test_without_a_command_there_is_help(capsys):
    assert main([]) == 2
    assert "Usage: panoptic" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["label"], "panoptic: error: No such command 'label'"),
        (["image", "--think", "car"], "panoptic image: error: No such option: --think"),
        (["image"], "panoptic image: error: Missing argument 'PICTURE'"),
        (["eval", "a.json"], "panoptic eval: error: Missing argument 'truth'"),
        (
            ["image", "a.jpg", "--dtype", "int8"],
            "panoptic image: error: Invalid value for '--dtype'",
        ),
        (["image", "a.jpg", "--seed", "x"], "panoptic image: error: Invalid value for '--seed'"),
    ],
)
def test_command_lines_that_make_no_sense(capsys, arguments, message):
    assert main(arguments) == 2
    assert last_line(capsys).startswith(message)


def test_traceback_shows_where_an_error_came_from(tmp_path):
    given = ["eval", str(tmp_path / "no.json"), str(tmp_path / "no.json")]
    short = panoptic(*given)
    assert short.returncode == 2
    assert len(short.stderr.splitlines()) == 1
    for long in (panoptic("--traceback", *given), panoptic(*given, "--traceback")):
        assert long.returncode == 1
        assert "Traceback (most recent call last)" in long.stderr
        assert "no.json" in long.stderr


def test_interrupted_is_130(picture_file, tmp_path):
    """A signal while the command waits for a picture that never comes."""
    pipe = tmp_path / "never.json"
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "panoptic.cli", "eval", str(pipe), str(pipe)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    with open(pipe, "w"):  # returns when the command has opened its end
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=120)
    assert process.returncode == 130
    assert error == "interrupted\n"


def test_a_reader_that_leaves_is_no_error():
    shell = f"{sys.executable} -m panoptic.cli models | true; exit ${{PIPESTATUS[0]}}"
    out = subprocess.run(["bash", "-c", shell], capture_output=True, text=True)
    assert (out.returncode, out.stderr) == (0, "")


def command_line(run):
    """A command line with the command ``work`` alone."""
    app = Typer()
    add(app, "work", run, panel="Work")
    app.callback()(lambda traceback=False: None)
    return lambda *given: get_command(app).main(["work", *given], "x", standalone_mode=False)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("CUDA out of memory. Tried to allocate 2 GiB.\nmore"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"),
    ],
)
def test_too_little_memory_is_told_in_a_line(capsys, error):
    def run() -> int:
        raise error

    work = command_line(run)
    assert work() == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("panoptic work: error: out of memory (")
    assert "--batch" in lines[0]
    with pytest.raises(type(error)):
        work("--traceback")


def test_mistakes_of_the_program_keep_their_traceback():
    def run() -> int:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        command_line(run)()


def test_groups_of_options_are_options():
    @dataclass(frozen=True)
    class Size:
        width: Annotated[int, Argument()]
        height: Annotated[int, Option(min=1)] = 3

    seen = []

    def run(size: Size, colour: Annotated[str, Option()] = "red") -> int:
        """Paint."""
        seen.append((size, colour))
        return 1

    assert command_line(run)("4", "--colour", "blue") == 1
    assert seen == [(Size(4, 3), "blue")]


def test_models_are_listed_with_licence_and_place(capsys):
    assert main(["models"]) == 0
    printed = capsys.readouterr().out
    for name, preset in PRESETS.items():
        assert name in printed
        assert preset.about in printed
        for source in (preset.things, preset.stuff, preset.sam2):
            if name != "demo":
                rows = [line for line in printed.splitlines() if f" {source} " in line]
                assert rows
                assert all(row.endswith(("yes", "no")) for row in rows)
    assert "without the weights" in printed


def test_models_knows_what_is_in_the_cache(tmp_path):
    for number, name in enumerate(("config.json", "model.safetensors")):
        where = tmp_path / "models--facebook--sam2.1-hiera-tiny"
        (where / "refs").mkdir(parents=True, exist_ok=True)
        (where / "refs" / "main").write_text("abc")
        (where / "snapshots" / "abc").mkdir(parents=True, exist_ok=True)
        (where / "snapshots" / "abc" / name).write_text("{}")
        done = panoptic("models", env={**os.environ, "HF_HUB_CACHE": str(tmp_path)})
        rows = [re.split("  +", line.strip()) for line in done.stdout.splitlines()]
        here = {row[2]: row[-1] for row in rows if len(row) == 6}
        assert here["facebook/sam2.1-hiera-tiny"] == ("no", "yes")[number]
        assert here["facebook/sam2.1-hiera-large"] == "no"
        assert here["in this package"] == "yes"


def write_coco(folder, name, categories, ids, segments):
    with CocoPanopticWriter(folder, name, categories) as writer:
        writer.add(PanopticSegmentation.from_ids(ids, segments), "a.jpg")
    return str(folder / f"{name}.json")


def test_eval_prints_the_panoptic_quality(tmp_path, capsys):
    ids = np.ones((4, 4), np.int32)
    ids[:, 2:] = 2
    shifted = np.ones((4, 4), np.int32)
    shifted[:, 3:] = 2
    truth = write_coco(
        tmp_path, "truth", [], ids, [Segment(1, 7, "sky", False, 1), Segment(2, 9, "car", True, 1)]
    )
    same = [Segment(1, 7, "sky", False, 1), Segment(2, 9, "car", True, 1)]
    prediction = write_coco(tmp_path, "prediction", [], shifted, same)
    numbers = tmp_path / "numbers.json"
    assert main(["eval", prediction, truth, "--json", str(numbers)]) == 0
    # sky: 8 of 12 pixels shared; car: 4 of 8, which is no match.
    assert json.loads(numbers.read_text())["all"]["pq"] == pytest.approx((8 / 12 + 0) / 2)
    row = next(x for x in capsys.readouterr().out.splitlines() if x.startswith("all"))
    assert row.split()[:3] == ["all", "33.3", "33.3"]
    own = [Segment(1, 1, "sky", False, 1), Segment(2, 2, "car", True, 1)]
    renamed = write_coco(tmp_path, "renamed", [], ids, own)
    assert main(["eval", renamed, truth]) == 2
    assert "category 1" in last_line(capsys)
    assert main(["eval", renamed, truth, "--by-name"]) == 0
    assert "100.0" in capsys.readouterr().out
    assert main(["eval", str(tmp_path / "none.json"), truth]) == 2
    assert last_line(capsys).startswith("panoptic eval: error: ")


def test_a_narrow_terminal_breaks_names_and_cuts_none_off():
    code, shown = in_a_terminal("models", columns=70)
    assert code == 0
    assert "…" not in shown
    rows = [line for line in shown.splitlines() if line.rstrip().endswith(("yes", "no"))]
    assert len(rows) >= 3 * len(PRESETS)
    assert all(len(row) <= 70 for row in rows)


def test_on_a_terminal_eval_draws_a_table(tmp_path):
    sky = [Segment(1, 7, "sky [blue]", False, 1)]
    truth = write_coco(tmp_path, "truth", [], np.ones((4, 4), np.int32), sky)
    code, shown = in_a_terminal("eval", truth, truth)
    assert code == 0
    assert "─────" in shown
    row = next(line.split() for line in shown.splitlines() if line.strip().startswith("sky"))
    assert row == ["sky", "[blue]", "100.0", "100.0", "100.0", "1", "1", "0", "0"]
    plain = panoptic("eval", truth, truth).stdout
    assert "─" not in plain
    assert "sky [blue]  100.0  100.0  100.0        1   1   0   0" in plain


def test_eval_understands_videos(tmp_path, capsys):
    ids = np.ones((4, 4), np.int32)
    for folder, ends in (("truth", 1), ("prediction", 2)):
        writer = VipsegWriter(tmp_path / folder, "clip")
        for id in (1, ends):  # the prediction's id changes
            segment = Segment(id, 9, "car", True, 1)
            writer.add(PanopticSegmentation.from_ids(id * ids, [segment]))
        writer.close()
    folders = [str(tmp_path / "prediction"), str(tmp_path / "truth")]
    numbers = tmp_path / "numbers.json"
    assert main(["eval", *folders, "--layout", "vipseg", "--json", str(numbers)]) == 0
    # One frame: right; both: 16 of 32 pixels, no match; longer windows have no tubes.
    windows = json.loads(numbers.read_text())["vpq"]["all"]["windows"]
    assert [windows[k]["pq"] for k in ("1", "2")] == [1, 0]
    printed = capsys.readouterr().out
    assert printed.startswith("1 videos, 2 frames\n")
    assert "STQ" in printed
    assert main(["eval", *folders, "--layout", "davis"]) == 2
    assert main(["eval", *folders, "--layout", "davis", "--by-name"]) == 2
    assert "has no categories" in last_line(capsys)
    assert main(["eval", *folders, "--layout", "vipseg", "--truth-folder", "x"]) == 2
    assert "belong to the layout coco" in last_line(capsys)
