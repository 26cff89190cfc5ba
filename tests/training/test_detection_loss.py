import math

import pytest
import torch

from training.detection_loss import (
    PADDED,
    Grid,
    Targets,
    assign_dense,
    corners,
    focal,
    match,
    naming_loss,
    overlaps,
    pair_loss,
    phrase_logits,
)

# A prompt of two phrases in six tokens: [CLS] cat . hot dog [SEP].
TOKENS = torch.tensor([[0.0, 1, 0, 0, 0, 0], [0, 0, 0, 1, 1, 0]])
NO, YES = -6.0, 6.0


def target(*things):
    """Things as (word, box)."""
    boxes = torch.tensor([box for _, box in things]).reshape(-1, 4)
    return Targets(boxes, torch.tensor([word for word, _ in things], dtype=torch.long), TOKENS)


def logits_for(*words):
    """A row of token logits for each word, None for "nothing"."""
    out = torch.full((len(words), 6), NO)
    for row, word in enumerate(words):
        if word is not None:
            out[row, TOKENS[word] > 0] = YES
    return out


def test_overlaps_by_hand():
    a = torch.tensor([0.0, 0.0, 2.0, 2.0])
    b = torch.tensor([[1.0, 1.0, 3.0, 3.0], [4.0, 0.0, 6.0, 2.0], [0.0, 0.0, 2.0, 2.0]])
    iou, giou = overlaps(a, b)
    assert iou.tolist() == pytest.approx([1 / 7, 0, 1])
    assert giou.tolist() == pytest.approx([1 / 7 - 2 / 9, -4 / 12, 1])


def test_corners_by_hand():
    assert corners(torch.tensor([0.5, 0.4, 0.2, 0.4])).tolist() == pytest.approx(
        [0.4, 0.2, 0.6, 0.6]
    )


def test_focal_by_hand():
    logits = torch.tensor([[0.0, 0.0, 0.0]])
    loss = focal(logits, torch.tensor([[1.0, 0.0, 1.0]]), torch.tensor([[True, True, False]]))
    # 0.25 * 0.5**2 * ln 2 for the positive, 0.75 * 0.5**2 * ln 2 for the negative, none padded.
    assert float(loss) == pytest.approx(0.25 * math.log(2))


def test_matching_follows_the_words_where_boxes_agree_and_the_boxes_where_words_do():
    here, there = [0.3, 0.3, 0.2, 0.2], [0.7, 0.7, 0.2, 0.2]
    slots, owners = match(
        logits_for(None, 1, 0), torch.tensor([here, here, here]), target((0, here), (1, here))
    )
    assert dict(zip(owners.tolist(), slots.tolist(), strict=True)) == {0: 2, 1: 1}
    slots, owners = match(
        logits_for(0, 0, 0), torch.tensor([[0.5] * 4, there, here]), target((0, here), (0, there))
    )
    assert dict(zip(owners.tolist(), slots.tolist(), strict=True)) == {0: 2, 1: 1}


def test_an_image_without_things_matches_nothing_and_still_has_a_loss():
    empty = target()
    boxes = torch.full((3, 4), 0.5)
    pairs = [match(logits_for(0, 1, None), boxes, empty)]
    assert len(pairs[0][0]) == 0
    assert len(assign_dense(logits_for(0), boxes[:1], empty, Grid.of(16, (16,)))[0]) == 0
    word, l1, giou = pair_loss(
        logits_for(0, 1, None)[None],
        boxes[None],
        torch.ones(1, 6, dtype=torch.bool),
        [empty],
        pairs,
    )
    assert word > 1
    assert l1 == giou == 0


def test_the_targets_of_each_image_use_its_own_prompt():
    box = [0.5, 0.5, 0.2, 0.2]
    swapped = Targets(torch.tensor([box]), torch.tensor([0]), TOKENS.flip(0))
    targets = [target((0, box)), swapped]
    right = torch.stack([logits_for(0), logits_for(1)])
    mask = torch.ones(2, 6, dtype=torch.bool)
    pairs = [(torch.tensor([0]), torch.tensor([0]))] * 2
    boxes = torch.tensor([[box], [box]])
    word, l1, giou = pair_loss(right, boxes, mask, targets, pairs)
    assert word < 1e-3
    assert l1 == 0
    assert float(giou) == pytest.approx(0, abs=1e-5)
    assert pair_loss(right.flip(0), boxes, mask, targets, pairs)[0] > 1


def test_padded_tokens_cost_nothing():
    box = [0.5, 0.5, 0.2, 0.2]
    logits = torch.cat([logits_for(0), torch.full((1, 2), PADDED)], 1)[None]
    tokens = torch.cat([TOKENS, torch.zeros(2, 2)], 1)
    padded = Targets(torch.tensor([box]), torch.tensor([0]), tokens)
    mask = torch.tensor([[True] * 6 + [False] * 2])
    pairs = [(torch.tensor([0]), torch.tensor([0]))]
    word, _, _ = pair_loss(logits, torch.tensor([[box]]), mask, [padded], pairs)
    plain, _, _ = pair_loss(
        logits_for(0)[None], torch.tensor([[box]]), mask[:, :6], [target((0, box))], pairs
    )
    assert float(word) == pytest.approx(float(plain))


def test_the_grid_lists_cells_row_by_row_and_level_by_level():
    grid = Grid.of(32, (8, 16))
    assert grid.centres.shape == (16 + 4, 2)
    assert grid.centres[1].tolist() == pytest.approx([0.375, 0.125])
    assert grid.centres[16].tolist() == pytest.approx([0.25, 0.25])
    assert grid.strides.tolist() == [0.25] * 16 + [0.5] * 4


def test_dense_assignment_takes_cells_inside_the_box_on_the_fitting_level():
    grid = Grid.of(64, (8, 16, 32))
    small = [0.25, 0.25, 0.4, 0.4]
    boxes = torch.cat([grid.centres, torch.full((len(grid.centres), 2), 0.1)], 1)
    logits = logits_for(*[None] * len(boxes))
    cells, owners = assign_dense(logits, boxes, target((0, small)), grid, count=3)
    assert owners.tolist() == [0, 0, 0]
    assert (grid.strides[cells] == 8 / 64).all()
    assert ((grid.centres[cells] - 0.25).abs() < 0.2).all()


def test_naming_asks_for_the_word_whatever_the_level_of_the_logits():
    owners = torch.tensor([[0, 0, -1]])
    thing = [target((1, [0.5, 0.5, 0.4, 0.4]))]
    right, wrong = logits_for(1, 1, 0)[None], logits_for(0, 0, 1)[None]
    assert naming_loss(right, thing, owners) < 1e-4
    assert naming_loss(right - 50, thing, owners) < 1e-4
    assert naming_loss(wrong, thing, owners) > 10
    assert naming_loss(wrong, thing, torch.full((1, 3), -1)) == 0


def test_naming_weighs_things_alike_however_large():
    things = [target((1, [0.5] * 4), (0, [0.5] * 4))]
    logits = logits_for(1, 1, 1, 1)[None]  # right for the large first thing, wrong for the second
    loss = naming_loss(logits, things, torch.tensor([[0, 0, 0, 1]]))
    assert float(loss) == pytest.approx(6, abs=0.1)  # half of a difference of 12 in the logits


def test_a_phrase_counts_as_much_as_its_tokens_do_on_average():
    logits = torch.tensor([[9.0, 1.0, 9.0, 2.0, 4.0, 9.0]])
    assert phrase_logits(logits, TOKENS).tolist() == [[1.0, 3.0]]
