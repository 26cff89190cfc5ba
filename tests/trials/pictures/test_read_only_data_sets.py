"""A finished data set on a disk that can't be written, as archives and shared drives are."""

import shutil
import signal
import subprocess
import sys

import pytest

from panoptic.dataset.resumable_labelling import label_dataset
from panoptic.dataset.store import DatasetStore
from tests.panoptic.dataset.colours import WORDS, ColourLabeller, fill

READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'


def on_a_read_only_mount(folder, *command):
    """Runs a command in a name space of its own, where a folder can't be written, not by root
    either."""
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare")
    base = ["unshare", "-rm", "sh", "-c", READ_ONLY, str(folder)]
    if subprocess.run([*base, "true"], capture_output=True).returncode:
        pytest.skip("may not mount")
    return subprocess.run([*base, *command], capture_output=True, text=True)


def panoptic(folder, *arguments):
    return on_a_read_only_mount(folder, sys.executable, "-m", "panoptic.cli", *map(str, arguments))


@pytest.fixture(params=["finished", "killed"])
def data_set(request, tmp_path):
    """One whose run ended, and one with a log that a killed run left."""
    fill(tmp_path / "in", 4)
    out = tmp_path / "out"
    label_dataset(ColourLabeller(), tmp_path / "in", WORDS, out)
    if request.param == "killed":
        program = f"""
import os, signal
from pathlib import Path
from panoptic.dataset.manifest import Manifest
from panoptic.dataset.verdict_table import VerdictTable
manifest = Manifest(Path({str(out)!r}) / "manifest.sqlite", create=True)
VerdictTable(manifest).give("a/0001", "accept", "in the log")
os.kill(os.getpid(), signal.SIGKILL)
"""
        done = subprocess.run([sys.executable, "-c", program])
        assert done.returncode == -signal.SIGKILL
        assert (out / "manifest.sqlite-wal").stat().st_size
    else:
        with DatasetStore.open(out) as store:
            store.set_verdict("a/0001", "accept", note="in the log")
    return out


def test_a_read_only_data_set_is_read_by_all_that_read(data_set, tmp_path):
    done = panoptic(data_set, "report", data_set, "-o", tmp_path / "page.html")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "page.html").is_file()
    done = panoptic(data_set, "review", data_set, "--below", "1", "--decided", "--json")
    assert done.returncode == 0
    assert done.stdout.count("\n") == 4
    assert done.stdout.count('"verdict": "accept"') == 1
    to = ["--format", "coco_panoptic", "--to", tmp_path / "export"]
    done = panoptic(data_set, "export", data_set, *to)
    assert (done.returncode, done.stderr) == (0, "")
    assert list((tmp_path / "export" / "coco_panoptic").rglob("*.png"))


ALL_THREE = """
import sys
from panoptic.cli import main
out = sys.argv[1]
for given in (["review", out, "--accept", "a/0002"], ["report", out],
              ["export", out, "--format", "yolo_seg"]):
    print(main(given))
"""


@pytest.mark.parametrize("data_set", ["finished"], indirect=True)
def test_what_writes_says_that_a_read_only_data_set_cannot_be(data_set):
    done = on_a_read_only_mount(data_set, sys.executable, "-c", ALL_THREE, str(data_set))
    assert [line for line in done.stdout.splitlines() if line in "012"] in (
        list("122"),
        list("222"),
    )
    errors = [line for line in done.stderr.splitlines() if line.startswith("panoptic ")]
    assert len(errors) == 3
    assert all("Read-only file system" in error for error in errors)
