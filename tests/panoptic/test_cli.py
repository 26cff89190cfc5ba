"""What holds for every command: help, exit codes, errors, interruption."""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import Annotated

import pytest
from typer import Argument, Option, Typer
from typer.main import get_command

from panoptic.cli import main
from panoptic.commands.command import add
from tests.panoptic.commands.shell import last_line, panoptic


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


def test_interrupted_is_130(tmp_path):
    """A signal while the command waits for a picture that never comes."""
    pipe = tmp_path / "never.json"
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "panoptic.cli", "eval", str(pipe), str(pipe)]
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        # A job in a shell's background ignores it, and its children would as well.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
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
