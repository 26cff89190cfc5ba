"""Heatmaps of stuff made of the truth, with the errors that they are told to have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch.nn import functional

from benchmarks.standins.chance import Chance
from benchmarks.standins.dials import check_shares
from benchmarks.standins.truth import TrueFrame, Truths
from detectors.base import Heatmaps, check_image
from prompts import UnknownCategory, Vocabulary

_EDGE = 1e-4  # probabilities are kept this far from 0 and 1 where their log-odds are taken


@dataclass(frozen=True)
class HeatErrors:
    """What heatmaps get wrong; nothing by default. Chances and shares are in [0, 1].

    Heat is 1 where a word surely is and 0 where it surely isn't; ``peak`` and ``flatness`` make
    probabilities of it.
    """

    side: int | None = None
    """Pixels of a side of the square that the picture is seen in, 352 for CLIPSeg; None for the
    picture's own."""
    patch: int = 1
    """Pixels of a side of the patches that have one heat each, 16 for CLIPSeg; between their
    middles it goes over evenly."""
    blur: float = 0.0
    """Standard deviation of a Gaussian, as a share of the picture's sqrt(height x width)."""
    leak: float = 0.0
    """Mean heat in each segment, thing or stuff, that touches one of the word."""
    peak: tuple[float, float] = (1.0, 1.0)
    """Least and greatest probability where the heat is 1, drawn for each word. CLIPSeg's stays
    low, about (0.2, 0.5)."""
    flatness: float = 0.0
    """Probability where the heat is 0, as a share of that where it is 1."""
    rivals: float = 0.0
    """Chance that a segment of stuff is hot for another of the asked words as well, always the
    same for a segment."""
    rival_heat: float = 0.9
    """How hot it is for that."""
    absent: float = 0.0
    """Chance for each asked word that isn't there that it is hot in one of the segments."""
    absent_heat: float = 0.7
    """How hot that is."""
    missing: float = 0.0
    """Chance that a segment of stuff stays cold for its word."""
    partial: float = 0.0
    """Chance that a segment is hot only on one side of a line through its middle."""
    noise: float = 0.0
    """Standard deviation of the heat, drawn for each patch."""
    held: float = 1.0
    """Frames for which what is drawn about a word or segment stays so on average (not the noise);
    1 draws in each frame anew."""

    def __post_init__(self) -> None:
        check_shares(self, _SHARES)
        if self.patch < 1 or (self.side is not None and self.side < self.patch):
            raise ValueError(
                f"expected side >= patch >= 1, got side {self.side} and patch {self.patch}"
            )
        if min(self.blur, self.noise) < 0 or self.held < 1:
            raise ValueError(
                "expected blur and noise from 0 on and held from 1 on, got "
                f"{self.blur}, {self.noise} and {self.held}"
            )
        if not 0 <= self.peak[0] <= self.peak[1] <= 1:
            raise ValueError(f"peak must be (least, greatest) in [0, 1], got {self.peak}")


_SHARES = (
    *("leak", "flatness", "rivals", "rival_heat", "absent", "absent_heat", "missing", "partial"),
)


