import numpy as np
import pytest

from panoptic.compose.hand_edits import Click, boxed, clicked, relabelled, removed, with_mask
from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation
from prompts import Category
from tests.panoptic.app.colour_segmenter import ColourSegmenter

BALL, BOX = Category(1, "ball", True), Category(2, "box", True)
SAND, SEA = Category(3, "sand", False), Category(4, "sea", False)


@pytest.fixture
def image():
    """24 x 32: sea above sand, a red square across both and a yellow one in the sand."""
    image = np.zeros((24, 32, 3), np.uint8)
    image[:12], image[12:] = (30, 60, 180), (200, 180, 140)
    image[8:16, 4:12] = (200, 30, 30)
    image[16:22, 20:28] = (230, 200, 20)
    return image


@pytest.fixture
def label(image):
    """The red square as half a ball, the rest as sea and sand."""
    ids = np.where(np.arange(24)[:, None] < 12, 7, 5) * np.ones((1, 32), int)
    ids[8:12, 4:12] = 2
    segments = [
        Segment(2, 1, "ball", True, 0.4, quality=0.3),
        Segment(5, 3, "sand", False, 0.9, quality=0.8),
        Segment(7, 4, "sea", False, 0.9, quality=0.9),
    ]
    return PanopticSegmentation.from_ids(ids.astype(np.int32), segments, image)


@pytest.fixture
def asked(image):
    segmenter = ColourSegmenter()
    return segmenter, segmenter.encode(image)


def red(image):
    return (image == (200, 30, 30)).all(-1)


def test_a_click_takes_what_belongs_to_a_segment_from_others(label, asked, image):
    found = clicked(label, 2, [Click(6, 14)], *asked)
    assert np.array_equal(found.mask(2), red(image))
    assert np.array_equal(found.mask(5), label.mask(5) & ~red(image))
    assert found.mask(7).sum() == label.mask(7).sum()
    ball = found.segment(2)
    assert (ball.score, ball.quality, ball.category) == (1.0, 1.0, "ball")
    assert found.segment(5).quality == 0.8  # nobody vouched for that


def test_a_negative_click_takes_away_what_then_is_nobodys(label, asked, image):
    whole = clicked(label, 5, [Click(23, 18)], *asked)  # sand, and the yellow in it
    found = clicked(label, 5, [Click(23, 18, positive=False)], *asked)
    yellow = (image == (230, 200, 20)).all(-1)
    assert whole.mask(5)[yellow].all()
    assert not found.mask(5)[yellow].any()
    assert (found.ids[yellow] == 0).all()


def test_clicks_add_up_from_the_label_before_the_first(label, asked, image):
    both = clicked(label, 2, [Click(6, 14), Click(23, 18)], *asked)
    assert both.mask(2).sum() == red(image).sum() + 48
    less = clicked(label, 2, [Click(23, 18), Click(23, 18, positive=False)], *asked)
    assert less.ids.tolist() == label.ids.tolist()


def test_a_segment_that_loses_all_its_pixels_goes(label, asked):
    found = with_mask(label, label.segment(5), np.ones((24, 32), bool))
    assert [s.id for s in found] == [5]
    with pytest.raises(ValueError, match="nothing is left"):
        clicked(label, 2, [Click(6, 9, positive=False)], *asked)


def test_a_box_is_a_new_thing_or_more_of_the_stuff(label, asked, image):
    thing = boxed(label, [19, 15, 29, 23], BOX, *asked)
    new = thing.segments[-1]
    assert (new.id, new.category, new.quality) == (8, "box", 1.0)
    assert np.array_equal(thing.mask(8), (image == (230, 200, 20)).all(-1))
    stuff = boxed(label, [19, 15, 29, 23], SEA, *asked)
    assert len(stuff) == 3
    assert stuff.mask(7).sum() == label.mask(7).sum() + 48


def test_another_word_keeps_the_mask_and_one_segment_of_stuff(label):
    box = relabelled(label, 2, BOX)
    assert box.segment(2).category == "box"
    assert np.array_equal(box.ids, label.ids)
    sea = relabelled(label, 2, SEA)
    assert [s.id for s in sea] == [5, 7]
    assert sea.mask(7).sum() == label.mask(7).sum() + label.mask(2).sum()


def test_what_is_removed_is_nobodys(label):
    found = removed(label, 2)
    assert (found.ids[label.mask(2)] == 0).all()
    assert [s.id for s in found] == [5, 7]


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda label, asked: clicked(label, 9, [Click(1, 1)], *asked), "no segment has id 9"),
        (lambda label, asked: clicked(label, 2, [Click(32, 1)], *asked), "outside"),
        (lambda label, asked: boxed(label, [40, 1, 50, 9], BALL, *asked), "no area"),
        (lambda label, asked: relabelled(label, 9, BALL), "no segment has id 9"),
        (lambda label, asked: removed(label, 9), "no segment has id 9"),
    ],
)
def test_edits_that_make_no_sense_are_refused(label, asked, edit, told):
    with pytest.raises((ValueError, KeyError), match=told):
        edit(label, asked)
