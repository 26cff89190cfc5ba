"""Explorer: one picture, its words and its levels, to be tried until they are right."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from detectors.base import Boxes, StagedThingDetector
from panoptic.compose.candidates import within
from panoptic.compose.kept_stages import KeptStages
from panoptic.compose.trace import Trace
from panoptic.image_pipeline import ImagePipeline, check_vocabulary
from panoptic.io.images import ImageLike, load_image
from panoptic.settings.keys import keys_of, values_of
from panoptic.settings.tree import Settings
from prompts import Vocabulary
from sam2core import ImageMasks

Answer = TypeVar("Answer")

GROUPS = ("detector", "stuff", "regions", "sampling", "stuff_masks", "merge", "automatic")
"""The groups of settings that say how a picture is labelled."""
ALONE = ("seed", "fill_unknown", "region_side")
"""The settings outside of groups that do."""

_OF_WORDS = ("likeliest", "points", "margins", "regions", "leads", "stuff masks")
"""Stages that heatmaps come into."""


@dataclass(frozen=True)
class Level:
    """A setting that can be tried: ``value`` as it is, ``kind`` its type in Python, ``reason`` what
    it means and why it is what it is."""

    key: str
    value: Any
    kind: Any
    reason: str


class Explorer:
    """What ``pipeline.segment`` gives of one picture, with words and levels to be changed.

    Boxes, heatmaps, embedding and masks are kept, and a change does only that again which depends
    on it; what comes out is, to the byte, what a pipeline with these settings gives. The pipeline
    itself, and others who use it, notice nothing. Several threads may ask; they wait for each
    other.
    """

    def __init__(self, pipeline: ImagePipeline, image: ImageLike) -> None:
        self._pipeline = copy.copy(pipeline)  # with settings of its own, and the same models
        self._pipeline.things = copy.copy(pipeline.things)
        self._pipeline.stuff = copy.copy(pipeline.stuff)
        self._given = pipeline.settings
        self._lock = threading.Lock()
        self._kept = KeptStages()
        self.picture: np.ndarray = load_image(image, settings=self._given.pictures)

    def trace(self, vocabulary: Vocabulary, changes: Mapping[str, Any] | None = None) -> Trace:
        """The picture labelled with these words, with every step on the way.

        ``changes`` are levels by key that differ from the pipeline's settings, as
        ``Settings.changed`` takes them. ``ValueError`` for a key that isn't there, a value that is
        out of range, an empty vocabulary, and words that the models don't know.
        """
        check_vocabulary(vocabulary)
        settings = self._given.changed(changes or {})
        with self._lock:
            self._pipeline.settings = settings
            return self._trace(vocabulary, settings)

    @property
    def settings(self) -> Settings:
        """The pipeline's, from which changes go out."""
        return self._given

    def levels(self) -> tuple[Level, ...]:
        """All levels that can be tried, with the pipeline's values."""
        return levels_of(self._given)

    def _trace(self, vocabulary: Vocabulary, settings: Settings) -> Trace:
        boxes, masks = self._things(vocabulary, settings)
        size = within(self.picture.shape, settings.region_side)
        words = (vocabulary, settings.stuff)
        heatmaps = self._kept(
            *("heatmaps", (*words, size)),
            lambda: self._pipeline.stuff.heatmaps_batch([self.picture], vocabulary, [size])[0],
        )

        def keep(stage: str, key: tuple[Hashable, ...], compute: Callable[[], Answer], /) -> Answer:
            """Where heatmaps come in, the words that they are of do as well."""
            whole = (*words, *key) if stage in _OF_WORDS else key
            return self._kept(stage, whole, compute)

        return self._pipeline.compose(self.picture, boxes, masks, heatmaps, vocabulary, keep)

    def _things(
        self, vocabulary: Vocabulary, settings: Settings
    ) -> tuple[Boxes, ImageMasks | None]:
        detector = self._pipeline.things
        if not isinstance(detector, StagedThingDetector):
            return self._kept(
                *("things", (vocabulary, settings.detector)),
                lambda: self._pipeline.find_things([self.picture], vocabulary)[0],
            )
        seen = self._kept(
            *("look", (vocabulary, settings.detector.names_per_caption)),
            lambda: detector.look(self.picture, vocabulary),
        )
        height, width = self.picture.shape[:2]
        return detector.boxes(seen).clipped(height, width), None


def levels_of(settings: Settings) -> tuple[Level, ...]:
    """The settings that say how a picture is labelled, as they are."""
    values = values_of(settings)
    return tuple(
        Level(key.name, values[key.name], key.kind, key.reason)
        for key in keys_of(Settings).values()
        if key.name in ALONE or key.name.split(".")[0] in GROUPS
    )
