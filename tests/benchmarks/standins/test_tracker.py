"""The tracker that knows the truth: what it follows, how it loses it, and that it can go on."""

import io

import numpy as np
import pytest
import torch

from benchmarks.standins.masks import StandinSegmenter
from benchmarks.standins.tracker import StandinTracker, TrackErrors
from panoptic import PanopticPipeline
from panoptic.settings.video import VideoSettings
from prompts import Vocabulary
from sam2core.errors import PromptError, UnknownObjectError
from tests.benchmarks.standins.small_worlds import (
    CAT,
    DOG,
    GRASS,
    OTHER_CAT,
    SKY,
    clip,
    overlap,
    truths,
)
from tests.panoptic.video.oracle import Oracle

ALL = (CAT, OTHER_CAT, DOG, SKY, GRASS)


def begun(frames, errors=None, ids=ALL, seed=0):
    """A tracker that was prompted with true masks in the first of the frames."""
    tracker = StandinTracker(truths(frames), errors, seed)
    tracker.step(frames[0].image)
    tracker.prompt_masks(list(ids), np.stack([frames[0].truth.mask(i) for i in ids]))
    return tracker


def followed(frames, errors=None, ids=ALL, seed=0):
    """The answer for every frame after the first."""
    tracker = begun(frames, errors, ids, seed)
    return [tracker.step(f.image) for f in frames[1:]]


def test_without_errors_it_follows_the_truth():
    frames = clip()
    for answer, frame in zip(followed(frames), frames[1:], strict=True):
        assert answer.object_ids == ALL
        assert answer.frame_index == frame.index
        assert answer.logits.shape == (5, 256, 256)
        for id in ALL:
            assert overlap(answer.mask(id), frame.truth, id) > 0.97
        assert (answer.presence > 0).all()
        assert (answer.iou > 0.97).all()


def test_what_is_hidden_is_absent_and_found_again():
    frames = clip(hidden=range(4, 8))
    answers = followed(frames)
    for answer in answers[3:7]:
        assert not answer.mask(CAT).any()
        assert answer.presence[0] < 0
    assert overlap(answers[7].mask(CAT), frames[8].truth, CAT) > 0.97


def test_a_long_absence_is_forgotten_as_often_as_the_dial_says():
    frames = clip(hidden=range(2, 9))
    errors = TrackErrors(forgets=0.5, forgets_after=5)
    found = [followed(frames, errors, (CAT,), seed)[-1].mask(CAT).any() for seed in range(20)]
    assert 0.2 < np.mean(found) < 0.8
    short = TrackErrors(forgets=1, forgets_after=10)
    assert followed(frames, short)[-1].mask(CAT).any()


def test_outlines_drift_until_the_next_prompt():
    frames = clip(12)
    tracker = begun(frames, TrackErrors(drift=0.02, most_drift=0.5))
    drift = [overlap(tracker.step(frame.image).mask(DOG), frame.truth, DOG) for frame in frames[1:]]
    assert drift[0] > drift[4] > drift[10]
    assert drift[10] < 0.75
    tracker.prompt_masks([DOG], frames[-1].truth.mask(DOG)[None])
    assert overlap(tracker.current().mask(DOG), frames[-1].truth, DOG) > 0.97


def test_it_jumps_to_a_look_alike_and_stays_there():
    frames = clip(12)
    answers = followed(frames, TrackErrors(jumps=1), ids=(CAT,))
    assert overlap(answers[2].mask(CAT), frames[3].truth, CAT) > 0.97  # too far to jump
    assert overlap(answers[3].mask(CAT), frames[4].truth, OTHER_CAT) > 0.97
    rare = [
        overlap(
            followed(frames, TrackErrors(jumps=0.1), ids=(CAT,), seed=s)[-1].mask(CAT),
            frames[-1].truth,
            OTHER_CAT,
        )
        for s in range(12)
    ]
    assert 0.1 < np.mean(np.array(rare) > 0.9) < 0.9


def test_it_swallows_a_neighbour_until_it_is_prompted_again():
    frames = clip(12)
    tracker = begun(frames, TrackErrors(swallows=1), ids=(DOG,))
    mask = tracker.step(frames[1].image).mask(DOG)
    assert overlap(mask, frames[1].truth, DOG) < 0.6
    assert (mask & frames[1].truth.mask(DOG)).sum() > 0.95 * frames[1].truth.mask(DOG).sum()
    tracker.prompt_masks([DOG], frames[1].truth.mask(DOG)[None])
    assert overlap(tracker.current().mask(DOG), frames[1].truth, DOG) > 0.97


