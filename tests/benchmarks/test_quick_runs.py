"""Some of the quickest benchmarks, run as a user does."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "smaller"),
    [
        ("benchmarks.demo_parity", ["--scenarios", "cut", "--frames", "8"]),
        ("benchmarks.quality", ["--scenes", "2", "--artwork", "seen"]),
        ("benchmarks.rules", ["--regime", "usual errors"]),
    ],
)
def test_a_quick_run_measures_and_leaves_the_results_alone(module, smaller, tmp_path):
    results = {p: p.stat().st_mtime_ns for p in (ROOT / "benchmarks/results").iterdir()}
    file = tmp_path / "quick.json"
    done = subprocess.run(
        [sys.executable, "-m", module, "--quick", "--json", str(file), *smaller],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "-core" in lines[0]
    assert lines[1].startswith("Quick: ")
    content = json.loads(file.read_text())
    assert lines[-1] == content["verdict"]
    assert "PASS" in lines[-1]
    assert content["bounds"]
    assert not any(bound["missed"] for bound in content["bounds"])
    assert results == {p: p.stat().st_mtime_ns for p in (ROOT / "benchmarks/results").iterdir()}


@pytest.mark.slow
def test_speed_measures_all_that_are_here_in_turns(tmp_path):
    file = tmp_path / "speed.json"
    command = [sys.executable, "-m", "benchmarks.speed", "--quick", "--json", str(file)]
    smaller = ["--objects", "2", "--rounds", "1", "--dtypes", "float32"]
    done = subprocess.run(
        [*command, *smaller], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    content = json.loads(file.read_text())
    assert content["bounds"] == []  # of so small a model nothing is said
    rows = content["numbers"]["rows"]
    assert {(row["what"], row["name"]) for row in rows} >= {
        ("encoder", "ours, exact"),
        ("encoder", "transformers"),
        ("2", "ours, exact"),
        ("2", "ours, compact"),
        ("2", "transformers"),
    }
    assert all(seconds > 0 for row in rows for seconds in row["processor"])
