"""A detector of things made of the truth, which errs as it is told to."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.standins.chance import Chance
from benchmarks.standins.dials import check_shares
from benchmarks.standins.truth import TrueFrame, Truths
from detectors.base import Boxes, ThingSettings, check_image, lead
from detectors.suppression import suppress
from panoptic.results.segment import Segment
from prompts import UnknownCategory, Vocabulary

# How sure a detector is of what it gets wrong, where a right box in its right place is 1.
_WRONG_WORD, _DUPLICATE = 0.8, 0.7
# The score of the runner-up, as a share of that of the word that it gives.
_RIVAL_OF_RIGHT, _RIVAL_OF_WRONG = 0.2, 0.9


@dataclass(frozen=True)
class DetectorErrors:
    """What a detector gets wrong; nothing by default. Chances and shares are in [0, 1]."""

    miss: float = 0.0
    """Chance that a thing is never found, in no frame of its clip."""
    flicker: float = 0.0
    """Chance that a thing is missed in a frame."""
    held: float = 1.0
    """Frames for which what is drawn about a thing (missed, its word, its score) stays so on
    average; 1 draws in each frame anew."""
    small_miss: float = 0.0
    """Chance that a thing of hardly a pixel is missed; it falls evenly to 0 at ``small_side``.
    Such things score lower too."""
    small_side: float = 0.1
    """Root of a thing's area, as a share of the picture's, from which on it isn't small."""
    hidden_miss: float = 0.0
    """Chance that a thing is missed that others cover wholly; less in proportion to what shows.
    Such things score lower too."""
    silent_after: int | None = None
    """The last frame of a clip in which anything is found."""
    jitter: float = 0.0
    """Standard deviation of each edge's place, as a share of the box's side."""
    merged: float = 0.0
    """Chance that two things of one category whose boxes touch come in one box."""
    duplicates: float = 0.0
    """Chance of a second box for a thing, of a lower score."""
    duplicate_off: float = 0.15
    """How far the second box is off, as ``jitter``."""
    wrong_word: float = 0.0
    """Chance that a thing comes under another of the asked words, always the same for a word."""
    two_words: float = 0.0
    """Chance that it comes under both."""
    absent: float = 0.0
    """Chance for each asked word of which there is nothing that it gets a box of the whole
    picture."""
    absent_score: float = 0.5
    """How sure the detector is of these: 1 as of what is right, 0 as of its least sure boxes."""
    scores: tuple[float, float] = (0.0, 1.0)
    """The scale: score of what the detector is least and most sure of. About (0.1, 0.3) for OWLv2,
    (0.35, 0.8) for Grounding DINO, (0.5, 0.99) for SAM 3, whose levels are where these begin."""
    calibration: float = 1.0
    """How far the score tells right from wrong: 1 wholly, and 0 not at all."""
    alone: bool = False
    """Whether each word is asked by itself, as by SAM 3, so that no box knows a runner-up."""

    def __post_init__(self) -> None:
        check_shares(self, _SHARES)
        if min(self.jitter, self.duplicate_off, self.small_side) < 0 or self.held < 1:
            raise ValueError(
                "expected jitter, duplicate_off and small_side from 0 on and held from 1 on, got "
                f"{self.jitter}, {self.duplicate_off}, {self.small_side} and {self.held}"
            )
        low, high = self.scores
        if not 0 <= low <= high <= 1:
            raise ValueError(f"scores must be (least, most) in [0, 1], got {self.scores}")


_SHARES = (
    *("miss", "flicker", "small_miss", "hidden_miss", "merged", "duplicates", "wrong_word"),
    *("two_words", "absent", "absent_score", "calibration"),
)


@dataclass(frozen=True)
class _Seen:
    """A thing, or two in one box, that the detector didn't miss."""

    segment: Segment
    xyxy: np.ndarray
    category_id: int
    clear: float
    """1 for what is neither small nor hidden."""


@dataclass(frozen=True)
class _Claim:
    """A box and how sure the detector is of it, 0 to 1, before the scale of its scores."""

    xyxy: np.ndarray
    category_id: int
    sure: float
    rival: float
    """The score of the next word, as a share of this one's."""


