"""Work ahead of the consumer, in one background thread and in bounded memory."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
U = TypeVar("U")


def prefetch(items: Iterable[T], transform: Callable[[T], U], depth: int = 4) -> Iterator[U]:
    """``transform(item)`` of every item, in order, made ahead by a background thread.

    At most ``depth`` items are taken ahead of the consumer. An error of
    ``items`` or ``transform`` is raised where its result would have come. The thread starts
    with the first result asked for, and has ended when the iterator is exhausted, raises or is
    closed (which a dropped generator does by itself); closing waits for the item in the making.
    """
    if depth < 1:
        raise ValueError(f"depth must be at least 1, got {depth}")
    return _prefetch(items, transform, depth)


def _prefetch(items: Iterable[T], transform: Callable[[T], U], depth: int) -> Iterator[U]:
    ready: deque[U] = deque()
    changed = threading.Condition()
    finished = abandoned = False
    error: BaseException | None = None

    def produce() -> None:
        nonlocal finished, error
        try:
            iterator = iter(items)
            while True:
                with changed:
                    changed.wait_for(lambda: len(ready) < depth or abandoned)
                    if abandoned:
                        return
                try:
                    result = transform(next(iterator))
                except StopIteration:
                    return
                with changed:
                    ready.append(result)
                    changed.notify_all()
                del result  # the bound is on results that exist, and a name keeps one alive
        except BaseException as caught:
            error = caught
        finally:
            with changed:
                finished = True
                changed.notify_all()

    thread = threading.Thread(target=produce, name="prefetch", daemon=True)
    thread.start()
    try:
        while True:
            with changed:
                changed.wait_for(lambda: ready or finished)
                if not ready:
                    break
                result = ready.popleft()
                changed.notify_all()
            yield result
        if error is not None:
            raise error
    finally:
        with changed:
            abandoned = True
            changed.notify_all()
        thread.join()
