import sqlite3
import threading

import numpy as np
import pytest
from PIL import Image

from panoptic.dataset.resumable_labelling import label_dataset
from panoptic.dataset.store import DatasetStore
from panoptic.errors import DatasetError, ImageError
from panoptic.io.writer_lock import VERDICT, only_one
from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation
from tests.panoptic.dataset.colours import WORDS, ColourLabeller, fill, picture


@pytest.fixture
def store(tmp_path):
    fill(tmp_path / "in", 6)
    label_dataset(ColourLabeller(), tmp_path / "in", WORDS, tmp_path / "out")
    with DatasetStore.open(tmp_path / "out") as store:
        yield store


def corrected_like(item) -> PanopticSegmentation:
    ids = np.full(item.size, 3, np.int32)
    return PanopticSegmentation.from_ids(ids, [Segment(3, 3, "sand", False, 1.0)])


def test_a_correction_takes_the_place_of_the_label_and_the_label_stays(store, tmp_path):
    item = next(store.items())
    before = item.load()
    store.set_verdict(item.key, "corrected", corrected=corrected_like(item), note="all sand")
    assert store.item(item.key).verdict == "corrected"
    assert store.item(item.key).load() == corrected_like(item)
    label_dataset(ColourLabeller(), tmp_path / "in", WORDS, tmp_path / "out")
    assert store.item(item.key).load() == corrected_like(item)
    store.set_verdict(item.key, None)
    assert store.item(item.key).verdict is None
    assert store.item(item.key).load() == before


def test_a_correction_waits_for_one_that_is_being_written(store, monkeypatch):
    item, (held, go) = next(store.items()), (threading.Event(), threading.Event())

    def other():
        with only_one(store.root, "writing verdicts into", VERDICT):
            held.set()
            go.wait(60)

    thread = threading.Thread(target=other)
    thread.start()
    assert held.wait(60)
    monkeypatch.setattr("panoptic.dataset.store._VERDICT_SECONDS", 0.0)
    with pytest.raises(DatasetError, match="another run is writing verdicts into"):
        store.set_verdict(item.key, "corrected", corrected=corrected_like(item))
    assert store.item(item.key).verdict is None
    assert not (store.root / "corrections").exists()
    go.set()
    thread.join()
    store.set_verdict(item.key, "corrected", corrected=corrected_like(item))
    assert store.item(item.key).load() == corrected_like(item)


def test_a_correction_stands_once_all_of_it_is_recorded(store, monkeypatch):
    """However it is interrupted between its files and the manifest."""
    item = next(store.items())
    before = item.load()

    def killed(*given, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(store.verdicts, "give", killed)
        with pytest.raises(KeyboardInterrupt):
            store.set_verdict(item.key, "corrected", corrected=corrected_like(item))
    assert store.state(item.key) == "labelled"
    assert store.item(item.key).load() == before
    assert store.set_verdict(item.key, "corrected", corrected=corrected_like(item)) == "corrected"
    assert store.item(item.key).load() == corrected_like(item)


def test_corrections_that_do_not_fit_are_refused(store):
    item = next(store.items())
    other = PanopticSegmentation.from_ids(
        np.full(item.size, 1, np.int32), [Segment(1, 1, "cat", True, 1.0)]
    )
    for correction, reason in (
        (PanopticSegmentation.empty(3, 3), "its correction is"),
        (other, "category 1 is 'ball' here, and 'cat'"),
    ):
        with pytest.raises(ValueError, match=reason):
            store.set_verdict(item.key, "corrected", corrected=correction)
    with pytest.raises(ValueError, match="go together"):
        store.set_verdict(item.key, "corrected")
    with pytest.raises(ValueError, match="go together"):
        store.set_verdict(item.key, "accept", corrected=corrected_like(item))
    with pytest.raises(ValueError, match="a verdict is one of"):
        store.set_verdict(item.key, "fine")
    with pytest.raises(KeyError, match="nothing"):
        store.set_verdict("nothing", "accept")
    assert store.item(item.key).verdict is None


def test_a_picture_that_changed_or_went_is_told(store, tmp_path):
    first, second, *_ = store.items()
    Image.fromarray(picture(77)).save(first.source)
    with pytest.raises(ImageError, match="has changed since it was labelled"):
        first.picture()
    (tmp_path / "in" / f"{second.key}.png").unlink()
    with pytest.raises(ImageError, match="there is no such file"):
        second.picture()


def test_frames_that_are_not_there_are_told(store):
    with pytest.raises(IndexError, match="frames 0 to 0, not 1"):
        next(store.items()).load(1)


def test_a_label_that_is_gone_is_told(store, tmp_path):
    item = next(store.items())
    (tmp_path / "out/labels" / f"{item.key}.json").unlink()
    with pytest.raises(DatasetError, match="gone or damaged"):
        item.load()


def test_what_is_no_data_set_is_told(tmp_path):
    with pytest.raises(DatasetError, match=r"no labelled data set: it has no manifest\.sqlite"):
        DatasetStore.open(tmp_path)
    with sqlite3.connect(tmp_path / "manifest.sqlite") as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(DatasetError, match="has format 99, this version reads 1"):
        DatasetStore.open(tmp_path)


def test_items_of_a_closed_data_set_say_so(tmp_path):
    fill(tmp_path / "in", 1)
    label_dataset(ColourLabeller(), tmp_path / "in", WORDS, tmp_path / "out", progress=False)
    with DatasetStore.open(tmp_path / "out") as store:
        (item,) = store.items()
    with pytest.raises(DatasetError, match=r"is closed: its items are read before"):
        item.load()
