"""The models of the app: loaded when they are needed, and those that were asked for last kept."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from panoptic.pipeline import PanopticPipeline


@dataclass(frozen=True)
class Choice:
    """Models that can be chosen: what they are called, how they are loaded, and the options that
    ask for them on the command line."""

    name: str
    load: Callable[[], PanopticPipeline]
    options: tuple[str, ...]
    is_here: Callable[[], bool] = lambda: True


class Models:
    """Pipelines by name, one at a time in memory. Several threads may ask."""

    def __init__(self, choices: list[Choice]) -> None:
        self.choices = {choice.name: choice for choice in choices}
        self.first = choices[0].name
        self._lock = threading.Lock()
        self._loaded: tuple[str, PanopticPipeline] | None = None
        self._loading: str | None = None

    def get(self, name: str | None = None) -> PanopticPipeline:
        """The pipeline of these models; who asks waits until they are loaded.

        ``ValueError`` for models that aren't among the choices, or can't be loaded.
        """
        choice = self.choice(name)
        with self._lock:
            if self._loaded is None or self._loaded[0] != choice.name:
                self._loaded, self._loading = None, choice.name  # their memory is needed
                try:
                    self._loaded = choice.name, choice.load()
                finally:
                    self._loading = None
            return self._loaded[1]

    def choice(self, name: str | None = None) -> Choice:
        """Raises ``ValueError`` for models that aren't among the choices."""
        found = self.choices.get(name or self.first)
        if found is None:
            raise ValueError(f"no models are called {name!r}; there are {', '.join(self.choices)}")
        return found

    def state(self) -> dict[str, Any]:
        """What the page tells of them."""
        loaded = self._loaded
        return {
            "choices": [{"name": c.name, "here": c.is_here()} for c in self.choices.values()],
            "first": self.first,
            "loaded": None if loaded is None else loaded[0],
            "loading": self._loading,
        }
