"""Each set from its folder to the table, by one command; killed in between, and gone on with."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from panoptic.benchmark.published import PUBLISHED
from panoptic.cli import main
from panoptic.formats.coco_panoptic import CocoPanoptic
from panoptic.formats.davis import read_indices
from panoptic.formats.vipseg import VipsegVideos
from tests.panoptic.benchmark import published_layouts as published
from tests.panoptic.commands.shell import last_line


def result(out):
    return json.loads((out / "benchmark.json").read_text())


def contents(out, *folders):
    return {
        str(path.relative_to(out)): path.read_bytes()
        for folder in folders
        for path in sorted((out / folder).rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize(
    ("name", "make", "files"),
    [
        ("coco", published.coco, ["predictions.json", "labelled/labels"]),
        ("ade20k", published.ade20k, ["predictions.json", "labelled/labels"]),
    ],
)
def test_pictures_from_folder_to_table(name, make, files, benchmark, tmp_path, capsys):
    root, out = make(tmp_path / "data", 2), tmp_path / "out"
    assert benchmark(name, root, "--limit", 1) == 0
    first = result(out)
    size = PUBLISHED[name].size
    assert (first["done"], first["total"], first["whole_set"]) == (1, 2, False)
    table = (out / "benchmark.md").read_text()
    assert f"**Not the whole set:** the first 1 of its {size:,} pictures" in table
    assert benchmark(name, root) == 2
    assert "go on with what is there (--resume)" in last_line(capsys)

    labelled = contents(out, "labelled/labels")
    assert benchmark(name, root, "--resume") == 0
    assert labelled.items() < contents(out, "labelled/labels").items()
    whole = result(out)
    assert whole["done"] == whole["total"] == 2
    assert whole["scores"]["PQ"] > 40  # the demo models know the words that occur
    assert whole["run"]["settings changed"] == "none"
    table = (out / "benchmark.md").read_text()
    assert f"**Not the whole set:** 2 of its {size:,} pictures" in table
    for figure in PUBLISHED[name].figures:
        assert f"| {figure.method} | {figure.value:.1f} |" in table
        assert figure.source in table
    assert f"| {whole['scores']['PQ']:.1f} |" in table

    # The predictions are the set's own: any evaluation of COCO panoptic files takes them.
    numbers = tmp_path / "numbers.json"
    truth = {"coco": "annotations/panoptic_val2017.json", "ade20k": "ade20k_panoptic_val.json"}
    line = ["eval", out / files[0], root / truth[name], "--prediction-folder", out / files[1]]
    assert main([*map(str, line), "--json", str(numbers)]) == 0
    assert 100 * json.loads(numbers.read_text())["all"]["pq"] == pytest.approx(
        whole["scores"]["PQ"]
    )
    predicted = CocoPanoptic.open(out / files[0], out / files[1])
    assert (
        predicted.categories
        == CocoPanoptic.open(
            root / truth[name], root / truth[name].removesuffix(".json")
        ).categories
    )


def test_ade20k_from_its_semantic_and_instance_labels(benchmark, tmp_path):
    root = published.ade20k_parts(tmp_path / "data")
    assert benchmark("ade20k", root, "--limit", 1) == 0
    found = result(tmp_path / "out")
    assert (found["done"], found["total"]) == (1, 3)
    assert found["scores"]["PQ"] > 40


def test_vipseg_from_folder_to_table(benchmark, tmp_path):
    root, out = published.vipseg(tmp_path / "VIPSeg_720P", frames=2), tmp_path / "out"
    assert benchmark("vipseg", root, "--limit", 1) == 0
    first = contents(out, "vipseg/pan_pred")
    assert result(out)["done"] == 1
    assert benchmark("vipseg", root, "--resume") == 0
    assert first.items() < contents(out, "vipseg/pan_pred").items()
    found = result(out)
    assert found["done"] == 2
    assert found["scores"]["VPQ"] > 40
    predicted, truth = VipsegVideos.open(out), VipsegVideos.open(root)
    assert predicted.categories == truth.categories
    assert predicted.annotations.keys() == truth.annotations.keys()
    for video in truth.annotations:
        assert predicted.file_names(video) == truth.file_names(video)
    assert "| OV-DVIS++ (ConvNeXt-L, offline) | 30.4 |" in (out / "benchmark.md").read_text()


def test_davis_killed_and_gone_on_with(benchmark, models, tmp_path):
    root, out = published.davis(tmp_path / "DAVIS", frames=4), tmp_path / "out"
    whole = tmp_path / "undisturbed"
    line = ["benchmark", "davis", "--data", root, "--models", models, "-o"]
    line = [*map(str, line), str(out), "--device", "cpu", "--dtype", "float32"]
    process = subprocess.Popen(
        [sys.executable, "-m", "panoptic.cli", *line],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
    )
    while process.poll() is None and not (out / "clips" / "clip-0.json").exists():
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (out / "benchmark.md").exists()
    # A kill just before that record leaves the same, and a file may be cut short.
    (out / "clips/clip-0.json").unlink()
    (out / "predictions/clip-0/00001.png").write_bytes(b"\x89PNG")
    (out / "predictions/clip-0/00009.png").write_bytes(b"of a longer clip")
    assert main([*line, "--resume"]) == 0
    assert main([*line[:-5], str(whole), *line[-4:]]) == 0
    assert contents(out, "predictions") == contents(whole, "predictions")
    assert result(out)["evaluation"] == result(whole)["evaluation"]
    assert "| SAM 2.1 large | 90.7 |" in (out / "benchmark.md").read_text()

    # J by its definition: objects over frames without the first and the last.
    scores = []
    for video in ("clip-0", "clip-1"):
        truth = root / "Annotations/480p" / video
        for id in (1, 2):
            pairs = [
                (read_indices(p) == id, read_indices(truth / p.name) == id)
                for p in sorted((out / "predictions" / video).glob("*.png"))[1:-1]
            ]
            scores.append(np.mean([(a & b).sum() / (a | b).sum() for a, b in pairs]))
    assert result(out)["scores"]["J"] == pytest.approx(100 * np.mean(scores))

    times = {path: path.stat().st_mtime_ns for path in (out / "predictions").rglob("*.png")}
    (out / "predictions/clip-1/00002.png").unlink()
    assert main([*line, "--resume"]) == 0
    assert contents(out, "predictions") == contents(whole, "predictions")
    anew = {path.parent.name for path, time in times.items() if path.stat().st_mtime_ns != time}
    assert anew == {"clip-1"}


def test_sa_v_from_folder_to_table(benchmark, tmp_path):
    root = published.sa_v(tmp_path / "sav_test", frames=13, late=(2, 6))
    out = tmp_path / "out"
    assert benchmark("sa-v", root, "--limit", 1) == 0
    assert result(out)["set"] == "SA-V, test, semi-supervised"
    assert benchmark("sa-v", root, "--resume") == 0
    found = result(out)
    assert (found["done"], found["whole_set"]) == (2, False)
    assert found["scores"]["J&F"] > 50
    assert "| SAM 2.1 large | 79.5 |" in (out / "benchmark.md").read_text()
    true, ours = (
        {str(p.relative_to(folder)) for p in folder.rglob("*.png")}
        for folder in (root / "Annotations_6fps", out / "predictions")
    )
    assert ours == true
    for object, expected in (("000", [False, True, True, True]), ("001", [False] * 2 + [True] * 2)):
        folder = out / "predictions" / "sav_000000" / object
        pngs = [folder / f"{number:05d}.png" for number in (0, 4, 8, 12)]
        assert [bool(np.asarray(Image.open(png)).any()) for png in pngs] == expected


def test_a_run_is_one_request(benchmark, tmp_path, capsys):
    root = published.davis(tmp_path / "DAVIS", seeds=(0,), frames=3)
    assert benchmark("davis", root) == 0
    assert benchmark("davis", root, "--resume", "--dtype", "bfloat16") == 2
    assert "dtype was 'float32', is 'bfloat16'" in last_line(capsys)
    data = published.sa_v(tmp_path / "sav_val", seeds=(0,), frames=1)
    assert benchmark("sa-v", data, "--resume") == 2
    assert "set was 'davis', is 'sa-v val'" in last_line(capsys)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (("davis", "--detector", "google/owlv2-base"), "davis is SAM 2 alone"),
        (("davis", "--set", "video.cut_ratio=4"), "video.cut_ratio can't be meant"),
        (("davis", "--workers", "2"), "--workers: only coco and ade20k"),
        (("coco", "--fill-unknown"), "no fill_unknown"),
    ],
)
def test_what_a_set_has_no_use_for_is_refused(line, told, benchmark, tmp_path, capsys):
    name, *more = line
    assert benchmark(name, tmp_path, *more) == 2
    assert told in last_line(capsys)


def test_a_folder_of_something_else_is_told_by_the_command(benchmark, tmp_path, capsys):
    data = published.davis(tmp_path / "DAVIS", seeds=(0,), frames=3)
    assert benchmark("coco", data) == 2
    line = last_line(capsys)
    assert "isn't COCO panoptic, val2017 as it is published" in line
    assert "found Annotations/, ImageSets/, JPEGImages/" in line
    assert not (tmp_path / "out").exists()


def test_a_picture_without_a_label_leaves_no_figure(benchmark, tmp_path, capsys):
    root = published.coco(tmp_path / "coco", 1)
    [picture] = (root / "val2017").iterdir()
    good = picture.read_bytes()
    picture.write_bytes(b"no picture")
    assert benchmark("coco", root) == 1
    assert "1 pictures couldn't be labelled" in last_line(capsys)
    assert not (tmp_path / "out" / "benchmark.md").exists()
    picture.write_bytes(good)
    assert benchmark("coco", root, "--resume") == 0
    assert result(tmp_path / "out")["done"] == 1


def test_a_picture_that_is_not_there_is_told_before_models_are_loaded(benchmark, tmp_path, capsys):
    root = published.coco(tmp_path / "coco", 2)
    (root / "val2017" / "000000000285.jpg").unlink()
    assert benchmark("coco", root, "--sam2", root) == 2
    line = last_line(capsys)
    assert "1 of 2 pictures that" in line
    assert "the first is '000000000285.jpg'" in line
