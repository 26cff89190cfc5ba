"""How far a segment can be trusted: the probability that it is right, from all known about it.

Right is what has the right word and an IoU of 0.75 (``GOOD_IOU``) or more with a true segment. The
probability is a logistic regression on log-odds: each signal s in [0, 1] is turned into
``log(s / (1 - s))``, and

    quality = sigmoid(bias + sum over signals of weight * (log-odds - centre))

A signal that isn't known counts as its centre, so it moves nothing. Things and stuff have weights
of their own, fitted to segments whose truth is known (``QualityModel.fit``): those of the demo
models to these alone, and those of all others, ``QualityModel()``, to models that err in all the
ways that are known of public ones. ``python -m benchmarks.calibration`` fits them, and measures how
often what has a quality of q is right.

What is followed through a video has scores of its own, by what the looks for its word said of it
until now, and by what the tracker says of its mask in the frame at hand.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

GOOD_IOU = 0.75
"""Least IoU of a segment that is right."""

PACKAGED = Path(__file__).with_name("quality.json")
"""The weights for models that have none of their own."""

# Log-odds are taken of values kept this far from 0 and 1: single signals saturate, and a weight
# times an endless number must not decide alone.
_EDGE = 0.01


@dataclass(frozen=True)
class Evidence:
    """What speaks for a segment; every signal is in [0, 1], or None where it isn't known."""

    confidence: float | None = None
    """Of a thing's box, on the one scale of all detectors: 0.5 at the detector's published level
    (``detectors.base.Boxes.confidences``). Not of stuff, as heat has no scale of its own."""
    margin: float | None = None
    """Lead of the word over the runner-up (``detectors.base.lead``), 0.5 if they are level. Of a
    region the mean over its pixels, where the background is a rival too."""
    predicted_iou: float | None = None
    """What the mask decoder itself expects its IoU to be."""
    stability: float | None = None
    """IoU of the masks at raised and lowered threshold, see ``mask_stability``."""
    agreement: float | None = None
    """IoU of the mask with what it was prompted by: its box or its region."""
    visible: float | None = None
    """Share of the mask that survived the merge."""
    size: float | None = None
    """Of a thing how well the masks can resolve it, see ``resolved``. Stuff is large."""
    looked: float | None = None
    """Of what is followed in a video the quality at the latest look that found it. It is what tells
    that something is followed."""
    found: float | None = None
    """Of what is followed the share of looks that found it there, under its word."""

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value is not None and not 0.0 <= value <= 1.0:
                raise ValueError(f"evidence {name!r} must be in [0, 1], got {value}")


SIGNALS = tuple(f.name for f in fields(Evidence))


@dataclass(frozen=True)
class LogisticScore:
    """Weights and centres (both on log-odds) by signal, and the bias, of the formula above.
    Signals without a weight don't count."""

    weights: Mapping[str, float]
    centres: Mapping[str, float]
    bias: float = 0.0

    def __post_init__(self) -> None:
        if set(self.weights) != set(self.centres) or not set(self.weights) <= set(SIGNALS):
            raise ValueError(
                f"expected a weight and a centre for some of the signals {SIGNALS}, got weights "
                f"for {tuple(self.weights)} and centres for {tuple(self.centres)}; "
                "python -m benchmarks.calibration --fit makes both"
            )

    def __call__(self, evidence: Evidence) -> float:
        total = self.bias
        for name, weight in self.weights.items():
            value = getattr(evidence, name)
            if value is not None:
                total += weight * (_log_odds(value) - self.centres[name])
        return float(_sigmoid(total))

    @classmethod
    def fit(
        cls,
        evidence: Sequence[Evidence],
        good: Sequence[bool],
        counts: Sequence[float] | None = None,
        ridge: float = 1.0,
    ) -> LogisticScore:
        """Maximum likelihood by Newton's method, with ``ridge`` times the squared weights / 2.

        ``counts`` are how much each segment counts, 1 by default. Every signal is one for the
        segment: one that comes out as a sign against it, by chance or as others say the same, is
        left out, as are those that are never known. Raises ``ValueError`` unless good and bad
        ones both occur.
        """
        labels = np.asarray(good, float)
        if len(labels) != len(evidence) or not 0 < labels.sum() < len(labels):
            raise ValueError(
                "fitting takes one label per segment, good and bad ones, "
                f"got {len(evidence)} segments and {int(labels.sum())} good of {len(labels)} labels"
            )
        much = np.ones(len(labels)) if counts is None else np.asarray(counts, float)
        raw = np.array([[_log_odds(getattr(e, name)) for name in SIGNALS] for e in evidence], float)
        kept = np.isfinite(raw).any(0)
        while True:
            weights, centres, bias = _newton(raw[:, kept], labels, much, ridge)
            if not len(weights) or weights.min() >= 0:
                break
            kept[np.flatnonzero(kept)[weights.argmin()]] = False
        names = [name for name, keep in zip(SIGNALS, kept, strict=True) if keep]
        return cls(
            dict(zip(names, weights.tolist(), strict=True)),
            dict(zip(names, centres.tolist(), strict=True)),
            bias,
        )


