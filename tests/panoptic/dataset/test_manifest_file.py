"""How the manifest's file is opened: read without a right to write, written where its log works."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from panoptic.dataset import manifest_file
from panoptic.dataset.manifest import Manifest
from panoptic.dataset.manifest_file import is_local
from panoptic.dataset.resumable_labelling import label_dataset
from panoptic.dataset.store import DatasetStore
from panoptic.errors import DatasetError
from panoptic.io.sources.base import Unit
from tests.panoptic.dataset.colours import WORDS, ColourLabeller, fill

MOUNTS = r"""22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
31 22 0:40 / /home/shared\040disk rw,relatime shared:2 - nfs4 server:/export rw,vers=4.2
32 22 0:41 / /mnt/windows rw - cifs //server/share rw
33 22 0:42 / /mnt/host rw - 9p host rw
34 31 0:43 / /home/shared\040disk/scratch rw - tmpfs tmpfs rw
35 22 0:44 / /over rw - ext4 /dev/vdb rw
36 35 0:45 / /over rw - fuse.sshfs me@server: rw"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/data/out/manifest.sqlite", True),
        ("/home/shared disk/out/manifest.sqlite", False),
        ("/home/shared disk/scratch/manifest.sqlite", True),
        ("/home/shared", True),
        ("/mnt/windows/x", False),
        ("/mnt/host/x", False),
        ("/over/x", False),
    ],
)
def test_network_drives_are_told_by_the_table_of_mounts(path, expected):
    assert is_local(Path(path), MOUNTS) == expected


def test_where_nothing_is_known_nothing_is_taken_for_local():
    assert not is_local(Path("/data"), "")


@pytest.mark.parametrize(("local", "mode"), [(True, "wal"), (False, "delete")])
def test_the_journal_suits_the_file_system(tmp_path, monkeypatch, local, mode):
    """Also one that an earlier version wrote in the other way."""
    fill(tmp_path / "in", 6)
    for now in (not local, local):
        monkeypatch.setattr(manifest_file, "is_local", lambda path, now=now: now)
        run = label_dataset(ColourLabeller(), tmp_path / "in", WORDS, tmp_path / "out")
    with sqlite3.connect(tmp_path / "out" / "manifest.sqlite") as database:
        assert database.execute("PRAGMA journal_mode").fetchone()[0] == mode
    assert run.counts.done == 6


def test_others_read_while_one_writes_without_shared_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(manifest_file, "is_local", lambda path: False)
    fill(tmp_path / "in", 6)
    seen = []

    class Reading(ColourLabeller):
        def segment_batch(self, images, vocabulary):
            with DatasetStore.open(tmp_path / "out") as store:
                seen.append(len(store))
            return super().segment_batch(images, vocabulary)

    label_dataset(Reading(), tmp_path / "in", WORDS, tmp_path / "out")
    assert seen[0] == 0
    assert not (tmp_path / "out" / "manifest.sqlite-wal").exists()


def test_to_read_leaves_nothing_behind(tmp_path):
    fill(tmp_path / "in", 3)
    label_dataset(ColourLabeller(), tmp_path / "in", WORDS, tmp_path / "out")
    before = sorted(os.listdir(tmp_path / "out"))
    with DatasetStore.open(tmp_path / "out") as store:
        assert len(list(store.items())) == 3
    assert sorted(os.listdir(tmp_path / "out")) == before


def test_items_of_shards_are_known_by_the_name_that_an_earlier_version_gave(tmp_path):
    def unit(name, source, formerly=None):
        return Unit(name, source, span=(512, 9), stamp="1", formerly=formerly)

    manifest = Manifest(tmp_path / "manifest.sqlite", create=True)
    list(manifest.scan([unit("train.tar/1.png", "/in/b/train.tar")]))
    now = [
        unit(f"{folder}/train.tar/1.png", f"/in/{folder}/train.tar", "train.tar/1.png")
        for folder in "ab"
    ]
    for _ in range(2):
        list(manifest.scan(now))
        (tasks,) = manifest.tasks(9, "", lambda key, kind: False)
        assert {task.unit.name: task.key for task in tasks} == {
            "a/train.tar/1.png": "a/train_tar/1",
            "b/train.tar/1.png": "train_tar/1",
        }


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
manifest = Manifest(Path({str(out)!r}) / "manifest.sqlite", create=True)
manifest.set_verdict("a/0001", "accept", "in the log")
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


def test_what_writes_says_that_a_read_only_data_set_cannot_be(data_set):
    for arguments in (
        ["review", data_set, "--accept", "a/0002"],
        ["report", data_set],
        ["export", data_set, "--format", "yolo_seg"],
    ):
        done = panoptic(data_set, *arguments)
        assert done.returncode in (1, 2)
        assert "Traceback" not in done.stderr
        assert "Read-only file system" in done.stderr
        assert done.stderr.count("\n") == 1


def test_what_is_damaged_is_told(tmp_path):
    (tmp_path / "manifest.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(DatasetError, match="can't be used"):
        DatasetStore.open(tmp_path)
