"""How far what is followed can be trusted: by what looks say of it, and by its mask as it is."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from panoptic.compose.quality import Evidence, QualityModel
from panoptic.video.followed_quality import evidence_of
from panoptic.video.identities import Member
from panoptic.video.mask_layers import to_steps
from panoptic.video.session import VideoSession
from tests.panoptic.video.frames import frame
from tests.panoptic.video.test_detection_pass import CAT, CAT_AND_SKY, DOG, SKY, followed, looked
from tests.panoptic.video.test_patience import WORDS, dogs, session_of

LOGITS = np.array([[9.0, 9.0, 9.0, 0.5], [0.5, -0.5, -9.0, -9.0]], np.float32)


def member(**fields):
    return Member(1, CAT, True, 0.9, 0, 0, 0, **fields)


def test_the_mask_is_judged_as_it_is_and_the_word_as_looks_found_it():
    known = member(looked=0.7, looks=4, found=3)
    assert evidence_of(known, to_steps(LOGITS), 0.8) == Evidence(
        looked=0.7, found=3.5 / 5, predicted_iou=0.8, stability=3 / 6
    )
    gone = evidence_of(known, to_steps(np.full_like(LOGITS, -9)), 1.2)
    assert (gone.stability, gone.predicted_iou) == (0.0, 1.0)


def test_what_was_put_in_by_hand_is_not_judged():
    assert evidence_of(member(), to_steps(LOGITS), 0.8) is None


def counts(look):
    return {m.id: (m.found, m.looks) for m in look.roster}


def test_looks_are_counted_that_find_it_that_miss_it_and_that_find_something_else():
    roster = followed()
    assert counts(looked(CAT_AND_SKY, CAT_AND_SKY, roster=roster)) == {1: (1, 1), 2: (1, 1)}
    missed = frame("000022", {2: SKY})
    assert counts(looked(CAT_AND_SKY, missed, roster=roster)) == {1: (1, 2), 2: (2, 2)}
    other = frame("111122", {1: DOG, 2: SKY})
    assert counts(looked(CAT_AND_SKY, other, roster=roster)) == {1: (1, 3), 2: (3, 3)}
    # Where it isn't in sight, no look could find it.
    hidden = frame("000022", {2: SKY})
    assert counts(looked(hidden, hidden, roster=roster)) == {1: (1, 3), 2: (4, 4)}


def test_the_quality_of_the_latest_find_counts():
    roster = followed()
    for quality in (0.9, 0.4):
        looked(CAT_AND_SKY, with_quality(CAT_AND_SKY, quality), roster=roster)
        assert roster.live[1].looked == quality
    looked(CAT_AND_SKY, with_quality(frame("111122", {1: DOG, 2: SKY}), 0.8), roster=roster)
    assert roster.live[1].looked == 0.4, "it wasn't found under its word"


def with_quality(found, quality):
    return replace(found, segments=tuple(replace(s, quality=quality) for s in found))


def test_a_thing_that_looks_do_not_find_any_more_is_trusted_less_and_less():
    frames = dogs(24)
    session = session_of(frames, lambda index: index < 6)
    results = [session.step(f.image, f.index * 0.04) for f in frames]
    qualities = [s.quality for r in results for s in r.segmentation if s.category == "dog"]
    assert len(qualities) == len(frames)
    # Looks are at every fifth frame. (What the tracker says of a frame is about the same.)
    by_look = [np.mean(qualities[i : i + 5]) for i in (5, 10, 15, 20)]
    assert all(after < before for before, after in itertools.pairwise(by_look))


def test_what_the_video_shows_is_what_its_layers_have_and_going_on_is_the_same():
    frames = dogs(9)
    session = session_of(frames)
    for each in frames[:7]:
        shown = session.step(each.image).segmentation
        assert {s.id: s.quality for s in shown} == {
            layer.id: pytest.approx(layer.quality) for layer in session.layers.layers
        }
    again = VideoSession.restore(session.pipeline, WORDS, session.settings, session.state())
    for each in frames[7:]:
        one, other = (s.step(each.image).segmentation for s in (session, again))
        assert one.segments == other.segments


def test_the_pipeline_s_own_score_is_asked():
    frames = dogs(2)
    session = session_of(frames)
    packaged = QualityModel()
    session.pipeline.quality = replace(
        packaged,
        followed_things=replace(packaged.followed_things, bias=-99.0),
        followed_stuff=replace(packaged.followed_stuff, bias=99.0),
    )
    for each in frames:
        for segment in session.step(each.image).segmentation:
            assert (segment.quality < 0.01) == segment.is_thing
