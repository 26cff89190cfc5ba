"""Which labels a person should look at, and what that person says of them."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from panoptic.dataset.corrections import Correction, opened_corrections, read_correction
from panoptic.dataset.store import DatasetStore
from panoptic.dataset.tasks import SegmentRecord
from panoptic.errors import CorrectionError
from panoptic.results.labelled import LabelledItem
from prompts import Vocabulary


@dataclass(frozen=True)
class DoubtfulLabel:
    """An item that falls under the threshold, and its worst segments, the worst first."""

    item: LabelledItem
    worst: tuple[SegmentRecord, ...]

    def reasons(self, vocabulary: Vocabulary) -> str:
        """The worst segments in words: "car #3 0.21, road 0.34"."""
        described = []
        for s in self.worst:
            category = vocabulary.by_id(s.category_id) if s.category_id in vocabulary else None
            name = category.name if category else "unknown"
            number = f" #{s.id}" if category is None or category.is_thing else ""
            described.append(f"{name}{number} {s.quality:.2f}")
        return ", ".join(described) or "nothing was found"


def doubtful_labels(
    store: DatasetStore, below: float, *, most: int | None = None, decided: bool = False
) -> tuple[list[DoubtfulLabel], int]:
    """Items whose quality is below the threshold, the worst first, and how many there are in all.

    Items with a verdict are passed over, unless ``decided``. Only the ``most`` worst are held in
    memory. Raises ``ValueError`` for a threshold outside [0, 1].
    """
    if not 0.0 <= below <= 1.0:
        raise ValueError(f"the threshold must be in [0, 1], got {below}")
    total = 0

    def wanted() -> Iterable[tuple[float, int, LabelledItem]]:
        nonlocal total
        for item in store.items():
            if item.quality is None or item.quality >= below or (item.verdict and not decided):
                continue
            total += 1
            yield item.quality, total, item

    found = wanted()
    ordered = sorted(found) if most is None else heapq.nsmallest(most, found)
    return [DoubtfulLabel(item, worst_segments(store, item.key)) for _, _, item in ordered], total


def worst_segments(store: DatasetStore, key: str, most: int = 3) -> tuple[SegmentRecord, ...]:
    """The segments of the least quality as labelled, the worst first."""
    judged = [s for s in store.segments(key) if s.quality is not None]
    return tuple(sorted(judged, key=lambda s: (s.quality, s.id))[:most])


def correct_all(
    store: DatasetStore, path: str | Path, note: str = ""
) -> Iterator[tuple[str, Correction | CorrectionError | str]]:
    """Takes the corrections of all items that a file, folder or zip archive names; yields the keys
    with what was taken, or why nothing was.

    At last come, with an empty key, errors of files that are damaged and of pictures that are no
    item's, and as texts what nobody annotated. Raises ``CorrectionError`` where the file as a
    whole is none or nothing was taken, and ``FileNotFoundError``.
    """
    try:
        with opened_corrections(path) as file:
            taken = 0
            claims = file.claims(store.items())
            for claim in claims:
                if claim.unsaid:
                    continue
                key = claim.item.key
                try:
                    found = file.read(claim, store.vocabulary)
                    store.set_verdict(key, "corrected", corrected=found.labels, note=note)
                except ValueError as error:
                    yield key, CorrectionError(str(error))
                    continue
                taken += 1
                yield key, found
            unsaid, strange = file.rest(claims)
            yield from (("", text) for text in unsaid)
            yield from (("", CorrectionError(text)) for text in [*file.damaged.values(), *strange])
            if not taken:
                raise CorrectionError("nothing was taken")
    except CorrectionError as error:
        raise CorrectionError(f"{str(path)!r} holds no corrections: {error}") from error


def correct(store: DatasetStore, key: str, path: str | Path, note: str = "") -> Correction:
    """Takes a corrected file for an item; returns what it holds, and what was left out.

    Raises ``CorrectionError`` (a ``ValueError``) if it is none, see ``read_correction``, and
    ``KeyError`` if no item has this key.
    """
    item = store.item(key)
    corrected = read_correction(path, item, store.vocabulary)
    store.set_verdict(key, "corrected", corrected=corrected.labels, note=note)
    return corrected
