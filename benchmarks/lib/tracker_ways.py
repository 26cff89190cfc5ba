"""The ways in which the tracker may be run, as far as it offers them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import sam2core
from sam2core import BankSettings, TrackerSettings


@dataclass(frozen=True)
class TrackerWay:
    """``settings`` change ``TrackerSettings``, ``bank`` those of the memories, and ``load`` goes to
    ``sam2core.load``. ``exact`` ways give the masks of the plain one."""

    name: str
    exact: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict)
    bank: Mapping[str, Any] = field(default_factory=dict)
    load: Mapping[str, Any] = field(default_factory=dict)

    def tracker_settings(self) -> TrackerSettings:
        return TrackerSettings(bank=BankSettings(**self.bank), **self.settings)


# Name, whether masks are exact, and what switches it on, wherever the switch is.
_SWITCHES = (("compiled", True, {"compile": True}), ("compact", False, {"mode": "compact"}))


def tracker_ways(compile: bool | str = True) -> list[TrackerWay]:
    """The eager way, and every other that settings or loading have a switch for. ``compile`` is
    what compiled ones are loaded with."""
    places = (
        ("settings", {f.name for f in fields(TrackerSettings)}),
        ("bank", {f.name for f in fields(BankSettings)}),
        ("load", set(inspect.signature(sam2core.load).parameters)),
    )
    ways = [TrackerWay("eager")]
    for name, exact, switch in _SWITCHES:
        if "compile" in switch:
            switch = {"compile": compile}
        offered = [place for place, names in places if set(switch) <= names]
        if offered:
            ways.append(TrackerWay(name, exact, **{offered[0]: switch}))
    return ways
