"""What is known a moment later, told where it belongs: in the frames that are held back so long.

A segment that one look has found is followed, but not shown until another look finds it too. Its
masks since it was found are then put into those frames before that are still held back, and it is
said to be new in the first of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from panoptic.results.frame import Event, EventKind, PanopticFrame
from panoptic.video.frame_maps import compose
from panoptic.video.layer_store import LayerStore, StoredFrame
from panoptic.video.mask_layers import Layers
from panoptic.video.session import VideoSession

Told = Mapping[int, bool]
"""Segments that were told of before they were confirmed: whether they were in sight at last."""


class HeldBack:
    """Labels a stream with a session and gives each frame once ``settings.latency`` seconds have
    gone by, as it looks then.

    ``told`` goes on with where another one stopped, see :meth:`state`.
    """

    def __init__(self, session: VideoSession, told: Told | None = None) -> None:
        self.session = session
        self._held: list[tuple[PanopticFrame, Layers, VideoSession]] = []
        self._given = session
        self._told = dict(told or {})

    def step(self, image: Any, time: float | None = None) -> Iterator[PanopticFrame]:
        """Label the next frame, as ``VideoSession.step`` does; the frames that are through."""
        session = self.session
        frame = session.step(image, time)
        assert session.layers is not None
        held = [*self._held, (frame, session.layers, session.fork())]
        self._held = self._with(held, session.revealed) if session.revealed else held
        while self._held and self._held[0][0].index < session.open_since:
            yield self._give()

    def finish(self) -> Iterator[PanopticFrame]:
        """The frames that are left, where nothing follows any more."""
        while self._held:
            yield self._give()

    def state(self) -> dict[str, Any]:
        """What going on after the last frame that was given needs: see ``VideoSession.state``."""
        return {"session": self._given.state(), "told": [[id, s] for id, s in self._told.items()]}

    def _give(self) -> PanopticFrame:
        frame, _, self._given = self._held[0]
        del self._held[0]
        waiting = {m.id for m in self._given.roster if not m.confirmed}
        shown = {s.id for s in frame.segmentation}
        self._told = {id: id in shown for id in waiting if id in shown or id in self._told}
        return frame

    def _with(
        self,
        held: list[tuple[PanopticFrame, Layers, VideoSession]],
        revealed: Mapping[int, Layers],
    ) -> list[tuple[PanopticFrame, Layers, VideoSession]]:
        """The frames with what is known of them now."""
        session, changed = self.session, []
        for frame, layers, after in held:
            more = revealed.get(frame.index)
            if more is not None:
                layers = layers.with_layers(more.layers)
                result = compose(
                    *(layers, session.vocabulary, session.settings, session.pipeline), frame.image
                )
                frame = replace(frame, segmentation=result)
            changed.append((frame, layers, after))
        ids = {layer.id for layers in revealed.values() for layer in layers.layers}
        names = {id: session.name_of(id) for id in ids}
        told = arrivals(
            [{s.id for s in frame.segmentation} for frame, _, _ in changed],
            [frame.events for frame, _, _ in changed],
            *(names, self._told),
        )
        return [
            (replace(frame, events=events), layers, after)
            for (frame, layers, after), events in zip(changed, told, strict=True)
        ]


def labelled(session: VideoSession, images: Iterable[Any]) -> Iterator[PanopticFrame]:
    """The frames of a stream, in order, as they look after ``settings.latency``."""
    held = HeldBack(session)
    for image in images:
        yield from held.step(image)
    yield from held.finish()


def put_back(
    session: VideoSession, recording: LayerStore, latest: StoredFrame, fixed: Collection[int]
) -> list[StoredFrame]:
    """The earlier frames of a recording, but for the ``fixed`` ones, and the latest one after them,
    with what the session knows of them now: those that change."""
    revealed = {i: layers for i, layers in session.revealed.items() if i not in fixed}
    if not revealed:
        return [latest]
    records = [*(recording[i] for i in range(min(revealed), latest.layers.index)), latest]
    whole = [
        r.with_layers(r.layers.with_layers(revealed[r.layers.index].layers))
        if r.layers.index in revealed
        else r
        for r in records
    ]
    ids = {layer.id for layers in revealed.values() for layer in layers.layers}
    begin = session.vocabulary, session.settings, session.pipeline
    shown = [{s.id for s in compose(r.layers, *begin)} for r in whole]
    told = arrivals(shown, [r.events for r in whole], {i: session.name_of(i) for i in ids}, {})
    changed = [replace(r, events=events) for r, events in zip(whole, told, strict=True)]
    return [
        new
        for old, new in zip(records, changed, strict=True)
        if new.layers is not old.layers or new.events != old.events or old is latest
    ]


def arrivals(
    shown: Sequence[Collection[int]],
    events: Sequence[tuple[Event, ...]],
    names: Mapping[int, str],
    told: Told,
) -> list[tuple[Event, ...]]:
    """The events of frames that follow each other, after segments were put into them.

    ``shown`` are the ids in each frame, ``names`` the words of the segments by id, and ``told``
    those of which earlier frames told. A segment is new where it is first in sight.
    """
    moved = [[e for e in each if not _is_arrival(e, names)] for each in events]
    for id, name in names.items():
        before: bool | None = told.get(id)
        for index, ids in enumerate(shown):
            kind: EventKind | None = None
            if id in ids and not before:
                kind = "new" if before is None else "returned"
            elif id not in ids and before:
                kind = "lost"
            if kind is not None:
                moved[index].append(Event(kind, id, name))
            if before is not None or id in ids:
                before = id in ids
    return [tuple(each) for each in moved]


def _is_arrival(event: Event, names: Collection[int]) -> bool:
    return event.segment_id in names and event.kind in ("new", "returned", "lost")
