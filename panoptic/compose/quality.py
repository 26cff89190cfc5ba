"""How far a segment can be trusted: one score in [0, 1] from everything known about it.

The score is a logistic regression on log-odds: each signal s in [0, 1] is turned into
``log(s / (1 - s))``, and

    quality = sigmoid(bias + sum over signals of weight * (log-odds - centre))

A signal that isn't known counts as its centre, so it moves nothing. Things and stuff have weights
of their own. The weights can be fitted to segments whose truth is known (``QualityModel.fit``):
then the score is the probability that the segment is good, in the sense of the labels given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np

# Log-odds are taken of values kept this far from 0 and 1: single signals saturate, and a weight
# times an endless number must not decide alone.
_EDGE = 0.01


@dataclass(frozen=True)
class Evidence:
    """What speaks for a segment; every signal is in [0, 1], or None where it isn't known."""

    detector: float | None = None
    """Score of the word: of the box for a thing, mean heat of the region for stuff."""
    margin: float | None = None
    """Lead over the runner-up word: score / (score + second best score), 0.5 to 1."""
    predicted_iou: float | None = None
    """What the mask decoder itself expects its IoU to be."""
    stability: float | None = None
    """IoU of the masks at raised and lowered threshold, see ``mask_stability``."""
    agreement: float | None = None
    """IoU of the mask with what it was prompted by: its box or its region."""
    visible: float | None = None
    """Share of the mask that survived the merge."""

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value is not None and not 0.0 <= value <= 1.0:
                raise ValueError(f"evidence {name!r} must be in [0, 1], got {value}")


SIGNALS = tuple(f.name for f in fields(Evidence))


@dataclass(frozen=True)
class LogisticScore:
    """Weights and centres (both on log-odds) by signal, and the bias, of the formula above."""

    weights: Mapping[str, float]
    centres: Mapping[str, float]
    bias: float = 0.0

    def __post_init__(self) -> None:
        for signals in (self.weights, self.centres):
            if set(signals) != set(SIGNALS):
                raise ValueError(f"expected the signals {SIGNALS}, got {tuple(signals)}")

    def __call__(self, evidence: Evidence) -> float:
        total = self.bias
        for name in SIGNALS:
            value = getattr(evidence, name)
            if value is not None:
                total += self.weights[name] * (_log_odds(value) - self.centres[name])
        return float(_sigmoid(total))

    @classmethod
    def fit(
        cls, evidence: Sequence[Evidence], good: Sequence[bool], ridge: float = 1.0
    ) -> LogisticScore:
        """Maximum likelihood by Newton's method, with ``ridge`` times the squared weights / 2.

        Centres are the means of what is known. Raises ``ValueError`` unless good and bad ones
        both occur.
        """
        labels = np.asarray(good, float)
        if len(labels) != len(evidence) or not 0 < labels.sum() < len(labels):
            raise ValueError(
                "fitting takes one label per segment, good and bad ones, "
                f"got {len(evidence)} segments and {int(labels.sum())} good of {len(labels)} labels"
            )
        raw = np.array([[_log_odds(getattr(e, name)) for name in SIGNALS] for e in evidence], float)
        known = np.isfinite(raw)
        centres = np.where(known, raw, 0).sum(0) / np.maximum(known.sum(0), 1)
        x = np.column_stack([np.where(known, raw - centres, 0), np.ones(len(raw))])
        penalty = np.diag([ridge] * len(SIGNALS) + [0.0])
        w = np.zeros(x.shape[1])
        for _ in range(50):
            p = _sigmoid(x @ w)
            slope = x.T @ (p - labels) + penalty @ w
            curve = (x * (p * (1 - p))[:, None]).T @ x + penalty + 1e-9 * np.eye(len(w))
            step = np.linalg.solve(curve, slope)
            w -= step
            if np.abs(step).max() < 1e-9:
                break
        return cls(
            dict(zip(SIGNALS, w[:-1].tolist(), strict=True)),
            dict(zip(SIGNALS, centres.tolist(), strict=True)),
            float(w[-1]),
        )


def _unfitted() -> LogisticScore:
    # Not calibrated, only ordered: the decoder's own estimate says most about the mask, the word's
    # score and lead most about the name. The centres are ordinary values of each signal.
    centres = {
        **{"detector": 0.5, "margin": 0.75, "predicted_iou": 0.85},
        **{"stability": 0.9, "agreement": 0.8, "visible": 0.9},
    }
    weights = {
        **{"detector": 0.6, "margin": 0.5, "predicted_iou": 1.0},
        **{"stability": 0.4, "agreement": 0.6, "visible": 0.4},
    }
    return LogisticScore(weights, {name: _log_odds(c) for name, c in centres.items()}, 0.5)


@dataclass(frozen=True)
class QualityModel:
    """The quality score of things and of stuff; without arguments, weights set by hand."""

    things: LogisticScore = field(default_factory=_unfitted)
    stuff: LogisticScore = field(default_factory=_unfitted)

    def __call__(self, evidence: Evidence, is_thing: bool) -> float:
        return (self.things if is_thing else self.stuff)(evidence)

    @classmethod
    def fit(
        cls,
        evidence: Sequence[Evidence],
        is_thing: Sequence[bool],
        good: Sequence[bool],
        ridge: float = 1.0,
    ) -> QualityModel:
        """Fits things and stuff apart, see ``LogisticScore.fit``."""

        def part(kind: bool) -> LogisticScore:
            chosen = [i for i, thing in enumerate(is_thing) if bool(thing) is kind]
            return LogisticScore.fit(
                [evidence[i] for i in chosen], [good[i] for i in chosen], ridge
            )

        return cls(part(True), part(False))

    def to_dict(self) -> dict[str, Any]:
        """The weights for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> QualityModel:
        return cls(LogisticScore(**content["things"]), LogisticScore(**content["stuff"]))


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
