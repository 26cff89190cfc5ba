"""Clips: deterministic, ids that stay, and every scenario keeps its promise."""

import itertools

import numpy as np
import pytest
from scipy import ndimage

from panoptic.demo.artwork import load_artwork
from panoptic.demo.clips import Clip, Span, Track, make_clip
from panoptic.demo.motion import Switch
from panoptic.demo.scenarios import LONG_SCENARIOS, SCENARIOS
from panoptic.demo.scenes import World

SEEDS = range(6)
FRAMES = 24
SIZE = (96, 96)


@pytest.fixture(scope="module")
def clip(world):
    made = {}

    def get(scenario: str, seed: int) -> Clip:
        key = scenario, seed
        if key not in made:
            made[key] = make_clip(world, scenario, seed, FRAMES, SIZE)
        return made[key]

    return get


def things(clip: Clip) -> list[Track]:
    return [t for t in clip.tracks.values() if t.is_thing]


def middles(clip: Clip, id: int) -> np.ndarray:
    """Mean pixel (x, y) of a segment in each frame, (T, 2); NaN where it can't be seen."""
    out = np.full((len(clip.truth), 2), np.nan)
    for frame, truth in enumerate(clip.truth):
        rows, columns = np.nonzero(truth.ids == id)
        if len(rows):
            out[frame] = columns.mean(), rows.mean()
    return out


def covered(track: Track) -> int:
    return sum(s.stop - s.start for s in track.hidden if s.reason == "covered")


@pytest.mark.parametrize("scenario", [*SCENARIOS, *LONG_SCENARIOS])
def test_same_seed_same_bytes(world, clip, scenario):
    first, again = clip(scenario, 0), make_clip(world, scenario, 0, FRAMES, SIZE)
    assert first.frames.tobytes() == again.frames.tobytes()
    assert all(
        a.ids.tobytes() == b.ids.tobytes() and a.segments == b.segments
        for a, b in zip(first.truth, again.truth, strict=True)
    )
    assert first.frames.tobytes() != clip(scenario, 1).frames.tobytes()


@pytest.mark.parametrize("scenario", [*SCENARIOS, *LONG_SCENARIOS])
def test_ids_mean_the_same_in_every_frame_and_tracks_count_them(clip, scenario):
    made = clip(scenario, 0)
    assert made.frames.shape == (FRAMES, *SIZE, 3)
    assert made.scenario == scenario
    assert len({t.name for t in made.tracks.values() if not t.is_thing}) == sum(
        not t.is_thing for t in made.tracks.values()
    )
    for frame, truth in enumerate(made.truth):
        for segment in truth.segments:
            track = made.tracks[segment.id]
            assert (track.name, track.is_thing) == (segment.category, segment.is_thing)
            assert track.visible[frame] == segment.area
            assert track.full[frame] >= segment.area
            assert track.present[frame]
        shown = {s.id for s in truth.segments}
        assert shown == {i for i, t in made.tracks.items() if t.visible[frame]}
        assert (truth.ids > 0).all()


def test_hidden_spans_by_hand():
    visible = np.array([0, 5, 0, 0, 9, 0, 0, 0, 3])
    full = np.array([0, 5, 7, 7, 9, 0, 0, 0, 3])
    present = np.array([1, 1, 1, 1, 1, 1, 1, 0, 1], bool)
    track = Track(1, "cat", True, visible, full, present)
    assert track.hidden == (Span(2, 4, "covered"), Span(5, 7, "outside"), Span(7, 8, "cut"))
    never = Track(1, "cat", True, np.zeros(3), np.ones(3), np.ones(3, bool))
    assert never.hidden == ()


