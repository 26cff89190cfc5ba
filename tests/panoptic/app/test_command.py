"""``panoptic app`` on the command line: what is refused before anything is served."""

import socket
import sys

import pytest

from panoptic.cli import main


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere"], "there is no 'nowhere'"),
        (["empty"], "has no pictures or videos"),
        (["in", "--token", "short"], "16 or more"),
        (["in", "--token", "with/slashes/and.dots.in.it"], "16 or more"),
        (["in", "--models", "demo", "--things", "zeppelin"], "no word for 'zeppelin'"),
        (["in", "--set", "merge.visible=1"], "merge.visible"),
        (["in", "--things", "a; b"], "no ';'"),
    ],
)
def test_what_makes_no_sense_is_told_in_a_line(tmp_path, monkeypatch, capsys, arguments, told):
    (tmp_path / "empty").mkdir()
    (tmp_path / "in").mkdir()
    (tmp_path / "in/one.png").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    assert main(["app", "--no-browser", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("panoptic app: error: ")
    assert told in error
    assert not (tmp_path / "out").exists()


def test_a_port_that_is_taken_is_told(tmp_path, capsys):
    (tmp_path / "one.png").write_bytes(b"")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code = main(["app", str(tmp_path / "one.png"), "--no-browser", "--port", port])
    assert code == 2
    assert f"port {port} can't be had" in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["starlette", "uvicorn"])
def test_without_the_extra_it_says_how_to_get_it(tmp_path, capsys, monkeypatch, missing):
    for name in [*sys.modules]:
        if name.split(".")[0] == missing or name.startswith("panoptic.app.server"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    (tmp_path / "one.png").write_bytes(b"")
    assert main(["app", str(tmp_path / "one.png"), "--no-browser"]) == 2
    assert "pip install 'panoptic-anything[app]'" in capsys.readouterr().err
