"""What every detector takes and gives: protocols, boxes, heatmaps, thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np

from prompts.vocabulary import Vocabulary

_EDGE = 1e-4  # scores are kept this far from 0 and 1 before their log-odds are taken


def lead(scores: np.ndarray, over: np.ndarray | float) -> np.ndarray:
    """How far scores in [0, 1] are above others, on log-odds: 0.5 where both are the same.

    ``sigmoid(log-odds(scores) - log-odds(over))``, of any shape. Where both are small it is
    ``scores / (scores + over)``. What all scores have in common, a bias of the detector's last
    layer, drops out.
    """
    odds, others = (
        np.log(kept / (1 - kept))
        for kept in (np.clip(np.asarray(v, np.float64), _EDGE, 1 - _EDGE) for v in (scores, over))
    )
    return 1 / (1 + np.exp(others - odds))


@dataclass(frozen=True, eq=False)
class Boxes:
    """N boxes around things, the surest first where a detector made them.

    ``xyxy`` float32 (N, 4) in pixels of the image, right and bottom exclusive; ``category_ids``
    int64 (N,), ids of the vocabulary; ``scores`` float32 (N,) in [0, 1], on the scale of the
    detector, as its thresholds are. Anything that numpy can turn into these is accepted. Raises
    ``ValueError`` where lengths differ, for boxes that aren't finite or end before they begin, and
    for scores outside [0, 1].
    """

    xyxy: np.ndarray
    category_ids: np.ndarray
    scores: np.ndarray
    confidences: np.ndarray = field(default=None)  # type: ignore[arg-type]  # filled in below
    """float32 (N,) in [0, 1]: the scores on the one scale that all detectors share, 0.5 at the
    level that was published for the detector (:func:`lead` over it). Without them the scores
    themselves are taken to be on it."""
    margins: np.ndarray = field(default=None)  # type: ignore[arg-type]
    """float32 (N,): the :func:`lead` of the box's word over the runner-up, 0.5 to 1, NaN where the
    detector doesn't know."""

    def __post_init__(self) -> None:
        xyxy = np.asarray(self.xyxy, dtype=np.float32)
        category_ids = np.asarray(self.category_ids, dtype=np.int64)
        scores = np.asarray(self.scores, dtype=np.float32)
        n = len(xyxy)
        if xyxy.shape != (n, 4) or category_ids.shape != (n,) or scores.shape != (n,):
            raise ValueError(
                "expected xyxy (N, 4), category_ids (N,) and scores (N,), "
                f"got {xyxy.shape}, {category_ids.shape} and {scores.shape}"
            )
        if not np.isfinite(xyxy).all() or (xyxy[:, :2] > xyxy[:, 2:]).any():
            raise ValueError("boxes must be finite x1, y1, x2, y2 with x1 <= x2 and y1 <= y2")
        if not ((scores >= 0) & (scores <= 1)).all():
            raise ValueError(f"scores must be in [0, 1], got {scores.min()} to {scores.max()}")
        confidences = scores if self.confidences is None else self.confidences
        margins = np.full(n, np.nan) if self.margins is None else self.margins
        object.__setattr__(self, "xyxy", xyxy)
        object.__setattr__(self, "category_ids", category_ids)
        object.__setattr__(self, "scores", scores)
        for name, values in (("confidences", confidences), ("margins", margins)):
            given = np.asarray(values, dtype=np.float32)
            known = given[~np.isnan(given)] if name == "margins" else given
            if given.shape != (n,) or not ((known >= 0) & (known <= 1)).all():
                raise ValueError(f"{name} must be {n} in [0, 1], a box one, got {values}")
            object.__setattr__(self, name, given)

    @classmethod
    def empty(cls) -> Boxes:
        return cls(np.zeros((0, 4)), np.zeros(0), np.zeros(0))

    @classmethod
    def concatenate(cls, parts: Sequence[Boxes]) -> Boxes:
        if not parts:
            return cls.empty()
        return cls(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)))

    def __len__(self) -> int:
        return len(self.xyxy)

    def __getitem__(self, index: slice | np.ndarray) -> Boxes:
        """Some of the boxes, by slice, mask or array of positions."""
        return Boxes(*(getattr(self, f.name)[index] for f in fields(self)))

    def sorted(self) -> Boxes:
        """The surest first; equal scores keep their order."""
        return self[np.argsort(-self.scores, kind="stable")]

    def clipped(self, height: int, width: int) -> Boxes:
        """Cut off at the image's edges; boxes of which nothing is left go."""
        cut = np.clip(self.xyxy, 0, np.array([width, height, width, height], dtype=np.float32))
        left = (cut[:, 2] > cut[:, 0]) & (cut[:, 3] > cut[:, 1])
        return replace(self, xyxy=cut)[left]


@dataclass(frozen=True, eq=False)
class ThingMasks:
    """N things with a mask each, for detectors that segment as well.

    ``boxes`` as ever; ``logits`` float32 (N, h, w), above zero where the thing is, stretched over
    the whole image whatever its proportions. Raises ``ValueError`` where these don't fit.
    """

    boxes: Boxes
    logits: np.ndarray

    def __post_init__(self) -> None:
        logits = np.asarray(self.logits, dtype=np.float32)
        if logits.ndim != 3 or len(logits) != len(self.boxes) or 0 in logits.shape[1:]:
            raise ValueError(
                f"expected a mask (h, w) for each of {len(self.boxes)} boxes, got {logits.shape}"
            )
        object.__setattr__(self, "logits", logits)

    @classmethod
    def empty(cls) -> ThingMasks:
        return cls(Boxes.empty(), np.zeros((0, 1, 1)))

    def __len__(self) -> int:
        return len(self.boxes)


