"""All that the app holds: what it was started on, the models, and a desk for each tab."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from panoptic.app.given import Given
from panoptic.app.labelling import Labelling
from panoptic.app.models import Models
from panoptic.app.review_tab import ReviewTab
from panoptic.app.sheets_tab import SheetsTab
from panoptic.app.try_tab import TryTab
from panoptic_anything import __version__
from prompts import Vocabulary

Answer = Callable[[Mapping[str, Any]], Any]
_TRY = ("pictures", "start", "frames", "label", "explain", "command")
_REVIEW = (
    *("begin", "queue", "item", "since", "timeline", "before"),
    *("verdict", "edit", "undo"),
)


class Workbench:
    """What answers the page. Threads may share it."""

    def __init__(
        self,
        given: Given,
        models: Models,
        words: Vocabulary | None = None,
        changes: Mapping[str, Any] | None = None,
        truth: Path | None = None,
    ) -> None:
        self.given = given
        self.models = models
        self.labelling = Labelling(given, changes)
        self.review = ReviewTab(given, models)
        self.sheets = SheetsTab(given, truth)
        self.trying = TryTab(given, models, self.labelling, words)

    def asks(self) -> Iterator[tuple[str, Answer]]:
        """What the page may ask, by name; the answers can be written as JSON."""
        yield "state", self.state
        yield from ((f"try/{name}", getattr(self.trying, name)) for name in _TRY)
        yield from ((f"review/{name}", getattr(self.review, name)) for name in _REVIEW)
        yield "sheets/draw", self.sheets.draw

    def pictures(self) -> Iterator[tuple[str, Answer]]:
        """What the page may show, by name: JPEGs."""
        yield "try/picture", self.trying.picture
        yield "review/picture", self.review.picture

    def state(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """What the app was started on, and what is going on."""
        return {
            "version": __version__,
            "given": self.given.state(),
            "models": self.models.state(),
            "job": self.labelling.state(),
        }

    def close(self) -> None:
        """Closes the data set."""
        self.review.close()
