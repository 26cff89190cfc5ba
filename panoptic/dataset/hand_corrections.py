"""Labels of pictures corrected by hand, click by click: each is in the data set once it is made.

An edit is a small mapping, which is also what the log of decisions keeps of it:

    {"edit": "click", "segment": 3, "x": 120.5, "y": 80.0, "positive": true}
    {"edit": "box", "box": [10, 20, 90, 80], "word": 4}
    {"edit": "relabel", "segment": 3, "word": 4}
    {"edit": "delete", "segment": 3}

Clicks on one segment that follow each other are one prompt: all of them refine the mask that it had
before the first. They are found in the log, so they outlast the process that took them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from panoptic.compose.hand_edits import Click, boxed, clicked, relabelled, removed
from panoptic.dataset.decisions import Decided, Decision
from panoptic.dataset.label_state import State
from panoptic.dataset.store import DatasetStore
from panoptic.dataset.tasks import CorrectionFile
from panoptic.image_pipeline import ImagePipeline
from panoptic.results.labelled import LabelledItem
from panoptic.results.segmentation import PanopticSegmentation
from prompts import Category
from sam2core import Segmenter

EDITS = ("click", "box", "relabel", "delete")


class HandCorrections:
    """Corrects pictures of a data set. ``pipeline`` is asked for when masks are needed, as to say
    another word needs no models."""

    def __init__(self, store: DatasetStore, pipeline: Callable[[], ImagePipeline]) -> None:
        self._store = store
        self._pipeline = pipeline
        self._lock = threading.Lock()
        self._encoded: tuple[Segmenter, tuple[str, str], Any] | None = None

    def correct(self, key: str, edit: Mapping[str, Any], decision: Decision) -> State:
        """Makes an edit, and gives the label the verdict "corrected" with it.

        ``decision`` is as for ``DatasetStore.set_verdict``; what it tells is the edit. Raises
        ``ValueError`` and ``KeyError`` for edits that make no sense, ``StaleLabelError`` if the
        label isn't the one that was looked at.
        """
        item = self._store.item(key)
        if item.kind != "image":
            raise ValueError(f"{key!r} is a video: its frames are corrected in a session")
        label = self._edited(item, edit, decision)
        noted = Decision(decision.by, decision.request, decision.seen, dict(edit))
        return self._store.set_verdict(key, "corrected", corrected=label, decision=noted)

    def _edited(
        self, item: LabelledItem, edit: Mapping[str, Any], decision: Decision
    ) -> PanopticSegmentation:
        kind = edit.get("edit")
        if kind == "click":
            before = self._clicks_before(item.key, edit, decision)
            clicks = [click_of(each.what) for each in before] + [click_of(edit)]
            label = label_before(self._store, before[0].id, item) if before else item.load()
            asked = self._pipeline().segmenter, self._encode(item)
            return clicked(label, int(edit["segment"]), clicks, *asked)
        if kind == "box":
            category = self._category(edit)
            return boxed(
                item.load(), edit["box"], category, self._pipeline().segmenter, self._encode(item)
            )
        if kind == "relabel":
            return relabelled(item.load(), int(edit["segment"]), self._category(edit))
        if kind == "delete":
            return removed(item.load(), int(edit["segment"]))
        raise ValueError(f"an edit is one of {', '.join(EDITS)}, got {kind!r}")

    def _clicks_before(
        self, key: str, edit: Mapping[str, Any], decision: Decision
    ) -> Sequence[Decided]:
        """The latest decisions on the item, as far as they are clicks on this segment by the same
        person, with nothing in between."""
        found: list[Decided] = []
        version = decision.seen or self._store.decisions.version(key)
        for each in reversed(self._store.decisions.of_item(key)):
            goes_on = each.what.get("edit") == "click" and each.by == decision.by
            if not goes_on or each.what.get("segment") != edit["segment"]:
                break
            if not found and each.version != version:
                break  # a run or the command line has been there since
            found.append(each)
        return found[::-1]

    def _encode(self, item: LabelledItem) -> Any:
        """The picture as the segmenter sees it; the latest is kept."""
        segmenter = self._pipeline().segmenter
        content = self._store.manifest.row(item.key)["content"]
        with self._lock:
            known = self._encoded
            if known is None or known[0] is not segmenter or known[1] != (item.key, content):
                encoded = segmenter.encode(item.picture())
                known = self._encoded = segmenter, (item.key, content), encoded
            return known[2]

    def _category(self, edit: Mapping[str, Any]) -> Category:
        return self._store.vocabulary.by_id(int(edit["word"]))


def label_before(
    store: DatasetStore, decision: int, item: LabelledItem, frame: int = 0
) -> PanopticSegmentation:
    """A label as it was before a decision on its item."""
    corrections = store.decisions.before(decision)["corrections"]
    if frame in corrections:
        file = CorrectionFile(corrections[frame], None)
        label = store.files.load_correction(item.key, file)
    else:
        label = store.files.load(item.key, item.kind, frame)
    return store.named(label, item.key)


def click_of(edit: Mapping[str, Any]) -> Click:
    return Click(float(edit["x"]), float(edit["y"]), bool(edit.get("positive", True)))
