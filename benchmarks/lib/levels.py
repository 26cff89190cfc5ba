"""Levels of the settings moved one at a time: what other values are worth beside those in use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.lib.paired import Difference, difference, of_means
from panoptic.settings.keys import keys_of
from panoptic.settings.tree import Settings
from panoptic.settings.yaml_files import read_value

OF_PICTURES = ("regions", "sampling", "stuff_masks", "merge")
OF_CLIPS = ("video",)
LEAST_WORTH = 0.3
"""PQ or VPQ from which on a value is called better or worse, if it is beyond noise."""


def read_changes(texts: Sequence[str]) -> dict[str, Any]:
    """``["merge.seam=0", ...]`` as changes of settings. ``ValueError`` for anything else."""
    return {key: value for text in texts for key, (value,) in [_read(text, several=False)]}


def read_variants(texts: Sequence[str]) -> dict[str, dict[str, Any]]:
    """``["merge.min_visible=0.35,0.5", "merge.seam=0+merge.min_fragment=0"]`` as changes by name: a
    variant a value, and ``+`` joins changes into one variant."""
    found: dict[str, dict[str, Any]] = {}
    for text in texts:
        if "+" in text:
            found[text] = read_changes(text.split("+"))
            continue
        key, values = _read(text, several=True)
        found |= {f"{key}={value}": {key: value} for value in values}
    return found


def every_level(settings: Settings, groups: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Each level of these groups switched, or moved to 0 (mostly: no such rule), to a half of it
    and to its double, as far as the settings allow it."""
    found: dict[str, dict[str, Any]] = {}
    for key, value in settings.values().items():
        if key.partition(".")[0] not in groups or value is None or isinstance(value, str):
            continue
        for tried in _neighbours(value):
            try:
                settings.changed({key: tried})
            except ValueError:
                continue
            found[f"{key}={tried}"] = {key: tried}
    return found


def worth(
    scores: Mapping[str, Mapping[str, Sequence[float]]], ours: str, variant: str
) -> dict[str, Difference]:
    """By regime, by how much a variant is better than ours as it is, where it was tried."""
    return {
        regime: difference(found[variant], found[ours])
        for regime, found in scores.items()
        if variant in found
    }


def level_table(
    scores: Mapping[str, Mapping[str, Sequence[float]]], ours: str, variants: Sequence[str]
) -> list[str]:
    """Markdown: what every variant gains and loses, and where most."""
    lines = [
        "PQ or VPQ by which a value is better (+) or worse (-) than the one in use, over the "
        f"regimes; counted are those where it is so by {LEAST_WORTH} and beyond noise.",
        "",
        "| tried | mean | better in | most | worse in | most |",
        "|---|---|---|---|---|---|",
    ]
    for variant in variants:
        parts = worth(scores, ours, variant)
        if not parts:
            continue
        told = {n: p for n, p in parts.items() if p.beyond and abs(p.mean) >= LEAST_WORTH}
        cells = [f"{of_means(list(parts.values())).mean:+.2f}"]
        for sign in (1, -1):
            some = {n: p for n, p in told.items() if p.mean * sign > 0}
            most = max(some, key=lambda n: sign * some[n].mean, default=None)
            cells += [str(len(some)), "" if most is None else f"{some[most]} {most}"]
        lines.append(f"| `{variant}` | {' | '.join(cells)} |")
    return lines


def _read(text: str, *, several: bool) -> tuple[str, list[Any]]:
    key, equals, values = text.partition("=")
    if not equals or not values:
        more = " (or KEY=VALUE,VALUE,...)" if several else ""
        raise ValueError(f"expected KEY=VALUE{more}, such as merge.seam=0, got {text!r}")
    if key not in keys_of(Settings):
        Settings().changed({key: None})  # names what is near
    parts = values.split(",") if several else [values]
    return key, [read_value(part) for part in parts]


def _neighbours(value: Any) -> list[Any]:
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        near = [0, value // 2, 2 * value]
    else:
        near = [0.0, value / 2, 2 * value if abs(value) <= 0.5 or value > 1 else (1 + value) / 2]
    return [tried for tried in dict.fromkeys(near) if tried != value]
