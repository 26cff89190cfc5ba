"""What runs on a GPU, on the CPU at toy sizes: every kind of row, the budget, the table."""

from __future__ import annotations

import json
import time
from dataclasses import fields

import numpy as np
import pytest
import torch

import sam2core
from benchmarks import compose, gpu
from benchmarks.lib.frame import PASSED, UNABLE
from benchmarks.lib.gpu_subjects import boxes_of, masks
from benchmarks.lib.tracker_ways import tracker_ways
from sam2core import BankSettings, TrackerSettings


@pytest.fixture(autouse=True)
def _threads_as_before():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_every_kind_of_row_gives_its_figure(tmp_path):
    rows = list(gpu.rows(gpu.SMOKE, tmp_path, "cpu", torch.float32))
    assert len({(r.what, r.model, r.way, r.objects) for r in rows}) == len(rows)
    kinds = {(row.what, row.way): row for row in reversed(rows) if row.model == "tiny"}
    ways = {way.name for way in tracker_ways()}
    assert {way for what, way in kinds if what == "tracker"} == ways | {gpu.THEIRS}
    for row in kinds.values():
        found = gpu.time_row(row, gpu.SMOKE, "cpu", time.perf_counter() + 60)
        assert "failed" not in found
        assert found["a second"] > 0
        assert found.get("shown", row.objects) == row.objects


def test_the_ways_are_those_that_have_a_switch():
    names = {f.name for kind in (TrackerSettings, BankSettings) for f in fields(kind)}
    names |= set(sam2core.load.__kwdefaults__)
    offered = [n for n, s in (("compiled", "compile"), ("compact", "mode")) if s in names]
    assert [way.name for way in tracker_ways()] == ["eager", *offered]
    for way in tracker_ways():
        assert isinstance(way.tracker_settings(), TrackerSettings)


def test_rows_of_greatest_worth_come_first(tmp_path):
    rows = list(gpu.rows(gpu.WHOLE, tmp_path, "cpu", torch.float32))
    assert [(r.way, r.objects) for r in rows[:3]] == [("eager", 1), ("eager", 16), ("eager", 128)]
    assert {r.objects for r in rows if r.way == "eager" and r.model == "base-plus"} == {
        1,
        16,
        64,
        128,
    }
    assert not list(tmp_path.iterdir())  # nothing is made before its turn


def test_without_a_gpu_it_says_what_to_do(capsys):
    assert gpu.BENCHMARK.run(["--device", "cpu", "--no-results"]) == UNABLE
    assert "--smoke" in capsys.readouterr().out


def test_it_ends_by_itself_and_writes_what_it_has(tmp_path):
    file = tmp_path / "gpu.json"
    given = ["--smoke", "--device", "cpu", "--json", str(file), "--results", str(tmp_path / "r")]
    assert gpu.BENCHMARK.run([*given, "--budget", str(gpu.LEAST_LEFT + 2)]) == PASSED
    numbers = json.loads(file.read_text())["numbers"]
    assert 0 <= len(numbers["rows"]) < numbers["of"]
    assert not (tmp_path / "r").exists()


def test_a_row_that_does_not_end_is_ended():
    def subject():
        while True:
            try:
                time.sleep(0.01)
            except Exception:
                continue

    row = gpu.Row("tracker", "tiny", "eager", 1, subject)
    with pytest.raises(gpu.TimeUp), gpu.time_limit(0.2):
        gpu.time_row(row, gpu.SMOKE, "cpu", time.perf_counter() + 60)


def test_a_row_that_fails_says_why_and_stops_no_other():
    def subject():
        raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate")

    row = gpu.Row("tracker", "tiny", "eager", 1, subject)
    found = gpu.time_row(row, gpu.SMOKE, "cpu", time.perf_counter() + 5)
    assert found["failed"] == "OutOfMemoryError: CUDA out of memory."
    assert "CUDA out of memory" in gpu.table([found], "float32")


def row(way, objects, rate, what="tracker", exact=True, **more):
    same = {"what": what, "model": "tiny", "unit": "frames", "exact": exact}
    return {**same, "way": way, "objects": objects, "a second": rate, **more}


def test_the_best_exact_way_is_judged_and_set_beside_transformers():
    found = [
        row("eager", 1, 80.0),
        row("compiled", 1, 95.0),
        row("compact", 1, 200.0, exact=False),
        row(gpu.THEIRS, 1, 40.0),
        row("eager", 16, 20.0),
    ]
    one, few, most = gpu.bounds(found)
    assert (one.value, one.missed) == (95.0, False)
    assert (few.value, few.missed) == (20.0, True)
    assert most.missed  # not measured
    lines = gpu.table(found, "bfloat16").splitlines()
    assert "| tracker | tiny | compiled | 1 | 95 | 2.38 |" in "\n".join(lines)
    video = row("eager", 30, 5.0, what="panoptic video", shown=28)
    assert "| 30, of which 28 show | 5 |" in gpu.table([video], "bfloat16")


def test_masks_lie_side_by_side():
    found = masks(30, 90, 160)
    assert found.any((1, 2)).all()
    assert found.sum(0).max() == 1
    boxes = boxes_of(found)
    assert boxes.shape == (30, 4)
    x0, y0, x1, y1 = boxes[7].astype(int)
    assert found[7, y0:y1, x0:x1].sum() == found[7].sum()


def test_composing_is_measured_with_equal_maps():
    found = compose.measure_one(6, (54, 96), 2)
    assert found["same"]
    assert found["shown"] > 2
    assert found["milliseconds"]["now: all"] > 0
    assert [b.missed for b in compose.bounds([found])] == [False]
    slow = {"segments": 30, "size": [720, 1280], "same": False, "frames": 2, "shown": 30}
    stages = ("fill", "keep", "compose", "events", "all")
    times = {f"{way}: {stage}": 26.0 for way in ("before", "now") for stage in stages}
    slow |= {"milliseconds": times, "times as fast": 1.0}
    assert [b.missed for b in compose.bounds([found, slow])] == [True, True]
    assert "| NO |" in compose.table([slow])
    assert np.isfinite(found["times as fast"])
