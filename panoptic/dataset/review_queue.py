"""The labels of a data set in the order in which they are looked at: the worst first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

from panoptic.dataset.store import DatasetStore
from panoptic.results.labelled import SPLITS, VERDICTS, LabelledItem, Split, Verdict

Judged = Verdict | Literal["none"]
_PAGE = 200
_UNJUDGED = 2.0  # in the place of a quality that nobody knows: these come last


@dataclass(frozen=True)
class ReviewFilter:
    """Which labels are to be looked at; what isn't given leaves all of them.

    ``word`` is in the label, as the models made it or as it was corrected; ``below`` is what the
    quality lies under; ``verdict`` is the one that was given, or "none".
    """

    word: str | None = None
    below: float | None = None
    split: Split | None = None
    verdict: Judged | None = None

    def __post_init__(self) -> None:
        if self.below is not None and not 0.0 <= self.below <= 1.0:
            raise ValueError(f"the quality must be in [0, 1], got {self.below}")
        if self.split is not None and self.split not in SPLITS:
            raise ValueError(f"a split is one of {', '.join(SPLITS)}, got {self.split!r}")
        if self.verdict is not None and self.verdict not in (*VERDICTS, "none"):
            known = ", ".join(get_args(Verdict))
            raise ValueError(f"a verdict is one of {known}, none, got {self.verdict!r}")


def review_queue(
    store: DatasetStore, wanted: ReviewFilter, after: str | None = None
) -> Iterator[LabelledItem]:
    """The labels that a filter leaves, by quality, the least first, then by name.

    ``after`` is the key of an item: those behind it in this order, whether or not the filter
    leaves it. Memory doesn't grow with their number. ``KeyError`` for a key that isn't there.
    """
    place: tuple[float, Any] = (-1.0, b"")
    if after is not None:
        row = store.manifest.row(after)
        place = (_UNJUDGED if row["quality"] is None else row["quality"], row["name"])
    conditions, given = _conditions(wanted)
    while True:
        rows = store.manifest.read(
            f"SELECT * FROM (SELECT *, COALESCE(quality, {_UNJUDGED}) AS q FROM items i "
            f"WHERE state = 'done'{conditions}) WHERE (q, name) > (?, ?) "
            f"ORDER BY q, name LIMIT {_PAGE}",
            (*given, *place),
        )
        for row in rows:
            item = store.item(row["key"])
            if wanted.split in (None, item.split):
                yield item
        if len(rows) < _PAGE:
            return
        place = (rows[-1]["q"], rows[-1]["name"])


def review_counts(store: DatasetStore) -> dict[str, int]:
    """How many labels have which verdict, "none" included."""
    rows = store.manifest.read(
        "SELECT verdict, COUNT(*) AS n FROM items WHERE state = 'done' GROUP BY verdict"
    )
    found = dict.fromkeys([*VERDICTS, "none"], 0)
    return found | {row["verdict"] or "none": row["n"] for row in rows}


def _conditions(wanted: ReviewFilter) -> tuple[str, list[Any]]:
    """The filter in SQL, but for the split, which follows from the hash of the content."""
    conditions = ""
    given: list[Any] = []
    if wanted.below is not None:
        conditions += " AND quality < ?"
        given.append(wanted.below)
    if wanted.verdict is not None:
        conditions += " AND verdict IS ?"
        given.append(None if wanted.verdict == "none" else wanted.verdict)
    if wanted.word is not None:
        conditions += (
            " AND (EXISTS (SELECT 1 FROM segments s JOIN words w ON w.settings = i.settings "
            "AND w.category = s.category WHERE s.item = i.id AND w.name = ?) OR EXISTS (SELECT 1 "
            "FROM corrections c, json_each(c.words) e WHERE c.item = i.id "
            "AND json_extract(e.value, '$[0]') = ?))"
        )
        given += [wanted.word, wanted.word]
    return conditions, given