class StandinHeatmaps:
    """Heatmaps of the stuff words from the truth, with errors: a ``StuffDetector``.

    Truth and words meet by name, so that ids of the vocabulary may be others than the truth's.
    """

    def __init__(self, truths: Truths, errors: HeatErrors | None = None, seed: int = 0) -> None:
        self.truths = truths
        self.errors = errors or HeatErrors()
        self.seed = seed

    def heatmaps(self, image: np.ndarray, vocabulary: Vocabulary) -> Heatmaps:
        """As ``StuffDetector.heatmaps``; ``ValueError`` for a picture of unknown truth."""
        return self.heatmaps_batch([image], vocabulary)[0]

    def heatmaps_batch(
        self,
        images: Sequence[np.ndarray],
        vocabulary: Vocabulary,
        sizes: Sequence[tuple[int, int]] | None = None,
    ) -> list[Heatmaps]:
        frames = [self.truths.of(check_image(image)) for image in images]
        wanted = [frame.truth.ids.shape for frame in frames] if sizes is None else sizes
        return [
            self._of(frame, vocabulary, (size[0], size[1]))
            for frame, size in zip(frames, wanted, strict=True)
        ]

    def _of(self, frame: TrueFrame, vocabulary: Vocabulary, size: tuple[int, int]) -> Heatmaps:
        words = vocabulary.stuff
        if not words:
            return Heatmaps.empty(*size)
        chance = Chance(self.seed, frame, self.errors.held)
        heat = self._heat(frame, vocabulary, chance)
        if self.errors.blur:
            sigma = self.errors.blur * (heat.shape[1] * heat.shape[2]) ** 0.5
            heat = np.stack([gaussian_filter(each, sigma, mode="nearest") for each in heat])
        heat = heat.clip(0, 1)
        low, high = self.errors.peak
        peaks = np.array([low + (high - low) * chance.draw("peak", word.name) for word in words])
        flat = self.errors.flatness
        probabilities = peaks[:, None, None] * (flat + (1 - flat) * heat)
        if self.errors.side is not None:
            probabilities = _resized(probabilities, (self.errors.side, self.errors.side))
        return Heatmaps(_resized(probabilities, size), np.array([word.id for word in words]))

    def _heat(self, frame: TrueFrame, vocabulary: Vocabulary, chance: Chance) -> np.ndarray:
        """Heat (K, h, w) of the words in the patches, not cut off at 0 and 1 yet."""
        words = vocabulary.stuff
        side, patch = self.errors.side, self.errors.patch
        seen = frame.truth.ids.shape if side is None else (side, side)
        grid = (max(1, round(seen[0] / patch)), max(1, round(seen[1] / patch)))
        weights = self._weights(frame, vocabulary, chance)
        heat = np.zeros((len(words), *grid), np.float32)
        for column, segment in enumerate(frame.truth.segments):
            hot = np.flatnonzero(weights[:, column])
            if not len(hot):
                continue
            mask = frame.truth.ids == segment.id
            if not segment.is_thing and chance.draw("partial", segment.id) < self.errors.partial:
                mask = mask & _one_side(mask, chance.rng("side", segment.id))
            heat[hot] += weights[hot, column][:, None, None] * _shares(mask, grid)
        if self.errors.noise:
            for row, word in enumerate(words):
                drawn = chance.now("noise", word.name).standard_normal(grid)
                heat[row] += self.errors.noise * drawn
        return heat

    def _weights(self, frame: TrueFrame, vocabulary: Vocabulary, chance: Chance) -> np.ndarray:
        """How hot (K, S) each word is in each of the truth's segments."""
        errors, segments, words = self.errors, frame.truth.segments, vocabulary.stuff
        weights = np.zeros((len(words), len(segments)), np.float32)
        own = np.array([_row_of(segment.category, vocabulary) for segment in segments], int)
        for column, segment in enumerate(segments):
            row = int(own[column])
            if row < 0 or chance.draw("missing", segment.id) < errors.missing:
                continue
            weights[row, column] = 1
        if errors.leak:
            near = _touching(frame.truth.ids, [segment.id for segment in segments])
            for row, column in np.argwhere((weights == 1) @ near & (weights == 0)):
                drawn = chance.draw("leak", words[row].name, segments[column].id)
                weights[row, column] = min(1.0, 2 * errors.leak * drawn)
        for column, segment in enumerate(segments):
            others = [row for row in range(len(words)) if row != own[column]]
            if own[column] < 0 or not others:
                continue
            if chance.draw("rival", segment.id) < errors.rivals:
                row = others[int(chance.ever("which rival", segment.id) * len(others))]
                weights[row, column] = max(weights[row, column], errors.rival_heat)
        areas = np.array([segment.area for segment in segments], float)
        for row in sorted(set(range(len(words))) - set(own.tolist())) if len(segments) else []:
            if chance.draw("absent", words[row].name) < errors.absent:
                where = chance.rng("absent where", words[row].name)
                column = int(where.choice(len(segments), p=areas / areas.sum()))
                weights[row, column] = max(weights[row, column], errors.absent_heat)
        return weights


def _row_of(name: str, vocabulary: Vocabulary) -> int:
    """Which of the stuff words the truth's category has, -1 for none."""
    try:
        found = vocabulary.by_name(name)
    except UnknownCategory:
        return -1
    return -1 if found.is_thing else vocabulary.stuff.index(found)


def _shares(mask: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """The share of each patch that the mask (H, W) covers."""
    if mask.shape == grid:
        return mask.astype(np.float32)
    given = torch.from_numpy(mask.astype(np.float32))[None, None]
    return functional.interpolate(given, grid, mode="area")[0, 0].numpy()


def _one_side(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Where (H, W) lies on one side of a line through the middle of the mask."""
    rows, columns = np.nonzero(mask)
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.ogrid[: mask.shape[0], : mask.shape[1]]
    return (y - rows.mean()) * np.sin(angle) + (x - columns.mean()) * np.cos(angle) > 0


def _touching(ids: np.ndarray, listed: Sequence[int]) -> np.ndarray:
    """Which segments (S, S) touch which, sideways, by their place in the list."""
    place = np.full(int(ids.max(initial=0)) + 1, -1)
    place[list(listed)] = np.arange(len(listed))
    near = np.zeros((len(listed), len(listed)), bool)
    at = place[ids]
    for one, other in ((at[:, :-1], at[:, 1:]), (at[:-1], at[1:])):
        pairs = (one != other) & (one >= 0) & (other >= 0)
        near[one[pairs], other[pairs]] = True
    return near | near.T


def _resized(probabilities: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Through log-odds, as CLIPSeg's are, so that outlines stay where they are."""
    if probabilities.shape[1:] == size:
        return probabilities.astype(np.float32)
    known = torch.from_numpy(probabilities.astype(np.float32)).clamp(_EDGE, 1 - _EDGE)
    shrinks = size[0] < known.shape[1] or size[1] < known.shape[2]
    odds = functional.interpolate(
        torch.logit(known)[None], size, mode="bilinear", antialias=shrinks
    )
    return odds[0].sigmoid().numpy()
