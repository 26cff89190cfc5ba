"""From token probabilities to categories, for detectors that read a caption."""

from __future__ import annotations

import numpy as np

from detectors.base import ThingSettings, lead
from prompts.caption import Caption


def category_scores(
    probabilities_qt: np.ndarray, caption: Caption
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Score the categories of a caption for each of Q boxes, by their token spans.

    A word counts as much as its strongest piece: pieces such as "##nt" of "hydrant" mean nothing
    by themselves and often score low. A name counts as much as its words do on average: "traffic
    light" must not win over "light" by the one word that they share. (The evaluators of GLIP,
    Grounding DINO and MMDetection take the mean as well, over pieces.) A category counts as much
    as the best of its name and synonyms.

    ``probabilities_qt`` are sigmoids (Q, T) for the caption's T tokens, or more. Returns the
    category ids (K,), the scores (Q, K), and the probability of the strongest word (Q, K) of
    the name or synonym that gave the score.
    """
    if probabilities_qt.ndim != 2 or probabilities_qt.shape[1] < len(caption.token_ids):
        raise ValueError(
            f"expected probabilities (Q, T) with T >= {len(caption.token_ids)}, "
            f"got {probabilities_qt.shape}"
        )
    ids = np.array(caption.category_ids, dtype=np.int64)
    columns = {category_id: column for column, category_id in enumerate(ids.tolist())}
    scores = np.full((len(probabilities_qt), len(ids)), -1.0, dtype=np.float32)
    strongest = np.zeros_like(scores)
    for span in caption.spans:
        words = np.stack([probabilities_qt[:, list(w)].max(axis=1) for w in span.words], axis=1)
        score, column = words.mean(axis=1), columns[span.category_id]
        better = score > scores[:, column]
        scores[:, column] = np.where(better, score, scores[:, column])
        strongest[:, column] = np.where(better, words.max(axis=1), strongest[:, column])
    return ids, scores, strongest


def choose(
    probabilities_qt: np.ndarray, caption: Caption, settings: ThingSettings
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The boxes that pass the thresholds: positions (M,), category ids, scores and margins.

    The category is the one that scores highest, its score is the box's; the margin is its lead
    over the next of the caption, NaN where there is none. The score must reach
    ``text_threshold``, and its strongest word ``box_threshold``.
    """
    ids, scores, strongest = category_scores(probabilities_qt, caption)
    best = scores.argmax(axis=1)
    rows = np.arange(len(scores))
    score = scores[rows, best]
    passed = (score >= settings.text_threshold) & (strongest[rows, best] >= settings.box_threshold)
    return (
        *(np.flatnonzero(passed), ids[best][passed], score[passed]),
        margins_of(scores[passed]),
    )


def margins_of(scores_qk: np.ndarray) -> np.ndarray:
    """Lead (Q,) of the best of K categories over the next, NaN where there is only one."""
    if scores_qk.shape[1] < 2:
        return np.full(len(scores_qk), np.nan)
    second, first = np.partition(scores_qk, -2, axis=1)[:, -2:].T
    return lead(first, second)
