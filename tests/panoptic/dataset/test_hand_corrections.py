"""Pictures of a data set corrected click by click."""

import numpy as np
import pytest

from panoptic.dataset.decisions import Decision
from panoptic.dataset.hand_corrections import HandCorrections
from panoptic.dataset.resumable_labelling import label_dataset
from panoptic.dataset.store import DatasetStore
from panoptic.errors import StaleLabelError
from tests.panoptic.app.colour_segmenter import colour_pipeline
from tests.panoptic.dataset.colours import COLOURS, WORDS, ColourLabeller, fill

REQUESTS = iter(range(10**6))


@pytest.fixture
def out(tmp_path):
    fill(tmp_path / "in", 4)
    label_dataset(ColourLabeller(), tmp_path / "in", WORDS, tmp_path / "out")
    return tmp_path / "out"


def correct(store, key, edit, pipeline=None, by="me", seen=None):
    hand = HandCorrections(store, lambda: pipeline or colour_pipeline())
    decision = Decision(by, f"r{next(REQUESTS)}", seen or store.decisions.version(key))
    hand.correct(key, edit, decision)
    return store.item(key).load()


def click(segment, place, positive=True):
    y, x = place
    return {"edit": "click", "segment": segment, "x": int(x), "y": int(y), "positive": positive}


def places(store, key, word):
    """A pixel of each colour that there is, by word."""
    picture = store.item(key).picture()
    return tuple(np.argwhere((picture == COLOURS[word - 1]).all(-1))[0])


def test_every_edit_is_in_the_data_set_at_once_and_undone_one_by_one(out):
    with DatasetStore.open(out) as store:
        key = next(i.key for i in store.items() if {s.id for s in i.load()} >= {1, 3, 4})
        labels = [store.item(key).load()]
        for edit in (
            click(4, places(store, key, 3)),
            click(4, places(store, key, 1)),
            click(4, places(store, key, 3), positive=False),
            {"edit": "relabel", "segment": 4, "word": 2},
            {"edit": "delete", "segment": 4},
            {"edit": "box", "box": [0, 0, 8, 8], "word": 1},
        ):
            labels.append(correct(store, key, edit))
            assert store.item(key).verdict == "corrected"
            with DatasetStore.open(out) as other:  # as another process would find it
                assert other.item(key).load() == labels[-1]
        assert len({label.ids.tobytes() for label in labels}) > 4
        for before in reversed(labels[:-1]):
            store.decisions.undo("me", f"u{next(REQUESTS)}")
            assert store.item(key).load() == before
        assert store.item(key).verdict is None


def test_clicks_on_a_segment_add_up_also_after_a_restart(out):
    """The third click takes back the second, and the first stays: they are one prompt."""
    with DatasetStore.open(out) as store:
        key = next(i.key for i in store.items() if {s.id for s in i.load()} >= {1, 3, 4})
        sea, sand, ball = (places(store, key, word) for word in (4, 3, 1))
        first = correct(store, key, click(4, ball))
        assert first.mask(4)[sea]
        assert first.mask(4)[ball]
        both = correct(store, key, click(4, sand))
        assert both.mask(4)[sand]
    with DatasetStore.open(out) as store:
        back = correct(store, key, click(4, sand, positive=False))
        assert np.array_equal(back.ids, first.ids)  # sand has its pixels again
        # Another's click in between begins anew.
        correct(store, key, click(3, ball), by="you")
        assert [d.what["segment"] for d in store.decisions.of_item(key)] == [4, 4, 4, 3]


def test_a_picture_is_encoded_once(out):
    pipeline = colour_pipeline()
    with DatasetStore.open(out) as store:
        hand = HandCorrections(store, lambda: pipeline)
        one, two, *_ = (item.key for item in store.items())
        for key in (one, one, two):
            version = store.decisions.version(key)
            edit = click(3, places(store, key, 4))
            hand.correct(key, edit, Decision("me", f"r{next(REQUESTS)}", version))
        assert pipeline.segmenter.encodings == 2


def test_another_word_needs_no_models(out):
    def none():
        raise AssertionError("models were asked for")

    with DatasetStore.open(out) as store:
        key = next(store.items()).key
        hand = HandCorrections(store, none)
        version = store.decisions.version(key)
        hand.correct(
            key, {"edit": "relabel", "segment": 3, "word": 4}, Decision("me", "r", version)
        )
        assert not [s for s in store.item(key).load() if s.category == "sand"]


def test_what_makes_no_sense_is_refused_and_changes_nothing(out):
    with DatasetStore.open(out) as store:
        key = next(store.items()).key
        before = store.decisions.version(key)
        for edit, error in (
            (click(99, (0, 0)), KeyError),
            (click(3, (999, 0)), ValueError),
            ({"edit": "box", "box": [5, 5, 5, 9], "word": 1}, ValueError),
            ({"edit": "relabel", "segment": 3, "word": 99}, ValueError),
            ({"edit": "delete", "segment": 99}, KeyError),
            ({"edit": "paint"}, ValueError),
        ):
            with pytest.raises(error):
                correct(store, key, edit)
        stale = store.decisions.version(key)
        store.set_verdict(key, "accept")
        with pytest.raises(StaleLabelError):
            correct(store, key, {"edit": "delete", "segment": 3}, seen=stale)
        store.set_verdict(key, None)
        assert store.decisions.version(key) == before
        assert not store.decisions.of_item(key)
