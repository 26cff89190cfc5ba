"""Going back, and corrections by hand, with detectors that know the truth."""

from dataclasses import replace

import numpy as np
import pytest

from panoptic import PanopticPipeline
from panoptic.demo.scenes import demo_vocabulary
from panoptic.settings.video import VideoSettings
from panoptic.video.fill_backward import late_arrivals
from prompts import Vocabulary
from sam2core import ImageSegmenter
from tests.panoptic.video.oracle import Oracle
from tests.panoptic.video.small_sessions import label, small_session

WORDS = demo_vocabulary()
LATE = 4
"""The frame in which the words are found that were overlooked before."""
FRAMES = 7


@pytest.fixture(scope="module")
def clip(demo_clip):
    return demo_clip("zoom")


@pytest.fixture(scope="module")
def overlooked(clip):
    """A thing that the detectors don't see before frame LATE, by its true id."""
    return max(clip.truth[0].things, key=lambda s: s.area).id


@pytest.fixture
def pipeline(clip, overlooked, demo_sam2):
    truth = list(clip.truth[:FRAMES])
    for i in range(LATE):
        segments = [s for s in truth[i] if s.id != overlooked]
        ids = np.where(truth[i].ids == overlooked, 0, truth[i].ids)
        truth[i] = type(truth[i]).from_ids(ids, segments)
    oracle = Oracle(clip.frames[:FRAMES], truth)
    return PanopticPipeline(oracle, oracle, ImageSegmenter(demo_sam2))


SETTINGS = VideoSettings(detect_every=LATE / 25)


def ids_of(frame):
    return {s.id for s in frame.segmentation}


def test_both_ways_gives_late_things_their_masks_before(clip, overlooked, pipeline):
    calls = []
    frames = list(
        pipeline.track(
            clip.frames[:FRAMES],
            WORDS,
            settings=SETTINGS,
            both_ways=True,
            progress=lambda done, total: calls.append((done, total)),
        )
    )
    forward = list(pipeline.track(clip.frames[:FRAMES], WORDS, settings=SETTINGS))
    assert [f.index for f in frames] == list(range(FRAMES))
    assert calls[-1] == (2 * FRAMES, 2 * FRAMES)
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)
    late = ids_of(forward[LATE]) - ids_of(forward[LATE - 1])
    assert len(late) == 1
    id = late.pop()
    assert forward[LATE].segmentation.segment(id).category == clip.tracks[overlooked].name
    # It is in the frames before now, where it truly is, and what came after is as it was.
    assert id in ids_of(frames[LATE - 1])
    true = clip.truth[LATE - 1].ids == overlooked
    mask = frames[LATE - 1].segmentation.mask(id)
    assert (mask & true).sum() / (mask | true).sum() > 0.5
    assert all(np.array_equal(a.segmentation.ids, b.segmentation.ids)
               for a, b in zip(frames[LATE:], forward[LATE:], strict=True))  # fmt: skip
    first = min(f.index for f in frames if id in ids_of(f))
    news = [f.index for f in frames for e in f.events if e.segment_id == id and e.kind == "new"]
    assert len(news) == 1
    assert news[0] <= first


def test_both_ways_does_not_cross_a_cut(demo_clip, demo_sam2):
    clip = demo_clip("cut")
    cut = clip.cuts[0]
    frames, truth = clip.frames[cut - 2 : cut + 2], clip.truth[cut - 2 : cut + 2]
    oracle = Oracle(frames, truth)
    pipeline = PanopticPipeline(oracle, oracle, ImageSegmenter(demo_sam2))
    one = list(pipeline.track(frames, WORDS))
    both = list(pipeline.track(frames, WORDS, both_ways=True))
    assert one == both
    assert one[2].is_cut
    things = [{s.id for s in f.segmentation.things} for f in both]
    assert not things[1] & things[2]


