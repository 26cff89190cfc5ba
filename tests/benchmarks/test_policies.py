"""The occlusions that memory policies are compared on, and how their figures are judged."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.policies import POLICIES, Run, judged, occlusion, story
from panoptic.demo.artwork import load_artwork
from panoptic.demo.clips import make_clip
from panoptic.demo.scenes import HELD_OUT_WORLD, World


@pytest.fixture(scope="module")
def clip():
    world = World(load_artwork(("twemoji",)), seed=HELD_OUT_WORLD)
    return make_clip(world, "behind-stuff", 1, 32, size=(64, 64))


@pytest.mark.parametrize("length", [3, 8, 20])
def test_a_thing_is_hidden_for_as_long_as_is_asked(clip, length):
    told = occlusion(clip, length)
    seen = (told.truth == told.hidden).any(axis=(1, 2))
    assert len(told.frames) == len(told.truth)
    assert not seen[told.returns - length : told.returns].any()
    assert seen[told.returns]
    assert seen[told.returns - length - 1]
    assert seen[0]
    assert told.hidden in told.ids
    assert told.name == f"behind-stuff, {length} frames"


def test_without_an_occlusion_there_is_none(clip):
    plain = story(clip)
    assert plain.hidden is None
    assert len(plain.frames) == 32
    hidden = occlusion(clip, 8).hidden
    others = {i: t for i, t in clip.tracks.items() if i != hidden}
    assert occlusion(replace(clip, tracks=others), 8) is None


def runs(seconds=1.0, shown=5, **more):
    times = {"sam2": 1.0, "filtered": seconds, "distractor_aware": 1.0}
    return [
        Run(name, p, 70.0 + i + (p == "filtered"), times[p], 10, after, n)
        for i, (name, after, n) in enumerate(
            [("move", None, None), ("hide, 8 frames", 50.0, shown)]
        )
        for p in POLICIES
    ]


def test_bounds_are_of_time_and_of_what_memories_show():
    fine = judged(runs(), 8)
    assert not fine.missed
    assert "| hide, 8 frames | 1 | 71.0 | +1.0 ± 0.0 | +0.0 ± 0.0 | 50.0 |" in fine.text
    assert "| **all** | 2 | 70.5 | +1.0 ± 0.0 |" in fine.text
    assert [b.name for b in judged(runs(seconds=1.2), 8).missed] == ["time of filtered over sam2"]
    assert [b.name for b in judged(runs(shown=4), 8).missed] == ["memories that show it"]
