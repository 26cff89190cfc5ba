"""The table of a benchmark: ours beside what was published, in Markdown and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from panoptic.benchmark.measured import Measured
from panoptic.benchmark.published import PublishedSet
from panoptic.io.files import write_text
from panoptic.io.output_folder import OutputFolder
from panoptic.show.tables import Table

MARKDOWN, JSON = "benchmark.md", "benchmark.json"


def write_table(
    out: OutputFolder, set: PublishedSet, measured: Measured, run: Mapping[str, str]
) -> None:
    """``run`` says what was run, by names for people: models, device, version and so on."""
    write_text(out.file(MARKDOWN), as_markdown(set, measured, run))
    content = as_dict(set, measured, run)
    write_text(out.file(JSON), json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def as_markdown(set: PublishedSet, measured: Measured, run: Mapping[str, str]) -> str:
    facts = {**run, **_facts(set, measured)}
    lines = [f"# {set.title}", ""]
    if measured.done != set.size:
        lines += [
            f"**Not the whole set:** {_part(set, measured)}. What was published is of all of them, "
            "so this is no comparison.",
            "",
        ]
    first = next(iter(measured.scores))
    lines += _rows(
        ("", *measured.scores, "given", "source"),
        [
            (
                f"**panoptic {run['version']}, {run['models']}**",
                *map(_value, measured.scores.values()),
                _given(first),
                f"this run: {_part(set, measured)}",
            ),
            *(
                (
                    f.method,
                    _value(f.value),
                    *("" for _ in list(measured.scores)[1:]),
                    f.given,
                    f.source,
                )
                for f in set.figures
            ),
        ],
        numbers=len(measured.scores),
    )
    lines += ["", "What may be compared:", "", *(f"- {text}" for text in set.comparable), ""]
    lines += _rows(("what was run", ""), list(facts.items()))
    return "\n".join(lines) + "\n"


def as_dict(set: PublishedSet, measured: Measured, run: Mapping[str, str]) -> dict[str, Any]:
    """The same for JSON; scores in percent, as they are printed in papers."""
    return {
        **{"set": set.title, "measure": set.measure, "scores": dict(measured.scores)},
        **{"unit": measured.unit, "done": measured.done, "total": measured.total},
        "whole_set": measured.done == set.size,
        "published": [asdict(figure) for figure in set.figures],
        "comparable": list(set.comparable),
        "run": {**run, **_facts(set, measured)},
        "evaluation": dict(measured.evaluation),
    }


def as_table(set: PublishedSet, measured: Measured) -> Table:
    """For a terminal: the measure alone, ours first."""
    rows = [(f"this run, {_part(set, measured)}", _value(measured.scores[set.measure]))]
    rows += [(figure.method, _value(figure.value)) for figure in set.figures]
    return Table((set.title, set.measure), rows, numbers=(1,), rules=(1,), ruled=True)


def _facts(set: PublishedSet, measured: Measured) -> dict[str, str]:
    facts = {"part of the set": _part(set, measured)}
    if measured.counted:
        facts["counted"] = measured.counted
    if measured.timed:
        each = measured.seconds / measured.timed
        facts[f"seconds a {measured.timed_unit}"] = f"{each:.3g} (over {measured.timed:,})"
    return facts


def _part(set: PublishedSet, measured: Measured) -> str:
    """How much of the set as it is published."""
    if measured.done == set.size:
        return f"all {set.size:,} {measured.unit}"
    first = "the first " if measured.done < measured.total else ""
    return f"{first}{measured.done:,} of its {set.size:,} {measured.unit}"


def _given(measure: str) -> str:
    return "masks of the first frame" if measure == "J&F" else "words alone"


def _value(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _rows(head: tuple[str, ...], rows: list[tuple[str, ...]], numbers: int = 0) -> list[str]:
    """A Markdown table; ``numbers`` columns after the first are set to the right."""
    rules = [":--", *["--:"] * numbers, *[":--"] * (len(head) - 1 - numbers)]
    return [_row(head), _row(tuple(rules)), *map(_row, rows)]


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in cells) + " |"