def test_a_stream_only_goes_forward(clip, pipeline):
    frames = list(pipeline.track(iter(clip.frames[:2]), WORDS))
    assert frames == list(pipeline.track(list(clip.frames[:2]), WORDS))
    with pytest.raises(ValueError, match="a stream of frames can't"):
        pipeline.track(iter(clip.frames[:2]), WORDS, both_ways=True)
    calls = []
    list(pipeline.track(iter(clip.frames[:1]), WORDS, progress=lambda *n: calls.append(n)))
    assert calls == [(1, None)]


@pytest.fixture
def video(clip, pipeline):
    with pipeline.open_video(clip.frames[:FRAMES], WORDS, SETTINGS) as video:
        list(video.run())
        yield video


def test_frames_can_be_gone_back_to(clip, pipeline, video):
    shown = list(video.frames())
    assert shown == list(pipeline.track(clip.frames[:FRAMES], WORDS, settings=SETTINGS))
    assert video.frame(3) == shown[3]
    assert list(video.frames(2, 4)) == shown[2:4]
    with pytest.raises(IndexError, match="isn't recorded"):
        video.frame(FRAMES)


def test_removing_and_relabelling_change_that_segment_alone(clip, pipeline, video):
    before = list(video.frames())
    thing = before[0].segmentation.things[0]
    other = "dog" if thing.category == "cat" else "cat"
    video.relabel(thing.id, other)
    after = list(video.frames())
    shown = [f.segmentation.segment(thing.id) for f in after if thing.id in ids_of(f)]
    assert {s.category for s in shown} == {other}
    assert all(
        np.array_equal(a.segmentation.ids, b.segmentation.ids)
        for a, b in zip(before, after, strict=True)
    )
    video.remove(thing.id)
    for old, new in zip(before, video.frames(), strict=True):
        assert thing.id not in ids_of(new)
        others = (old.segmentation.ids != thing.id) & (old.segmentation.ids != 0)
        same = new.segmentation.ids[others] == old.segmentation.ids[others]
        assert same.mean() > 0.97  # but for crumbs and seams beside it
    with pytest.raises(KeyError, match=f"no segment {thing.id}"):
        video.relabel(thing.id, "cat")
    with pytest.raises(ValueError, match="no category is called"):
        video.relabel(before[0].segmentation.stuff[0].id, "zeppelin")
    assert list(video.propagate()) == []


def test_a_box_adds_what_was_overlooked(clip, overlooked, video):
    before = list(video.frames())
    frame = 1
    truth = clip.truth[frame]
    answer = video.add_box(frame, truth.segment(overlooked).box, clip.tracks[overlooked].name)
    event = answer.events[-1]
    assert event.kind == "new"
    assert event.segment_id not in {i for f in before for i in ids_of(f)}
    assert event.segment_id in ids_of(answer)
    assert video.frame(0) == before[0]  # not yet
    changed = list(video.propagate())
    assert [f.index for f in changed] == list(range(FRAMES))
    for f in changed:
        layer = video.recording[f.index].layers[event.segment_id]
        assert not layer.is_empty
    for old in before:  # nobody else was touched
        for layer in video.recording[old.index].layers.layers:
            if layer.id != event.segment_id:
                assert layer.id in video.session.tracker.object_ids
    with pytest.raises(ValueError, match="has no area"):
        video.add_box(0, (500, 500, 600, 600), clip.tracks[overlooked].name)


def test_a_click_corrects_forward_and_back_to_the_last_prompt(clip, video):
    before = [video.recording[i] for i in range(FRAMES)]
    thing = next(s for s in video.frame(1).segmentation.things)
    ys, xs = np.nonzero(video.frame(1).segmentation.mask(thing.id))
    answer = video.click(1, thing.id, (int(xs.mean()), int(ys.mean())))
    (told,) = [e for e in answer.events if e.kind == "corrected"]
    assert (told.segment_id, told.detail) == (thing.id, "by hand, 1 click")
    video.click(1, thing.id, (0, 0), positive=False)
    assert video.frame(1).segmentation.ids[0, 0] != thing.id
    events = [e for e in video.frame(1).events if "by hand" in e.detail]
    assert [e.detail for e in events] == ["by hand, 2 clicks"]
    progress = []
    changed = [f.index for f in video.propagate(lambda *n: progress.append(n))]
    # Frame 0 was prompted by what was detected there; it stays.
    assert changed == list(range(1, FRAMES))
    assert progress[-1] == (FRAMES - 2, FRAMES - 2)
    for index in range(FRAMES):
        old, new = before[index].layers, video.recording[index].layers
        assert old.ids == new.ids
        for id in old.ids:
            if id != thing.id:
                assert np.array_equal(old[id].steps, new[id].steps)
    assert np.array_equal(
        before[0].layers[thing.id].steps, video.recording[0].layers[thing.id].steps
    )
    with pytest.raises(ValueError, match="outside of the frame"):
        video.click(1, thing.id, (1000, 0))
    with pytest.raises(KeyError, match="no segment 999"):
        video.click(1, 999, (0, 0))


