import pytest

from panoptic.dataset.resumable_labelling import label_dataset
from panoptic.dataset.review_queue import ReviewFilter, review_counts, review_queue
from panoptic.dataset.store import DatasetStore
from tests.panoptic.dataset.colours import WORDS, ColourLabeller, fill


@pytest.fixture
def store(tmp_path):
    fill(tmp_path / "in", 12)
    label_dataset(ColourLabeller(), tmp_path / "in", WORDS, tmp_path / "out")
    with DatasetStore.open(tmp_path / "out") as store:
        yield store


def keys(store, after=None, **wanted):
    return [item.key for item in review_queue(store, ReviewFilter(**wanted), after)]


def test_the_worst_come_first_and_each_once(store, monkeypatch):
    items = {item.key: item for item in store.items()}
    ordered = sorted(items, key=lambda key: (items[key].quality, key))
    assert keys(store) == ordered
    monkeypatch.setattr("panoptic.dataset.review_queue._PAGE", 2)
    assert keys(store) == ordered
    assert keys(store, after=ordered[4]) == ordered[5:]
    assert keys(store, after=ordered[-1]) == []


def test_filters_leave_what_they_say(store):
    items = {item.key: item for item in store.items()}
    ordered = keys(store)
    with_box = {key for key in items if any(s.category == "box" for s in items[key].load())}
    assert 0 < len(with_box) < 12
    assert set(keys(store, word="box")) == with_box
    assert keys(store, word="nothing") == []
    middle = items[ordered[6]].quality
    assert keys(store, below=middle) == [k for k in ordered if items[k].quality < middle]
    for split in ("train", "val", "test"):
        assert set(keys(store, split=split)) == {k for k in items if items[k].split == split}
    store.set_verdict(ordered[0], "accept")
    store.set_verdict(ordered[1], "reject")
    assert keys(store, verdict="none") == ordered[2:]
    assert keys(store, verdict="accept") == ordered[:1]
    # One goes on behind what was just decided and is filtered out.
    assert keys(store, after=ordered[1], verdict="none") == ordered[2:]
    assert review_counts(store) == {"accept": 1, "reject": 1, "corrected": 0, "none": 10}


def test_a_word_of_a_correction_counts(store):
    key = next(k for k in keys(store) if k not in keys(store, word="box"))
    label = store.item(key).load()
    other = next(i.load() for i in store.items() if any(s.category == "box" for s in i.load())
                 and i.load().ids.shape == label.ids.shape)  # fmt: skip
    store.set_verdict(key, "corrected", corrected=other)
    assert key in keys(store, word="box")


@pytest.mark.parametrize("wrong", [{"below": 1.5}, {"split": "dev"}, {"verdict": "good"}])
def test_filters_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match="got"):
        ReviewFilter(**wrong)
