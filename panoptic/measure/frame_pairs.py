"""One frame of a prediction beside its truth: what every measure of video is fed with."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest

from panoptic.measure.pq import Label, Overlaps
from panoptic.results.segment import NamedCategory
from panoptic.results.segmentation import PanopticSegmentation


@dataclass(frozen=True)
class FramePair:
    """A predicted and a true frame of one size; the ids of each side last through the video.

    Unknown segments of the prediction (those without a word) count as void, as everywhere in
    evaluation. Where ``counted`` names category ids, true segments of others are neither missed nor
    void. Raises ``ValueError`` if the sizes differ.
    """

    prediction: PanopticSegmentation
    truth: PanopticSegmentation
    counted: Collection[int] | None = None

    def __post_init__(self) -> None:
        if self.prediction.ids.shape != self.truth.ids.shape:
            raise ValueError(
                f"the prediction is {self.prediction.ids.shape}, the ground truth "
                f"{self.truth.ids.shape} (height, width): evaluate at the size of the truth"
            )

    @cached_property
    def overlaps(self) -> Overlaps:
        """Pixels shared by true and predicted ids in this frame."""
        return Overlaps(self.truth.ids, self.prediction.ids)

    @cached_property
    def predicted(self) -> Mapping[int, Label]:
        """The predicted ids of this frame that have a word."""
        return _labels(self.prediction)

    @cached_property
    def true(self) -> Mapping[int, Label]:
        """The true ids of this frame that count."""
        labels = _labels(self.truth)
        if self.counted is None:
            return labels
        return {i: label for i, label in labels.items() if label.category_id in self.counted}

    @cached_property
    def categories(self) -> Mapping[int, NamedCategory]:
        """The categories that occur on either side and count, by id.

        Raises ``ValueError`` if one id has two names, or is thing here and stuff there.
        """
        found: dict[int, NamedCategory] = {}
        for s in (*self.truth, *self.prediction):
            if not s.is_unknown and (self.counted is None or s.category_id in self.counted):
                here = NamedCategory(s.category_id, s.category, s.is_thing)
                add_category(found, here)
        return found


def pair_frames(
    predictions: Iterable[PanopticSegmentation],
    truths: Iterable[PanopticSegmentation],
    names: Sequence[str] = (),
    counted: Collection[int] | None = None,
) -> Iterator[FramePair]:
    """The frames of two streams side by side, neither read further than needed.

    Raises ``ValueError`` if one stream ends before the other, or two frames don't fit together;
    ``names`` are what it calls the frames, by default their numbers.
    """
    for number, (prediction, truth) in enumerate(zip_longest(predictions, truths)):
        if prediction is None or truth is None:
            side = "prediction" if prediction is None else "ground truth"
            raise ValueError(f"the {side} ends after {number} frames, the other side goes on")
        try:
            pair = FramePair(prediction, truth, counted)
        except ValueError as error:
            name = repr(names[number]) if names else number
            raise ValueError(f"frame {name}: {error}") from error
        yield pair


def add_category(known: dict[int, NamedCategory], category: NamedCategory) -> None:
    """Enters a category; raises ``ValueError`` if its id stands for another one already."""
    other = known.setdefault(category.id, category)
    if other != category:
        raise ValueError(
            f"category {category.id} is {other.name!r} ({_kind(other)}) here and "
            f"{category.name!r} ({_kind(category)}) there: give both sides the same vocabulary"
        )


def _kind(category: NamedCategory) -> str:
    return "thing" if category.is_thing else "stuff"


def _labels(result: PanopticSegmentation) -> dict[int, Label]:
    return {s.id: Label(s.category_id, s.is_crowd) for s in result if not s.is_unknown}
