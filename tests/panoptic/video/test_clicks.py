"""Clicks refine in the light of what is remembered, and corrections of a segment work together."""

import itertools

import numpy as np
import pytest

from benchmarks.lib.annotator import middle_of_error, overlap
from panoptic import PanopticPipeline
from panoptic.demo.scenes import demo_vocabulary
from panoptic.settings.video import VideoSettings
from sam2core import BankSettings, ImageSegmenter, TrackerSettings, VideoTracker
from tests.panoptic.video.oracle import Oracle

WORDS = demo_vocabulary()
FRAMES = 14
SETTINGS = VideoSettings(discovery=False, correction=False, memory="sam2")
"""Things are followed from the first frame, and go wrong by and by."""
FIRST, SECOND = 4, 9


@pytest.fixture(scope="module")
def clip(demo_clip):
    return demo_clip("zoom")


@pytest.fixture(scope="module")
def pipeline(clip, demo_sam2):
    oracle = Oracle(clip.frames[:FRAMES], clip.truth[:FRAMES])
    return PanopticPipeline(oracle, oracle, ImageSegmenter(demo_sam2))


@pytest.fixture
def begin(clip, pipeline):
    """Sessions of the clip, labelled, as often as they are asked for."""
    opened = []

    def begin():
        opened.append(pipeline.open_video(clip.frames[:FRAMES], WORDS, SETTINGS))
        list(opened[-1].run(progress=False))
        return opened[-1]

    yield begin
    for session in opened:
        session.close()


@pytest.fixture
def session(begin):
    return begin()


def true_ids(session, clip):
    """By the id of each thing of the session that of the truth, as the first frame has it."""
    first, truth = session.frame(0).segmentation, clip.truth[0].ids
    return {s.id: int(np.bincount(truth[first.mask(s.id)]).argmax()) for s in first.things}


def iou(session, clip, frame, id, true):
    return overlap(session.frame(frame).segmentation.mask(id), clip.truth[frame].ids == true)


def layer(session, frame, id):
    return session.recording[frame].layers[id].steps


def click_on_error(session, clip, frame, id, true):
    shown = session.frame(frame).segmentation.mask(id)
    point, positive = middle_of_error(clip.truth[frame].ids == true, shown)
    session.click(frame, id, point, positive)


def test_a_click_is_answered_as_by_a_tracker_that_kept_everything(clip, session, demo_sam2):
    """Which was prompted by the same masks, and went through the same frames."""
    settings = TrackerSettings(bank=BankSettings(keep_all=True), corrections_are_prompts=True)
    tracker = VideoTracker(demo_sam2, clip.frames[:FRAMES], settings)
    prompts = session.recording[0].prompts
    tracker.prompt_masks(list(prompts), np.stack(list(prompts.values())), 0)
    list(tracker.propagate())
    for frame, (id, true) in itertools.product((5, 12), true_ids(session, clip).items()):
        mask = session.recording[frame].layers[id].resized(96, 96) > 0
        point, positive = middle_of_error(clip.truth[frame].ids == true, mask)
        session.click(frame, id, point, positive)
        mine = session.recording[frame].layers[id].resized(96, 96) > 0
        other = tracker.copy()
        whole = other.prompt(id, points=[point], labels=[int(positive)], frame_index=frame)
        assert overlap(mine, whole.mask(id)) > 0.97


def test_one_more_click_inside_a_good_mask_does_no_harm(clip, session):
    worse, total = 0, 0
    for frame, (id, true) in itertools.product((2, 6, 10, 13), true_ids(session, clip).items()):
        before = iou(session, clip, frame, id, true)
        if before < 0.6:
            continue
        inside = session.frame(frame).segmentation.mask(id) & (clip.truth[frame].ids == true)
        point, _ = middle_of_error(inside, np.zeros_like(inside))
        session.click(frame, id, point)
        worse += iou(session, clip, frame, id, true) < before - 0.05
        total += 1
        session.undo()
    assert total >= 8
    assert worse == 0


def test_corrections_in_any_order_lead_to_the_same_frames(clip, begin):
    found = []
    for order in ((4, 9, 12), (12, 4, 9)):
        session = begin()
        id, true = max(true_ids(session, clip).items(), key=lambda pair: pair[1])
        for frame in order:
            click_on_error(session, clip, frame, id, true)
        session.propagate(progress=False)
        found.append([layer(session, t, id) for t in range(FRAMES)])
    for other in found[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(found[0], other, strict=True))


def test_a_corrected_frame_keeps_its_answer_through_any_propagation(clip, session):
    id, true = max(true_ids(session, clip).items(), key=lambda pair: pair[1])
    answers = {}
    for frame in (SECOND, FIRST, 12, 1):
        click_on_error(session, clip, frame, id, true)
        answers[frame] = layer(session, frame, id)
        changed = set(session.propagate(progress=False).indices)
        assert changed & set(answers) == {frame}
        for corrected, answer in answers.items():
            assert np.array_equal(layer(session, corrected, id), answer)
    session.click(FIRST, id, (0, 0), positive=False)
    assert session.edits.corrections[id, FIRST].points[-1] == (0, 0)
    assert len(session.edits.corrections[id, FIRST].points) == 2


def test_a_frame_between_two_corrections_is_followed_from_the_nearer_one(clip, session):
    """And is no worse than what one tracker says that has both as prompts."""
    id, true = max(true_ids(session, clip).items(), key=lambda pair: pair[1])
    for frame in (FIRST, SECOND):
        click_on_error(session, clip, frame, id, true)
    prompts = {t: session.recording[t].layers[id].resized(96, 96) > 0 for t in (FIRST, SECOND)}
    session.propagate(progress=False)
    settings = TrackerSettings(corrections_are_prompts=True)
    tracker = VideoTracker(session.pipeline.segmenter.model, clip.frames[:FRAMES], settings)
    for frame, mask in prompts.items():
        tracker.prompt_masks([id], mask[None], frame)
    one = {f.frame_index: f.mask(id) for f in tracker.propagate(FIRST)}
    after = range(FIRST, FRAMES)
    truth = {t: clip.truth[t].ids == true for t in after}
    mine = np.mean([overlap(session.recording[t].layers[id].resized(96, 96) > 0, truth[t])
                    for t in after])  # fmt: skip
    assert mine >= np.mean([overlap(one[t], truth[t]) for t in after]) - 0.01


def test_what_was_propagated_counts_when_the_next_click_is_answered(clip, begin):
    """A correction beside it that wasn't, doesn't: the order of clicks makes no difference."""
    answers = []
    for propagated in (False, True):
        session = begin()
        id, true = max(true_ids(session, clip).items(), key=lambda pair: pair[1])
        alone = session.click(FIRST + 1, id, (48, 48)) and layer(session, FIRST + 1, id)
        session.undo()
        click_on_error(session, clip, FIRST, id, true)
        session.click(FIRST, id, (0, 0), positive=False)
        if propagated:
            session.propagate(progress=False)
        session.click(FIRST + 1, id, (48, 48))
        answers.append(np.array_equal(layer(session, FIRST + 1, id), alone))
    assert answers == [True, False]
