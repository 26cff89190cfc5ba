"""Decisions: undone one by one, each only once, and never over another's."""

import sqlite3

import numpy as np
import pytest

from panoptic.dataset.decisions import Decision
from panoptic.dataset.resumable_labelling import label_dataset
from panoptic.dataset.store import MANIFEST, DatasetStore
from panoptic.errors import DatasetError, StaleLabelError
from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation
from tests.panoptic.dataset.colours import WORDS, ColourLabeller, fill

REQUESTS = iter(range(10**6))


@pytest.fixture
def out(tmp_path):
    fill(tmp_path / "in", 4)
    label_dataset(ColourLabeller(), tmp_path / "in", WORDS, tmp_path / "out")
    return tmp_path / "out"


@pytest.fixture
def store(out):
    with DatasetStore.open(out) as store:
        yield store


def all_sand(store, key):
    size = store.item(key).size
    return PanopticSegmentation.from_ids(
        np.full(size, 3, np.int32), [Segment(3, 3, "sand", False, 1.0)]
    )


def decide(store, key, verdict, by="me", seen=None, request=None, **more):
    seen = seen or store.decisions.version(key)
    request = request or f"r{next(REQUESTS)}"
    store.set_verdict(
        key, verdict, decision=Decision(by, request, seen, {"verdict": verdict}), **more
    )


def standing(store, key):
    item = store.item(key)
    return item.verdict, item.load(), store.state(key)


def test_undo_goes_back_step_by_step_to_what_stood(store):
    key = next(store.items()).key
    stood = [standing(store, key)]
    for verdict, more in (
        ("accept", {}),
        ("corrected", {"corrected": all_sand(store, key)}),
        ("reject", {}),
        ("corrected", {"corrected": store.item(key).load()}),
        (None, {}),
    ):
        decide(store, key, verdict, **more)
        stood.append(standing(store, key))
    versions = {store.decisions.version(key)}
    for before in reversed(stood[:-1]):
        undone = store.decisions.undo("me", f"u{next(REQUESTS)}")
        assert (undone.key, undone.version) == (key, store.decisions.version(key))
        assert standing(store, key) == before
        versions.add(undone.version)
    assert len(versions) == 5  # no verdict at the end is what there was at the beginning
    with pytest.raises(DatasetError, match="nothing to undo"):
        store.decisions.undo("me", "more")


def test_a_label_that_another_changed_meanwhile_is_refused_and_stays(store):
    key = next(store.items()).key
    seen = store.decisions.version(key)
    decide(store, key, "reject", by="you", seen=seen)
    with pytest.raises(StaleLabelError, match="look at it again"):
        decide(store, key, "accept", by="me", seen=seen)
    assert store.item(key).verdict == "reject"
    decide(store, key, "accept", by="me")
    assert store.item(key).verdict == "accept"


def test_a_verdict_of_the_command_line_counts_as_anothers(store):
    key = next(store.items()).key
    seen = store.decisions.version(key)
    decide(store, key, "accept", seen=seen)
    store.set_verdict(key, "reject")  # as panoptic review does
    with pytest.raises(StaleLabelError):
        decide(store, key, "accept", seen=seen)
    with pytest.raises(StaleLabelError, match="that stands"):
        store.decisions.undo("me", "u1")
    assert store.item(key).verdict == "reject"


def test_each_undoes_their_own_and_what_cant_be_undone_isnt_in_the_way(store):
    one, two, *_ = (item.key for item in store.items())
    decide(store, one, "accept", by="me")
    decide(store, two, "accept", by="me")
    decide(store, two, "reject", by="you")
    with pytest.raises(StaleLabelError):
        store.decisions.undo("me", "u1")
    assert store.decisions.undo("me", "u2").key == one
    assert (store.item(one).verdict, store.item(two).verdict) == (None, "reject")
    assert store.decisions.undo("you", "u3").key == two
    assert store.item(two).verdict == "accept"


def test_what_is_asked_twice_is_done_once(store):
    one, two, *_ = (item.key for item in store.items())
    assert store.decisions.of_request("r") is None
    decide(store, one, "accept", request="r")
    assert store.decisions.of_request("r").key == one
    decide(store, two, "accept", request="s")
    assert [store.decisions.undo("me", "u").key for _ in range(3)] == [two] * 3
    assert store.item(one).verdict == "accept"


def test_others_see_what_was_decided_since(store):
    key = next(store.items()).key
    decide(store, key, "accept")
    (found,) = store.decisions.since(0)
    assert (found.key, found.by, found.version) == (key, "me", store.decisions.version(key))
    store.decisions.undo("me", "u")
    assert store.decisions.since(found.time + 1e-6)[0].version == store.decisions.version(key)


def test_a_manifest_without_decisions_is_read_and_gets_them(out):
    with sqlite3.connect(out / MANIFEST) as db:
        assert not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'decisions'").fetchall()
    with DatasetStore.open(out) as store:
        key = next(store.items()).key
        assert store.decisions.latest("me") is None
        decide(store, key, "accept")
    with DatasetStore.open(out) as again:
        assert again.decisions.latest("me").key == key
        label_dataset(ColourLabeller(), out.parent / "in", WORDS, out)
        assert again.item(key).verdict == "accept"