def _newton(
    raw: np.ndarray, labels: np.ndarray, counts: np.ndarray, ridge: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """Weights, centres and bias for log-odds (N, S), NaN where not known."""
    known = np.isfinite(raw)
    much = known * counts[:, None]
    centres = (np.where(known, raw, 0) * much).sum(0) / much.sum(0)
    x = np.column_stack([np.where(known, raw - centres, 0), np.ones(len(raw))])
    penalty = np.diag([ridge] * raw.shape[1] + [0.0])
    w = np.zeros(x.shape[1])
    for _ in range(50):
        p = _sigmoid(x @ w)
        slope = x.T @ (counts * (p - labels)) + penalty @ w
        curve = (x * (counts * p * (1 - p))[:, None]).T @ x + penalty + 1e-9 * np.eye(len(w))
        step = np.linalg.solve(curve, slope)
        w -= step
        if np.abs(step).max() < 1e-9:
            break
    return w[:-1], centres, float(w[-1])


@cache
def _packaged() -> dict[str, LogisticScore]:
    content = json.loads(PACKAGED.read_text(encoding="utf-8"))
    return {kind: LogisticScore(**score) for kind, score in content.items()}


@dataclass(frozen=True)
class QualityModel:
    """The quality scores of things and of stuff, in a picture and where they are followed through a
    video; those that aren't given are the packaged ones."""

    things: LogisticScore = field(default_factory=lambda: _packaged()["things"])
    stuff: LogisticScore = field(default_factory=lambda: _packaged()["stuff"])
    followed_things: LogisticScore = field(default_factory=lambda: _packaged()["followed_things"])
    followed_stuff: LogisticScore = field(default_factory=lambda: _packaged()["followed_stuff"])

    def __call__(self, evidence: Evidence, is_thing: bool) -> float:
        if evidence.looked is not None:
            return (self.followed_things if is_thing else self.followed_stuff)(evidence)
        return (self.things if is_thing else self.stuff)(evidence)

    @classmethod
    def fit(
        cls,
        evidence: Sequence[Evidence],
        is_thing: Sequence[bool],
        good: Sequence[bool],
        counts: Sequence[float] | None = None,
        ridge: float = 1.0,
    ) -> QualityModel:
        """Fits things and stuff apart, and what is followed apart from what is in a picture, see
        ``LogisticScore.fit``. What nothing was given of keeps the packaged score."""
        kinds = [
            ("followed_" if e.looked is not None else "") + ("things" if thing else "stuff")
            for e, thing in zip(evidence, is_thing, strict=True)
        ]
        scores = {}
        for kind in set(kinds):
            chosen = [i for i, each in enumerate(kinds) if each == kind]
            much = None if counts is None else [counts[i] for i in chosen]
            given = [evidence[i] for i in chosen], [good[i] for i in chosen]
            scores[kind] = LogisticScore.fit(*given, much, ridge)
        return cls(**scores)

    def to_dict(self) -> dict[str, Any]:
        """The weights for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> QualityModel:
        """Of :meth:`to_dict`; kinds that it lacks are the packaged ones."""
        kinds = [kind.name for kind in fields(cls)]
        if not set(content) <= set(kinds):
            raise ValueError(f"expected quality scores of some of {kinds}, got {list(content)}")
        return cls(**{kind: LogisticScore(**score) for kind, score in content.items()})


def resolved(share: float) -> float:
    """How well a thing that covers this share of the picture can be outlined: its side by a
    sixteenth of the picture's, at most 1. Masks have 256 cells a side: of a thing of 16 cells an
    outline that is off by one of them leaves an IoU of (14 / 16)² = 0.77."""
    return min(1.0, 16 * share**0.5)


def roc_auc(scores: Sequence[float], good: Sequence[bool]) -> float:
    """Area under the ROC curve: the chance that a good one scores above a bad one, ties half.

    nan where there are no good or no bad ones.
    """
    from scipy.stats import rankdata

    labels = np.asarray(good, bool)
    n_good, n_bad = int(labels.sum()), int((~labels).sum())
    if not n_good or not n_bad:
        return float("nan")
    ranks = rankdata(scores)
    return float((ranks[labels].sum() - n_good * (n_good + 1) / 2) / (n_good * n_bad))


def _log_odds(value: float | None) -> float:
    if value is None:
        return float("nan")
    value = min(max(value, _EDGE), 1 - _EDGE)
    return float(np.log(value / (1 - value)))


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-np.clip(x, -60, 60)))
