"""Detectors of transformers that score each word by itself: OWLv2 and OmDet-Turbo.

Grounding DINO and MM Grounding DINO read all words in one caption and have their own module. The
families here take words one by one, so a name is scored as a whole and nothing has to be told
apart afterwards. What differs between them is in ``FAMILIES``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
from torch import Tensor

from detectors.base import Boxes, ThingSettings, check_image, lead
from detectors.box_words import margins_of
from detectors.checkpoint_parts import check_words, load_tokenizer
from detectors.image_transform import ImageTransform
from detectors.pretrained import TOKENIZING, autocast, load_model
from detectors.suppression import suppress
from prompts.category import Category
from prompts.vocabulary import Vocabulary

Tokens = dict[str, Tensor]
"""``input_ids`` and ``attention_mask``, (N, T)."""

# Images that go through a model together.
_BATCH = 8


@dataclass(frozen=True)
class Family:
    """What sets one architecture apart.

    ``ask(names, task, images)`` makes the model's text inputs for that many images, of the
    tokens of the P names and of the task sentence; ``read(output)`` gives the boxes (B, Q, 4) as
    cx, cy, w, h in [0, 1], and the logits (B, Q, P).
    """

    ask: Callable[[Tokens, Tokens | None, int], dict[str, Tensor]]
    read: Callable[[Any], tuple[Tensor, Tensor]]
    settings: ThingSettings
    """Its level: what transformers' post-processing of it has as the default."""
    template: str = "{}"
    """The sentence that a name is put into, as its authors do."""
    task: str | None = None
    """A sentence about all names together, where the model reads one."""
    remembers_words: bool = False
    """Whether the model keeps features of earlier words, and drops the oldest: another thread
    would find them gone, so that one picture goes through it at a time."""
    square: bool = False
    """Whether images are padded to a square, on the right and below, and boxes refer to that."""


def _ask_owlv2(names: Tokens, task: Tokens | None, images: int) -> dict[str, Tensor]:
    return {key: tensor.repeat(images, 1) for key, tensor in names.items()}


def _ask_omdet(names: Tokens, task: Tokens | None, images: int) -> dict[str, Tensor]:
    assert task is not None
    inputs = {f"classes_{key}": tensor.repeat(images, 1) for key, tensor in names.items()}
    inputs |= {f"tasks_{key}": tensor.repeat(images, 1) for key, tensor in task.items()}
    return inputs | {"classes_structure": torch.full((images,), len(names["input_ids"]))}


FAMILIES: dict[str, Family] = {
    "owlv2": Family(
        _ask_owlv2,
        lambda output: (output.pred_boxes, output.logits),
        ThingSettings(box_threshold=0.1, text_threshold=0.1),
        template="a photo of a {}",
        square=True,
    ),
    "omdet-turbo": Family(
        _ask_omdet,
        lambda output: (output.decoder_coord_logits, output.decoder_class_logits),
        ThingSettings(box_threshold=0.3, text_threshold=0.3),
        task="Detect {}.",
        remembers_words=True,
    ),
}


@dataclass(frozen=True, eq=False)
class Seen:
    """What the model said of an image of ``size`` (height, width): boxes (Q, 4), and the logits
    (Q, P) of the P phrases of the ``things``."""

    size: tuple[int, ...]
    things: tuple[Category, ...]
    centers: np.ndarray
    logits: np.ndarray


