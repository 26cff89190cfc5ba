"""Layers become one map, by hand; and survive a recording."""

import numpy as np
import pytest

from panoptic.results.frame import Event
from panoptic.settings.compose import MergeSettings
from panoptic.video.layer_store import LayerStore, StoredFrame
from panoptic.video.mask_layers import Layer, Layers, to_steps
from prompts import Vocabulary

WORDS = Vocabulary(things=["cat", "dog"], stuff=["grass"])
CAT, DOG, GRASS = 1, 2, 3
PLAIN = MergeSettings(min_fragment=0, seam=0)


def layer(id, category, rows):
    """Logits written as digits: 0 is -8, 5 is 0.5, 9 is 8."""
    logits = {"0": -8.0, "1": -1.0, "5": 0.5, "7": 2.0, "9": 8.0}
    steps = to_steps(np.array([[logits[c] for c in row] for row in rows.split()]))
    return Layer(id, category, 0.8, 0.9, steps)


def compose(*layers, size=(2, 4), logit=0.0, min_area=0.0):
    frame = Layers(0, size, ()).with_layers(layers)
    return frame.compose({c.id: c for c in WORDS}, logit, min_area, PLAIN)


def test_contested_pixels_go_by_logits():
    result = compose(layer(3, CAT, "9970 9970"), layer(8, DOG, "0599 0599"))
    assert result.ids.tolist() == [[3, 3, 8, 8]] * 2
    assert [(s.id, s.category, s.score) for s in result] == [(3, "cat", 0.8), (8, "dog", 0.8)]


def test_a_thing_stands_before_stuff():
    result = compose(layer(3, CAT, "0550 0550"), layer(8, GRASS, "9999 9999"))
    assert result.ids.tolist() == [[8, 3, 3, 8]] * 2


def test_stuff_may_claim_what_nobody_else_does():
    layers = layer(3, CAT, "0510 0510"), layer(8, GRASS, "9110 9110")
    assert compose(*layers).ids.tolist() == [[8, 3, 0, 0]] * 2
    assert compose(*layers, logit=-2.0).ids.tolist() == [[8, 3, 8, 0]] * 2


def test_what_is_hidden_is_absent():
    result = compose(layer(3, CAT, "1111 0000"), layer(8, DOG, "9900 9900"))
    assert [s.id for s in result] == [8]
    assert result.ids.tolist() == [[8, 8, 0, 0]] * 2


def test_crumbs_are_left_to_others():
    crumb = layer(3, CAT, "0090 0000")
    behind = layer(8, GRASS, "9999 9999")
    assert compose(crumb, behind, min_area=0.1).ids.tolist() == [[8, 8, 3, 8], [8] * 4]
    assert compose(crumb, behind, min_area=0.2).ids.tolist() == [[8] * 4] * 2


def test_masks_are_stretched_over_the_frame():
    result = compose(layer(5, DOG, "90 90"), size=(7, 13))
    assert result.ids.shape == (7, 13)
    assert (result.ids[:, :6] == 5).all()
    assert (result.ids[:, 7:] == 0).all()


def test_without_any_layer_all_is_void():
    assert not compose(size=(3, 5)).ids.any()


def test_rounding_keeps_the_sign():
    logits = np.array([-50.0, -0.01, 0.0, 0.01, 0.5, 50.0])
    assert to_steps(logits).tolist() == [-128, 0, 0, 1, 4, 127]


def record(index, shot=0, shift=0):
    rng = np.random.default_rng(index + 100 * shift)
    layers = [
        Layer(i, CAT, 0.1 * i, 0.3, rng.integers(-128, 128, (5, 6)).astype(np.int8))
        for i in range(1, 4)
    ]
    prompts = {2: rng.random((7, 9)) > 0.5}
    events = (Event("new", 2, "cat é"),)
    return StoredFrame(Layers(index, (7, 9), tuple(layers)), shot, events, 0.25 * index, prompts)


def same(one, other):
    assert (one.shot, one.events, one.time) == (other.shot, other.events, other.time)
    assert (one.layers.index, one.layers.size) == (other.layers.index, other.layers.size)
    assert one.prompts.keys() == other.prompts.keys()
    for id, mask in one.prompts.items():
        assert np.array_equal(mask, other.prompts[id])
    for a, b in zip(one.layers.layers, other.layers.layers, strict=True):
        assert (a.id, a.category_id, a.score, a.quality) == (
            b.id,
            b.category_id,
            b.score,
            b.quality,
        )
        assert a.steps.dtype == b.steps.dtype
        assert np.array_equal(a.steps, b.steps)


def test_a_recording_gives_back_what_was_put_in(tmp_path):
    recording = LayerStore(tmp_path)
    for index in range(5):
        recording.add(record(index, shot=index // 3))
    for index in (4, 0, 2):
        same(recording[index], record(index, shot=index // 3))
    assert [recording.shot_of(i) for i in (0, 2, 3, 4)] == [range(3)] * 2 + [range(3, 5)] * 2
    recording.replace(record(2, shift=1))
    same(recording[2], record(2, shift=1))
    same(recording[3], record(3, shot=1))
    recording.close()
    assert not list(tmp_path.iterdir())


def test_a_recording_refuses_frames_out_of_order(tmp_path):
    recording = LayerStore(tmp_path)
    with pytest.raises(ValueError, match="frame 0 is next"):
        recording.add(record(1))
    with pytest.raises(IndexError, match="isn't recorded"):
        recording[0]
