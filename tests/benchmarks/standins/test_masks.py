"""The segmenter that knows the truth: what prompts mean to it, and each of its dials."""

import numpy as np
import pytest
import torch

from benchmarks.standins.masks import MaskErrors, StandinSegmenter
from panoptic import PanopticPipeline
from prompts import Vocabulary
from sam2core.automatic import AutomaticMasks, AutomaticSettings
from sam2core.errors import PromptError
from tests.benchmarks.standins.small_worlds import (
    CAT,
    CAT_BOX,
    DOG,
    DOG_BOX,
    GRASS,
    HEIGHT,
    OTHER_BOX,
    OTHER_CAT,
    SKY,
    WIDTH,
    clip,
    overlap,
    still,
    truths,
)
from tests.panoptic.video.oracle import Oracle

FRAME = still()
TRUTH = FRAME.truth


def ask(errors=None, seed=0, frame=FRAME, **prompt):
    segmenter = StandinSegmenter(truths([frame]), errors, seed)
    return segmenter.segment(**prompt, image=segmenter.encode(frame.image))


def boxed(errors=None, seed=0, box=DOG_BOX, frame=FRAME):
    """The mask that is given for a box, bool (H, W)."""
    return ask(errors, seed, frame, boxes=[box]).masks()[0, 0]


def random_points(id, count, seed=0):
    ys, xs = np.nonzero(TRUTH.ids == id)
    chosen = np.random.default_rng(seed).integers(0, len(ys), count)
    return np.stack([xs[chosen], ys[chosen]], axis=1).astype(float)


def test_boxes_are_answered_with_the_segment_they_fit():
    answer = ask(boxes=[CAT_BOX, OTHER_BOX, (88, 28, 112, 93)])
    assert answer.logits.shape == (3, 1, 256, 256)
    assert answer.size == (HEIGHT, WIDTH)
    for mask, id in zip(answer.masks()[:, 0], (CAT, OTHER_CAT, DOG), strict=True):
        assert overlap(mask, TRUTH, id) > 0.97
    assert (answer.presence > 0).all()


def test_a_box_around_two_things_of_a_kind_is_both():
    assert overlap(boxed(box=(20, 40, 64, 72)), TRUTH, CAT, OTHER_CAT) > 0.97


def test_a_box_of_the_whole_picture_is_a_background():
    assert overlap(boxed(box=(0, 0, WIDTH, HEIGHT)), TRUTH, SKY) > 0.95


def test_a_box_that_fits_nothing_is_what_fills_its_middle():
    mask = boxed(box=(10, 80, 30, 94))
    ys, xs = np.nonzero(mask)
    assert mask.any()
    assert overlap(mask, TRUTH, GRASS) < 0.5
    assert (TRUTH.ids[ys, xs] == GRASS).all()
    assert xs.max() < 35


def test_a_click_has_a_part_the_whole_and_more():
    part, whole, more = ask(points=[[100, 60]], multimask=True).masks()[0]
    assert overlap(whole, TRUTH, DOG) > 0.97
    assert 0 < part.sum() < 0.9 * whole.sum()
    assert (part & ~whole).sum() == 0
    assert more.sum() > 1.5 * whole.sum()
    assert (whole & ~more).sum() == 0


def test_the_best_of_three_is_the_whole():
    answer = ask(points=[[100, 60]], multimask=True)
    assert answer.iou.argmax() == 1
    assert answer.iou[0, 1] == 1


def test_a_click_on_one_side_of_a_pole_is_that_piece_of_the_sky():
    _, whole, more = ask(points=[[10, 10]], multimask=True).masks()[0]
    left = (TRUTH.ids == SKY) & (np.arange(WIDTH) < 80)
    assert (whole & left).sum() / (whole | left).sum() > 0.95
    assert overlap(more, TRUTH, SKY) > 0.95
    both = ask(points=[[[10, 10], [120, 10]]]).masks()[0, 0]
    assert overlap(both, TRUTH, SKY) > 0.95


@pytest.mark.parametrize("count", [1, 12, 1000])
def test_any_number_of_points_is_answered(count):
    mask = ask(points=random_points(GRASS, count)[None]).masks()[0, 0]
    assert overlap(mask, TRUTH, GRASS) > 0.9


def test_a_few_points_astray_are_in_the_largest_mask_alone():
    points = np.concatenate([random_points(SKY, 40), random_points(DOG, 2)])
    _, whole, more = ask(points=points[None], multimask=True).masks()[0]
    dog = TRUTH.ids == DOG
    assert not (whole & dog).sum() > 0.1 * dog.sum()
    assert (more & dog).sum() > 0.9 * dog.sum()


def test_negative_points_keep_pieces_out():
    points = [[[30, 50], [100, 60], [50, 60]]]
    mask = ask(points=points, labels=[[1, 1, 0]]).masks()[0, 0]
    assert overlap(mask, TRUTH, CAT, DOG) > 0.95


def test_an_earlier_mask_is_added_to_and_taken_from():
    earlier = ask(boxes=[CAT_BOX]).logits[0]
    more = ask(points=[[50, 60]], mask_logits=earlier).masks()[0, 0]
    assert overlap(more, TRUTH, CAT, OTHER_CAT) > 0.95
    both = ask(boxes=[(20, 40, 64, 72)]).logits[0]
    less = ask(points=[[[50, 60]]], labels=[[0]], mask_logits=both).masks()[0, 0]
    assert overlap(less, TRUTH, CAT) > 0.95


