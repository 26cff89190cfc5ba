"""Corrections between two parts of ``run``: what is labelled next goes on from them."""

import numpy as np
import pytest

from panoptic import PanopticPipeline
from panoptic.demo.scenes import demo_vocabulary
from panoptic.settings.video import VideoSettings
from sam2core import ImageSegmenter
from tests.panoptic.video.oracle import Oracle

WORDS = demo_vocabulary()
COUNT, FIRST = 9, 5
SETTINGS = VideoSettings(detect_every=3 / 25)


@pytest.fixture(scope="module")
def clip(demo_clip):
    return demo_clip("zoom")


@pytest.fixture(scope="module")
def overlooked(clip):
    return max(clip.truth[0].things, key=lambda s: s.area).id


@pytest.fixture
def session(clip, overlooked, demo_sam2):
    """One thing isn't detected in the frames that are labelled first, but later on."""
    truth = list(clip.truth[:COUNT])
    for i in range(FIRST):
        ids = np.where(truth[i].ids == overlooked, 0, truth[i].ids)
        truth[i] = type(truth[i]).from_ids(ids, [s for s in truth[i] if s.id != overlooked])
    oracle = Oracle(clip.frames[:COUNT], truth)
    pipeline = PanopticPipeline(oracle, oracle, ImageSegmenter(demo_sam2))
    with pipeline.open_video(clip.frames[:COUNT], WORDS, SETTINGS) as session:
        part = session.run(progress=False)
        for _ in range(FIRST):
            next(part)
        part.close()
        yield session


def ids_there(session, clip, overlooked, frames):
    """The ids that most of the overlooked thing has, in each of these frames."""
    found = []
    for index in frames:
        mine = session.frame(index).segmentation.ids[clip.truth[index].ids == overlooked]
        found.append(int(np.bincount(mine).argmax()))
    return found


@pytest.mark.parametrize("frame", [FIRST - 1, FIRST - 3])
def test_what_was_boxed_between_two_parts_keeps_its_id(session, clip, overlooked, frame):
    truth = clip.truth[frame].segment(overlooked)
    answer = session.add_box(frame, truth.box, clip.tracks[overlooked].name)
    id = answer.events[-1].segment_id
    list(session.run(progress=False))
    assert ids_there(session, clip, overlooked, range(frame, COUNT)) == [id] * (COUNT - frame)


def test_what_was_removed_or_renamed_between_two_parts_stays_so(session, clip):
    removed, renamed = [s.id for s in session.frame(0).segmentation.things][:2]
    other = "dog" if session.segments[renamed].name == "cat" else "cat"
    session.remove(removed)
    session.relabel(renamed, other)
    for frame in session.run(progress=False):
        shown = {s.id: s.category for s in frame.segmentation}
        assert removed not in shown
        assert shown.get(renamed, other) == other


def test_an_edit_that_was_undone_between_two_parts_is_not_followed(session, clip, overlooked):
    box = clip.truth[2].segment(overlooked).box
    session.add_box(2, box, clip.tracks[overlooked].name)
    id = max(session.segments)
    next(session.run(progress=False))
    while session.undoable:
        session.undo()
    for frame in session.run(progress=False):
        assert id not in {s.id for s in frame.segmentation}
    assert id not in {s.id for f in session.frames() for s in f.segmentation}
