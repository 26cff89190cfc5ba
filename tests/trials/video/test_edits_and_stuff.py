"""Edits by hand leave the masks alone that they aren't of, and one segment of each stuff."""

import itertools

import numpy as np
import pytest

from panoptic import PanopticPipeline
from panoptic.demo.scenes import demo_vocabulary
from sam2core import ImageSegmenter
from tests.panoptic.video.oracle import Oracle
from tests.panoptic.video.small_sessions import (
    OTHER_THING,
    check,
    label,
    small_clip,
    small_session,
    stuff,
    things,
)

WORDS = demo_vocabulary()
COUNT = 5


@pytest.fixture
def session(demo_clip, demo_sam2):
    clip = demo_clip("zoom")
    oracle = Oracle(clip.frames[:COUNT], clip.truth[:COUNT])
    pipeline = PanopticPipeline(oracle, oracle, ImageSegmenter(demo_sam2))
    with pipeline.open_video(clip.frames[:COUNT], WORDS) as session:
        list(session.run(progress=False))
        yield session


def areas(session, category):
    return [sum(s.area for s in f.segmentation if s.category == category) for f in session.frames()]


def stuff_ids(session, category):
    return [[s.id for s in f.segmentation if s.category == category] for f in session.frames()]


def test_a_box_of_water_adds_to_the_water_that_is_there(session):
    region = max(session.frame(0).segmentation.stuff, key=lambda s: s.area)
    before, ids = areas(session, region.category), stuff_ids(session, region.category)
    other = next(s for s in session.frame(2).segmentation.things)
    answer = session.add_box(2, other.box, region.category)
    assert answer.segmentation.segment(region.id).area >= 0.9 * before[2]
    list(session.propagate(progress=False))
    after = areas(session, region.category)
    assert all(new >= 0.9 * old for old, new in zip(before, after, strict=True))
    assert stuff_ids(session, region.category) == ids


def test_a_thing_that_is_called_water_becomes_part_of_the_water(session):
    region = session.frame(0).segmentation.stuff[0]
    thing = session.frame(0).segmentation.things[0]
    union = np.isin(session.frame(0).segmentation.ids, [region.id, thing.id])
    session.relabel(thing.id, region.category)
    for frame in session.frames():
        of_category = [s.id for s in frame.segmentation if s.category == region.category]
        assert of_category == [region.id]
    assert (session.frame(0).segmentation.ids[union] == region.id).mean() > 0.95


def test_water_that_was_removed_stays_away_when_a_box_of_it_is_added(session):
    region = max(session.frame(0).segmentation.stuff, key=lambda s: s.area)
    thing = session.frame(1).segmentation.things[0]
    session.remove(region.id)
    session.add_box(1, thing.box, region.category)
    assert areas(session, region.category)[0] == 0
    assert region.id not in {s.id for f in session.frames() for s in f.segmentation}


EDITS = {
    "box of stuff": lambda s: s.add_box(1, (2, 2, 20, 30), s.segments[stuff(s)[0]]),
    "box of stuff after the cut": lambda s: s.add_box(3, (2, 2, 20, 30), s.segments[stuff(s)[0]]),
    "box of a thing": lambda s: s.add_box(1, (10, 10, 40, 40), OTHER_THING),
    "click on stuff": lambda s: s.click(1, stuff(s)[0], (4, 4)),
    "click on a thing": lambda s: s.click(3, things(s)[0], (30, 30), positive=False),
    "thing to stuff": lambda s: s.relabel(things(s)[0], s.segments[stuff(s)[0]]),
    "stuff to other stuff": lambda s: s.relabel(stuff(s)[0], s.segments[stuff(s)[-1]]),
    "stuff to a thing": lambda s: s.relabel(stuff(s)[0], OTHER_THING),
    "remove stuff": lambda s: s.remove(stuff(s)[0]),
    "remove a thing": lambda s: s.remove(things(s)[-1]),
    "restore": lambda s: s.restore(max(s.edits.removed)) if s.edits.removed else None,
    "join things": lambda s: s.join(things(s)[-1], things(s)[0]),
    "join stuff to a thing": lambda s: s.join(stuff(s)[0], things(s)[0]),
    "propagate": lambda s: s.propagate(progress=False),
    "label on": lambda s: label(s, 1),
}


@pytest.fixture(scope="module")
def begun():
    """Four of eight frames, over a cut, and these; edits of it are undone again."""
    with small_session(frames=4) as session:
        yield session, check(session)


@pytest.mark.parametrize("first", EDITS)
def test_one_segment_of_each_stuff_after_any_two_edits(first, begun):
    """And all is as it was when they are taken back."""
    begun, start = begun
    for second in EDITS:
        if "label on" in (first, second):
            continue  # it can't be undone: see the test below
        for edit in (first, second):
            EDITS[edit](begun)
        begun.propagate(progress=False)
        check(begun)
        while begun.undoable:
            begun.undo()
        assert list(begun.frames()) == start, f"{first}, then {second}, undone"


@pytest.mark.parametrize("edit", [e for e in EDITS if e != "label on"])
def test_one_segment_of_each_stuff_where_labelling_goes_on_after_an_edit(edit):
    with small_session(frames=2) as session:
        if "after the cut" in edit or edit == "click on a thing":
            label(session, 2)
        EDITS[edit](session)
        label(session, 2)
        check(session)
        if session.undoable:
            session.undo()
            check(session)
            label(session, 1)
            check(session)
            if session.redoable:
                session.redo()
        label(session, 7)
        assert len(check(session)) == len(small_clip().frames)


def test_an_id_is_never_given_to_another_segment():
    with small_session(frames=3) as session:
        for _ in range(2):
            session.add_box(1, (10, 10, 40, 40), OTHER_THING)
        undone = max(session.segments)
        session.undo()
        answer = session.add_box(1, (10, 10, 40, 40), OTHER_THING)
        assert answer.events[-1].segment_id > undone
        before = set(session.segments)
        label(session, 7)
        new = set(session.segments) - before
        assert all(id > undone + 1 for id in new), list(itertools.chain(new))


@pytest.mark.parametrize("wrong", [1.5, True, "1", None])
def test_what_is_no_id_is_refused_by_name(wrong):
    """1.5 and True were taken for 1, and the edit was of another segment than was meant."""
    with small_session(frames=2) as session:
        calls = [
            lambda: session.click(0, wrong, (5, 5)),
            lambda: session.click(wrong, things(session)[0], (5, 5)),
            lambda: session.add_box(wrong, (5, 5, 20, 20), OTHER_THING),
            lambda: session.relabel(wrong, OTHER_THING),
            lambda: session.join(wrong, things(session)[0]),
            lambda: session.join(things(session)[0], wrong),
            lambda: session.remove(wrong),
            lambda: session.restore(wrong),
        ]
        for call in calls:
            with pytest.raises(ValueError, match="must be a whole number"):
                call()
        with pytest.raises(ValueError, match="a point is x, y"):
            session.click(0, things(session)[0], (5, 5, 1))
        with pytest.raises(ValueError, match="must be a whole number"):
            session.relabel(things(session)[0], True)
        assert not session.undoable
