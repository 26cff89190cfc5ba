"""J&F: region and contour similarity of the objects of a video, frame by frame.

Pont-Tuset et al., The 2017 DAVIS Challenge on Video Object Segmentation (arXiv 1704.00675), for
objects whose ids were given; Caelles et al., The 2019 DAVIS Challenge on VOS (arXiv 1905.00737,
section 3) for objects that were found: true and found objects are paired by the assignment with
the highest J&F. Frames without the object count as well: 1 where it isn't found either, else 0.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from panoptic.measure.contour import Contour, boundary_f, region_j, tolerance_in_pixels
from panoptic.measure.frame_pairs import FramePair
from panoptic.measure.pq import VOID, Overlaps

RECALL_ABOVE = 0.5
DECAY_BINS = 4


@dataclass(frozen=True)
class Similarity:
    """A measure over the frames of one object: mean and recall in [0, 1], decay in [-1, 1].

    Recall is the share of frames above 0.5, decay the mean of the first quarter of the frames
    less that of the last.
    """

    mean: float
    recall: float
    decay: float

    @classmethod
    def of(cls, values: np.ndarray) -> Similarity:
        """From the values of all frames (T,); all nan where there is no frame."""
        if not len(values):
            return cls(float("nan"), float("nan"), float("nan"))
        edges = np.round(np.linspace(1, len(values), DECAY_BINS + 1) + 1e-10).astype(int) - 1
        first = values[edges[0] : edges[1] + 1].mean()
        last = values[edges[-2] : edges[-1] + 1].mean()
        recall = np.mean(values > RECALL_ABOVE)
        return cls(float(values.mean()), float(recall), float(first - last))

    @classmethod
    def average(cls, each: Iterable[Similarity]) -> Similarity:
        rows = np.array([(s.mean, s.recall, s.decay) for s in each])
        return cls(*map(float, rows.mean(0))) if len(rows) else cls.of(np.empty(0))


@dataclass(frozen=True)
class ObjectScore:
    """J and F of one object of one video; ``found_id`` is what it was paired with, if anything."""

    video: str
    id: int
    is_thing: bool
    j: Similarity
    f: Similarity
    found_id: int | None

    @property
    def jf(self) -> float:
        return (self.j.mean + self.f.mean) / 2


@dataclass(frozen=True)
class JandF:
    """J&F of one or more videos: every object weighs the same."""

    objects: tuple[ObjectScore, ...] = ()

    def __add__(self, other: JandF) -> JandF:
        return JandF(self.objects + other.objects)

    @property
    def things(self) -> JandF:
        return JandF(tuple(o for o in self.objects if o.is_thing))

    @property
    def j(self) -> Similarity:
        return Similarity.average(o.j for o in self.objects)

    @property
    def f(self) -> Similarity:
        return Similarity.average(o.f for o in self.objects)

    @property
    def jf(self) -> float:
        """The mean of J and F, in [0, 1]; nan without objects."""
        return (self.j.mean + self.f.mean) / 2


class GivenIdsMeter:
    """J&F of objects whose ids were given (semi-supervised); masks of a frame may overlap.

    With ``from_first_seen`` an object's frames count from the one on in which it is first seen in
    the truth or found, and objects never seen in the truth don't count, as in SA-V's evaluation;
    otherwise all frames and objects count, as in DAVIS.
    """

    def __init__(self, video: str = "", *, from_first_seen: bool = False) -> None:
        self._video = video
        self._from_first_seen = from_first_seen
        self._values: dict[int, tuple[array, array]] = {}
        self._seen: set[int] = set()

    def add(self, found: Mapping[int, np.ndarray], truth: Mapping[int, np.ndarray]) -> None:
        """One frame: bool masks (H, W) by object id. Every object of the truth must be there in
        every frame, with an empty mask where it isn't seen; one that isn't found may be left out.
        """
        for id, true in truth.items():
            mask = found.get(id)
            mask = np.zeros_like(true) if mask is None else mask
            if mask.shape != true.shape:
                raise ValueError(
                    f"{self._video or 'video'}, object {id}: the mask is {mask.shape}, the ground "
                    f"truth {true.shape} (height, width): evaluate at the size of the truth"
                )
            if true.any():
                self._seen.add(id)
            if self._from_first_seen and id not in self._values and not (true.any() or mask.any()):
                continue
            j, f = self._values.setdefault(id, (array("d"), array("d")))
            j.append(region_j(mask, true))
            f.append(boundary_f(mask, true))

    def result(self) -> JandF:
        objects = []
        for id, (j, f) in sorted(self._values.items()):
            if self._from_first_seen and id not in self._seen:
                continue
            scores = Similarity.of(np.array(j)), Similarity.of(np.array(f))
            objects.append(ObjectScore(self._video, id, True, *scores, found_id=id))
        return JandF(tuple(objects))


@dataclass
class _Together:
    """The frames in which a true and a found object touch, and how they agree there."""

    frames: array = field(default_factory=lambda: array("l"))
    j: array = field(default_factory=lambda: array("d"))
    f: array = field(default_factory=lambda: array("d"))


class FoundIdsMeter:
    """J&F of objects that were found (unsupervised): ids of either side mean nothing to the other.

    Keeps some numbers a frame and object, no pixels.
    """

    def __init__(self, video: str = "") -> None:
        self._video = video
        self._frame_count = 0
        self._true: dict[int, array] = {}  # the frames in which each is seen
        self._found: dict[int, array] = {}
        self._things: dict[int, bool] = {}
        self._pairs: dict[tuple[int, int], _Together] = {}

    def add_pair(self, pair: FramePair) -> None:
        """One frame of panoptic results; what is void or crowd in the truth doesn't count."""
        known = [i for i, label in pair.true.items() if not label.is_crowd]
        for id in known:
            self._things[id] = pair.truth.segment(id).is_thing
        void = ~np.isin(pair.truth.ids, known)
        self.add(pair.prediction.ids, pair.truth.ids, pair.predicted, known, void)

    def add(
        self,
        found_ids: np.ndarray,
        true_ids: np.ndarray,
        found: Collection[int],
        true: Collection[int],
        void: np.ndarray,
    ) -> None:
        """One frame as id maps (H, W), the ids in them that are objects (others are background),
        and a bool mask (H, W) of pixels that don't count."""
        found_ids, true_ids = np.where(void, 0, found_ids), np.where(void, 0, true_ids)
        overlaps = Overlaps(true_ids, found_ids)
        seen = sorted(set(true) & overlaps.truth_area.keys() - {VOID})
        there = sorted(set(found) & overlaps.prediction_area.keys() - {VOID})
        for ids, presence in ((seen, self._true), (there, self._found)):
            for id in ids:
                presence.setdefault(id, array("l")).append(self._frame_count)
        radius = tolerance_in_pixels(true_ids.shape)
        contours = {p: Contour.of(found_ids == p) for p in there}
        for t in seen:
            contour = Contour.of(true_ids == t)
            for p in there:
                shared = overlaps.pixels.get((t, p), 0)
                union = overlaps.truth_area[t] + overlaps.prediction_area[p] - shared
                f = contour.f_measure(contours[p], radius)
                self._enter(t, p, shared / union, f)
        self._frame_count += 1

    def add_masks(self, found: Mapping[int, np.ndarray], true: Mapping[int, np.ndarray]) -> None:
        """One frame as bool masks (H, W) by object id; those of a side may overlap, and one that
        isn't seen may be empty or left out. Raises ``ValueError`` if their sizes differ."""
        shapes = {mask.shape for mask in (*true.values(), *found.values())}
        if len(shapes) > 1:
            raise ValueError(
                f"{self._video or 'video'}: masks of one frame are of the sizes {sorted(shapes)} "
                "(height, width): evaluate at the size of the truth"
            )
        seen = {i: mask for i, mask in true.items() if mask.any()}
        there = {i: mask for i, mask in found.items() if mask.any()}
        for masks, presence in ((seen, self._true), (there, self._found)):
            for id in masks:
                presence.setdefault(id, array("l")).append(self._frame_count)
        contours = {p: Contour.of(mask) for p, mask in there.items()}
        for t, mask in seen.items():
            contour = Contour.of(mask)
            for p, other in there.items():
                shared = int(np.count_nonzero(mask & other))
                union = int(np.count_nonzero(mask | other))
                f = contour.f_measure(contours[p], tolerance_in_pixels(mask.shape))
                self._enter(t, p, shared / union, f)
        self._frame_count += 1

    def _enter(self, true: int, found: int, j: float, f: float) -> None:
        if j or f:
            together = self._pairs.setdefault((true, found), _Together())
            together.frames.append(self._frame_count)
            together.j.append(j)
            together.f.append(f)

    def result(self) -> JandF:
        """Pairs up the objects and scores the true ones."""
        from scipy.optimize import linear_sum_assignment

        true, found = sorted(self._true), sorted(self._found)
        # A true object that is left without a partner is as if paired with one never seen.
        partners: list[int | None] = [*found, *([None] * max(0, len(true) - len(found)))]
        value = np.zeros((len(true), len(partners)))
        for row, t in enumerate(true):
            for column, p in enumerate(partners):
                j, f = self._values(t, p)
                value[row, column] = (j.mean() + f.mean()) / 2
        objects = []
        for row, column in zip(*linear_sum_assignment(-value), strict=True):
            t, p = true[row], partners[column]
            each_j, each_f = self._values(t, p)
            j_and_f = Similarity.of(each_j), Similarity.of(each_f)
            is_thing = self._things.get(t, True)
            objects.append(ObjectScore(self._video, t, is_thing, *j_and_f, found_id=p))
        return JandF(tuple(objects))

    def _values(self, true: int, found: int | None) -> tuple[np.ndarray, np.ndarray]:
        """J and F of all frames (T,), for a pair."""
        j = np.ones(self._frame_count)
        j[self._true[true]] = 0
        if found is not None:
            j[self._found[found]] = 0
        f = j.copy()
        together = self._pairs.get((true, found)) if found is not None else None
        if together is not None:
            j[together.frames], f[together.frames] = together.j, together.f
        return j, f