def test_late_arrivals_are_those_after_the_first_frame_of_a_shot(video):
    late = late_arrivals(video.recording, range(FRAMES))
    assert set(late.values()) == {LATE}


def test_one_frame(clip, pipeline):
    for both_ways in (False, True):
        frames = list(pipeline.track(clip.frames[:1], WORDS, both_ways=both_ways))
        assert [f.index for f in frames] == [0]
        assert frames[0].segmentation.ids.any()


def test_the_whole_with_the_shipped_models(clip):
    """Every stage together on models as they are: structure, not quality."""
    pipeline = PanopticPipeline.from_pretrained("demo")
    words = Vocabulary(things=["cat", "car"], stuff=["grass", "sky"])
    frames = list(
        pipeline.track(clip.frames[:3], words, settings=VideoSettings(detect_every=2 / 25))
    )
    assert [f.segmentation.ids.shape for f in frames] == [clip.frames.shape[1:3]] * 3
    assert {s.category for f in frames for s in f.segmentation} <= {c.name for c in words}


USES = {
    "frame": lambda session, folder: session.frame(0),
    "frames": lambda session, folder: list(session.frames()),
    "run": lambda session, folder: label(session, 1),
    "click": lambda session, folder: session.click(0, min(session.segments), (5, 5)),
    "remove": lambda session, folder: session.remove(min(session.segments)),
    "undo": lambda session, folder: session.undo(),
    "write": lambda session, folder: session.write(folder, "vipseg", progress=False),
    "save": lambda session, folder: session.save(folder),
}


@pytest.mark.parametrize("kept", [True, False])
def test_a_session_that_is_closed_says_so(tmp_path, kept):
    with small_session(tmp_path / "session" if kept else None, 2) as session:
        session.remove(max(session.segments))
    before = session.segments
    for use in USES.values():
        with pytest.raises(ValueError, match=r"the session is closed: .*FileSession\.open\("):
            use(session, tmp_path / "out")
    assert session.segments == before
    assert not (tmp_path / "out").exists()
    session.close()  # again: nothing is left to do


def test_what_is_renamed_on_the_way_has_one_name_in_all_frames(clip, demo_sam2):
    """The first look takes it for another animal, all later ones for what it is."""
    truth = list(clip.truth)
    thing = max(truth[0].things, key=lambda s: s.area)
    wrong = next(c for c in WORDS.things if c.name != thing.category)
    segments = [
        replace(s, category_id=wrong.id, category=wrong.name) if s.id == thing.id else s
        for s in truth[0]
    ]
    truth[0] = type(truth[0]).from_ids(truth[0].ids, segments)
    oracle = Oracle(clip.frames, truth)
    pipeline = PanopticPipeline(oracle, oracle, ImageSegmenter(demo_sam2))
    settings = VideoSettings(detect_every=1 / 25, latency=0.0)
    with pipeline.open_video(clip.frames, WORDS, settings) as video:
        told = [{s.id: s.category for s in f.segmentation} for f in video.run()]
        renamed = {
            id for id in told[0] if {t.get(id) for t in told} >= {wrong.name, thing.category}
        }
        assert len(renamed) == 1  # a stream tells what it knows then
        (id,) = renamed
        assert {f.segmentation.segment(id).category for f in video.frames() if id in ids_of(f)} == {
            thing.category
        }
        assert video.segments[id].name == thing.category
