"""A session that composes in tensors shows the frames of one that composes on the host."""

from __future__ import annotations

import numpy as np

from panoptic.video import frame_maps
from panoptic.video.mask_layers import Layers
from panoptic.video.session import VideoSession
from tests.panoptic.video.small_sessions import FRAMES, SETTINGS, WORDS, small_clip, small_pipeline


def run() -> list:
    session = VideoSession(small_pipeline(), WORDS, SETTINGS)
    return [(session.step(frame), session.layers) for frame in small_clip().frames[:FRAMES]]


def test_frames_are_the_same_and_no_frame_is_composed_twice(monkeypatch):
    expected = run()
    assert all(layers.composed is None for _, layers in expected)
    monkeypatch.setattr(frame_maps, "composes_there", lambda device: True)
    found = run()
    for (frame, layers), (plain, plain_layers) in zip(found, expected, strict=True):
        assert frame.segmentation == plain.segmentation
        assert frame.events == plain.events
        assert layers.ids == plain_layers.ids
        for one, other in zip(layers.layers, plain_layers.layers, strict=True):
            np.testing.assert_array_equal(one.steps, other.steps)
        assert layers.composed is not None
        assert layers.composed.ids == layers.ids


def test_what_is_composed_counts_for_these_layers_and_levels_alone(monkeypatch):
    monkeypatch.setattr(frame_maps, "composes_there", lambda device: True)
    layers: Layers = run()[0][1]
    categories = {c.id: c for c in WORDS}
    merge = small_pipeline().settings.merge
    levels = categories, SETTINGS.stuff_logit, SETTINGS.min_area, merge
    plain = Layers(0, layers.size, layers.layers)
    assert len(layers.ids) > 1
    assert layers.compose(*levels) == plain.compose(*levels)
    for other in (
        layers.without(layers.ids[:1]),
        layers.with_layers([layers.layers[0].__class__.of_mask(*changed(layers))]),
    ):
        same = Layers(0, other.size, other.layers)
        assert other.compose(*levels) == same.compose(*levels)
    assert layers.compose(categories, 0.0, 0.5, merge) == plain.compose(categories, 0.0, 0.5, merge)


def changed(layers: Layers) -> tuple:
    """The first layer, with another mask: all of the frame."""
    first = layers.layers[0]
    mask = np.ones_like(first.steps, bool)
    return first.id, first.category_id, first.score, first.quality, mask
