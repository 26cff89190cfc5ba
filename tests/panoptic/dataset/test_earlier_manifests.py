"""Data sets whose manifest an earlier version wrote: verdicts, corrections and words as they were.

``earlier_verdicts`` is what that version left: five pictures and a clip, labelled with WORDS,
judged, and labelled anew with other words.
"""

import shutil
import sqlite3
from pathlib import Path

import pytest

from panoptic.dataset.manifest_schema import FORMAT, prepare
from panoptic.dataset.store import DatasetStore
from panoptic.dataset.task_list import TaskList
from panoptic.dataset.verify_labels import LabelCheck

EARLIER = Path(__file__).parent / "earlier_verdicts"
WORDS_OF = {
    "accepted": {"ball", "box", "sand", "sea"},
    "corrected": {"sand"},
    "plain": {"box", "boat", "foam", "reef"},
    "rejected": {"box", "boat", "foam", "reef"},
    "withdrawn": {"box", "boat", "foam", "reef"},
}
STATES = {
    **{"accepted": "accepted", "corrected": "corrected", "plain": "labelled"},
    **{"rejected": "rejected", "withdrawn": "labelled", "clip": "corrected", "broken": "broken"},
}


@pytest.fixture
def earlier(tmp_path):
    out = tmp_path / "out"
    shutil.copytree(EARLIER, out)
    script = (out / "manifest.sql").read_text(encoding="utf-8")
    database = sqlite3.connect(out / "manifest.sqlite")
    database.executescript(script.replace("PHOTOS", str(tmp_path / "photos")))
    database.close()
    return out


def check(store):
    assert {key: store.state(key) for key in STATES} == STATES
    for key, words in WORDS_OF.items():
        label = store.item(key).load()
        assert {s.category for s in label} == words
        assert {s.category_id for s in label} <= {c.id for c in store.vocabulary}
    clip = store.item("clip")
    assert {s.category for s in clip.load(1)} == {"sand"}
    assert {s.category for s in clip.load(0)} <= {"ball", "box", "sand", "sea"}
    assert [*store.corrections("clip")] == [1]
    assert store.corrections("withdrawn") == {}  # its files still lie there
    counted = {store.vocabulary.by_id(r.category_id).name for r in store.segments("accepted")}
    assert counted == WORDS_OF["accepted"]


def test_an_earlier_manifest_is_brought_up_to_date_when_it_is_opened(earlier):
    with DatasetStore.open(earlier) as store:
        check(store)
        store.set_verdict("withdrawn", "accept")
    with DatasetStore.open(earlier) as store:
        assert store.state("withdrawn") == "accepted"
        (version,) = store.manifest.read("PRAGMA user_version")[0]
        assert version == FORMAT


def test_an_earlier_manifest_that_cannot_be_written_is_read(earlier):
    manifest = earlier / "manifest.sqlite"
    database = sqlite3.connect(f"{manifest.as_uri()}?mode=ro", uri=True)
    database.row_factory = sqlite3.Row
    before = manifest.read_bytes()
    prepare(database, manifest, create=False)
    rows = database.execute("SELECT key, lost, label_digest FROM items WHERE state = 'done'")
    assert {tuple(row)[1:] for row in rows} == {(0, None)}
    corrected = database.execute("SELECT path FROM corrections ORDER BY path").fetchall()
    assert [row["path"] for row in corrected] == [
        *("corrections/clip.frames/000001.json", "corrections/corrected.json")
    ]
    names = database.execute("SELECT DISTINCT name FROM words").fetchall()
    assert {row["name"] for row in names} >= WORDS_OF["accepted"] | WORDS_OF["plain"]
    database.close()
    assert manifest.read_bytes() == before


def test_labels_of_an_earlier_manifest_are_known_when_a_run_looks_at_them(earlier):
    with DatasetStore.open(earlier) as store:
        tasks = TaskList(store.manifest, store.manifest.get_meta("settings_hash"))
        assert len(tasks) == 0
        for _ in range(2):  # the second time by their marks
            look = LabelCheck(store.files, tasks, store.verdicts)
            assert [*look.run()] == []
            assert (look.lost, look.corrections_lost) == (0, 0)
            assert all(row["label_digest"] for row in store.manifest.labelled())
        png = earlier / "labels" / "plain.png"
        png.write_bytes(png.read_bytes()[:-9])
        assert [*LabelCheck(store.files, tasks, store.verdicts).run()] == []
        assert len(tasks) == 1
