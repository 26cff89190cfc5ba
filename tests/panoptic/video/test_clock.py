"""Seconds between frames, by their times and without them."""

import math

import pytest

from panoptic.video.clock import USUAL_PACE, Clock


def looks(times, every):
    """The frames in which the words are looked for, the first one among them."""
    clock, found = Clock(), []
    for number, time in enumerate(times):
        clock.tick(time)
        if not number or clock.is_due(every):
            clock.look()
            found.append(number)
    return found


@pytest.mark.parametrize(
    ("pace", "frames"), [(25, 5), (50, 10), (30, 6), (24, 5), (10, 2), (5, 1), (1, 1)]
)
def test_looks_come_by_the_second_at_any_pace(pace, frames):
    times = [n / pace for n in range(41)]
    assert looks(times, 0.2) == list(range(0, 41, frames))


def test_frames_without_times_are_at_the_usual_pace():
    assert USUAL_PACE == 1 / 25
    assert looks([None] * 11, 0.2) == [0, 5, 10]
    assert looks([None] * 4, 0) == [0, 1, 2, 3]


def test_a_pause_is_time_too():
    assert looks([0.0, 0.04, 9.0, 9.04], 0.2) == [0, 2]


def test_a_clock_that_is_set_back_costs_one_frame():
    clock = Clock()
    elapsed = []
    for time in (100.0, 100.5, 0.0, 0.5, None, 1.0):
        clock.tick(time)
        elapsed.append(clock.elapsed)
    assert elapsed == [0.0, 0.5, USUAL_PACE, 0.5, USUAL_PACE, USUAL_PACE]


@pytest.mark.parametrize("time", [math.nan, math.inf])
def test_a_time_that_is_no_number_is_refused(time):
    with pytest.raises(ValueError, match="finite number of seconds"):
        Clock().tick(time)


def test_it_goes_on_from_a_state():
    clock, other = Clock(), Clock()
    for time in (0.0, 0.3, 0.4):
        clock.tick(time)
    other.load_state(clock.state())
    for one in (clock, other):
        one.tick(0.5)
    assert clock.state() == other.state()
    assert other.since_look == pytest.approx(0.5)