class ZeroShotDetector:
    """Boxes for words: a ``ThingDetector``.

    A category scores as the best of its name and synonyms, a box's category is the one that
    scores highest, and its score must reach the settings' ``box_threshold``; their
    ``text_threshold`` and ``names_per_caption`` are for models that read captions.

    ``settings`` can be replaced at any time. ``dtype`` is what is computed in; weights stay in
    float32.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        transform: ImageTransform,
        settings: ThingSettings | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.transform = transform
        self.family = FAMILIES[model.config.model_type]
        self.settings = settings or self.family.settings
        self.dtype = dtype
        self._alone: AbstractContextManager[Any] = (
            Lock() if self.family.remembers_words else nullcontext()
        )
        self._limit = model.config.text_config.max_position_embeddings

    @classmethod
    def from_pretrained(
        cls,
        source: str | Path,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
        settings: ThingSettings | None = None,
    ) -> ZeroShotDetector:
        """Load a checkpoint from a folder or the hub: "google/owlv2-base-patch16-ensemble",
        "omlab/omdet-turbo-swin-tiny-hf" (whose backbone needs the package timm)."""
        from transformers import AutoModelForZeroShotObjectDetection

        model = load_model(AutoModelForZeroShotObjectDetection, source, tuple(FAMILIES))
        tokenizer = load_tokenizer(source, model.config.text_config.vocab_size)
        transform = ImageTransform.from_pretrained(str(source))
        return cls(model.to(device), tokenizer, transform, settings, dtype)

    @property
    def device(self) -> torch.device:
        return self.model.device

    def detect(self, image: np.ndarray, vocabulary: Vocabulary) -> Boxes:
        """Boxes of the vocabulary's things in an RGB uint8 image (H, W, 3).

        Raises ``ValueError`` for other images, and for names longer than the model reads.
        """
        return self.detect_batch([image], vocabulary)[0]

    def detect_batch(self, images: Sequence[np.ndarray], vocabulary: Vocabulary) -> list[Boxes]:
        """As ``detect`` for each image; a few go through the model together."""
        return [self.boxes(seen) for seen in self.look_batch(images, vocabulary)]

    def look(self, image: np.ndarray, vocabulary: Vocabulary) -> Seen:
        """What the model sees in an image, whatever the thresholds: see ``StagedThingDetector``."""
        return self.look_batch([image], vocabulary)[0]

    def look_batch(self, images: Sequence[np.ndarray], vocabulary: Vocabulary) -> list[Seen]:
        for image in images:
            check_image(image)
        things = vocabulary.things
        if not things:
            return [Seen(image.shape[:2], (), *np.zeros((2, 0, 4))) for image in images]
        found: list[Seen] = []
        for start in range(0, len(images), _BATCH):
            found += self._look(images[start : start + _BATCH], things)
        return found

    @torch.inference_mode()
    def _look(self, images: Sequence[np.ndarray], things: Sequence[Category]) -> list[Seen]:
        phrases = [phrase for category in things for phrase in category.phrases]
        square = self.family.square
        pixels = torch.stack([self.transform(_square(i) if square else i) for i in images])
        with TOKENIZING:
            check_words(self.tokenizer, things)
            asked = self.family.ask(self._names(phrases), self._task(phrases), len(images))
        inputs = {name: tensor.to(self.device) for name, tensor in asked.items()}
        with self._alone, autocast(self.device, self.dtype):
            output = self.model(pixel_values=pixels.to(self.device), **inputs)
        centers, logits = (part.float().cpu().numpy() for part in self.family.read(output))
        if np.isnan(logits).any() or np.isnan(centers).any():
            raise RuntimeError(
                f"the detector computed numbers that aren't finite in {self.dtype}; "
                "use float32 or bfloat16"
            )
        return [
            Seen(image.shape[:2], tuple(things), c, x)
            for c, x, image in zip(centers, logits, images, strict=True)
        ]

    def boxes(self, seen: Seen) -> Boxes:
        """The boxes that pass the settings as they are now."""
        things, centers, logits, size = seen.things, seen.centers, seen.logits, seen.size
        if not things:
            return Boxes.empty()
        starts = np.cumsum([0, *(len(category.phrases) for category in things[:-1])])
        by_category = np.maximum.reduceat(logits, starts, axis=1)
        best = by_category.argmax(axis=1)
        by_category = 1 / (1 + np.exp(-by_category.astype(np.float64)))
        scores = by_category[np.arange(len(best)), best]
        kept = scores >= self.settings.box_threshold
        height, width = size
        extent = [max(size)] * 4 if self.family.square else [width, height] * 2
        middle, half = centers[kept, :2], centers[kept, 2:] / 2
        xyxy = np.concatenate([middle - half, middle + half], axis=1) * np.array(extent)
        ids = np.array([category.id for category in things])[best[kept]]
        boxes = Boxes(
            *(xyxy, ids, scores[kept]),
            confidences=lead(scores[kept], self.family.settings.box_threshold),
            margins=margins_of(by_category[kept]),
        )
        return suppress(boxes.clipped(height, width), self.settings)

    def _names(self, phrases: list[str]) -> Tokens:
        texts = [self.family.template.format(phrase) for phrase in phrases]
        for phrase, ids in zip(phrases, self.tokenizer(texts)["input_ids"], strict=True):
            if len(ids) > self._limit:
                raise ValueError(
                    f"{phrase!r} takes {len(ids)} tokens, but this model reads {self._limit}; "
                    "use a shorter name"
                )
        return self._tokens(texts)

    def _task(self, phrases: list[str]) -> Tokens | None:
        """The task sentence, cut off where the model stops reading.

        It has the names in alphabetical order: it shouldn't matter in which they are asked.
        """
        if self.family.task is None:
            return None
        return self._tokens([self.family.task.format(", ".join(sorted(phrases)))])

    def _tokens(self, texts: list[str]) -> Tokens:
        tokens = self.tokenizer(
            texts,
            padding="max_length",
            truncation=True,
            max_length=self._limit,
            return_tensors="pt",
            return_attention_mask=True,
        )
        return {key: tokens[key] for key in ("input_ids", "attention_mask")}


def _square(image: np.ndarray) -> np.ndarray:
    """Padded with black on the right or below."""
    height, width = image.shape[:2]
    side = max(height, width)
    return np.pad(image, ((0, side - height), (0, side - width), (0, 0)))
