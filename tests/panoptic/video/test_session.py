"""The session with detectors that know the truth and the shipped SAM 2 of the demo world."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch

from panoptic import PanopticPipeline
from panoptic.demo.scenes import demo_vocabulary
from panoptic.settings.video import VideoSettings
from panoptic.video.detection_pass import DetectionPass
from panoptic.video.session import VideoSession
from prompts import Vocabulary
from sam2core import ImageSegmenter
from tests.panoptic.video.oracle import Oracle

WORDS = demo_vocabulary()


def pipeline_for(clip, model, **options):
    oracle = Oracle(clip.frames, clip.truth, **options)
    return PanopticPipeline(oracle, oracle, ImageSegmenter(model))


def run(pipeline, frames, settings=None, words=WORDS):
    session = VideoSession(pipeline, words, settings)
    return [session.step(frame, 0.1 * i) for i, frame in enumerate(frames)]


def kinds(frame, kind):
    return {e.segment_id for e in frame.events if e.kind == kind}


def through_a_file(state):
    stream = io.BytesIO()
    torch.save(state, stream)
    stream.seek(0)
    return torch.load(stream, weights_only=True)


@pytest.fixture(scope="module")
def cut_back(demo_clip):
    return demo_clip("cut-back")


@pytest.fixture(scope="module")
def labelled(cut_back, demo_sam2):
    """A clip with two cuts, the second one back to the first place, and its frames."""
    return run(pipeline_for(cut_back, demo_sam2), cut_back.frames, VideoSettings(detect_every=0.4))


def test_the_first_frame_is_what_the_pipeline_says_of_it(cut_back, labelled, demo_sam2):
    still = pipeline_for(cut_back, demo_sam2).segment(cut_back.frames[0], WORDS)
    first = labelled[0].segmentation
    assert {s.category for s in first} == {s.category for s in still}
    assert kinds(labelled[0], "new") == {s.id for s in first}
    # Masks pass through the tracker's resolution, of 4 x 4 of its pixels.
    assert np.mean(first.category_map() == still.category_map()) > 0.9


def test_frames_come_in_order_with_their_pictures(cut_back, labelled):
    assert [f.index for f in labelled] == list(range(len(cut_back.frames)))
    assert [f.time for f in labelled] == [0.1 * i for i in range(len(labelled))]
    for frame, image in zip(labelled, cut_back.frames, strict=True):
        assert np.array_equal(frame.image, image)


def test_one_id_is_one_category_for_ever(labelled):
    categories = {}
    for frame in labelled:
        for s in frame.segmentation:
            assert categories.setdefault(s.id, s.category) == s.category


def test_no_thing_is_carried_across_a_cut(cut_back, labelled):
    away, back = cut_back.cuts
    assert [f.index for f in labelled if f.is_cut] == [away, back]
    before = {s.id for f in labelled[:away] for s in f.segmentation.things}
    between = {s.id for f in labelled[away:back] for s in f.segmentation.things}
    assert before
    assert between
    assert not before & between


def test_things_keep_their_ids_where_the_film_cuts_back(cut_back, labelled):
    away, back = cut_back.cuts
    for s in cut_back.truth[back].things:
        area = cut_back.truth[back].mask(s.id)
        now = _id_at(labelled[back], area)
        first = next(
            (f for f, t in zip(labelled, cut_back.truth, strict=True) if s.id in _ids(t)), None
        )
        assert first is not None
        assert first.index < away
        assert now == _id_at(first, cut_back.truth[first.index].mask(s.id))
        assert now in kinds(labelled[back], "returned")


def _ids(result):
    return {s.id for s in result}


def _id_at(frame, area):
    values, counts = np.unique(frame.segmentation.ids[area], return_counts=True)
    return int(values[counts.argmax()])


def test_stuff_has_one_id_for_each_word(labelled):
    ids = {}
    for frame in labelled:
        for s in frame.segmentation.stuff:
            assert ids.setdefault(s.category, s.id) == s.id


def test_without_recognition_ids_are_new_after_a_cut(cut_back, demo_sam2):
    settings = VideoSettings(reidentify=False, detect_every=100)
    away = cut_back.cuts[0]
    shown = [cut_back.frames[i] for i in (0, away, 0)]
    known = run(pipeline_for(cut_back, demo_sam2), shown)
    unknown = run(pipeline_for(cut_back, demo_sam2), shown, settings)
    things = [{s.id for s in f.segmentation.things} for f in known]
    assert things[0] == things[2]
    things = [{s.id for s in f.segmentation.things} for f in unknown]
    assert not things[0] & things[2]
    blind = run(pipeline_for(cut_back, demo_sam2), shown, replace(settings, cuts=False))
    assert not any(f.is_cut for f in blind)


@pytest.mark.parametrize("stop", [1, 6, 11])
def test_going_on_from_a_state_gives_the_same_bytes(cut_back, labelled, demo_sam2, stop):
    settings = VideoSettings(detect_every=0.4)
    pipeline = pipeline_for(cut_back, demo_sam2)
    first = VideoSession(pipeline, WORDS, settings)
    for i in range(stop):
        first.step(cut_back.frames[i], 0.1 * i)
    state = through_a_file(first.state())
    again = VideoSession.restore(pipeline, WORDS, settings, state)
    assert again.frame_index == stop - 1
    for i in range(stop, min(stop + 4, len(cut_back.frames))):
        assert again.step(cut_back.frames[i], 0.1 * i) == labelled[i]


def test_a_state_of_other_words_is_refused(cut_back, demo_sam2):
    pipeline = pipeline_for(cut_back, demo_sam2)
    state = VideoSession(pipeline, WORDS).state()
    with pytest.raises(ValueError, match="go on with the same words"):
        VideoSession.restore(pipeline, Vocabulary(["cat"]), None, state)
    with pytest.raises(ValueError, match="version"):
        VideoSession.restore(pipeline, WORDS, None, {**state, "version": 0})


def test_nothing_in_the_first_frame_and_something_later(cut_back, demo_sam2):
    blank = np.full_like(cut_back.frames[0], 128)
    frames = [blank, blank, *cut_back.frames[:2]]
    settings = VideoSettings(cuts=False, detect_every=0.3)
    labelled = run(pipeline_for(cut_back, demo_sam2), frames, settings)
    assert not any(f.segmentation.ids.any() for f in labelled[:3])
    assert {s.category for s in labelled[3].segmentation.things} == {
        s.category for s in cut_back.truth[1].things if s.area >= 12
    }
    assert kinds(labelled[3], "new") == {s.id for s in labelled[3].segmentation}


def test_nothing_ever(demo_sam2, cut_back):
    blank = [np.full((20, 30, 3), v, np.uint8) for v in range(0, 40, 10)]
    labelled = run(pipeline_for(cut_back, demo_sam2), blank)
    assert [f.segmentation.ids.any() for f in labelled] == [False] * 4
    assert not any(f.events for f in labelled)


@pytest.mark.parametrize("size", [(1, 1), (1, 37), (51, 2), (33, 77)])
def test_odd_sizes(cut_back, demo_sam2, size):
    image = np.resize(cut_back.frames[0], (*size, 3))
    truth = cut_back.truth[0]
    truth = type(truth).from_ids(np.resize(truth.ids, size), truth.segments)
    oracle = Oracle([image], [truth], least=1)
    pipeline = PanopticPipeline(oracle, oracle, ImageSegmenter(demo_sam2))
    frames = run(pipeline, [image, image])
    assert [f.segmentation.ids.shape for f in frames] == [size, size]
    session = VideoSession(pipeline, WORDS)
    session.step(image)
    with pytest.raises(ValueError, match="all frames of a session must be of one size"):
        session.step(np.zeros((5, 5, 3), np.uint8))


@pytest.mark.parametrize("forgets", [True, False])
def test_what_was_something_else_is_prompted_without_its_memories(
    cut_back, demo_sam2, monkeypatch, forgets
):
    compare = DetectionPass.compare

    def and_forget(look, tracked, found, looks):
        compare(look, tracked, found, looks)
        look.prompts = {s.id: tracked.mask(s.id) for s in tracked.things}
        look.anew = set(look.prompts) if forgets else set()
        look.refreshed = set()

    session = VideoSession(
        pipeline_for(cut_back, demo_sam2), WORDS, VideoSettings(detect_every=2 / 25)
    )
    session.step(cut_back.frames[0])
    session.step(cut_back.frames[1])
    monkeypatch.setattr(DetectionPass, "compare", and_forget)
    session.step(cut_back.frames[2])
    assert session.prompts
    remembered = {0, 1, 2} - ({0, 1} if forgets else set())
    for tracked in session.tracker.state()["objects"]:
        if tracked["id"] in session.prompts:
            frames = {m["frame_index"] for part in ("prompted", "recent") for m in tracked[part]}
            assert frames == remembered


def test_words_are_looked_for_as_often_as_asked(cut_back, demo_sam2):
    shot = cut_back.frames[: cut_back.cuts[0]]
    looks = {}
    for name, settings in {
        "every third": VideoSettings(detect_every=0.3),
        "never": VideoSettings(discovery=False, correction=False, reanchor=False),
    }.items():
        pipeline = pipeline_for(cut_back, demo_sam2)
        run(pipeline, shot[:5], settings)
        looks[name] = pipeline.things.looks
    assert looks == {"every third": 2, "never": 1}


def test_what_is_not_seen_for_long_is_retired(cut_back, demo_sam2):
    blank = np.full_like(cut_back.frames[0], 90)
    settings = VideoSettings(
        cuts=False, retire_after=2 / 25, discovery=False, correction=False, reanchor=False
    )
    pipeline = pipeline_for(cut_back, demo_sam2)
    session = VideoSession(pipeline, WORDS, settings)
    session.step(cut_back.frames[0])
    followed = set(session.tracker.object_ids)
    gone = set()
    for _ in range(6):
        frame = session.step(blank)
        gone |= kinds(frame, "retired")
        assert set(session.tracker.object_ids) == followed - gone
        seen = {m.id: m.last_seen for m in session.roster}
        assert all(frame.index - last <= 2 for last in seen.values())


def test_no_more_than_max_objects_live(cut_back, demo_sam2):
    settings = VideoSettings(max_objects=3)
    session = VideoSession(pipeline_for(cut_back, demo_sam2), WORDS, settings)
    frame = session.step(cut_back.frames[0])
    assert len(frame.segmentation) > 3  # this frame is labelled already
    assert len(session.tracker.object_ids) == 3
    assert len(session.step(cut_back.frames[1]).segmentation) <= 3


def test_settings_are_checked():
    with pytest.raises(ValueError, match="same_iou must be in"):
        VideoSettings(same_iou=1.5)
    with pytest.raises(ValueError, match="doubt_for must be seconds from 0 on"):
        VideoSettings(doubt_for=-1)
    with pytest.raises(ValueError, match="cut_ratio"):
        VideoSettings(cut_ratio=0.5)
    with pytest.raises(ValueError, match="Vocabulary with at least one word"):
        VideoSession(None, Vocabulary())


@pytest.fixture
def two_frames_on(cut_back, demo_sam2):
    session = VideoSession(
        pipeline_for(cut_back, demo_sam2), WORDS, VideoSettings(detect_every=9 / 25)
    )
    return session, [session.step(frame) for frame in cut_back.frames[:2]]


def test_a_thing_that_becomes_stuff_in_sight_is_joined_with_it(cut_back, two_frames_on):
    session, frames = two_frames_on
    thing, region = frames[1].segmentation.things[0], frames[1].segmentation.stuff[0]
    category = WORDS.by_id(region.category_id)
    assert session.set_category(thing.id, category) == region.id
    after = session.step(cut_back.frames[2]).segmentation
    assert thing.id not in {s.id for s in after}
    assert [s.id for s in after if s.category_id == category.id] == [region.id]
    assert after.segment(region.id).area > 0.8 * region.area


def test_a_thing_that_becomes_stuff_of_an_earlier_shot_goes_by_its_id(cut_back, demo_sam2):
    away = cut_back.cuts[0]
    session = VideoSession(
        pipeline_for(cut_back, demo_sam2), WORDS, VideoSettings(detect_every=9 / 25)
    )
    before = [session.step(frame) for frame in cut_back.frames[: away + 1]]
    now = {s.category_id for s in before[-1].segmentation.stuff}
    region = next(s for s in before[0].segmentation.stuff if s.category_id not in now)
    thing = before[-1].segmentation.things[0]
    assert session.set_category(thing.id, WORDS.by_id(region.category_id)) == region.id
    after = session.step(cut_back.frames[away + 1]).segmentation
    assert region.id in {s.id for s in after.stuff}
    assert thing.id not in {s.id for s in after}


def test_stuff_that_was_forgotten_is_a_new_segment_when_it_is_detected(cut_back, two_frames_on):
    session, frames = two_frames_on
    region = frames[1].segmentation.stuff[0]
    session.forget(region.id)
    session.settings = replace(session.settings, detect_every=0)
    after = session.step(cut_back.frames[2]).segmentation
    (again,) = [s for s in after if s.category_id == region.category_id]
    assert again.id > max(s.id for s in frames[1].segmentation)
