"""A finished data set on a disk that can't be written, as archives and shared drives are."""

import re
import shutil
import signal
import subprocess
import sys

import pytest

from panoptic.dataset.resumable_labelling import label_dataset
from panoptic.dataset.store import DatasetStore
from tests.panoptic.commands.shell import one_by_one
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


def panoptic(folder, *commands):
    """Runs commands one after the other in one process; what each printed, and all errors."""
    done = on_a_read_only_mount(folder, *one_by_one(*commands))
    codes = [int(code) for code in re.findall(r"(?m)^exit (\d)$", done.stdout)]
    return codes, re.split(r"(?m)^exit \d\n", done.stdout)[:-1], done.stderr


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
    codes, printed, errors = panoptic(
        data_set,
        ["report", data_set, "-o", tmp_path / "page.html"],
        ["review", data_set, "--below", "1", "--decided", "--json"],
        ["export", data_set, "--format", "coco_panoptic", "--to", tmp_path / "export"],
    )
    assert (codes, errors) == ([0, 0, 0], "")
    assert (tmp_path / "page.html").is_file()
    assert printed[1].count("\n") == 4
    assert printed[1].count('"verdict": "accept"') == 1
    assert list((tmp_path / "export" / "coco_panoptic").rglob("*.png"))


@pytest.mark.parametrize("data_set", ["finished"], indirect=True)
def test_what_writes_says_that_a_read_only_data_set_cannot_be(data_set):
    codes, _, told = panoptic(
        data_set,
        ["review", data_set, "--accept", "a/0002"],
        ["report", data_set],
        ["export", data_set, "--format", "yolo_seg"],
    )
    assert codes in ([1, 2, 2], [2, 2, 2])
    errors = [line for line in told.splitlines() if line.startswith("panoptic ")]
    assert len(errors) == 3
    assert all("Read-only file system" in error for error in errors)
