"""A video report as text and for JSON."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from panoptic.tables import Table

if TYPE_CHECKING:
    from panoptic.video.evaluate import VideoReport
    from panoptic.video.metrics.id_switches import IdCounts
    from panoptic.video.metrics.jf import JandF
    from panoptic.video.metrics.stq import Stq
    from panoptic.video.metrics.vpq import Vpq


def as_tables(report: VideoReport, *, per_class: bool) -> list[Table]:
    """See ``VideoReport.tables``."""
    blocks: list[list[list[str]]] = []
    if report.vpq is not None:
        blocks.append(_vpq_rows(report.vpq, per_class))
    if report.stq is not None:
        blocks.append(_stq_rows(report.stq))
    blocks.append(_jf_rows(report.jf))
    if report.switches is not None:
        blocks.append(
            [
                ["", "switches", "tracked", "visible", "returns", "kept"],
                ["things", *_count_cells(report.switches.things)],
                ["stuff", *_count_cells(report.switches.stuff)],
            ]
        )
    return [Table(head, rows, numbers=range(1, len(head)), ruled=True) for head, *rows in blocks]


def as_dict(report: VideoReport) -> dict[str, Any]:
    """See ``VideoReport.to_dict``."""
    vpq, stq, switches = report.vpq, report.stq, report.switches
    return {
        "videos": report.videos,
        "frames": report.frames,
        "vpq": vpq and _vpq_dict(vpq),
        "stq": stq
        and {
            **{"stq": stq.stq, "aq": stq.aq, "sq": stq.sq, "tracks": stq.tubes},
            "sq_void_as_class": stq.sq_void_as_class,
        },
        "jf": {"all": _jf_dict(report.jf), "things": _jf_dict(report.jf.things)},
        "switches": switches
        and {"things": _counts_dict(switches.things), "stuff": _counts_dict(switches.stuff)},
    }


def _vpq_rows(vpq: Vpq, per_class: bool) -> list[list[str]]:
    rows = [["", "VPQ", *(f"k={k}" for k in vpq.windows)]]
    for name, things in (("all", None), ("things", True), ("stuff", False)):
        each = [vpq.quality(k, things) for k in vpq.windows]
        rows.append(
            [
                name,
                _percent(vpq.vpq(things) if any(q.classes for q in each) else math.nan),
                *(_percent(q.pq if q.classes else math.nan) for q in each),
            ]
        )
    if per_class:
        for category, value in vpq.per_class().items():
            tallies = [vpq.tallies[k].get(category.id) for k in vpq.windows]
            cells = [_percent(t.quality.pq if t and t.count else math.nan) for t in tallies]
            rows.append([category.name, _percent(value), *cells])
    return rows


def _stq_rows(stq: Stq) -> list[list[str]]:
    rows = [
        ["", "STQ", "AQ", "SQ"],
        ["all", *map(_percent, (stq.stq, stq.aq, stq.sq))],
    ]
    if stq.sq_void_as_class != stq.sq:
        other = stq.sq_void_as_class
        whole = math.sqrt(stq.aq * other)
        rows.append(["void as a class", *map(_percent, (whole, stq.aq, other))])
    return rows


def _jf_rows(jf: JandF) -> list[list[str]]:
    rows = [["", "J&F", "J", "recall", "decay", "F", "recall", "decay", "objects"]]
    for name, part in (("all", jf), ("things", jf.things)):
        j, f = part.j, part.f
        values = (part.jf, j.mean, j.recall, j.decay, f.mean, f.recall, f.decay)
        rows.append([name, *map(_percent, values), str(len(part.objects))])
    return rows if len(jf.things.objects) < len(jf.objects) else rows[:2]


def _count_cells(counts: IdCounts) -> list[str]:
    numbers = (counts.switches, counts.tracked, counts.visible, counts.returns, counts.kept)
    return [str(n) for n in numbers]


def _vpq_dict(vpq: Vpq) -> dict[str, Any]:
    def part(things: bool | None) -> dict[str, Any]:
        each = {str(k): vpq.quality(k, things) for k in vpq.windows}
        windows = {k: {"pq": q.pq, "sq": q.sq, "rq": q.rq} for k, q in each.items()}
        return {"vpq": vpq.vpq(things), "windows": windows}

    return {
        **{"all": part(None), "things": part(True), "stuff": part(False)},
        "per_class": [
            {"id": c.id, "name": c.name, "is_thing": c.is_thing, "vpq": value}
            for c, value in vpq.per_class().items()
        ],
    }


def _jf_dict(jf: JandF) -> dict[str, Any]:
    def known(value: float) -> float | None:
        return None if math.isnan(value) else value

    return {
        "jf": known(jf.jf),
        **{
            name: {k: known(v) for k, v in vars(part).items()}
            for name, part in (("j", jf.j), ("f", jf.f))
        },
        "objects": len(jf.objects),
    }


def _counts_dict(counts: IdCounts) -> dict[str, int]:
    return dict(vars(counts))


def _percent(value: float) -> str:
    return "-" if math.isnan(value) else f"{100 * value:.1f}"
