"""The simulated annotator: where it clicks, when it stops, and what a way costs it."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from benchmarks.clicks import possible
from benchmarks.lib.annotator import Task, annotate, middle_of_error, overlap


def square(x0, y0, x1, y1, side=20):
    mask = np.zeros((side, side), bool)
    mask[y0:y1, x0:x1] = True
    return mask


def test_the_middle_of_the_largest_error_is_clicked():
    true = square(2, 2, 9, 9)
    assert middle_of_error(true, np.zeros_like(true)) == ((5, 5), True)
    # Two specks are missing, and a larger square is too much.
    assert middle_of_error(true, true | square(12, 12, 19, 19)) == ((15, 15), False)
    assert middle_of_error(true, true & ~square(2, 2, 5, 5)) == ((3, 3), True)
    with pytest.raises(ValueError, match="nothing to click"):
        middle_of_error(true, true)


class Painter:
    """A way in which the second click on a frame is right, and spreads to the frames after it."""

    def __init__(self, truth, most_clicks, stubborn=()):
        self.truth, self.most_clicks, self.stubborn = truth, most_clicks, set(stubborn)
        self.maps = np.zeros_like(truth)
        self.clicks = Counter()
        self.on, self.right = Counter(), set()

    def begin(self, frame, id):
        """Nothing is there."""

    def shown(self, frame):
        return self.maps[frame]

    def click(self, frame, id, point, positive):
        assert (self.truth[frame][point[1], point[0]] == id) == positive
        self.on[frame] += 1
        if self.on[frame] == 2 and frame not in self.stubborn:
            self.maps[frame] = self.truth[frame]
            self.right.add(frame)

    def propagate(self):
        for frame in range(1, len(self.maps)):
            if frame - 1 in self.right and frame % 4 and frame not in self.stubborn:
                self.maps[frame] = self.truth[frame]
                self.right.add(frame)


def task(frames=8):
    truth = np.stack([np.where(square(2 + t, 3, 10 + t, 12), 1, 0) for t in range(frames)])
    return Task(truth, {1: tuple(range(frames))})


def test_an_annotator_stops_where_all_is_right():
    todo = task()
    effort = annotate(Painter(todo.truth, None), todo, 0.85)[1]
    # The first frame, and the one at which spreading ended.
    assert effort.touched == {0, 4}
    assert effort.clicks == 4
    assert effort.reached == effort.iou == 1


def test_what_three_clicks_do_not_mend_and_what_the_budget_leaves_is_counted():
    todo = task()
    effort = annotate(Painter(todo.truth, None, stubborn={2}), todo, 0.85)[1]
    assert effort.clicks == 2 + 3 + 2 + 2  # 0, 2 in vain, 3 after it, 4
    assert effort.reached == 7 / 8
    assert annotate(Painter(todo.truth, 4), todo, 0.85)[1].clicks == 2
    assert annotate(Painter(todo.truth, 2), todo, 0.85)[1].clicks == 0


def test_what_a_model_cannot_say_does_not_count():
    assert possible(square(20, 20, 90, 90, 192), 48)
    assert not possible(square(21, 21, 24, 90, 192), 48)
    assert overlap(np.zeros((2, 2), bool), np.zeros((2, 2), bool)) == 1
