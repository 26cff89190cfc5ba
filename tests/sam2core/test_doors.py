"""What is given at the doors: right, or refused by name."""

import numpy as np
import pytest
import torch

from sam2core import ImageSegmenter, VideoTracker
from sam2core.arrays import as_id, as_mask
from sam2core.errors import PromptError

FRAME = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
INSIDE = np.zeros((40, 60), bool)
INSIDE[10:30, 20:40] = True
SOFT = np.where(INSIDE, 0.9, 0.2)


@pytest.fixture
def tracker(model):
    return VideoTracker(model, [FRAME] * 3)


@pytest.mark.parametrize(
    "mask",
    [
        INSIDE,
        INSIDE.astype(np.uint8),
        INSIDE.astype(np.uint8) * 255,
        INSIDE.astype(np.float32),
        INSIDE.astype(np.float64) * 255,
        INSIDE.tolist(),
        torch.from_numpy(INSIDE),
        torch.from_numpy(INSIDE).to(torch.bfloat16),
    ],
)
def test_masks_of_every_kind_are_the_same(tracker, mask):
    found = tracker.prompt(1, mask=mask, frame_index=0).masks()[0]
    assert (found ^ INSIDE).mean() < 0.02
    assert np.array_equal(as_mask(mask, "mask"), INSIDE)


NO_MASKS = {
    "as probabilities have": SOFT,
    "as logits have": np.where(INSIDE, 3.0, -4.0),
    "as a map of ids has": np.where(INSIDE, 7, 0) + np.eye(40, 60, dtype=int),
    "not numbers": np.where(INSIDE, np.nan, 0.0),
    "several values": np.full((40, 60), 2),
}


@pytest.mark.parametrize("said", NO_MASKS)
def test_what_is_no_mask_is_refused(tracker, said):
    mask = NO_MASKS[said]
    with pytest.raises(PromptError, match=said):
        tracker.prompt(1, mask=mask, frame_index=0)
    with pytest.raises(PromptError, match=said):
        tracker.prompt_masks([1, 2], [mask, mask], frame_index=0)
    with pytest.raises(PromptError, match=rf"mask 5 .*{said}"):
        VideoTracker(tracker.model).step(FRAME, {5: mask})
    assert tracker.object_ids == ()


def test_a_stream_that_refused_a_mask_goes_on_with_the_same_frame(model):
    stream = VideoTracker(model)
    with pytest.raises(PromptError, match="size"):
        stream.step(FRAME, {1: INSIDE, 2: INSIDE[:, 1:]})
    assert stream.frame_index == -1
    assert stream.step(FRAME, {1: INSIDE}).frame_index == 0


@pytest.mark.parametrize("wrong", [1.0, True, "1", None, np.float32(2), np.bool_(True), (1,)])
def test_ids_are_whole_numbers(tracker, wrong):
    for give in (
        lambda: tracker.prompt(wrong, box=[1, 1, 9, 9], frame_index=0),
        lambda: tracker.prompt(wrong, mask=INSIDE, frame_index=0),
        lambda: tracker.prompt_masks([wrong], INSIDE[None], frame_index=0),
        lambda: VideoTracker(tracker.model).step(FRAME, {wrong: INSIDE}),
        lambda: tracker.remove(wrong),
    ):
        with pytest.raises(PromptError, match="an object id must be a whole number, got"):
            give()
    if wrong is not None:
        with pytest.raises(PromptError, match="frame_index must be a whole number, got"):
            tracker.prompt(1, mask=INSIDE, frame_index=wrong)
    assert tracker.object_ids == ()


@pytest.mark.parametrize("number", [3, np.int64(3), np.uint8(3)])
def test_numbers_of_numpy_are_the_same_id(tracker, number):
    tracker.prompt(number, box=[1, 1, 9, 9], frame_index=np.int32(0))
    assert tracker.object_ids == (3,)
    assert type(tracker.object_ids[0]) is int
    tracker.remove(np.int16(3))
    assert as_id(number) == 3


def test_one_object_takes_one_box(tracker):
    two = [[1, 1, 9, 9], [20, 20, 30, 30]]
    with pytest.raises(PromptError, match=r"one box \(4,\) as xyxy, got shape \(2, 4\)"):
        tracker.prompt(1, box=two, frame_index=0)
    first = tracker.prompt(1, box=two[:1], frame_index=0)
    with pytest.raises(PromptError, match="has a box in frame 0 already"):
        tracker.prompt(1, box=two[1], frame_index=0)
    assert np.array_equal(tracker.current().masks(), first.masks()), "nothing was done"
    tracker.prompt(1, points=[[5, 5]], frame_index=0)
    other = tracker.prompt(1, box=two[1], frame_index=0, replace=True)
    alone = VideoTracker(tracker.model, [FRAME]).prompt(1, box=two[1], frame_index=0)
    assert np.array_equal(other.masks(), alone.masks())


@pytest.mark.parametrize(
    ("logits", "said"),
    [
        (INSIDE, "must be logits as an answer has them, got bool"),
        (INSIDE.astype(np.uint8), "got uint8"),
        (SOFT, "lie between 0 and 1, as probabilities do"),
        (np.where(INSIDE, np.inf, -4.0), "not finite"),
        (np.where(INSIDE, np.nan, -4.0), "not finite"),
    ],
)
def test_what_are_no_logits_is_refused(model, logits, said):
    segmenter = ImageSegmenter(model)
    segmenter.set_image(FRAME)
    with pytest.raises(PromptError, match=said):
        segmenter.segment(points=[[30, 20]], mask_logits=logits)


@pytest.mark.parametrize("labels", [[0.5], [np.nan], [2], [np.inf]])
def test_labels_are_0_or_1(tracker, labels):
    with pytest.raises(PromptError, match="labels must be"):
        tracker.prompt(1, points=[[5, 5]], labels=labels, frame_index=0)


def test_labels_of_true_and_false_are_1_and_0(model):
    answers = [
        VideoTracker(model, [FRAME])
        .prompt(1, points=[[30, 20], [5, 5]], labels=labels, frame_index=0)
        .masks()
        for labels in ([True, False], [1, 0], np.array([1.0, 0.0]))
    ]
    assert all(np.array_equal(answers[0], other) for other in answers)


@pytest.mark.parametrize("wrong", [0.0, True, "0"])
def test_where_to_go_from_and_new_ids_are_whole_numbers(tracker, wrong):
    tracker.prompt(1, mask=INSIDE, frame_index=0)
    with pytest.raises(PromptError, match="the new object id must be a whole number"):
        tracker.renumber(1, wrong)
    for options in ({"start": wrong}, {"stop": wrong}):
        with pytest.raises(PromptError, match="must be a whole number"):
            next(tracker.propagate(**options))
    assert tracker.object_ids == (1,)
