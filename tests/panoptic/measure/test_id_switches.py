import math

from panoptic.measure.frame_pairs import pair_frames
from panoptic.measure.id_switches import IdCounts, IdSwitchMeter
from tests.panoptic.video.frames import frame


def counts(predictions, truths):
    meter = IdSwitchMeter()
    for pair in pair_frames(predictions, truths):
        meter.add(pair)
    return meter.result()


def cat(id):
    """A cat of this id on the left half, grass on the right; id 0: the cat isn't there."""
    return frame(" ".join([f"{id}{id}77"] * 4), {id: 1, 7: 7} if id else {7: 7})


def test_the_same_id_all_along_is_no_switch():
    result = counts([cat(3)] * 3, [cat(1)] * 3)
    assert result.things == IdCounts(tracked=3, visible=3)
    assert result.stuff == IdCounts(tracked=3, visible=3)


def test_each_change_counts_once():
    result = counts([cat(3), cat(4), cat(4), cat(3)], [cat(1)] * 4)
    assert (result.things.switches, result.stuff.switches) == (2, 0)


def test_a_gap_of_the_prediction_is_bridged():
    kept = counts([cat(3), cat(0), cat(3)], [cat(1)] * 3)
    changed = counts([cat(3), cat(0), cat(4)], [cat(1)] * 3)
    assert kept.things == IdCounts(switches=0, tracked=2, visible=3)
    assert changed.things == IdCounts(switches=1, tracked=2, visible=3)


def test_a_wrong_class_or_a_poor_mask_tracks_nothing():
    dog = frame("3377 3377 3377 3377", {3: 2, 7: 7})
    half = frame("3777 3777 3777 3777", {3: 1, 7: 7})
    assert counts([dog, half], [cat(1)] * 2).things == IdCounts(visible=2)


def test_returns_and_who_keeps_the_id():
    truths = [cat(1), cat(0), cat(1), cat(1), cat(0), cat(1), cat(0), cat(1)]
    # Comes back late but as 3: kept. Then as 4: a switch, not kept. Then not found at all.
    found = [cat(3), cat(0), cat(0), cat(3), cat(0), cat(4), cat(0), cat(0)]
    result = counts(found, truths).things
    assert result == IdCounts(switches=1, tracked=3, visible=5, returns=3, kept=1)
    assert result.kept_share == 1 / 3


def test_what_was_never_tracked_cannot_return():
    result = counts([cat(0), cat(0), cat(3)], [cat(1), cat(0), cat(1)]).things
    assert (result.returns, result.tracked) == (0, 1)
    assert math.isnan(result.kept_share)


def test_videos_add_up():
    one = counts([cat(3), cat(4)], [cat(1)] * 2)
    assert (one + one).things == IdCounts(switches=2, tracked=4, visible=4)
