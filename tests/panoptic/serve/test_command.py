"""``panoptic serve`` on the command line: what is refused, a start, and a graceful end."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading

import numpy as np
import pytest
import requests

from panoptic.cli import main
from tests.panoptic.serve.servers import png


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch):
    for name in ("PANOPTIC_TOKEN", "LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--host", "0.0.0.0"], "--host 0.0.0.0 lets other machines in: give a token"),
        (["--host", "::"], "give a token"),
        (["--token", "short"], "16 or more characters"),
        (["--token", "with a space in the middle"], "16 or more characters"),
        (["--host", "no.such.host.invalid", "--token", "x" * 16], "no address of this machine"),
        (["--models", "demo", "--things", "zeppelin"], "no word for 'zeppelin'"),
        (["--set", "merge.visible=1"], "merge.visible"),
        (["--label-studio", "studio:8080"], "expected one such as"),
        (["--label-studio-files", "nowhere"], "'nowhere' is no folder"),
        (["--max-frames", "0"], "max-frames"),
    ],
)
def test_what_makes_no_sense_is_told_in_a_line(capsys, monkeypatch, tmp_path, arguments, told):
    monkeypatch.chdir(tmp_path)
    assert main(["serve", "--port", "0", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("panoptic serve: error: ")
    assert told in error


def test_a_token_in_the_environment_is_one(monkeypatch, capsys):
    monkeypatch.setenv("PANOPTIC_TOKEN", "short")
    assert main(["serve", "--port", "0", "--host", "0.0.0.0"]) == 2
    assert "16 or more characters" in capsys.readouterr().err


def test_a_port_that_is_taken_is_told(capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main(["serve", "--port", str(taken.getsockname()[1])]) == 2
    assert "can't be had" in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["starlette", "uvicorn", "python_multipart"])
def test_without_the_extra_it_says_how_to_get_it(capsys, monkeypatch, missing):
    for name in [*sys.modules]:
        if name.split(".")[0] == missing or name.startswith("panoptic.serve.server"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    assert main(["serve", "--models", "demo"]) == 2
    assert "pip install 'panoptic-anything[serve]'" in capsys.readouterr().err


@pytest.mark.slow
def test_it_starts_answers_and_ends_when_all_is_answered():
    """With the demo models, in a process of its own that is told to end by SIGTERM."""
    command = [sys.executable, "-m", "panoptic.cli", "serve", "--models", "demo", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--things", "cat", "--stuff", "grass"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=dict(os.environ),
    )  # fmt: skip
    try:
        address = re.fullmatch(r"panoptic serve: (http://127\.0\.0\.1:\d+/)\n",
                               process.stdout.readline())[1]  # fmt: skip
        assert requests.get(f"{address}health", timeout=60).json()["models"] == "demo"
        noise = np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)
        found = []

        def ask():
            found.append(requests.post(f"{address}images", files={"image": png(noise)}, timeout=60))

        asking = threading.Thread(target=ask)
        asking.start()
        while not requests.get(f"{address}health", timeout=60).json()["waiting"]:
            pass
        process.send_signal(signal.SIGTERM)
        asking.join()
        assert found[0].status_code == 200
        assert process.wait(timeout=60) in (0, -signal.SIGTERM)
        assert process.stdout.read() == ""
    finally:
        process.kill()
        process.wait()
