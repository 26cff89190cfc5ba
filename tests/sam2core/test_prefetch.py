"""Work ahead: in order, bounded, errors where they belong, and no thread left behind."""

from __future__ import annotations

import threading
import time

import pytest

from sam2core.prefetch import prefetch


def running() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == "prefetch"]


@pytest.mark.parametrize("depth", [1, 2, 7])
def test_results_come_in_order(depth):
    assert list(prefetch(range(50), lambda i: i * i, depth)) == [i * i for i in range(50)]
    assert list(prefetch([], str, depth)) == []
    assert running() == []


def test_work_happens_in_one_other_thread():
    threads = set(prefetch(range(5), lambda _: threading.current_thread()))
    assert len(threads) == 1
    assert threading.current_thread() not in threads


def test_nothing_starts_before_the_first_result_is_asked_for():
    taken = []
    results = prefetch(range(5), taken.append)
    assert (taken, running()) == ([], [])
    next(results)
    results.close()
    assert len(taken) >= 1


def settled(values: list, patience: float = 5.0) -> int:
    """How many values there are once nothing was added for a while."""
    end = time.monotonic() + patience
    count = -1
    while time.monotonic() < end and count != len(values):
        count = len(values)
        time.sleep(0.1)
    return count


@pytest.mark.parametrize("depth", [1, 3])
def test_no_more_than_depth_items_are_taken_ahead(depth):
    taken: list[int] = []
    results = prefetch(range(100), taken.append, depth)
    for used in range(1, 5):
        next(results)
        assert settled(taken) == used + depth
    results.close()
    assert running() == []


def test_an_error_comes_where_its_result_would():
    def fail_at_three(i: int) -> int:
        if i == 3:
            raise KeyError("three")
        return i

    results = prefetch(range(10), fail_at_three, depth=4)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(KeyError, match="three"):
        next(results)
    assert running() == []
    assert list(results) == []


def test_an_error_of_the_source_is_passed_on():
    def source():
        yield 1
        raise OSError("the disk is gone")

    results = prefetch(source(), str)
    assert next(results) == "1"
    with pytest.raises(OSError, match="the disk is gone"):
        next(results)


def test_stopping_early_ends_the_thread():
    for i, _ in enumerate(prefetch(iter(int, 1), str, depth=2)):  # endless
        if i == 3:
            break
    assert running() == []


def test_an_error_of_the_consumer_ends_the_thread():
    def consume():
        for _ in prefetch(iter(int, 1), str):
            raise RuntimeError("no more, please")

    with pytest.raises(RuntimeError, match="no more"):
        consume()
    assert running() == []


def test_depth_must_be_positive():
    with pytest.raises(ValueError, match="depth must be at least 1, got 0"):
        prefetch([], str, 0)
