import os
import subprocess
import sys

import pytest

from panoptic.io.progress import ProgressBar, shown
from tests.panoptic.commands.shell import run_in_a_terminal

WORK = """
import sys
from panoptic.io.progress import shown

def numbers(progress=True):
    with shown(progress, "sheep", 3) as tell:
        for number in range(3):
            tell(number + 1, 3)
            yield number
"""


def program(code):
    return [sys.executable, "-c", WORK + code]


def test_a_callback_is_called_as_it_is():
    calls = []
    with shown(lambda *call: calls.append(call), "sheep") as tell:
        tell(1, None)
        tell(2, 3)
    assert calls == [(1, None), (2, 3)]


@pytest.mark.parametrize("progress", [True, False])
def test_where_there_is_no_terminal_nothing_is_shown(progress, capfd):
    with shown(progress, "sheep") as tell:
        tell(0, None)
        tell(3, 3)
    assert tuple(capfd.readouterr()) == ("", "")


def test_colours_that_are_forced_are_no_terminal():
    done = subprocess.run(
        program("list(numbers())"),
        capture_output=True,
        text=True,
        env={**os.environ, "FORCE_COLOR": "1"},
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_on_a_terminal_there_is_a_bar_below_what_is_printed():
    code, text = run_in_a_terminal(program("for n in numbers(): print(f'number {n}')"))
    assert code == 0
    assert "3/3 sheep" in text
    for number in range(3):
        assert f"number {number}\r\n" in text


def test_what_is_printed_into_a_file_gets_there(tmp_path):
    with (tmp_path / "numbers").open("w") as file:
        code, text = run_in_a_terminal(program("for n in numbers(): print(n)"), stdout=file)
    assert code == 0
    assert "3/3 sheep" in text
    assert (tmp_path / "numbers").read_text() == "0\n1\n2\n"


def test_false_shows_nothing_on_a_terminal():
    assert run_in_a_terminal(program("list(numbers(False))")) == (0, "")


def test_work_within_shown_work_has_no_bar():
    code, text = run_in_a_terminal(
        program("with shown(True, 'flocks', 1) as tell: list(numbers()); tell(1, 1)")
    )
    assert code == 0
    assert "1/1 flocks" in text
    assert "sheep" not in text
    code, text = run_in_a_terminal(program("list(numbers()); list(numbers())"))
    assert text.count("3/3 sheep") >= 2  # one after the other, both


@pytest.mark.parametrize("left", ["del flock", "sys.exit()"])
def test_a_generator_that_is_left_takes_its_bar_along(left):
    code, text = run_in_a_terminal(program(f"flock = numbers(); next(flock); {left}; print('end')"))
    assert code == 0
    assert "1/3 sheep" in text
    assert ("end" in text) == (left == "del flock")
    assert "Traceback" not in text
    assert "Exception ignored" not in text


def test_a_stream_that_is_missing_is_no_terminal(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    monkeypatch.setattr(sys, "stdout", None)
    with ProgressBar("sheep") as bar:
        bar.advance()
