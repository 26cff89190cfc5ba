"""The shape of all benchmarks: options, files, the verdict as the last line, and the exit code."""

from __future__ import annotations

import importlib
import json
import pkgutil

import numpy as np
import pytest
import torch

import benchmarks
from benchmarks.lib.frame import (
    MISSED,
    PASSED,
    RESULTS,
    UNABLE,
    Benchmark,
    Bound,
    NotMeasured,
    Outcome,
    add_device,
)


@pytest.fixture(autouse=True)
def _threads_as_before():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)  # a quick run takes one


def modules() -> list[str]:
    """All that can be run by ``python -m``; what they share is in ``lib`` and ``standins``."""
    found = [f"benchmarks.{m.name}" for m in pkgutil.iter_modules(benchmarks.__path__)]
    for shared in ("lib", "standins"):
        found.remove(f"benchmarks.{shared}")
    return [*found, "benchmarks.parity.automatic"]


def benchmark_of(module: str) -> Benchmark:
    try:
        return importlib.import_module(f"{module}.__main__").BENCHMARK
    except ModuleNotFoundError as error:
        if error.name != f"{module}.__main__":
            raise
        return importlib.import_module(module).BENCHMARK


def measure(arguments):
    """How many of some numbers lie above 0.9: a small figure that is measured."""
    if arguments.count == 0:
        raise NotMeasured("it needs numbers: give --count")
    numbers = np.random.default_rng(0).random(arguments.count)
    share = float((numbers > 0.9).mean())
    stem = None if arguments.part else ""
    text = f"| share |\n|---|\n| {share} |"
    return Outcome(
        {"share": share}, text, "some are large", [Bound("share", share, arguments.least)], stem
    )


def options(parser):
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--least", type=float, default=0.05)
    parser.add_argument("--part", action="store_true")


SHARES = Benchmark(
    "benchmarks.shares", "Numbers.", measure, options, quick={"count": 10}, quick_means="ten"
)


def test_a_run_names_the_machine_first_and_ends_with_its_verdict(tmp_path, capsys):
    file = tmp_path / "new" / "shares.json"
    assert SHARES.run(["--json", str(file), "--no-results"]) == PASSED
    lines = capsys.readouterr().out.splitlines()
    assert "-core" in lines[0]
    assert "torch" in lines[0]
    assert lines[-1] == "shares: PASS: some are large"
    content = json.loads(file.read_text())
    assert content["benchmark"] == "benchmarks.shares"
    assert content["machine"] == lines[0]
    assert content["verdict"] == lines[-1]
    assert content["arguments"]["count"] == 1000
    [bound] = content["bounds"]
    assert bound == {
        **{"name": "share", "value": content["numbers"]["share"]},
        **{"least": 0.05, "most": None, "missed": False},
    }


def test_a_missed_bound_is_told_and_is_the_exit_code(tmp_path, capsys):
    file = tmp_path / "shares.json"
    assert SHARES.run(["--least", "0.5", "--no-results", "--json", str(file)]) == MISSED == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("shares: MISSED: share 0.")
    assert "(at least 0.5)" in last
    assert json.loads(file.read_text())["bounds"][0]["missed"]


@pytest.mark.parametrize(
    ("bound", "missed"),
    [
        (Bound("a", 1.0, least=1.0, most=1.0), False),
        (Bound("a", 0.9, least=1.0), True),
        (Bound("a", 1.1, most=1.0), True),
        (Bound("a", float("nan"), least=0.0), True),
        (Bound("a", float("nan"), most=0.0), True),
    ],
)
def test_bounds(bound, missed):
    assert bound.missed is missed


def test_a_quick_run_takes_small_values_where_none_are_given(tmp_path):
    file = tmp_path / "shares.json"

    def count(*given):
        SHARES.run([*given, "--no-results", "--json", str(file)])
        return json.loads(file.read_text())["arguments"]["count"]

    assert count() == 1000
    assert count("--quick") == 10
    assert count("--quick", "--count", "100") == 100
    assert count("--quick", "--count", "1000") == 1000  # the default, but given


def test_results_are_written_where_they_are_wanted_and_never_by_a_quick_run(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.lib.frame.RESULTS", tmp_path / "results")
    for given in (["--quick"], ["--no-results"], ["--part"]):
        SHARES.run(given)
        assert not (tmp_path / "results").exists()
    SHARES.run(["--quick", "--results", str(tmp_path / "own")])
    assert {p.name for p in (tmp_path / "own").iterdir()} == {"shares.json", "shares.md"}
    SHARES.run([])
    assert json.loads((tmp_path / "results/shares.json").read_text()).keys() == {"share"}
    text = (tmp_path / "results/shares.md").read_text()
    assert text.startswith("| share |")
    assert "shares: PASS: some are large" in text
    assert "-core" in text


def test_what_cannot_be_measured_says_what_to_do(capsys):
    assert SHARES.run(["--count", "0", "--no-results"]) == UNABLE
    assert capsys.readouterr().out.splitlines()[-1] == (
        "shares: NOT MEASURED: it needs numbers: give --count"
    )


def test_each_outcome_of_a_long_one_is_written_and_the_last_is_judged(tmp_path):
    file = tmp_path / "steps.json"
    written = []

    def steps(arguments):
        for step in range(3):
            yield Outcome({"step": step}, "", "step", [Bound("step", step, least=2)])
            written.append(json.loads(file.read_text())["numbers"]["step"])

    benchmark = Benchmark("benchmarks.steps", "Steps.", steps, keeps_results=False)
    assert benchmark.run(["--json", str(file)]) == PASSED
    assert written == [0, 1, 2]


def test_without_a_bound_it_says_that_it_only_measured(capsys):
    told = Benchmark("benchmarks.told", "Told.", lambda _: Outcome({}, "", "7"), add_device)
    assert told.run(["--device", "cpu", "--no-results"]) == PASSED
    assert capsys.readouterr().out.endswith("\ntold: measured only, no bound: 7\n")


@pytest.mark.parametrize("module", modules())
def test_every_benchmark_has_this_shape(module, capsys):
    benchmark = benchmark_of(module)
    assert benchmark.module == module
    with pytest.raises(SystemExit, match="0"):
        benchmark.run(["--help"])
    told = capsys.readouterr().out
    assert f"usage: python -m {module}" in told
    for option in ("--quick", "--json FILE", "--results DIR", "--no-results"):
        assert option in told
    # Their quick runs leave something out, and say what.
    assert benchmark.quick_means
    # Values are those of options that there are.
    known = vars(benchmark.parser().parse_args([]))
    assert benchmark.quick.keys() <= known.keys()


def test_all_results_are_those_of_a_benchmark():
    names = {module.rpartition(".")[2] for module in modules()}
    names |= {"kill_ray", "checkpoints_gpu", "rules_before"}
    assert {path.stem for path in RESULTS.iterdir()} <= names
