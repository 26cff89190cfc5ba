"""How the manifest's file is opened: read without a right to write, written where its log works."""

import os
import sqlite3
from pathlib import Path

import pytest

from panoptic.dataset import manifest_file
from panoptic.dataset.manifest import Manifest
from panoptic.dataset.manifest_file import is_local
from panoptic.dataset.resumable_labelling import label_dataset
from panoptic.dataset.store import DatasetStore
from panoptic.dataset.task_list import TaskList
from panoptic.errors import DatasetError
from panoptic.io.sources.base import Unit
from tests.panoptic.dataset.colours import WORDS, ColourLabeller, fill

MOUNTS = r"""22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
31 22 0:40 / /home/shared\040disk rw,relatime shared:2 - nfs4 server:/export rw,vers=4.2
32 22 0:41 / /mnt/windows rw - cifs //server/share rw
33 22 0:42 / /mnt/host rw - 9p host rw
34 31 0:43 / /home/shared\040disk/scratch rw - tmpfs tmpfs rw
35 22 0:44 / /over rw - ext4 /dev/vdb rw
37 22 0:46 / /mnt/Büro\134x rw - cifs //server/share rw
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
        ("/mnt/Büro\\x/out", False),
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
        (tasks,) = TaskList(manifest, "").chunks(9)
        assert {task.unit.name: task.key for task in tasks} == {
            "a/train.tar/1.png": "a/train_tar/1",
            "b/train.tar/1.png": "train_tar/1",
        }


def test_what_is_damaged_is_told(tmp_path):
    (tmp_path / "manifest.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(DatasetError, match="can't be used"):
        DatasetStore.open(tmp_path)
