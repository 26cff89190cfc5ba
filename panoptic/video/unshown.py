"""What is followed and not shown yet, as far back as frames are held back."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import torch

from panoptic.video.clock import USUAL_PACE
from panoptic.video.identities import Member
from panoptic.video.mask_layers import Layer, Layers


@dataclass(frozen=True, eq=False)
class _Open:
    """A frame that later ones may still add to. ``age`` is in seconds."""

    age: float
    layers: Layers


class Unshown:
    """The masks of segments that aren't confirmed, in the frames that may still show them.

    ``revealed`` are those, by frame index, of the segments that the latest frame confirmed. Frames
    before ``open_since`` stay as they are.
    """

    def __init__(self) -> None:
        self.revealed: Mapping[int, Layers] = {}
        self.open_since = 0
        self._open: tuple[_Open, ...] = ()

    def copy(self) -> Unshown:
        return copy(self)  # nothing in it is ever changed

    def step(
        self, layers: Layers, confirmed: Collection[Member], elapsed: float, latency: float
    ) -> None:
        """The next frame, ``elapsed`` seconds after the one before, has these masks that aren't
        shown, and these are confirmed in it. Frames are open for ``latency`` seconds, to the
        nearest frame."""
        still = [replace(o, age=o.age + elapsed) for o in self._open]
        self.revealed = {}
        for each in still:
            shown = [
                replace(each.layers[m.id], **_as_it_is(m))
                for m in confirmed
                if m.id in each.layers.ids
            ]
            if shown:
                index = each.layers.index
                self.revealed[index] = Layers(index, each.layers.size, tuple(shown))
        known = {m.id for m in confirmed}
        still = [replace(o, layers=o.layers.without(sorted(known))) for o in still]
        still.append(_Open(0.0, layers))
        # The next frame is taken to come as soon after this one as this one came itself.
        half = (elapsed or USUAL_PACE) / 2
        self._open = tuple(o for o in still if o.age + half <= latency)
        self.open_since = self._open[0].layers.index if self._open else layers.index + 1

    def state(self) -> dict[str, Any]:
        """Numbers, lists and tensors, for :meth:`from_state`."""
        return {
            "open_since": self.open_since,
            "open": [
                [o.age, o.layers.index, list(o.layers.size), [_plain(x) for x in o.layers.layers]]
                for o in self._open
            ],
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Unshown:
        self = cls()
        self.open_since = int(state["open_since"])
        self._open = tuple(
            _Open(age, Layers(index, (size[0], size[1]), tuple(_layer(x) for x in layers)))
            for age, index, size, layers in state["open"]
        )
        return self


def _as_it_is(member: Member) -> dict[str, Any]:
    names = ("category_id", "score", "quality")
    return {name: getattr(member, name) for name in names}


def _plain(layer: Layer) -> list[Any]:
    steps = torch.from_numpy(layer.steps.copy())
    return [layer.id, layer.category_id, layer.score, layer.quality, steps]


def _layer(plain: list[Any]) -> Layer:
    id, category_id, score, quality, steps = plain
    return Layer(id, category_id, score, quality, steps.numpy())
