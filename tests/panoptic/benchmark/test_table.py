import pytest

from panoptic.benchmark.measured import Measured, percent
from panoptic.benchmark.published import PUBLISHED
from panoptic.benchmark.table import as_dict, as_markdown, as_table

RUN = {"version": "9.9", "models": "large", "device": "on cuda:0 in bfloat16"}


def measured(done, total):
    scores = {"J&F": 80.04, "J": None, "F": 81.0}
    return Measured(scores, "clips", done, total, {"videos": done}, "7 objects", 40, 10.0, "frame")


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("coco", {16.5, 25.0, 27.0}),
        ("ade20k", {23.4, 26.8, 30.9}),
        ("vipseg", {24.4, 30.4}),
        ("davis", {90.7}),
        ("sa-v val", {77.9, 78.6}),
        ("sa-v test", {76.5, 76.6, 78.2, 78.4, 79.5, 79.6}),
    ],
)
def test_what_was_published_is_as_its_sources_print_it(key, values):
    assert {figure.value for figure in PUBLISHED[key].figures} == values
    assert all(figure.source and figure.given for figure in PUBLISHED[key].figures)
    assert PUBLISHED[key].comparable


def test_the_whole_set_stands_beside_what_was_published():
    table = as_markdown(PUBLISHED["davis"], measured(30, 30), RUN)
    assert "Not the whole set" not in table
    assert (
        "| **panoptic 9.9, large** | 80.0 | - | 81.0 | masks of the first frame | this run: all 30 "
        "clips |"
    ) in table
    assert "| SAM 2.1 large | 90.7 |  |  | masks of the first frame | SAM 3," in table
    assert "| seconds a frame | 0.25 (over 40) |" in table
    assert as_dict(PUBLISHED["davis"], measured(30, 30), RUN)["whole_set"]


@pytest.mark.parametrize(
    ("done", "total", "part"),
    [(2, 30, "the first 2 of its 30 clips"), (5, 5, "5 of its 30 clips")],
)
def test_a_part_of_it_is_called_one(done, total, part):
    table = as_markdown(PUBLISHED["davis"], measured(done, total), RUN)
    assert f"**Not the whole set:** {part}." in table
    assert str(as_table(PUBLISHED["davis"], measured(done, total))).count(part) == 1
    assert not as_dict(PUBLISHED["davis"], measured(done, total), RUN)["whole_set"]


def test_where_nothing_was_counted_there_is_no_figure():
    assert percent(float("nan")) is None
    assert percent(0.5) == 50
