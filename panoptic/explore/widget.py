"""The tab *Try* in a notebook: words, levels and one picture, and the result in Python.

An anywidget (https://anywidget.dev): the traits below are the same here and on the page. What the
page shows is drawn by the modules that the app's page is drawn by, joined into one.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from panoptic.compose.trace import Trace
from panoptic.explore.drawn import jpeg, label_of
from panoptic.explore.explorer import Explorer
from panoptic.explore.levels import left_out, levels_for_page
from panoptic.explore.words import as_typed, typed
from panoptic.image_pipeline import ImagePipeline, check_vocabulary
from panoptic.io.images import ImageLike
from panoptic.results.segmentation import PanopticSegmentation
from panoptic.show.explanation_sheet import panels
from panoptic.show.notebook import to_png
from panoptic_anything import how_to_install
from prompts import Vocabulary

try:
    import anywidget
    import traitlets
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"the widget needs {error.name}: {how_to_install('notebook')}", name=error.name
    ) from error

STATIC = Path(__file__).parent / "static"
_MODULES = ("palette", "lists", "levels", "stage", "widget")
"""What the page needs, each below what it stands on."""
_SIDE = 1024
"""Longer side, in pixels, of the picture on the page: a notebook is no wider."""


def page_module() -> str:
    """The modules of ``static/`` as one, as a widget's has to be."""
    texts = [(STATIC / f"{name}.js").read_text(encoding="utf-8") for name in _MODULES]
    alone = [re.sub(r"^import [^;]*;\n", "", text, flags=re.MULTILINE) for text in texts]
    *below, last = alone
    return "\n".join([*(re.sub(r"^export ", "", text, flags=re.MULTILINE) for text in below), last])


class ExplorerWidget(anywidget.AnyWidget):
    """One picture, to be labelled with other words and levels until they are right.

    ``result``, ``trace`` and ``vocabulary`` are of the label that is shown. Setting ``things``,
    ``stuff`` (names with commas) or ``levels`` (by key, those that differ from the pipeline's)
    labels again, and the result is there when the line is done. What makes no sense is a
    ``ValueError``, told on the page as ``error``, and the label that is shown stays.
    """

    _esm = page_module()
    _css = (STATIC / "widget.css").read_text(encoding="utf-8")

    things = traitlets.Unicode().tag(sync=True)
    stuff = traitlets.Unicode().tag(sync=True)
    levels = traitlets.Dict().tag(sync=True)
    error = traitlets.Unicode().tag(sync=True)
    choices: Any = traitlets.List(read_only=True).tag(sync=True)
    """Levels that can be moved."""
    picture = traitlets.Bytes(read_only=True).tag(sync=True)
    """The picture, as JPEG."""
    label = traitlets.Dict(read_only=True).tag(sync=True)
    """The label as it is drawn, see ``panoptic.explore.drawn.label_of``."""
    left_out: Any = traitlets.List(read_only=True).tag(sync=True)
    """What was found and isn't in the label, and why."""
    answered = traitlets.Int(read_only=True).tag(sync=True)
    """How often something was asked for and done, or refused."""

    def __init__(
        self,
        explorer: Explorer,
        vocabulary: Vocabulary | None = None,
        levels: Mapping[str, Any] | None = None,
    ) -> None:
        self._explorer = explorer
        self._known = vocabulary
        self._asked_by_page = False
        self._trace: Trace | None = None
        self._vocabulary = Vocabulary()
        things, stuff = as_typed(vocabulary)
        super().__init__(things=things, stuff=stuff, levels=dict(levels or {}))
        self.set_trait("choices", levels_for_page(explorer.settings))
        self.set_trait("picture", jpeg(explorer.picture, _SIDE))
        self.observe(self._changed, ["things", "stuff", "levels"])
        self.on_msg(self._explain_on_page)
        if self.things or self.stuff:
            self._label()

    @property
    def result(self) -> PanopticSegmentation:
        """The label that is shown. ``ValueError`` before there is one."""
        return self.trace.result

    @property
    def trace(self) -> Trace:
        """It, with every step on the way. ``ValueError`` before there is one."""
        if self._trace is None:
            raise ValueError("nothing is labelled yet: say what to look for, in things or stuff")
        return self._trace

    @property
    def vocabulary(self) -> Vocabulary:
        """The words that it was made with."""
        return self._vocabulary

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """What the page sends. Errors are told there: there is nobody else to catch them."""
        self._asked_by_page = True
        try:
            super().set_state(sync_data)
        finally:
            self._asked_by_page = False

    def __repr__(self) -> str:
        segments = 0 if self._trace is None else len(self.result)
        return f"ExplorerWidget(things={self.things!r}, stuff={self.stuff!r}, {segments} segments)"

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """The widget, and where none can be shown, such as on a forge, the label as a picture."""
        bundle: Any = super()._repr_mimebundle_(**kwargs)
        data, metadata = bundle
        if self._trace is not None:
            data["image/png"] = to_png(self.result)
        return data, metadata

    @traitlets.validate("levels")
    def _check_levels(self, proposal: Any) -> dict[str, Any]:
        """Levels that are refused in Python aren't kept: all that is set later would fail of them,
        and ``settings=widget.levels`` as well. Those of the page are told by ``_label``."""
        levels: dict[str, Any] = proposal["value"]
        if not self._asked_by_page:
            try:
                self._explorer.settings.changed(levels)
            except ValueError as error:
                self.error = str(error)
                raise
        return levels

    def _changed(self, change: Any) -> None:
        wordless = not (self.things or self.stuff)
        if wordless and change.name == "levels" and not self._asked_by_page:
            return  # nothing is asked yet; they are for the words that come
        try:
            self._label()
        except ValueError:
            if not self._asked_by_page:
                raise

    def _label(self) -> None:
        try:
            vocabulary = typed(self.things, self.stuff, self._known)
            trace = self._explorer.trace(vocabulary, self.levels)
        except ValueError as error:
            self.error = str(error)
            raise
        else:
            self._trace, self._vocabulary, self.error = trace, vocabulary, ""
            self.set_trait("label", label_of(trace.result, vocabulary, _SIDE))
            self.set_trait("left_out", left_out(trace))
        finally:
            self.set_trait("answered", self.answered + 1)

    def _explain_on_page(self, widget: Any, asked: Any, buffers: Any) -> None:
        if self._trace is None or asked != "explain":
            return
        steps = self._trace.explain()
        pictures = []
        for panel in (shown := panels(steps)):
            stream = io.BytesIO()
            panel.picture.save(stream, "JPEG", quality=88)
            pictures.append(stream.getvalue())
        self.send({"titles": [panel.title for panel in shown], "text": steps.text()}, pictures)


def explore(
    pipeline: ImagePipeline,
    image: ImageLike,
    vocabulary: Vocabulary | None = None,
    levels: Mapping[str, Any] | None = None,
) -> ExplorerWidget:
    """See ``PanopticPipeline.explore``."""
    if vocabulary is not None:
        check_vocabulary(vocabulary)
    return ExplorerWidget(Explorer(pipeline, image), vocabulary, levels)
