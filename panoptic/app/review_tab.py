"""Review: labels of a data set judged and corrected, the worst first."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from panoptic.app.given import Given
from panoptic.app.models import Models
from panoptic.dataset.decisions import Decided, Decision
from panoptic.dataset.hand_corrections import HandCorrections, label_before
from panoptic.dataset.review import worst_segments
from panoptic.dataset.review_queue import ReviewFilter, review_counts, review_queue
from panoptic.dataset.store import MANIFEST, DatasetStore
from panoptic.dataset.video_corrections import VIDEO_EDITS, VideoCorrections
from panoptic.dataset.video_timeline import timeline_of
from panoptic.explore.drawn import color_of, jpeg, label_of, words_of
from panoptic.results.labelled import LabelledItem, Verdict
from panoptic.web.requests import field, mapping, numbers, optional

_LISTED = 60
"""Labels that are listed at a time."""


@dataclass(frozen=True)
class _Open:
    """A data set, and the ways to correct it."""

    store: DatasetStore
    hand: HandCorrections
    videos: VideoCorrections


class ReviewTab:
    """What the tab *Review* asks for. Opens the data set when there is one."""

    def __init__(self, given: Given, models: Models) -> None:
        self._given = given
        self._models = models
        self._opening = threading.Lock()
        self._deciding = threading.Lock()
        self._reading = threading.Lock()
        self._open: _Open | None = None

    @property
    def open(self) -> _Open:
        """The data set. ``DatasetError`` where nothing is labelled yet."""
        with self._opening:
            if self._open is None:
                store, get = DatasetStore.open(self._given.out), self._models.get
                self._open = _Open(store, HandCorrections(store, get), VideoCorrections(store, get))
            return self._open

    def close(self) -> None:
        with self._opening:
            if self._open is not None:
                self._open.videos.close()
                self._open.store.close()
            self._open = None

    @property
    def store(self) -> DatasetStore:
        return self.open.store

    # -- what there is ----------------------------------------------------------------------

    def begin(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Whether there is anything to review, and the words."""
        if not (self._given.out / MANIFEST).is_file():
            return {"there": False}
        store = self.store
        return {
            "there": True,
            "words": words_of(store.vocabulary),
            "counts": review_counts(store),
            "total": len(store),
            "now": time.time(),
        }

    def queue(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """The next labels that a filter leaves."""
        store = self.store
        wanted = ReviewFilter(
            optional(asked, "word", str),
            optional(asked, "below", float),
            optional(asked, "split", str),  # type: ignore[arg-type]  # checked there
            optional(asked, "verdict", str),  # type: ignore[arg-type]
        )
        found = review_queue(store, wanted, optional(asked, "after", str))
        items = list(islice(found, _LISTED))
        return {
            "items": [_entry(item) for item in items],
            "more": len(items) == _LISTED,
            "counts": review_counts(store),
        }

    def item(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """A label with all that is needed to judge it."""
        store, key = self.store, field(asked, "key", str)
        frame = field(asked, "frame", int, 0)
        version = store.decisions.version(key)  # before what it is of is read
        item = store.item(key)
        label = item.load(frame)
        return {
            **_entry(item),
            "version": version,
            "frame": frame,
            "frames": item.frames,
            "label": label_of(label, store.vocabulary),
            "worst": [s.id for s in worst_segments(store, key, 100)],
        }

    def timeline(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """When each id of a video is there, what was corrected, and what changed at last."""
        store, key = self.store, field(asked, "key", str)
        found = timeline_of(store, key)
        last = self._last_edit(key)
        return {
            "frames": found.frames,
            "rows": [
                {
                    **{"id": row.id, "name": row.name, "thing": row.is_thing, "runs": row.runs},
                    "color": color_of(store.vocabulary, row.name),
                }
                for row in found.rows
            ],
            "corrected": found.corrected,
            "changed": last.what["frames"] if last is not None else [],
        }

    def before(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """A frame of a video as it was before the latest edit."""
        store, key = self.store, field(asked, "key", str)
        frame, last = field(asked, "frame", int), self._last_edit(key)
        if last is None:
            return {"label": self.item({"key": key, "frame": frame})["label"]}
        label = label_before(store, last.id, store.item(key), frame)
        return {"label": label_of(label, store.vocabulary)}

    def _last_edit(self, key: str) -> Decided | None:
        edits = [d for d in self.store.decisions.of_item(key) if d.what.get("session")]
        return edits[-1] if edits else None

    def picture(self, asked: Mapping[str, Any]) -> bytes:
        """The picture of a label, as JPEG."""
        item = self.store.item(field(asked, "key", str))
        with self._reading:  # a video is read by one at a time
            return jpeg(item.picture(field(asked, "frame", int, 0)))

    def since(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """What was decided from a time on, by whatever page."""
        now = time.time()
        found = self.store.decisions.since(field(asked, "time", float))
        return {
            "decided": [
                {
                    "key": d.key,
                    "by": d.by,
                    "version": d.version,
                    "verdict": self.store.item(d.key).verdict,
                }
                for d in found
            ],
            "counts": review_counts(self.store) if found else None,
            "now": now,
        }

    # -- what is decided --------------------------------------------------------------------

    def verdict(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Takes a verdict: accept, reject, or null."""
        store, key = self.store, field(asked, "key", str)
        given = optional(asked, "verdict", str)
        if given not in ("accept", "reject", None):
            raise ValueError(f"a verdict here is accept, reject or null, got {given!r}")
        verdict: Verdict | None = given  # type: ignore[assignment]  # as was just checked
        decision = _decision(asked, {"verdict": verdict})
        return self._once(decision, lambda: store.set_verdict(key, verdict, decision=decision), key)

    def edit(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Corrects a picture, or a frame of a video, and gives the label as it is then."""
        store, key, edit = self.store, field(asked, "key", str), edit_of(asked)
        decision = _decision(asked, edit)
        hand, videos, frame = self.open.hand, self.open.videos, 0
        if store.item(key).kind == "video":
            frame = field(asked, "frame", int)
            answer = self._once(decision, lambda: videos.correct(key, frame, edit, decision), key)
        else:
            answer = self._once(decision, lambda: hand.correct(key, edit, decision), key)
        return {**answer, **self.item({"key": key, "frame": frame})}

    def undo(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Takes back the latest decision of a page."""
        log, by = self.store.decisions, field(asked, "tab", str)
        request = field(asked, "request", str)
        with self._deciding:
            undone = log.undo(by, request)
            if undone.what.get("session"):
                self.open.videos.undone(undone)
        return self._told(undone)

    def _once(self, decision: Decision, decide: Callable[[], object], key: str) -> dict[str, Any]:
        """Carries a decision out, unless that was done already: the answer may have been lost."""
        log = self.store.decisions
        with self._deciding:
            decided = log.of_request(decision.request)
            if decided is None:
                decide()
                decided = log.of_request(decision.request)
        assert decided is not None
        return self._told(decided)

    def _told(self, decided: Decided) -> dict[str, Any]:
        store = self.store
        return {
            "key": decided.key,
            "version": store.decisions.version(decided.key),
            "verdict": store.item(decided.key).verdict,
            "what": dict(decided.what),
            "counts": review_counts(store),
        }


def edit_of(asked: Mapping[str, Any]) -> dict[str, Any]:
    """An edit as ``panoptic.dataset.hand_corrections`` has it, checked field by field."""
    given = mapping(asked, "edit")
    kind = field(given, "edit", str)
    if kind not in VIDEO_EDITS:
        raise ValueError(f"an edit is one of {', '.join(VIDEO_EDITS)}, got {kind!r}")
    edit: dict[str, Any] = {"edit": kind}
    if kind in ("click", "relabel", "delete"):
        edit["segment"] = field(given, "segment", int)
    if kind == "click":
        edit |= {name: field(given, name, float) for name in ("x", "y")}
        edit["positive"] = field(given, "positive", bool, True)
    if kind == "box":
        edit["box"] = numbers(given, "box", 4)
    if kind in ("box", "relabel"):
        edit["word"] = field(given, "word", int)
    return edit


def _decision(asked: Mapping[str, Any], what: Mapping[str, Any]) -> Decision:
    return Decision(
        *(field(asked, "tab", str), field(asked, "request", str)),
        optional(asked, "version", str),
        what,
    )


def _entry(item: LabelledItem) -> dict[str, Any]:
    return {
        "key": item.key,
        "name": item.name or item.key,
        "kind": item.kind,
        "quality": item.quality,
        "verdict": item.verdict,
        "split": item.split,
        "frames": item.frames,
    }
