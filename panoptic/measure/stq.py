"""Segmentation and tracking quality (STQ): are the classes right, and do the ids last.

Weber et al., STEP: Segmenting and Tracking Every Pixel (NeurIPS 2021 Datasets and Benchmarks,
arXiv 2102.11859, section 4). Association quality (AQ) asks of every true thing how far predicted
tubes agree with it over the whole video, whatever their class; segmentation quality (SQ) is the
mean IoU of the classes, regardless of ids; STQ is the geometric mean. Void of the truth has no say
in SQ, crowd of things none in AQ. Details as in the authors' evaluation
(https://github.com/google-research/deeplab2, evaluation/numpy): pixels that a predicted thing has
on void count to its tube, and an id under another class is another tube.

Where a prediction leaves true pixels void, the authors' code counts void as one more class, of
IoU 0; the paper's definition has no such class. ``sq`` follows the paper (those pixels are missed
by their own class); ``sq_void_as_class`` gives the other number where a table needs it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from panoptic.measure.frame_pairs import FramePair

NO_CLASS = -1  # void in the confusion; 0 may be a category


@dataclass(frozen=True)
class Stq:
    """STQ of one or more videos, from counts that add up.

    ``confusion`` counts pixels by true and predicted category (``NO_CLASS`` where the prediction
    is void); ``association`` sums over the ``tubes`` true things what each got, in [0, 1].
    """

    confusion: Mapping[tuple[int, int], int]
    association: float
    tubes: int

    def __add__(self, other: Stq) -> Stq:
        return Stq(
            Counter(self.confusion) + Counter(other.confusion),
            self.association + other.association,
            self.tubes + other.tubes,
        )

    @property
    def aq(self) -> float:
        """Association quality in [0, 1]; 0 where no true thing was seen."""
        return self.association / self.tubes if self.tubes else 0.0

    @property
    def sq(self) -> float:
        """Mean IoU of the classes that occur on either side, in [0, 1]."""
        ious = self.class_ious()
        return sum(ious.values()) / len(ious) if ious else 0.0

    @property
    def stq(self) -> float:
        return math.sqrt(self.aq * self.sq)

    @property
    def sq_void_as_class(self) -> float:
        """``sq`` as deeplab2 counts it: predicted void, where there is any, is a class of IoU 0."""
        ious = self.class_ious()
        void = any(predicted == NO_CLASS for _, predicted in self.confusion)
        return sum(ious.values()) / (len(ious) + void) if ious else 0.0

    def class_ious(self) -> dict[int, float]:
        """IoU by category id, of those that occur."""
        true: Counter[int] = Counter()
        predicted: Counter[int] = Counter()
        for (t, p), n in self.confusion.items():
            true[t] += n
            predicted[p] += n
        ious = {}
        for category_id in sorted({*true, *predicted} - {NO_CLASS}):
            shared = self.confusion.get((category_id, category_id), 0)
            ious[category_id] = shared / (true[category_id] + predicted[category_id] - shared)
        return ious


Tube = tuple[int, int]  # category id, segment id


class StqMeter:
    """Counts one video, frame by frame; what it keeps grows with the ids, not with the frames."""

    def __init__(self) -> None:
        self._confusion: Counter[tuple[int, int]] = Counter()
        self._true: Counter[Tube] = Counter()
        self._predicted: Counter[Tube] = Counter()
        self._shared: dict[Tube, Counter[Tube]] = {}

    def add(self, pair: FramePair) -> None:
        things = {i for i, c in pair.categories.items() if c.is_thing}
        for (t, p), n in pair.overlaps.pixels.items():
            true, predicted = pair.true.get(t), pair.predicted.get(p)
            if true is not None:
                seen_as = NO_CLASS if predicted is None else predicted.category_id
                self._confusion[true.category_id, seen_as] += n
            asked = (true.category_id, t) if true and true.category_id in things else None
            if asked and true and true.is_crowd:
                continue
            tube = (predicted.category_id, p) if predicted else None
            if tube and tube[0] in things:
                self._predicted[tube] += n
            else:
                tube = None
            if asked:
                self._true[asked] += n
                if tube:
                    self._shared.setdefault(asked, Counter())[tube] += n

    def result(self) -> Stq:
        association = 0.0
        for asked, area in self._true.items():
            got = 0.0
            for tube, shared in self._shared.get(asked, {}).items():
                got += shared * shared / (area + self._predicted[tube] - shared)
            association += got / area
        return Stq(self._confusion, association, len(self._true))
