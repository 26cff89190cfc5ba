"""What is new is shown once two looks have found it, from where it was found."""

import itertools

import numpy as np
import pytest

from panoptic.results.frame import Event
from panoptic.video.file_session import FileSession
from panoptic.video.hindsight import HeldBack, arrivals
from panoptic.video.session import VideoSession
from panoptic.video.unshown import Unshown
from tests.panoptic.video.test_patience import DOG, PACE, WORDS, clip, dogs, session_of

ALARM = (4, 4, 30, 30)  # left and top: in the sky


def live(session, frames, pace=PACE):
    return [session.step(f.image, f.index * pace) for f in frames]


def held_back(session, frames, pace=PACE):
    held = HeldBack(session)
    given = [g for f in frames for g in held.step(f.image, f.index * pace)]
    return [*given, *held.finish()]


def with_horse(frames):
    return ["horse" in {s.category for s in f.segmentation} for f in frames]


def horse_events(frames):
    return [(f.index, e.kind) for f in frames for e in f.events if e.detail == "horse"]


def alarmed(frames, *indices, **settings):
    return session_of(frames, alarms=dict.fromkeys(indices, ALARM), **settings)


def test_what_one_look_alone_finds_is_never_shown():
    frames = dogs(40)
    for way in (live, held_back):
        session = alarmed(frames, 5)
        results = way(session, frames)
        assert not any(with_horse(results))
        assert horse_events(results) == []
        followed = {m.category_id for m in session.roster}
        assert len(followed) == 3, "it isn't followed for ever"


def test_what_a_second_look_finds_is_shown_from_then_on_and_held_back_from_where_it_was_found():
    frames = dogs(16)
    assert with_horse(live(alarmed(frames, 5, 10), frames)) == [i >= 10 for i in range(16)]
    results = held_back(alarmed(frames, 5, 10), frames)
    assert with_horse(results) == [i >= 5 for i in range(16)]
    assert horse_events(results) == [(5, "new")]
    assert len({s.id for f in results for s in f.segmentation if s.category == "horse"}) == 1


def test_the_second_look_may_come_later_but_not_too_late():
    frames = dogs(40)
    results = held_back(alarmed(frames, 5, 20), frames)
    # Five frames were still held back when it was confirmed.
    assert with_horse(results) == [i >= 15 for i in range(40)]
    assert horse_events(results) == [(15, "new")]
    assert not any(with_horse(held_back(alarmed(frames, 5, 35), frames)))
    patient = alarmed(frames, 5, 35, confirm_within=2.0)
    assert with_horse(held_back(patient, frames)) == [i >= 30 for i in range(40)]


def test_without_confirmation_it_is_shown_at_once():
    frames = dogs(8)
    results = live(alarmed(frames, 5, confirmation=False), frames)
    assert with_horse(results) == [i >= 5 for i in range(8)]


def test_what_stands_on_nothing_that_is_followed_is_shown_at_once():
    frames = dogs(8)
    session = alarmed(frames, 5)
    words = type(WORDS).parse("dog, horse; grass")  # nobody asks for the sky
    session = VideoSession(session.pipeline, words)
    assert with_horse(live(session, frames)) == [i >= 5 for i in range(8)]


@pytest.mark.parametrize(("latency", "held"), [(0.0, 1), (0.04, 2), (0.2, 6), (0.4, 11)])
def test_frames_are_held_back_for_as_long_as_is_said(latency, held):
    frames = dogs(14)
    back = HeldBack(session_of(frames, latency=latency))
    given = [len(list(back.step(f.image, f.index * PACE))) for f in frames]
    assert given == [0] * (held - 1) + [1] * (14 - held + 1)
    assert len(list(back.finish())) == held - 1


def test_seconds_are_seconds_at_any_pace():
    frames = dogs(10)
    slow = HeldBack(session_of(frames, latency=0.2))
    given = [len(list(slow.step(f.image, f.index * 0.1))) for f in frames]
    assert given == [0, 0] + [1] * 8


@pytest.mark.parametrize("stop", range(1, 12))
def test_going_on_from_any_frame_gives_the_same(stop):
    frames = dogs(16)

    def session(state=None):
        begun = alarmed(frames, 5, 10)
        if state is None:
            return begun
        return VideoSession.restore(begun.pipeline, begun.vocabulary, begun.settings, state)

    whole = held_back(session(), frames)
    first = HeldBack(session())
    stream = (g for f in frames for g in first.step(f.image, f.index * PACE))
    head = list(itertools.islice(stream, stop))
    state = first.state()
    second = HeldBack(session(state["session"]), dict(state["told"]))
    rest = frames[stop:]
    tail = [g for f in rest for g in second.step(f.image, f.index * PACE)]
    for one, other in zip(whole, [*head, *tail, *second.finish()], strict=True):
        assert np.array_equal(one.segmentation.ids, other.segmentation.ids)
        assert one.events == other.events


def test_a_cut_forgets_what_was_not_confirmed():
    frames = clip(6)
    session = alarmed(frames, 5)
    live(session, frames)
    waiting = [m.id for m in session.roster if not m.confirmed]
    assert len(waiting) == 1
    session.roster.end_shot()
    assert waiting[0] not in session.roster
    assert session.roster.shelf


def test_a_files_frames_are_those_of_one_that_is_written():
    frames = dogs(16)
    begun = alarmed(frames, 5, 10)
    images = np.stack([f.image for f in frames])
    with FileSession(begun.pipeline, images, begun.vocabulary, begun.settings) as session:
        list(session.run(progress=False))
        found = list(session.frames())
    for one, other in zip(held_back(alarmed(frames, 5, 10), frames), found, strict=True):
        assert np.array_equal(one.segmentation.ids, other.segmentation.ids)
        assert one.events == other.events


def test_an_arrival_moves_to_where_it_is_first_in_sight():
    new, other = Event("new", 4, "horse"), Event("new", 9, "dog")
    events = [(), (other,), (), (new,)]
    shown = [{9}, {9, 4}, {9}, {9, 4}]
    lost, returned = Event("lost", 4, "horse"), Event("returned", 4, "horse")
    assert arrivals(shown, events, {4: "horse"}, {}) == [(), (other, new), (lost,), (returned,)]
    # of what earlier frames told of, it is told how it goes on
    assert arrivals(shown[1:], events[1:], {4: "horse"}, {4: True}) == [
        (other,), (lost,), (returned,)
    ]  # fmt: skip
    assert arrivals([set(), {4}], [(), (new,)], {4: "horse"}, {}) == [(), (new,)]


def test_what_is_not_shown_is_kept_no_longer_than_frames_are_held_back():
    frames = dogs(40)
    session = alarmed(frames, 5, latency=0.2)
    kept = []
    for f in frames:
        session.step(f.image, f.index * PACE)
        kept.append(len(session.state()["unshown"]["open"]))
    assert max(kept) == 5
    assert isinstance(Unshown.from_state(session.state()["unshown"]), Unshown)
    assert DOG in {m.id for m in session.roster} or len(session.roster.live) == 3
