import json
import logging
import re
import subprocess
import sys

import pytest

from panoptic.cli import main
from panoptic.dataset.store import DatasetStore
from tests.panoptic.commands.shell import one_by_one, run_in_a_terminal
from tests.panoptic.dataset.colours import fill

WORDS = ["--things", "car, dog", "--stuff", "road"]


@pytest.fixture
def source(tmp_path):
    fill(tmp_path / "in", 3)
    return tmp_path / "in"


def test_a_data_set_from_the_command_line(source, tmp_path, models_folder, capsys):
    out = tmp_path / "out"
    command = ["dataset", str(source), "--models", str(models_folder), "-o", str(out)]
    assert main([*command, *WORDS, "--format", "coco_panoptic"]) == 0
    assert "3 labelled in" in capsys.readouterr().out
    with DatasetStore.open(out) as store:
        assert len(store) == 3
        assert [c.name for c in store.vocabulary] == ["car", "dog", "road"]
    exported = list((out / "export/coco_panoptic").rglob("*.json"))
    images = sum(len(json.loads(p.read_text()).get("images", ())) for p in exported)
    assert images == 3

    (source / "broken.png").write_bytes(b"no picture")
    assert main([*command, *WORDS]) == 1
    told = capsys.readouterr()
    assert "3 labelled already, 1 to do" in told.err
    assert "no picture of a known format" in told.err
    assert "1 left out as broken" in told.out
    (source / "broken.png").unlink()
    assert main([*command, *WORDS]) == 0
    assert "1 never labelled and no longer in the source" in capsys.readouterr().out
    (source / "broken.png").write_bytes(b"no picture")

    assert main([*command, "--things", "car"]) == 2
    assert "--redo" in capsys.readouterr().err
    assert main([*command, "--things", "car", "--redo"]) == 1
    assert "3 labelled in" in capsys.readouterr().out


def test_every_broken_item_is_named(source, tmp_path, models_folder, capsys):
    for number in range(22):
        (source / f"broken-{number:02}.png").write_bytes(b"no picture")
    command = ["dataset", str(source), "--models", str(models_folder), "--batch", "1", *WORDS]
    # A program around that set up logging would write the lines a second time.
    logging.getLogger("panoptic").addHandler(handler := logging.StreamHandler(sys.stderr))
    try:
        assert main([*command, "-o", str(tmp_path / "out")]) == 1
    finally:
        logging.getLogger("panoptic").removeHandler(handler)
    lines = capsys.readouterr().err.splitlines()
    assert all(line.startswith("panoptic dataset: ") for line in lines if "left out" in line)
    named = [line for line in lines if "dataset: left out: " in line]
    assert len(named) == len(set(named)) == 22
    assert all("broken-" in line for line in named)
    log = logging.getLogger("panoptic.dataset")
    assert (log.handlers, log.propagate, log.level) == ([], True, logging.NOTSET)


def test_on_a_terminal_there_is_a_bar(source, tmp_path, models_folder):
    (source / "broken.png").write_bytes(b"no picture")
    out = tmp_path / "out"
    commands = one_by_one(
        ["dataset", source, "--models", models_folder, "--device", "cpu", *WORDS, "-o", out],
        ["report", out],
        ["export", out, "--format", "coco_panoptic"],
    )
    code, shown = run_in_a_terminal(commands, columns=200)
    assert code == 0, shown
    text, report, export, _ = re.split(r"exit \d\s", shown)
    assert re.findall(r"exit (\d)", shown) == ["1", "0", "0"]
    assert "4/4 items" in text
    assert re.search(r"panoptic dataset: left out: \S*broken\.png", text)
    assert "panoptic dataset: on cpu in " in text
    assert "6/6 steps" in report
    assert "3/3 items" in export


def test_the_parent_of_several_workers_never_loads_the_models(source, tmp_path, models_folder):
    program = (
        "import sys; from panoptic.cli import main; code = main(sys.argv[1:]); "
        "print(sorted(m for m in sys.modules if m.startswith('transformers.models.'))); "
        "sys.exit(code)"
    )
    given = [str(source), "--models", str(models_folder), "-o", str(tmp_path / "out"), *WORDS]
    command = [sys.executable, "-c", program, "dataset", *given, "--workers", "2"]
    done = subprocess.run(
        [*command, "--device", "cpu", "--dtype", "bfloat16"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "panoptic dataset: 2 workers on cpu in bfloat16" in done.stderr
    assert "3 labelled in" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["{in}"], "say what to look for"),
        (["{in}/nothing", *WORDS], "there is no"),
        (["{in}", *WORDS, "--format", "nonsense"], "no format is called 'nonsense'"),
        (["{in}", *WORDS, "--images", "{in}"], "belongs to a COCO JSON"),
        (["{in}", *WORDS, "--engine", "steam"], "steam"),
        (["{in}", *WORDS, "--device", "abacus"], "there is no device 'abacus'; there are"),
        (["{in}", *WORDS, "--device", "abacus", "--workers", "2"], "there is no device 'abacus'"),
        (["{in}", *WORDS, "--dtype", "float64"], "float64"),
    ],
)
def test_what_makes_no_sense_is_told_before_models_are_loaded(
    source, tmp_path, capsys, arguments, told
):
    arguments = [argument.replace("{in}", str(source)) for argument in arguments]
    out = tmp_path / "out"
    assert main(["dataset", *arguments, "--models", "none such", "-o", str(out)]) == 2
    assert told in capsys.readouterr().err
    assert not out.exists()
