"""Worlds whose truth is known: the same by number, ids that last, what is hidden, real scenes."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.standins.real_clips import cut_within, moving_things, panned, zoomed
from benchmarks.standins.real_scenes import (
    MEDIA,
    MediaMissing,
    RealScene,
    coco_scenes,
    real_vocabulary,
    street_scenes,
)
from benchmarks.standins.truth import Truths
from benchmarks.standins.views import Window, seen
from benchmarks.standins.worlds import asked, drawn_worlds, photographed_worlds
from panoptic.measure.evaluate_video import evaluate_video
from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation


def drawn_scene(number: int, world: str = "demo") -> RealScene:
    """A drawn picture in the place of a photograph."""
    (frame,) = next(w for w in drawn_worlds() if w.name == world).make(number)
    return RealScene(f"drawn {number}", frame.image, frame.truth)


def quarters() -> RealScene:
    """Four quarters, each of a colour and an id of its own."""
    ids = np.repeat(np.repeat(np.array([[1, 2], [3, 4]], np.int32), 32, 0), 48, 1)
    image = np.repeat((ids * 50).astype(np.uint8)[..., None], 3, axis=2)
    segments = [Segment(i, i, f"thing {i}", True, 1.0) for i in range(1, 5)]
    return RealScene("quarters", image, PanopticSegmentation.from_ids(ids, segments))


@pytest.mark.parametrize("number", range(4))
def test_a_drawn_world_gives_the_same_by_number(number):
    world = drawn_worlds()[number]
    one, again, other = world.make(2), world.make(2), world.make(3)
    for a, b in zip(one, again, strict=True):
        assert np.array_equal(a.image, b.image)
        assert a.truth == b.truth
    assert not np.array_equal(one[0].image, other[0].image)
    assert len(one) == (24 if world.moving else 1)


def test_a_crowd_is_one_and_a_large_picture_is_large():
    worlds = {world.name: world for world in drawn_worlds()}
    (crowd,) = worlds["crowd"].make(0)
    assert len(crowd.truth.things) >= 50
    assert max(crowd.hidden.values()) > 0.4
    (large,) = worlds["demo at 1024"].make(0)
    assert large.image.shape == (1024, 1024, 3)


def test_hidden_is_known_in_clips_and_what_is_covered_comes_back():
    world = next(w for w in drawn_worlds() if w.name == "demo clips")
    frames = world.make(11)
    assert frames[0].clip.startswith("behind-thing")
    shares = [max(frame.hidden.values(), default=0) for frame in frames]
    assert max(shares) > 0.3
    assert min(shares) < 0.05
    assert {s.id for s in frames[0].truth} == {s.id for s in frames[-1].truth}


def test_words_asked_are_those_present_and_some_that_are_not():
    world = drawn_worlds()[0]
    frames = world.make(0)
    present = {segment.category_id for segment in frames[0].truth}
    vocabulary = asked(frames, world.words, 12, seed=1)
    assert len(vocabulary) == 12
    assert present < {category.id for category in vocabulary}
    assert vocabulary == asked(frames, world.words, 12, seed=1)
    assert vocabulary != asked(frames, world.words, 12, seed=2)
    assert {c.id for c in asked(frames, world.words, 1, seed=1)} == present


def test_a_window_shows_picture_and_ids_of_the_same_place():
    scene = quarters()
    _, whole = seen(scene, Window(), 48)
    assert np.array_equal(whole.ids, scene.truth.ids[::2, ::2])
    picture, corner = seen(scene, Window(0.9, 0.9, 0.5), 48)  # moved inside
    assert {s.id for s in corner} == {4}
    assert (picture == 200).all()
    picture, mirrored = seen(scene, Window(mirrored=True), 96)
    assert np.array_equal(mirrored.ids, scene.truth.ids[:, ::-1])
    assert np.array_equal(picture, scene.image[:, ::-1])


@pytest.mark.parametrize("film", [panned, zoomed, cut_within])
def test_clips_of_a_camera_keep_ids_and_never_stand_still(film):
    frames = film(drawn_scene(1), 3, 8)
    pixels = Truths(frames)
    for index, frame in enumerate(frames):
        assert (frame.index, frame.clip) == (index, frames[0].clip)
        assert pixels.of(frame.image) is frame
    assert not np.array_equal(frames[0].truth.ids, frames[3].truth.ids)
    seen_ids = [{s.id for s in frame.truth} for frame in frames]
    assert seen_ids[0] & seen_ids[-1]
    assert set.union(*seen_ids) <= {s.id for s in drawn_scene(1).truth}
    truths = [frame.truth for frame in frames]
    assert evaluate_video(truths, truths, progress=False).vpq.vpq() == 1


def test_cut_outs_pass_behind_each_other_and_one_leaves_and_comes_back():
    ground = drawn_scene(0)
    frames = moving_things(ground, [drawn_scene(0, "crowd")], 0, 24)
    first = max(s.id for s in ground.truth) + 1
    leaving = [first + 2 in {s.id for s in frame.truth} for frame in frames]
    assert leaving[0]
    assert leaving[-1]
    assert not all(leaving)
    crossing = [frame.hidden.get(first, 1.0) for frame in frames]
    assert max(crossing) > 0.5
    assert min(crossing) == 0
    assert all(frame.hidden.get(first + 1, 0) == 0 for frame in frames)  # the one in front


def test_without_photographs_their_worlds_are_left_out_and_said(tmp_path):
    worlds, missing = photographed_worlds(tmp_path)
    assert worlds == []
    assert len(missing) == 3
    assert all(str(tmp_path) in sentence for sentence in missing)
    with pytest.raises(MediaMissing, match=r"_seg\.png"):
        street_scenes(tmp_path)


@pytest.mark.skipif(not (MEDIA / "ade20k").is_dir(), reason=f"no photographs in {MEDIA}")
def test_street_scenes_have_their_things_one_by_one_and_stuff_whole():
    scenes = street_scenes()
    assert len(scenes) == 2
    counts = [
        {w: sum(s.category == w for s in scene.truth) for w in ("car", "person", "building")}
        for scene in scenes
    ]
    # As the annotations list them: whole objects of each class that show.
    assert counts[0] == {"car": 11, "person": 9, "building": 1}
    assert counts[1] == {"car": 8, "person": 4, "building": 1}
    assert all((scene.truth.ids == 0).mean() < 0.06 for scene in scenes)


@pytest.mark.skipif(not (MEDIA / "coco_panoptic").is_dir(), reason=f"no photographs in {MEDIA}")
def test_coco_has_its_things_without_the_crowds():
    first = coco_scenes()[0]
    words = [s.category for s in first.truth]
    assert words.count("person") == 13
    assert {"tree", "sky", "grass", "sports ball"} < set(words)
    assert (first.truth.ids == 0).mean() > 0.08  # the crowd is void
    vocabulary = real_vocabulary()
    assert all(s.is_thing == vocabulary.by_name(s.category).is_thing for s in first.truth)
