"""What a run tells while it works."""

from __future__ import annotations

from typing import Protocol

from panoptic.dataset.tasks import Failure


class RunProgress(Protocol):
    """Is told how a run gets on."""

    def scanning(self, count: int) -> None:
        """So many entries of the source have been read."""

    def begin(self, done: int, to_do: int) -> None:
        """The source is read: so many items were labelled already, so many are to be."""

    def advance(self, done: int, failed: int) -> None:
        """So many items were labelled since last time, and so many failed."""

    def failed(self, failure: Failure) -> None:
        """An item can't be labelled."""

    def say(self, text: str) -> None:
        """A line for people."""


class Silent:
    """Tells nobody."""

    def scanning(self, count: int) -> None: ...
    def begin(self, done: int, to_do: int) -> None: ...
    def advance(self, done: int, failed: int) -> None: ...
    def failed(self, failure: Failure) -> None: ...
    def say(self, text: str) -> None: ...