@dataclass(frozen=True, eq=False)
class Heatmaps:
    """How likely each of K stuff categories is at each pixel.

    ``probabilities`` float32 (K, H, W) in [0, 1], independent of each other (they don't add up to
    one); ``category_ids`` int64 (K,), each once. Raises ``ValueError`` for anything else.
    """

    probabilities: np.ndarray
    category_ids: np.ndarray

    def __post_init__(self) -> None:
        probabilities = np.asarray(self.probabilities, dtype=np.float32)
        category_ids = np.asarray(self.category_ids, dtype=np.int64)
        if probabilities.ndim != 3 or category_ids.shape != (len(probabilities),):
            raise ValueError(
                "expected probabilities (K, H, W) and category_ids (K,), "
                f"got {probabilities.shape} and {category_ids.shape}"
            )
        if len(set(category_ids.tolist())) < len(category_ids):
            raise ValueError(f"a category has two heatmaps: {category_ids.tolist()}")
        # One look at the extremes instead of masks as large as the heatmaps; NaN fails it too.
        if probabilities.size and not (probabilities.min() >= 0 and probabilities.max() <= 1):
            raise ValueError(
                f"probabilities must be in [0, 1], got {probabilities.min()} "
                f"to {probabilities.max()}"
            )
        object.__setattr__(self, "probabilities", probabilities)
        object.__setattr__(self, "category_ids", category_ids)

    @classmethod
    def empty(cls, height: int, width: int) -> Heatmaps:
        return cls(np.zeros((0, height, width)), np.zeros(0))

    def __len__(self) -> int:
        return len(self.probabilities)


@dataclass(frozen=True)
class ThingSettings:
    """Which of a detector's boxes are kept, and how the words are asked."""

    box_threshold: float = 0.35
    """Least probability of the strongest word of the box's category: the recipe's level."""
    text_threshold: float = 0.25
    """Least score of the category, the mean over the words of its name: the recipe's level. It
    matters for names of several words, of which all should be there."""
    same_category_iou: float = 0.6
    """Of two boxes of one category that overlap more than this, the surer is kept. Detectors of
    the DETR family repeat themselves little, and objects in a crowd overlap much."""
    cross_category_iou: float = 0.8
    """The same across categories: two names for one object give nearly the same box, while a
    rider and the horse rarely do."""
    max_boxes: int = 100
    """The most boxes an image keeps, the surest ones: COCO's evaluation looks at as many."""
    names_per_caption: int | None = None
    """The most names asked in one pass, None for as many as the model's token limit allows. Fewer
    names are told apart better, and take more passes."""

    def __post_init__(self) -> None:
        for name in ("box_threshold", "text_threshold", "same_category_iou", "cross_category_iou"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be in [0, 1], got {getattr(self, name)}")
        if self.max_boxes < 1:
            raise ValueError(f"max_boxes must be 1 or more, got {self.max_boxes}")
        if self.names_per_caption is not None and self.names_per_caption < 1:
            raise ValueError(
                f"names_per_caption must be 1 or more, or None, got {self.names_per_caption}"
            )


@runtime_checkable
class ThingDetector(Protocol):
    """Finds things. Images are RGB uint8 (H, W, 3)."""

    def detect(self, image: np.ndarray, vocabulary: Vocabulary) -> Boxes:
        """Boxes of the vocabulary's things; each has exactly one category of them."""
        ...

    def detect_batch(self, images: Sequence[np.ndarray], vocabulary: Vocabulary) -> list[Boxes]:
        """As ``detect`` for each image, together where that is faster; sizes may differ."""
        ...


@runtime_checkable
class StagedThingDetector(ThingDetector, Protocol):
    """A detector that can be asked again with other thresholds, without another pass."""

    settings: ThingSettings

    def look(self, image: np.ndarray, vocabulary: Vocabulary) -> Any:
        """What the model sees, which depends on no threshold (but on ``names_per_caption``)."""
        ...

    def boxes(self, seen: Any) -> Boxes:
        """What ``detect`` gives of that image, with the settings as they are now."""
        ...


@runtime_checkable
class ThingSegmenter(Protocol):
    """Finds things together with their masks, which then needn't be asked for elsewhere."""

    def segment_batch(
        self, images: Sequence[np.ndarray], vocabulary: Vocabulary
    ) -> list[ThingMasks]:
        """Boxes and masks of the vocabulary's things for each image; sizes may differ."""
        ...


@runtime_checkable
class StuffDetector(Protocol):
    """Finds stuff. Images are RGB uint8 (H, W, 3)."""

    def heatmaps(self, image: np.ndarray, vocabulary: Vocabulary) -> Heatmaps:
        """A heatmap for each of the vocabulary's stuff categories, as large as the image."""
        ...

    def heatmaps_batch(
        self,
        images: Sequence[np.ndarray],
        vocabulary: Vocabulary,
        sizes: Sequence[tuple[int, int]] | None = None,
    ) -> list[Heatmaps]:
        """As ``heatmaps`` for each image, together where that is faster; sizes may differ.

        ``sizes`` are (height, width) of the heatmaps where these needn't be as large as the
        images, which the detector sees as they are in any case.
        """
        ...


def check_image(image: np.ndarray) -> np.ndarray:
    """The image itself; ``ValueError`` unless it is RGB uint8 (H, W, 3) with at least a pixel."""
    if not isinstance(image, np.ndarray):
        raise ValueError(
            f"expected an image as a numpy array (H, W, 3) uint8, got {type(image).__name__}; "
            "np.asarray(picture.convert('RGB')) makes one of a PIL picture"
        )
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise ValueError(
            f"expected an RGB image (H, W, 3) uint8, got {image.shape} {image.dtype}; "
            "convert grey, alpha and 16-bit pictures first"
        )
    return image