class StandinDetector:
    """Boxes of the true things that are asked for, with errors: a ``ThingDetector``.

    Truth and words meet by name, so that ids of the vocabulary may be others than the truth's.
    As real adapters do it keeps what reaches ``settings.box_threshold``, and ``suppress``-es by
    its IoU levels. Its published level is where its scores begin. ``settings`` can be replaced at
    any time.
    """

    def __init__(
        self,
        truths: Truths,
        errors: DetectorErrors | None = None,
        seed: int = 0,
        settings: ThingSettings | None = None,
    ) -> None:
        self.truths = truths
        self.errors = errors or DetectorErrors()
        self.seed = seed
        self.settings = settings or ThingSettings()

    def detect(self, image: np.ndarray, vocabulary: Vocabulary) -> Boxes:
        """As ``ThingDetector.detect``; ``ValueError`` for a picture whose truth isn't known."""
        frame = self.truths.of(check_image(image))
        last = self.errors.silent_after
        if last is not None and frame.index > last:
            return Boxes.empty()
        chance = Chance(self.seed, frame, self.errors.held)
        claims = [
            claim
            for seen in self._merged(self._seen(frame, vocabulary, chance), chance)
            for claim in self._claims(seen, vocabulary, chance)
        ]
        claims += self._absent(frame, vocabulary, chance)
        if not claims:
            return Boxes.empty()
        low, high = self.errors.scores
        scores = low + (high - low) * np.array([claim.sure for claim in claims])
        rivals = scores * np.array([claim.rival for claim in claims])
        boxes = Boxes(
            np.stack([claim.xyxy for claim in claims]),
            np.array([claim.category_id for claim in claims]),
            scores,
            lead(scores, low) if low else scores,
            None if self.errors.alone or len(vocabulary.things) < 2 else lead(scores, rivals),
        ).clipped(*image.shape[:2])
        return suppress(boxes[boxes.scores >= self.settings.box_threshold], self.settings)

    def detect_batch(self, images: Sequence[np.ndarray], vocabulary: Vocabulary) -> list[Boxes]:
        return [self.detect(image, vocabulary) for image in images]

    def _seen(self, frame: TrueFrame, vocabulary: Vocabulary, chance: Chance) -> list[_Seen]:
        errors = self.errors
        seen = []
        for segment in frame.truth.segments:
            category_id = _asked(segment.category, vocabulary)
            if category_id is None or segment.is_crowd:
                continue
            side = (segment.area / frame.truth.ids.size) ** 0.5
            small = max(0.0, 1 - side / errors.small_side) if errors.small_side else 0.0
            clear = 1 - errors.small_miss * small
            clear *= 1 - errors.hidden_miss * frame.hidden.get(segment.id, 0.0)
            if chance.ever("miss", segment.id) < errors.miss:
                continue
            if chance.draw("flicker", segment.id) < 1 - (1 - errors.flicker) * clear:
                continue
            seen.append(_Seen(segment, np.array(segment.box, float), category_id, clear))
        return seen

    def _merged(self, seen: list[_Seen], chance: Chance) -> list[_Seen]:
        """The same, with some that touch in one box; none is in two."""
        left, together = list(seen), []
        while left:
            one = left.pop(0)
            for other in left if self.errors.merged else []:
                if (
                    other.category_id == one.category_id
                    and (one.xyxy[:2] <= other.xyxy[2:]).all()
                    and (other.xyxy[:2] <= one.xyxy[2:]).all()
                    and chance.draw("merged", one.segment.id, other.segment.id) < self.errors.merged
                ):
                    left.remove(other)
                    ends = (
                        np.minimum(one.xyxy[:2], other.xyxy[:2]),
                        np.maximum(one.xyxy[2:], other.xyxy[2:]),
                    )
                    larger = max(one, other, key=lambda each: each.segment.area)
                    one = _Seen(larger.segment, np.concatenate(ends), one.category_id, larger.clear)
                    break
            together.append(one)
        return together

    def _claims(self, seen: _Seen, vocabulary: Vocabulary, chance: Chance) -> Iterator[_Claim]:
        """The boxes of a thing, under the words that are taken for its own."""
        errors, number = self.errors, seen.segment.id
        box = _moved(seen.xyxy, errors.jitter, chance.now("jitter", number))
        right = _iou(box, np.array(seen.segment.box, float)) * seen.clear
        other = self._alike(seen.category_id, vocabulary)
        words = {seen.category_id: right}
        draw = chance.draw("word", number)
        if other is not None and draw < errors.wrong_word + errors.two_words:
            words[other] = right * _WRONG_WORD
            if draw < errors.wrong_word:
                del words[seen.category_id]
        for category_id, rightness in words.items():
            sure = self._sure(rightness, chance.draw("score", number, category_id))
            told = _RIVAL_OF_RIGHT if category_id == seen.category_id else _RIVAL_OF_WRONG
            rival = self._sure(told, chance.draw("rival", number, category_id))
            yield _Claim(box, category_id, sure, rival)
            if chance.draw("duplicate", number, category_id) < errors.duplicates:
                off = chance.now("duplicate box", number, category_id)
                moved = _moved(seen.xyxy, errors.duplicate_off, off)
                yield _Claim(moved, category_id, sure * _DUPLICATE, rival)

    def _absent(self, frame: TrueFrame, vocabulary: Vocabulary, chance: Chance) -> Iterator[_Claim]:
        present = {_asked(segment.category, vocabulary) for segment in frame.truth.segments}
        height, width = frame.truth.ids.shape
        for category in vocabulary.things:
            if category.id in present:
                continue
            if chance.draw("absent", category.name) < self.errors.absent:
                drawn = chance.draw("absent score", category.name)
                sure = self._sure(self.errors.absent_score, drawn)
                rival = self._sure(_RIVAL_OF_WRONG, chance.draw("absent rival", category.name))
                whole = np.array([0.0, 0.0, width, height])
                yield _Claim(whole, category.id, sure, rival)

    def _alike(self, category_id: int, vocabulary: Vocabulary) -> int | None:
        """The asked word that this one is taken for: of the same words always the same."""
        name = vocabulary.by_id(category_id).name
        others = [category for category in vocabulary.things if category.id != category_id]
        if not others:
            return None
        return min(others, key=lambda c: zlib.crc32(f"{self.seed} {name} {c.name}".encode())).id

    def _sure(self, rightness: float, drawn: float) -> float:
        told = self.errors.calibration
        return told * rightness + (1 - told) * drawn


def _asked(name: str, vocabulary: Vocabulary) -> int | None:
    """The thing word of the vocabulary that the truth's category has, if it is asked."""
    try:
        category = vocabulary.by_name(name)
    except UnknownCategory:
        return None
    return category.id if category.is_thing else None


def _moved(xyxy: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """The box with its edges off by a share of its sides; at least a pixel is left of it."""
    sides = xyxy[2:] - xyxy[:2]
    moved = xyxy + rng.standard_normal(4) * share * np.tile(sides, 2)
    if share:
        moved[2:] = np.maximum(moved[2:], moved[:2] + 1)
    return moved


def _iou(one: np.ndarray, other: np.ndarray) -> float:
    shared = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    common = float(shared.clip(0).prod())
    return common / float((one[2:] - one[:2]).prod() + (other[2:] - other[:2]).prod() - common)
