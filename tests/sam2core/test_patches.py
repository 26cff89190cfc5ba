"""Masks in their boxes are the same masks, and of near copies the best stays."""

from __future__ import annotations

import numpy as np
import pytest

from sam2core.patches import Patch, suppress


def mask(*rows: str) -> np.ndarray:
    return np.array([[c == "#" for c in row] for row in rows])


L_SHAPE = mask(
    "....",
    ".#..",
    ".##.",
    "....",
)


def test_a_patch_is_the_mask_in_its_box():
    patch = Patch.of(L_SHAPE)
    assert patch.box == (1, 1, 3, 3)
    assert patch.area == 3
    assert patch.pixels.tolist() == [[True, False], [True, True]]
    assert np.array_equal(patch.paste(4, 4), L_SHAPE)
    shifted = Patch.of(L_SHAPE, left=10, top=20)
    assert shifted.box == (11, 21, 13, 23)
    assert np.argwhere(shifted.paste(30, 40)).tolist() == [[21, 11], [22, 11], [22, 12]]


def test_a_patch_does_not_keep_the_mask():
    whole = L_SHAPE.copy()
    patch = Patch.of(whole)
    whole[:] = False
    assert patch.pixels.any()
    assert patch.pixels.base is None


def test_an_empty_mask_is_an_empty_patch():
    patch = Patch.of(np.zeros((4, 4), bool))
    assert (patch.area, patch.pixels.shape) == (0, (0, 0))
    assert not patch.paste(4, 4).any()
    assert patch.iou(patch) == patch.iou(Patch.of(L_SHAPE)) == 0
    assert patch.without_specks(5).area == 0


def test_iou_by_hand():
    a = Patch.of(L_SHAPE)
    square = Patch.of(mask("....", ".##.", ".##.", "...."))
    corner = Patch.of(mask("....", "....", "..##", "..##"))
    assert a.iou(a) == 1
    assert a.iou(square) == square.iou(a) == 3 / 4
    assert square.iou(corner) == 1 / 7
    assert a.iou(corner) == 1 / 6
    assert Patch.of(L_SHAPE, left=2).iou(a) == 0


def brute_force(masks: np.ndarray, threshold: float) -> list[int]:
    kept: list[int] = []
    for i, m in enumerate(masks):
        overlaps = [(m & masks[k]).sum() / max((m | masks[k]).sum(), 1) for k in kept]
        if m.any() and all(o <= threshold for o in overlaps):
            kept.append(i)
    return kept


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 0.7, 1.0])
def test_suppression_equals_all_pairs(threshold):
    rng = np.random.default_rng(3)
    masks = []
    for _ in range(120):
        y, x = rng.integers(0, 12, 2)
        h, w = rng.integers(0, 9, 2)
        m = np.zeros((16, 16), bool)
        m[y : y + h, x : x + w] = rng.random((16, 16))[y : y + h, x : x + w] < 0.9
        masks.append(m)
    masks = np.array(masks)
    kept = suppress([Patch.of(m) for m in masks], threshold)
    assert kept == brute_force(masks, threshold)
    assert threshold in (0.0, 1.0) or 20 < len(kept) < 110


def test_what_is_suppressed_does_not_suppress():
    row = np.zeros((3, 1, 10), bool)
    row[0, 0, 0:6], row[1, 0, 1:8], row[2, 0, 3:10] = True, True, True
    # 1 overlaps 0 by 5/8 and 2 by 5/9; 0 and 2 only by 3/10.
    assert suppress([Patch.of(m) for m in row], 0.5) == [0, 2]
    assert suppress([Patch.of(m) for m in row[[1, 0, 2]]], 0.5) == [0]
    assert suppress([], 0.5) == []


def test_a_frame_and_what_it_encloses_are_two_things():
    disc = np.zeros((12, 12), bool)
    disc[1:11, 1:11] = True
    ring = ~disc
    # Their boxes have an IoU of 0.69; they share not one pixel.
    assert suppress([Patch.of(ring), Patch.of(disc)], 0.5) == [0, 1]


def test_specks_are_removed_and_small_holes_filled():
    dirty = mask(
        "#....##",
        "..###..",
        "..#.#..",
        "..###..",
        "......#",
    )
    # The pair at the top hangs on the square by a corner. Two pixels stand alone.
    clean = mask(
        ".....##",
        "..###..",
        "..###..",
        "..###..",
        ".......",
    )
    patch = Patch.of(dirty, left=5, top=6).without_specks(2)
    assert np.array_equal(patch.paste(11, 12)[6:, 5:], clean)
    assert patch.box == (7, 6, 12, 10)
    untouched = Patch.of(dirty).without_specks(1)
    assert np.array_equal(untouched.paste(5, 7), dirty)
    assert Patch.of(dirty).without_specks(100).area == 0


def test_a_bay_is_not_a_hole():
    bay = mask("###", "#..", "###")
    assert np.array_equal(Patch.of(bay).without_specks(5).pixels, bay)
