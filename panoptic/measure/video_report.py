"""The outcome of evaluating videos: as numbers, as text and for JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any, TypeVar

from panoptic.measure.id_switches import IdSwitches
from panoptic.measure.jf import JandF
from panoptic.measure.stq import Stq
from panoptic.measure.vpq import Vpq
from panoptic.show.tables import Table

if TYPE_CHECKING:
    from panoptic.measure.id_switches import IdCounts


T = TypeVar("T", Vpq, Stq, JandF, IdSwitches)


@dataclass(frozen=True)
class VideoReport:
    """The outcome of an evaluation. Reports of several videos add up to the one of all of them.

    A measure that the data doesn't know is None: DAVIS and SA-V have objects, but no categories.
    ``notes`` are sentences on what was taken for what and what was left out; they don't count in
    comparisons.
    """

    videos: int
    frames: int
    jf: JandF
    vpq: Vpq | None = None
    stq: Stq | None = None
    switches: IdSwitches | None = None
    notes: tuple[str, ...] = field(default=(), compare=False)

    def __add__(self, other: VideoReport) -> VideoReport:
        return VideoReport(
            self.videos + other.videos,
            self.frames + other.frames,
            self.jf + other.jf,
            _add(self.vpq, other.vpq),
            _add(self.stq, other.stq),
            _add(self.switches, other.switches),
            (*self.notes, *other.notes),
        )

    @classmethod
    def total(cls, reports: Iterable[VideoReport]) -> VideoReport:
        """All reports as one. Raises ``ValueError`` if there are none."""
        reports = list(reports)
        if not reports:
            raise ValueError("there is no video to evaluate")
        return reduce(add, reports)

    def tables(self, *, per_class: bool = True) -> list[Table]:
        """A table for each measure, everything but counts in percent."""

        return as_tables(self, per_class=per_class)

    def table(self, *, per_class: bool = True) -> str:
        """The tables as text."""
        return "\n\n".join(map(str, self.tables(per_class=per_class)))

    def to_dict(self) -> dict[str, Any]:
        """The report for JSON, everything but counts in [0, 1]; null where it isn't known."""

        return as_dict(self)

    def __str__(self) -> str:
        return self.table()


def _add(a: T | None, b: T | None) -> T | None:
    if (a is None) != (b is None):
        raise ValueError("reports with different measures cannot be added")
    return None if a is None or b is None else a + b


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
        **({"notes": list(report.notes)} if report.notes else {}),
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


_QUALITY = ("pq", "sq", "rq")


def _vpq_dict(vpq: Vpq) -> dict[str, Any]:
    def part(things: bool | None) -> dict[str, Any]:
        each = {str(k): vpq.quality(k, things) for k in vpq.windows}
        # Where there are no tubes there is no quality, which isn't one of 0.
        windows = {
            k: {"pq": q.pq, "sq": q.sq, "rq": q.rq} if q.classes else dict.fromkeys(_QUALITY)
            for k, q in each.items()
        }
        known = any(q.classes for q in each.values())
        return {"vpq": vpq.vpq(things) if known else None, "windows": windows}

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
