import numpy as np
import pytest

from benchmarks.precision import bounds_of, other_label
from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation


def labelled(ids, *categories):
    segments = [Segment(i, c, str(c), True, 0.5) for i, c in enumerate(categories, 1)]
    return PanopticSegmentation.from_ids(np.array(ids, np.int32), segments)


def test_another_label_is_another_category_and_not_another_id():
    one = labelled([[1, 1], [2, 0]], 7, 8)
    renumbered = labelled([[2, 2], [1, 0]], 8, 7)
    assert other_label([one], [renumbered]) == 0
    assert other_label([one, one], [one, labelled([[1, 1], [1, 1]], 7)]) == pytest.approx(0.25)


def results(lost, scenes=100, pixels=1.0):
    exact = {"PQ all": 60.0, "mask IoU": 70.0, "J&F": 80.0}
    artwork = {
        "by dtype": {"float32": exact, "bfloat16": exact | {"PQ all": 60.0 - lost}},
        "against float32": {"bfloat16": {"pixels with another label": pixels}},
    }
    return {"dtype": "bfloat16", "auto": "float32", "scenes": scenes, "artwork": {"seen": artwork}}


@pytest.mark.parametrize(
    ("given", "good"),
    [
        *((results(0.9), True), (results(-5.0), True), (results(1.1), False)),
        *((results(1.1, scenes=25), True), (results(0.0, pixels=2.5), False)),
    ],
)
def test_what_is_lost_is_bounded_by_the_number_of_scenes(given, good):
    assert (not any(bound.missed for bound in bounds_of(given))) is good
