"""What is followed stays, as long as the tracker holds it and nothing speaks against it."""

import numpy as np
import pytest

from benchmarks.standins.detector import DetectorErrors, StandinDetector
from benchmarks.standins.heatmaps import StandinHeatmaps
from benchmarks.standins.masks import StandinSegmenter
from benchmarks.standins.tracker import TrackErrors
from detectors.base import Boxes
from panoptic import PanopticPipeline
from panoptic.settings.video import VideoSettings
from panoptic.video.session import VideoSession
from prompts import Vocabulary
from tests.benchmarks.standins.small_worlds import (
    CAT,
    DOG,
    DOG_BOX,
    OTHER_CAT,
    clip,
    drawn,
    overlap,
    truths,
)

WORDS = Vocabulary.parse("cat, dog, horse; sky, grass")
PACE = 0.04


class Scripted(StandinDetector):
    """One that finds things only in frames of which ``finds`` says so, and, in frames of
    ``alarms``, a horse that isn't there, in the box of each."""

    finds = staticmethod(lambda index: True)
    alarms = {}  # noqa: RUF012

    def detect(self, image, vocabulary):
        index = self.truths.of(image).index
        found = super().detect(image, vocabulary)
        found = found if self.finds(index) else Boxes.empty()
        if index not in self.alarms:
            return found
        horse = vocabulary.by_name("horse").id
        return Boxes(
            np.concatenate([found.xyxy.reshape(-1, 4), [self.alarms[index]]]),
            np.append(found.category_ids, horse),
            np.append(found.scores, 0.6),
        )


def session_of(frames, finds=None, alarms=None, errors=None, tracks=None, **settings):
    known = truths(frames)
    detector = Scripted(known, errors or DetectorErrors(scores=(0.5, 0.9)))
    detector.finds = finds or detector.finds
    detector.alarms = alarms or {}
    segmenter = StandinSegmenter(known, tracks=tracks)
    pipeline = PanopticPipeline(detector, StandinHeatmaps(known), segmenter)
    return VideoSession(pipeline, WORDS, VideoSettings(**settings))


def labelled(session, frames, pace=PACE):
    return [session.step(frame.image, frame.index * pace) for frame in frames]


def id_of(result, truth, thing):
    """The id that most of a true thing has."""
    ids, counts = np.unique(result.segmentation.ids[truth.ids == thing], return_counts=True)
    return int(ids[counts.argmax()])


def test_nothing_is_lost_to_a_detector_that_falls_silent():
    frames = clip(24)
    results = labelled(session_of(frames, lambda index: index == 0), frames, 0.4)
    for thing in (CAT, DOG):
        (id,) = {id_of(r, f.truth, thing) for r, f in zip(results, frames, strict=True)}
        assert overlap(results[-1].segmentation.mask(id), frames[-1].truth, thing) > 0.95
    assert {s.category for s in results[-1].segmentation} == {"cat", "dog", "sky", "grass"}
    covered = id_of(results[0], frames[0].truth, OTHER_CAT)
    assert {e.segment_id for r in results for e in r.events if e.kind == "lost"} <= {covered}


def test_a_detector_that_finds_each_thing_now_and_then_is_as_good_as_one_that_always_does():
    frames = clip(20)
    always = labelled(session_of(frames), frames, 0.1)
    rare = session_of(frames)
    first = labelled(rare, frames[:1])
    rare.pipeline.things.errors = DetectorErrors(flicker=0.7, scores=(0.5, 0.9))
    now_and_then = first + labelled(rare, frames[1:], 0.1)
    for one, other in zip(always, now_and_then, strict=True):
        assert np.mean(one.segmentation.ids == other.segmentation.ids) > 0.99


@pytest.mark.parametrize(("pace", "gone"), [(0.1, 13), (0.2, 8)])
def test_what_the_tracker_says_is_gone_is_dropped_after_seconds_and_not_after_frames(pace, gone):
    frames = clip(16, hidden=range(3, 16))
    session = session_of(frames, retire_after=1.0, detect_every=0.4)
    retired = [
        r.index for r in labelled(session, frames, pace) for e in r.events if e.kind == "retired"
    ]
    assert retired == [gone]


@pytest.mark.parametrize(("pace", "looks"), [(0.04, [0, 5, 10]), (0.1, [0, 2, 4, 6, 8, 10])])
@pytest.mark.parametrize("words", ["cat, dog; sky, grass", "cat"])
def test_looks_come_by_the_second_however_much_no_word_names(pace, looks, words):
    frames = clip(12)
    seen = []
    session = session_of(frames, lambda index: bool(seen.append(index)) or True)
    labelled(VideoSession(session.pipeline, Vocabulary.parse(words)), frames, pace)
    assert seen == looks


def dogs(count):
    return [drawn({DOG: DOG_BOX}, index, "dog alone") for index in range(count)]


def categories(frame):
    return {s.category for s in frame.segmentation}


def test_a_false_alarm_on_stuff_goes_after_a_second_of_looks_that_say_what_is_there():
    frames, left = dogs(7), (0, 0, 80, 56)
    results = labelled(session_of(frames, alarms={0: left}), frames, 0.2)
    assert ["horse" in categories(r) for r in results] == [True] * 5 + [False] * 2
    assert categories(results[-1]) == {"dog", "sky", "grass"}


def test_a_false_alarm_in_the_place_of_stuff_that_is_followed_is_not_followed():
    frames, left = dogs(6), (0, 0, 80, 56)
    results = labelled(session_of(frames, alarms={2: left, 4: left}), frames, 0.2)
    assert all(categories(r) == {"dog", "sky", "grass"} for r in results)
    assert {r.segmentation.ids[5, 5] for r in results} == {results[0].segmentation.ids[5, 5]}


class SandOnDogs(StandinHeatmaps):
    """Takes a dog for sand, wherever there is one."""

    def heatmaps_batch(self, images, vocabulary, sizes=None):
        answers = super().heatmaps_batch(images, vocabulary, sizes)
        row = [c.name for c in vocabulary.stuff].index("sand")
        for image, answer in zip(images, answers, strict=True):
            answer.probabilities[row][self.truths.of(image).truth.ids == DOG] = 0.9
        return answers


def test_stuff_in_the_place_of_a_thing_that_was_missed_is_nothing_new():
    frames = dogs(8)
    session = session_of(frames, lambda index: index % 3 == 0)
    session.pipeline.stuff = SandOnDogs(truths(frames))
    words = Vocabulary.parse("cat, dog, horse; sky, grass, sand")
    session = VideoSession(session.pipeline, words)
    assert all(categories(r) == {"dog", "sky", "grass"} for r in labelled(session, frames, 0.2))


def test_a_thing_that_drifts_is_put_right_by_one_look():
    frames = clip(16)
    tracks = TrackErrors(drift=0.04, most_drift=0.4)
    results = labelled(session_of(frames, tracks=tracks, detect_every=0.6), frames)
    id = id_of(results[0], frames[0].truth, DOG)
    before = overlap(results[14].segmentation.mask(id), frames[14].truth, DOG)
    after = overlap(results[15].segmentation.mask(id), frames[15].truth, DOG)
    assert before < 0.5 < 0.9 < after