def test_presence_errs_both_ways():
    frames = clip(12, hidden=range(5, 12))
    answers = [a for s in range(4) for a in followed(frames, TrackErrors(absent=0.3), (DOG,), s)]
    dog = np.array([float(a.presence[0]) for a in answers])
    assert 0.15 < (dog < 0).mean() < 0.45
    ghosts = followed(frames, TrackErrors(ghosts=1))
    assert ghosts[-1].mask(CAT).any()
    assert ghosts[-1].presence[0] > 0


def test_estimates_err():
    frames = clip(12)
    answers = followed(frames, TrackErrors(iou_bias=-0.2, iou_noise=0.05))
    estimates = np.array([a.iou.tolist() for a in answers])
    assert estimates.mean() == pytest.approx(0.8, abs=0.03)
    assert 0.02 < estimates.std() < 0.1


def test_a_part_is_followed_as_a_part():
    frames = clip(8)
    tracker = StandinTracker(truths(frames))
    tracker.step(frames[0].image)
    half = frames[0].truth.mask(CAT) & (np.arange(128) < 20)
    tracker.prompt_masks([9], half[None])
    for frame in frames[1:]:
        mask, cat = tracker.step(frame.image).mask(9), frame.truth.mask(CAT)
    assert (mask & ~cat).sum() < 0.05 * cat.sum()
    assert 0.3 < mask.sum() / cat.sum() < 0.5
    assert np.nonzero(mask)[1].mean() < np.nonzero(cat)[1].mean() - 2


def test_a_mask_of_nothing_stays_with_the_background():
    frames = clip(8)
    tracker = StandinTracker(truths(frames))
    tracker.step(frames[0].image)
    nonsense = np.zeros((96, 128), bool)
    nonsense[50:60, 100:120] = True
    tracker.prompt_masks([9], nonsense[None])
    mask = [tracker.step(f.image).mask(9) for f in frames[1:]][-1]
    assert (mask & nonsense).sum() / (mask | nonsense).sum() > 0.9
    tracker.prompt_masks([9], np.zeros_like(nonsense)[None])
    assert not tracker.step(frames[0].image).mask(9).any()


def test_copies_and_states_go_on_alike():
    frames = clip(12, hidden=range(5, 8))
    errors = TrackErrors(drift=0.01, jumps=0.1, swallows=0.1, absent=0.1, iou_noise=0.1)
    tracker = begun(frames, errors)
    for frame in frames[1:6]:
        tracker.step(frame.image)
    other = tracker.copy()
    kept = io.BytesIO()
    torch.save(tracker.state(), kept)
    kept.seek(0)
    loaded = StandinTracker(truths(frames), errors)
    loaded.load_state(torch.load(kept, weights_only=True))
    for frame in frames[6:]:
        answers = [t.step(frame.image) for t in (tracker, other, loaded)]
        assert torch.equal(answers[0].logits, answers[1].logits)
        assert torch.equal(answers[0].logits, answers[2].logits)
        assert torch.equal(answers[0].iou, answers[2].iou)


def test_ids_are_removed_and_changed():
    tracker = begun(clip(4))
    copied = tracker.copy()
    tracker.remove(CAT)
    tracker.renumber(DOG, 30)
    assert tracker.object_ids == (OTHER_CAT, 30, SKY, GRASS)
    assert copied.object_ids == ALL
    with pytest.raises(UnknownObjectError, match="no object 1"):
        tracker.remove(CAT)
    with pytest.raises(PromptError, match="tracked already"):
        tracker.renumber(30, SKY)
    with pytest.raises(PromptError, match="step first"):
        StandinTracker(truths([])).prompt_masks([1], np.zeros((1, 4, 4), bool))


def test_a_session_is_labelled_by_it_forward_and_backward():
    frames = clip(12, hidden=range(3))
    oracle = Oracle([f.image for f in frames], [f.truth for f in frames])
    words = Vocabulary.parse("cat, dog; sky, grass")
    pipeline = PanopticPipeline(oracle, oracle, StandinSegmenter(truths(frames)))
    labelled = list(
        pipeline.open_video(
            np.stack([f.image for f in frames]), words, VideoSettings(detect_every=5 / 25)
        ).run(progress=False)
    )
    assert len(labelled) == 12
    for frame, true in zip(labelled[6:], frames[6:], strict=True):
        for s in true.truth.things:
            masks = [frame.segmentation.mask(f.id) for f in frame.segmentation.things]
            assert max(overlap(m, true.truth, s.id) for m in masks) > 0.9
