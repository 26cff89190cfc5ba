"""What all endpoints share: the models, whose turn it is, the words, the limits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from panoptic.dataset.fingerprint import describe, settings_hash
from panoptic.io.images import read_picture
from panoptic.pipeline import PanopticPipeline
from panoptic.results.segmentation import PanopticSegmentation
from panoptic.serve.limits import Limits
from panoptic.serve.refusals import Refused
from panoptic.serve.turns import Room, Turns
from panoptic_anything import __version__
from prompts import Vocabulary


class Gone(Exception):
    """Nobody waits for the answer any more."""


@dataclass
class Service:
    """Threads may share it; ``room`` is the event loop's."""

    pipeline: PanopticPipeline
    models: str = "given"
    """What the models are called."""
    words: Vocabulary | None = None
    """What is looked for where a request names no words."""
    limits: Limits = field(default_factory=Limits)
    check_words: Callable[[Vocabulary], object] = lambda words: None
    """Raises ``ValueError`` for words that the models can't know."""

    def __post_init__(self) -> None:
        self.turns = Turns()
        self.room = Room(self.limits.queue, "pictures are waiting")
        self.stopping = threading.Event()

    @cached_property
    def version(self) -> str:
        """Of labels: another one where other weights or settings would give others."""
        digest = settings_hash(Vocabulary(), describe(self.pipeline))
        return f"panoptic-{__version__}-{self.models}-{digest[:8]}"

    def vocabulary(self, fields: Mapping[str, str]) -> Vocabulary:
        """The words of a form, else those that the server was started with. ``Refused``."""
        things, stuff = fields.get("things", "").strip(), fields.get("stuff", "").strip()
        if not things and not stuff:
            if self.words is None:
                raise Refused(
                    422,
                    "say what to look for: the fields 'things' ('car, person') and 'stuff' "
                    "('road, sky')",
                )
            return self.words
        for name, text in (("things", things), ("stuff", stuff)):
            if ";" in text:
                raise Refused(422, f"{name!r} takes names with commas between them, and no ';'")
        vocabulary = Vocabulary.parse(f"{things}; {stuff}")
        self.check_words(vocabulary)
        return vocabulary

    def read(self, data: bytes, name: str) -> tuple[np.ndarray, tuple[str, ...]]:
        """A picture's pixels, and what there is to say of them. ``ImageError``."""
        picture = read_picture(data, self.pipeline.settings.pictures, repr(name))
        return picture.pixels, picture.notes

    def segment(
        self,
        picture: np.ndarray,
        vocabulary: Vocabulary,
        is_gone: Callable[[], bool] = lambda: False,
    ) -> PanopticSegmentation:
        """The picture labelled, when its turn comes. ``Gone`` where ``is_gone`` says so then."""
        with self.turns.turn():
            if is_gone():
                raise Gone
            return self.pipeline.segment(picture, vocabulary)

    def state(self) -> dict[str, Any]:
        """What ``/health`` tells."""
        return {
            "status": "UP",
            "version": __version__,
            "models": self.models,
            "waiting": self.room.inside,
        }