def test_bad_prompts_are_refused_as_by_the_model():
    with pytest.raises(PromptError, match="none was given"):
        ask()
    with pytest.raises(PromptError, match="picture of 128 x 96"):
        ask(points=[[500, 500]])
    with pytest.raises(ValueError, match="truth isn't known"):
        StandinSegmenter(truths([])).encode(FRAME.image)


def test_answers_are_the_same_whatever_was_asked_before():
    errors = MaskErrors(outline=0.05, holes=1, splashes=1, part=0.3, iou_noise=0.1)
    together = ask(errors, boxes=[CAT_BOX, DOG_BOX])
    alone = ask(errors, boxes=[DOG_BOX])
    assert torch.equal(together.logits[1], alone.logits[0])
    assert torch.equal(together.iou[1], alone.iou[0])
    assert not torch.equal(ask(errors, 1, boxes=[DOG_BOX]).logits, alone.logits)


def test_hard_and_soft_logits():
    hard = ask(boxes=[DOG_BOX])
    assert hard.logits.max() == 10
    assert hard.stability().min() > 0.97
    soft = ask(MaskErrors(edge=3, height=2.5), boxes=[DOG_BOX])
    assert soft.logits.max() == 2.5
    assert soft.logits.min() == -2.5
    assert soft.stability().min() < 0.9
    assert overlap(soft.masks()[0, 0], TRUTH, DOG) > 0.9


def test_outlines_are_off_as_far_as_the_dial_says():
    by = {
        outline: np.mean([
            overlap(boxed(MaskErrors(outline=outline), seed), TRUTH, DOG) for seed in range(8)
        ])
        for outline in (0, 0.03, 0.1)
    }  # fmt: skip
    assert by[0] > by[0.03] > by[0.1] > 0.4
    assert by[0] - by[0.1] > 0.1


def rate(of, seeds=40):
    return np.mean([of(seed) for seed in range(seeds)])


def test_parts_and_more_come_as_often_as_the_dials_say():
    errors = MaskErrors(part=0.3, more=0.2)
    whole = (TRUTH.ids == DOG).sum()
    areas = np.array([boxed(errors, seed).sum() for seed in range(40)]) / whole
    assert 0.15 < (areas < 0.9).mean() < 0.45
    assert 0.08 < (areas > 1.2).mean() < 0.35
    best = [ask(errors, s, points=[[100, 60]], multimask=True).iou.argmax() for s in range(30)]
    assert 0.15 < np.mean([b == 0 for b in best]) < 0.45


def test_holes_and_splashes():
    dog = TRUTH.ids == DOG
    holed = [boxed(MaskErrors(holes=2), seed) for seed in range(10)]
    assert np.mean([(dog & ~m).sum() for m in holed]) > 0.02 * dog.sum()
    assert all((m & ~dog).sum() < 0.03 * dog.sum() for m in holed)
    splashed = [boxed(MaskErrors(splashes=2), seed) for seed in range(10)]
    assert np.mean([(m & ~dog).sum() for m in splashed]) > 0.02 * dog.sum()


def test_leaks_go_into_a_look_alike():
    masks = [boxed(MaskErrors(leaks=1), seed, CAT_BOX) for seed in range(8)]
    other, cat = TRUTH.ids == OTHER_CAT, TRUTH.ids == CAT
    for mask in masks:
        assert 0.05 < (mask & other).sum() / other.sum() < 0.95
        assert (mask & ~other & ~cat).sum() < 0.05 * cat.sum()


def test_estimates_and_presence_err():
    def answer(errors, seed):
        return ask(errors, seed, boxes=[DOG_BOX])

    low = rate(lambda s: float(answer(MaskErrors(iou_bias=-0.3), s).iou[0, 0]), 4)
    assert low == pytest.approx(0.7, abs=0.02)
    noisy = [float(answer(MaskErrors(iou_bias=-0.3, iou_noise=0.1), s).iou) for s in range(40)]
    assert 0.05 < np.std(noisy) < 0.15
    absent = rate(lambda s: float(answer(MaskErrors(absent=0.3), s).presence[0]) < 0)
    assert 0.15 < absent < 0.45


def test_errors_flicker_or_stay_as_the_dial_says():
    def areas(steady):
        errors = MaskErrors(part=0.5, steady=steady)
        return [boxed(errors, 3, DOG_BOX, frame).sum() for frame in clip(12)]

    assert len(set(areas(1))) == 1
    assert len(set(areas(0))) > 1


def test_dials_that_mean_nothing_are_refused():
    with pytest.raises(ValueError, match="part must be in"):
        MaskErrors(part=1.5)
    with pytest.raises(ValueError, match="outline must be at least 0"):
        MaskErrors(outline=-1)
    with pytest.raises(ValueError, match="height"):
        MaskErrors(height=0)


def test_a_pipeline_labels_a_picture_by_it():
    oracle = Oracle([FRAME.image], [TRUTH])
    words = Vocabulary.parse("cat, dog; sky, grass")
    pipeline = PanopticPipeline(oracle, oracle, StandinSegmenter(truths([FRAME])))
    found = pipeline.segment(FRAME.image, words)
    for s in TRUTH:
        best = max(
            overlap(found.mask(f.id), TRUTH, s.id) for f in found if f.category == s.category
        )
        assert best > 0.9, s.category


def test_everything_in_a_picture_is_found_by_it():
    segmenter = StandinSegmenter(truths([FRAME]))
    masks = AutomaticMasks(segmenter, AutomaticSettings(points_per_side=8)).generate(FRAME.image)
    assert {TRUTH.ids[m.mask()][0] for m in masks} >= {CAT, OTHER_CAT, DOG, SKY, GRASS}
