"""Segments whose truth is known: what spoke for them, how right they are, and do both agree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import MappingProxyType

import numpy as np

from panoptic.compose.quality import GOOD_IOU, Evidence, QualityModel, roc_auc
from panoptic.compose.trace import Trace
from panoptic.measure.evaluate_pictures import segment_ious
from panoptic.results.segmentation import PanopticSegmentation

BINS = 10
WORST = 0.2
"""The share of segments that somebody looks at, those of the least quality."""


@dataclass
class Judged:
    """Segments, a list a field. ``counts`` is how much each counts."""

    evidence: list[Evidence] = field(default_factory=list)
    is_thing: list[bool] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    qualities: list[float] = field(default_factory=list)
    ious: list[float] = field(default_factory=list)
    counts: list[float] = field(default_factory=list)

    def add(self, trace: Trace, truth: PanopticSegmentation) -> None:
        """Takes in the segments of a picture; those on void are left out."""
        self.add_result(trace.result, truth, trace.report.evidence)

    def add_result(
        self,
        result: PanopticSegmentation,
        truth: PanopticSegmentation,
        evidence: Mapping[int, Evidence] = MappingProxyType({}),
    ) -> None:
        """The same for what is judged already, such as a frame of a clip."""
        ious = segment_ious(result, truth)
        for segment in result:
            if segment.id in ious:
                self.evidence.append(evidence.get(segment.id, Evidence()))
                self.is_thing.append(segment.is_thing)
                self.scores.append(segment.score)
                self.qualities.append(segment.quality or 0.0)
                self.ious.append(ious[segment.id])
                self.counts.append(1.0)

    def __len__(self) -> int:
        return len(self.ious)

    def __getitem__(self, chosen: Sequence[int] | np.ndarray) -> Judged:
        parts = {f.name: getattr(self, f.name) for f in fields(self)}
        return Judged(**{name: [part[int(i)] for i in chosen] for name, part in parts.items()})

    @classmethod
    def joined(cls, parts: Iterable[Judged], total: float | None = None) -> Judged:
        """All together; each part counts as ``total`` segments, by default as many as it has."""
        both = cls()
        for part in parts:
            for f in fields(cls):
                getattr(both, f.name).extend(getattr(part, f.name))
            if total is not None and len(part):
                both.counts[-len(part) :] = [total / len(part)] * len(part)
        return both

    @property
    def good(self) -> np.ndarray:
        return np.array(self.ious) >= GOOD_IOU

    def fit(self) -> QualityModel:
        return QualityModel.fit(self.evidence, self.is_thing, self.good.tolist(), self.counts)

    def judge(self, model: QualityModel) -> Judged:
        """The same with the qualities of another model."""
        judged = Judged(**{f.name: getattr(self, f.name) for f in fields(self)})
        known = zip(self.evidence, self.is_thing, strict=True)
        judged.qualities = [model(*each) for each in known]
        return judged

    def aucs(self) -> dict[str, float]:
        """Area under the ROC curve for "this segment has an IoU below 0.75"."""
        quality, score = np.array(self.qualities), np.array(self.scores)
        things = np.array(self.is_thing)
        return {
            "quality score": roc_auc(quality, self.good),
            "quality score, things": roc_auc(quality[things], self.good[things]),
            "quality score, stuff": roc_auc(quality[~things], self.good[~things]),
            "detector's score alone": roc_auc(score, self.good),
            "bad segments": float(1 - self.good.mean()),
        }


@dataclass(frozen=True)
class Bin:
    """Of the segments whose quality falls into a bin: how many of all (``share``), their mean
    quality, and how many of them are right."""

    share: float
    quality: float
    right: float


def reliability(judged: Judged) -> list[Bin | None]:
    """The reliability curve in ten equal bins of quality; None for those that nothing is in."""
    quality, counts = np.array(judged.qualities), np.array(judged.counts)
    number = np.minimum((quality * BINS).astype(int), BINS - 1)
    found: list[Bin | None] = []
    for each in range(BINS):
        inside = number == each
        if not inside.any():
            found.append(None)
            continue
        weights = counts[inside]
        mean, right = (
            float(np.average(values[inside], weights=weights)) for values in (quality, judged.good)
        )
        found.append(Bin(float(weights.sum() / counts.sum()), mean, right))
    return found


def calibration_error(judged: Judged) -> float:
    """The expected calibration error: by how much the quality is beside the share that is right,
    on average over the bins of the reliability curve."""
    return sum(b.share * abs(b.quality - b.right) for b in reliability(judged) if b is not None)


def found_among_worst(judged: Judged, share: float = WORST) -> float:
    """How many of the bad segments are among those of the least quality, ``share`` of all; where
    more are bad than that, how many of as many as there is room for. Nan where none is bad."""
    bad, counts = ~judged.good, np.array(judged.counts)
    if not bad.any():
        return float("nan")
    order = np.argsort(judged.qualities, kind="stable")
    looked_at = np.cumsum(counts[order]) <= share * counts.sum()
    possible = min((bad * counts).sum(), share * counts.sum())
    return float((bad * counts)[order][looked_at].sum() / possible)
