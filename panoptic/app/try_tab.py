"""Try: words and levels on one picture, and the command that labels the whole folder with them."""

from __future__ import annotations

import base64
import io
import threading
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from PIL import Image

from panoptic.app.given import Given
from panoptic.app.labelling import Labelling
from panoptic.app.models import Models
from panoptic.explore import Explorer
from panoptic.explore.drawn import jpeg, label_of, words_of
from panoptic.explore.levels import left_out, levels_for_page
from panoptic.explore.words import typed
from panoptic.io.picture_settings import PictureSettings
from panoptic.show.explanation_sheet import panels
from panoptic.web.requests import field, mapping, optional
from prompts import Vocabulary

_OPEN = 3
"""Pictures whose boxes, heatmaps and embeddings are kept, the latest."""


class TryTab:
    """What the tab *Try* asks for."""

    def __init__(
        self,
        given: Given,
        models: Models,
        labelling: Labelling,
        words: Vocabulary | None,
    ) -> None:
        self._given = given
        self._models = models
        self._labelling = labelling
        self._words = words
        self._lock = threading.Lock()
        self._open: dict[tuple[str, str, int], Explorer] = {}

    def pictures(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """What can be tried."""
        return {
            "pictures": [asdict(entry) for entry in self._given.entries()],
            "more": self._given.more,
        }

    def start(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """What the tab begins with: the words that were given, and the levels of the models."""
        pipeline = self._models.get(optional(asked, "models", str))
        return {
            "things": [c.name for c in self._words.things] if self._words else [],
            "stuff": [c.name for c in self._words.stuff] if self._words else [],
            "levels": levels_for_page(pipeline.settings),
        }

    def picture(self, asked: Mapping[str, Any]) -> bytes:
        """The picture itself, as JPEG."""
        explorer = self._explorer(asked)
        return jpeg(explorer.picture)

    def bring(self, name: str, data: bytes) -> dict[str, Any]:
        """Takes a picture from the page."""
        return asdict(self._given.bring(name, data, PictureSettings()))

    def frames(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        return {"frames": self._given.frames(field(asked, "picture", str))}

    def label(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """The picture labelled with words and levels, and each candidate's fate in words."""
        vocabulary = self._vocabulary(asked)
        trace = self._explorer(asked).trace(vocabulary, mapping(asked, "levels"))
        return {
            "label": label_of(trace.result, vocabulary),
            "words": words_of(vocabulary),
            "boxes": len(trace.boxes),
            "regions": len(trace.regions),
            "lost": left_out(trace),
        }

    def explain(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """The steps on the way, each as a picture, and all of it in numbers."""
        vocabulary = self._vocabulary(asked)
        steps = self._explorer(asked).trace(vocabulary, mapping(asked, "levels")).explain()
        return {
            "text": steps.text(),
            "steps": [
                {"title": panel.title, "picture": _inline(panel.picture)} for panel in panels(steps)
            ],
        }

    def command(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """The command that labels everything with this; with ``start`` it is started, too."""
        vocabulary = self._vocabulary(asked)
        choice = self._models.choice(optional(asked, "models", str))
        levels = mapping(asked, "levels")
        self._models.get(choice.name).settings.changed(levels)  # what is wrong is told now
        command = self._labelling.command(vocabulary, choice.options, levels)
        if field(asked, "start", bool, False):
            self._labelling.start(command)
        return {"command": command.text, "job": self._labelling.state()}

    def _vocabulary(self, asked: Mapping[str, Any]) -> Vocabulary:
        return typed(field(asked, "things", str, ""), field(asked, "stuff", str, ""), self._words)

    def _explorer(self, asked: Mapping[str, Any]) -> Explorer:
        models = self._models.choice(optional(asked, "models", str)).name
        pipeline = self._models.get(models)
        key = (models, field(asked, "picture", str), field(asked, "frame", int, 0))
        with self._lock:
            if key not in self._open:
                pixels = self._given.read(*key[1:], pipeline.settings.pictures)
                self._open[key] = Explorer(pipeline, pixels)
            explorer = self._open.pop(key)
            self._open[key] = explorer  # the latest is last
            while len(self._open) > _OPEN:
                self._open.pop(next(iter(self._open)))
        return explorer


def _inline(picture: Image.Image) -> str:
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()
