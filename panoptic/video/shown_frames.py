"""How a recorded frame reads after what was said by hand."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce

from panoptic.results.frame import Event
from panoptic.video.edits import Edits
from panoptic.video.layer_store import StoredFrame
from panoptic.video.mask_layers import Layer

BY_HAND = "by hand"
"""How the detail of an event begins that tells of an edit."""


def shown(record: StoredFrame, edits: Edits) -> StoredFrame:
    """A frame without the segments that were removed, joined ones as one, by the categories that
    were given to them, or else by those that they had last: a segment has one in all frames."""
    groups: dict[int, list[Layer]] = {}
    for layer in record.layers.layers:
        root = edits.root(layer.id)
        if edits.is_live(root):
            groups.setdefault(root, []).append(layer)
    layers = [_one(root, group, edits) for root, group in groups.items()]
    events = tuple(e for event in record.events if (e := _event(event, edits)) is not None)
    shown_layers = replace(record.layers, layers=()).with_layers(layers)
    return replace(record, layers=shown_layers, events=events)


def as_made(record: StoredFrame, edits: Edits) -> StoredFrame:
    """A frame that was just labelled, to be recorded. Segments that were given a category by hand
    came out as that; what is kept is what they were made as, should that be taken back."""
    layers = [
        replace(layer, category_id=edits.categories[layer.id])
        for layer in record.layers.layers
        if layer.id in edits.named
    ]
    return replace(record, layers=record.layers.with_layers(layers)) if layers else record


def is_by_hand(event: Event) -> bool:
    return event.detail.startswith(BY_HAND)


def _one(root: int, group: list[Layer], edits: Edits) -> Layer:
    return replace(reduce(Layer.joined, group), id=root, category_id=edits.category(root))


def _event(event: Event, edits: Edits) -> Event | None:
    """An event of a part tells of the whole only where it was by hand."""
    if event.segment_id is None:
        return event
    root = edits.root(event.segment_id)
    if not edits.is_live(root):
        return None
    if root == event.segment_id:
        return event
    return Event("corrected", root, event.detail) if is_by_hand(event) else None
