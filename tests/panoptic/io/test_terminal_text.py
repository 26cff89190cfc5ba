import io
import sys

from panoptic.io.terminal_text import harmless, harmless_output, one_line
from tests.panoptic.commands.shell import run_in_a_terminal

HOSTILE = "\x1b]52;c;ZXZpbA==\x07\x1b[2J\x9b31m\r\x08\u202egnp.txt\udcff[/red]"
SHOWN = r"\x1b]52;c;ZXZpbA==\x07\x1b[2J\x9b31m\r\x08\u202egnp.txt\udcff[/red]"


def test_what_steers_is_shown():
    assert harmless(HOSTILE) == SHOWN
    assert harmless("ü 絵\ta\nb") == "ü 絵\ta\nb"
    assert one_line("a\nb\tc") == r"a\nb\tc"


def test_all_that_is_printed_is_filtered_and_streams_come_back(monkeypatch):
    out, err = io.StringIO(), io.TextIOWrapper(io.BytesIO(), "ascii", write_through=True)
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    with harmless_output():
        print(HOSTILE, "ü")
        print(HOSTILE, "ü", file=sys.stderr)
        sys.stderr.write("\r50 %\x1b[31m")
        sys.stderr.write("\n\x1b[A")
        assert not sys.stdout.isatty()
    assert (sys.stdout, sys.stderr) == (out, err)
    assert out.getvalue() == f"{SHOWN} ü\n"
    lines = err.buffer.getvalue().decode()
    assert lines == SHOWN + " \\xfc\n" + "\r50 %\\x1b[31m\n\x1b[A"


def test_above_a_bar_nothing_steers_either():
    code = """
import sys
from panoptic.io.progress import ProgressBar
from panoptic.io.terminal_text import harmless_output
with harmless_output(), ProgressBar("sheep", 2) as bar:
    bar.say("one \\x1b]0;evil\\x07 [red]")
    print("two \\x1b[5mevil \\x9b5m [/x]")
    print("three \\x1b]0;evil\\x07", file=sys.stderr)
"""
    code, text = run_in_a_terminal([sys.executable, "-c", code])
    assert code == 0
    for line in (r"one \x1b]0;evil\x07 [red]", r"two \x1b[5mevil \x9b5m [/x]", r"three \x1b]0;ev"):
        assert line in text
    assert "\x07" not in text
    assert "\x1b]" not in text
