import numpy as np
import pytest

from panoptic.dataset.resumable_labelling import label_dataset
from panoptic.dataset.sheet_numbers import sheet_numbers
from panoptic.dataset.statistics import Statistics
from panoptic.dataset.store import DatasetStore
from panoptic.formats.coco_panoptic import CocoPanopticWriter
from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation
from tests.panoptic.dataset.colours import WORDS, ColourLabeller, fill


@pytest.fixture
def store(tmp_path):
    fill(tmp_path / "in", 6)
    label_dataset(ColourLabeller(), tmp_path / "in", WORDS, tmp_path / "out")
    with DatasetStore.open(tmp_path / "out") as store:
        yield store


def sea_for_sand(label):
    """The label with all its sand called sea."""
    return PanopticSegmentation.from_ids(
        np.where(label.ids == 3, 4, label.ids), [s for s in label if s.id != 3]
    )


def truth_of(store, folder, change=lambda label: label, words=WORDS):
    with CocoPanopticWriter(folder, "truth", words.to_coco()) as writer:
        for item in store.items():
            writer.add(change(item.load()), item.name)
    return folder / "truth.json"


def test_of_the_right_truth_all_is_right(store, tmp_path):
    numbers = sheet_numbers(store, truth_of(store, tmp_path / "truth"))
    assert numbers.report.all.pq == 1
    assert numbers.judged == numbers.statistics.items == 6
    assert all(each.right == 1 for each in numbers.reliability.bins if each)
    assert {pair for pair in numbers.confusion.pixels if pair[0] != pair[1]} == set()
    assert set(numbers.confusion.words(9)) == {"ball", "box", "sand", "sea"}


def test_a_wrong_word_shows_in_all_of_them(store, tmp_path):
    numbers = sheet_numbers(store, truth_of(store, tmp_path / "truth", sea_for_sand))
    by_name = {c.name: t for c, t in numbers.report.per_class.items()}
    assert by_name["sand"].quality.pq == 0
    assert by_name["ball"].quality.pq == 1
    assert numbers.confusion.pixels["sea", "sand"] > 0
    wrong = [each for each in numbers.reliability.bins if each and each.right < 1]
    assert wrong
    assert all(0.3 <= each.quality < 0.5 for each in wrong)


def test_corrections_count_in_what_stands_and_not_in_the_models_calibration(store, tmp_path):
    truth = truth_of(store, tmp_path / "truth", sea_for_sand)
    before = sheet_numbers(store, truth)
    for item in list(store.items()):
        store.set_verdict(item.key, "corrected", corrected=sea_for_sand(item.load()))
    after = sheet_numbers(store, truth)
    assert after.report.all.pq == 1
    assert after.reliability.error == before.reliability.error


def test_without_a_truth_it_is_what_people_decided(store):
    assert sheet_numbers(store).judged == 0
    one, two, three, *_ = list(store.items())
    store.set_verdict(one.key, "accept")
    store.set_verdict(two.key, "corrected", corrected=sea_for_sand(two.load()))
    store.set_verdict(three.key, "reject")
    numbers = sheet_numbers(store)
    assert (numbers.judged, numbers.report) == (2, None)
    sand = (store.files.load(two.key, "image").ids == 3).sum()
    assert numbers.confusion.pixels["sea", "sand"] == sand
    rights = sum(numbers.reliability.rights)
    assert 0 < len(numbers.reliability) - rights <= 2  # the sand, and the sea that it isn't


def test_words_that_nobody_asked_for_are_left_out_and_said(store, tmp_path):
    from prompts import Vocabulary

    more = Vocabulary(["ball", "box", "car"], ["sand", "sea"])

    def renumbered(label):
        segments = [
            Segment(s.id, more.by_name(s.category).id, s.category, s.is_thing, 1.0) for s in label
        ]
        return PanopticSegmentation.from_ids(label.ids, segments)

    numbers = sheet_numbers(store, truth_of(store, tmp_path / "t", renumbered, more))
    assert numbers.report.all.pq == 1
    assert "car" not in {c.name for c in numbers.report.per_class}
    assert numbers.notes == ("left out, as nobody asked for them: car",)


def test_a_truth_of_other_pictures_or_words_is_refused(store, tmp_path):
    from prompts import Vocabulary

    other = Vocabulary(["car"], ["road"])
    empty = truth_of(store, tmp_path / "t", lambda _: PanopticSegmentation.empty(4, 4), other)
    with pytest.raises(ValueError, match="knows none of the words"):
        sheet_numbers(store, empty)
    small = truth_of(store, tmp_path / "s", lambda _: PanopticSegmentation.empty(4, 4))
    with pytest.raises(ValueError, match="truth is of other pictures"):
        sheet_numbers(store, small)


def test_statistics_are_of_all_items_also_if_none_of_the_worst_is_asked_for(store):
    assert Statistics.of(store, worst=0, progress=False).items == 6