@pytest.mark.parametrize("scenario", ["behind-thing", "behind-stuff"])
@pytest.mark.parametrize("vendor", ["twemoji", "openmoji"])
def test_one_is_wholly_covered_for_a_while_and_comes_out(world, clip, scenario, vendor):
    other = World(load_artwork((vendor,)), seed=1, textures=1)
    for seed in range(6):
        made = make_clip(other, scenario, seed, FRAMES, SIZE)
        stars = [t for t in things(made) if covered(t) >= FRAMES // 6]
        assert any(t.visible[0] and t.visible[-1] for t in stars), (scenario, seed)


def test_what_covers_is_a_thing_or_stuff_as_the_name_says(clip):
    for scenario, seed in itertools.product(("behind-thing", "behind-stuff"), SEEDS):
        made = clip(scenario, seed)
        star = max((t for t in things(made) if t.visible[0] and t.visible[-1]), key=covered)
        (span,) = (s for s in star.hidden if s.reason == "covered")
        path = middles(made, star.id)
        # About where it must be half way: between where it went and where it comes out, and for a
        # hill (at whose crest it does both) a little below.
        x, y = ((path[span.start - 1] + path[span.stop]) / 2).astype(int)
        y += 0 if scenario == "behind-thing" else 9
        in_front = made.tracks[int(made.truth[(span.start + span.stop) // 2].ids[y, x])]
        assert in_front.is_thing == (scenario == "behind-thing")


@pytest.mark.parametrize("seed", SEEDS)
def test_one_leaves_and_returns(clip, seed):
    made = clip("leave-and-return", seed)
    gone = [
        t
        for t in things(made)
        if t.visible[0] and t.visible[-1] and any(s.reason == "outside" for s in t.hidden)
    ]
    assert gone


@pytest.mark.parametrize("seed", SEEDS)
def test_lookalikes_cross(clip, seed):
    made = clip("lookalikes-cross", seed)
    pairs = [p for p in itertools.combinations(things(made), 2) if p[0].name == p[1].name]
    swapped = []
    for a, b in pairs:
        ax, bx = middles(made, a.id)[:, 0], middles(made, b.id)[:, 0]
        swapped.append((ax[0] - bx[0]) * (ax[-1] - bx[-1]) < 0)
        touched = (a.visible < a.full).any() or (b.visible < b.full).any()
        swapped[-1] = bool(swapped[-1] and touched)
    assert any(swapped)


@pytest.mark.parametrize("seed", SEEDS)
def test_panning_moves_all_things_the_same_way(clip, seed):
    made = clip("pan", seed)
    steps = np.array([middles(made, t.id)[12, 0] - middles(made, t.id)[6, 0] for t in things(made)])
    steps = steps[~np.isnan(steps)]
    assert len(steps)
    assert (steps > 0).all() or (steps < 0).all()
    assert all(any(t.visible[f] for t in things(made)) for f in range(FRAMES))


@pytest.mark.parametrize("seed", SEEDS)
def test_zooming_changes_all_sizes(clip, seed):
    made = clip("zoom", seed)

    def inside(frame: int) -> dict[int, int]:
        return {
            s.id: made.tracks[s.id].full[frame]
            for s in made.truth[frame].segments
            if s.is_thing and min(s.box[:2]) > 0 and max(s.box[2:]) < SIZE[0]
        }

    begin, end = inside(0), inside(FRAMES - 1)
    ratios = np.array([end[i] / begin[i] for i in begin.keys() & end.keys()])
    assert (ratios > 1.7).all() or (ratios < 0.6).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_flowing_stuff_changes_but_keeps_its_region(clip, seed):
    made = clip("flow", seed)
    assert stuff_unrest(made) > 1
    assert stuff_unrest(clip("turn-and-grow", seed)) < 0.5


def stuff_unrest(clip: Clip) -> float:
    """How much the means of 8 x 8 blocks vary over time where the same stuff is always seen."""
    ids = np.stack([t.ids for t in clip.truth])
    stuff = [t.id for t in clip.tracks.values() if not t.is_thing]
    still = (ids == ids[0]).all(axis=0) & np.isin(ids[0], stuff)
    # Shadows of things may cross it: only blocks far from any thing count.
    blocks = clip.frames.mean(axis=3).reshape(FRAMES, 12, 8, 12, 8).mean(axis=(2, 4))
    whole = ndimage.binary_erosion(still, iterations=8).reshape(12, 8, 12, 8).all(axis=(1, 3))
    assert whole.any()
    return float(blocks.std(axis=0)[whole].mean())


@pytest.mark.parametrize("seed", SEEDS)
def test_a_shaken_camera_goes_to_and_fro(clip, seed):
    made = clip("shake", seed)
    for track in things(made):
        path = middles(made, track.id)
        if np.isnan(path).any() or (track.visible < track.full).any():
            continue
        steps = np.diff(path, axis=0)
        assert np.abs(steps).sum() > 1.5 * np.abs(steps.sum(axis=0)).sum()


@pytest.mark.parametrize("seed", SEEDS)
def test_light_changes_while_the_truth_stays(clip, seed):
    frames = clip("light", seed).frames.astype(float)
    whole = frames.mean(axis=(1, 2, 3))
    left, right = frames[:, :, :48].mean(axis=(1, 2, 3)), frames[:, :, 48:].mean(axis=(1, 2, 3))
    balance = left / right
    assert whole.max() / whole.min() > 1.2 or balance.max() / balance.min() > 1.2


@pytest.mark.parametrize("seed", SEEDS)
def test_a_cut_shows_other_things(clip, seed):
    made = clip("cut", seed)
    (cut,) = made.cuts
    before = {t.id for t in things(made) if t.visible[:cut].any()}
    after = {t.id for t in things(made) if t.visible[cut:].any()}
    assert before
    assert after
    assert not before & after
    assert all(made.tracks[i].hidden[-1].reason == "cut" for i in before)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_cut_back_finds_the_same_things(clip, seed):
    made = clip("cut-back", seed)
    away, back = made.cuts
    first = {t.id for t in things(made) if t.visible[:away].any()}
    second = {t.id for t in things(made) if t.visible[away:back].any()}
    third = {t.id for t in things(made) if t.visible[back:].any()}
    assert first & third
    assert not second & (first | third)
    for id in first & third:
        assert Span(away, back, "cut") in made.tracks[id].hidden


@pytest.mark.parametrize("seed", SEEDS)
def test_one_enters_late(clip, seed):
    made = clip("late-entry", seed)
    late = [t for t in things(made) if not t.visible[: FRAMES // 3].any() and t.visible[-1]]
    assert late


@pytest.mark.parametrize("seed", SEEDS)
def test_moving_things_get_somewhere_and_turning_ones_grow(clip, seed):
    made = clip("move", seed)
    paths = [middles(made, t.id) for t in things(made)]
    assert max(np.hypot(*(p[-1] - p[0])) for p in paths) > 0.3 * SIZE[1]
    made = clip("turn-and-grow", seed)
    sizes = [t.full[FRAMES // 2] / t.full[0] for t in things(made)]
    assert any(s > 1.3 or s < 0.75 for s in sizes)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_road_leaves_for_a_while_and_comes_back_changed(clip, seed):
    made = clip("road-returns", seed)
    (road,) = (t for t in made.tracks.values() if t.name == "road")
    (away,) = road.hidden
    assert away.stop - away.start >= FRAMES // 5
    assert made.cuts == ()
    before, after = made.truth[0].ids == road.id, made.truth[-1].ids == road.id
    assert before.sum() > 400
    assert after.sum() > 400
    assert (before & after).sum() / (before | after).sum() < 0.9
    (land,) = (t for t in made.tracks.values() if not t.is_thing and t.name not in ("sky", "road"))
    assert land.visible.all()


def test_a_switch_changes_at_its_time():
    switch = Switch(0.5, "road", "dirt")
    assert [switch.at(t) for t in (0.0, 0.49, 0.5, 1.0)] == ["road", "road", "dirt", "dirt"]


def test_fifty_things_pass_a_few_at_a_time(world):
    made = make_clip(world, "procession", 0, 200, (64, 64))
    seen = [t.visible > 0 for t in things(made)]
    assert len(seen) == 50
    at_once = np.sum(seen, axis=0)
    assert 2 <= at_once.min() <= at_once.max() <= 8
    spans = [np.flatnonzero(each)[[0, -1]] for each in seen]
    assert max(last - first for first, last in spans) < 30  # each passes, and doesn't come back


def test_unnamed_and_augmented_clips(world):
    made = make_clip(world, "medley", 1, 8, SIZE, anything=True, augment=0.5)
    assert {t.name for t in things(made)} == {"object"}


def test_long_or_wide_clips_and_wrong_ones(world):
    made = make_clip(world, "behind-stuff", 2, 60, (64, 128))
    assert made.frames.shape == (60, 64, 128, 3)
    with pytest.raises(ValueError, match="no scenario 'dance'"):
        make_clip(world, "dance", 0)
    with pytest.raises(ValueError, match="at least 8 frames"):
        make_clip(world, "move", 0, frames=3)
