"""Grounding DINO (arXiv 2303.05499) through transformers, and MM Grounding DINO as well."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from detectors.base import Boxes, ThingSettings, check_image, lead
from detectors.box_words import choose
from detectors.checkpoint_parts import check_words, load_tokenizer
from detectors.grounding_dino_steps import GroundingDinoSteps
from detectors.groundingdino_weights import find_checkpoint, load_original
from detectors.image_transform import ImageTransform, pad_to_tokens
from detectors.pretrained import TOKENIZING, autocast, find_tokenizer, load_model
from detectors.suppression import suppress
from prompts.caption import Caption, captions
from prompts.vocabulary import Vocabulary

# The model keeps names apart by these token ids, which are written into its code: [CLS], [SEP]
# and the full stop of BERT's dictionary.
_SEPARATORS = {"[CLS]": 101, "[SEP]": 102, ".": 1012}


LEVEL = ThingSettings().box_threshold
"""The published level, of MM Grounding DINO too: what its scores are compared with."""


@dataclass(frozen=True, eq=False)
class Seen:
    """What the model said of an image of ``size`` (height, width): for each caption the
    probabilities (Q, T) of its tokens and the boxes (Q, 4)."""

    size: tuple[int, ...]
    parts: tuple[tuple[np.ndarray, np.ndarray, Caption], ...]


class GroundingDino:
    """Boxes for words: a ``ThingDetector``.

    A box's category is the one whose tokens in the caption score highest
    (``detectors.box_words``). Words that need several captions cost several passes, but the
    image goes through the backbone once.

    ``settings`` can be replaced at any time. ``dtype`` is what is computed in; weights stay in
    float32.
    """

    _steps_of: Any = GroundingDinoSteps

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        transform: ImageTransform,
        settings: ThingSettings | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        for token, expected in _SEPARATORS.items():
            if (got := tokenizer.convert_tokens_to_ids(token)) != expected:
                raise ValueError(
                    f"Grounding DINO needs a BERT dictionary in which {token!r} is token "
                    f"{expected}, this tokenizer has it at {got}"
                )
        self.model = model
        self._steps = self._steps_of(model)
        self.tokenizer = tokenizer
        self.transform = transform
        self.settings = settings or ThingSettings()
        self.dtype = dtype
        config = model.config
        self._strides = tuple(8 * 2**level for level in range(config.num_feature_levels))
        self._token_limit = min(config.max_text_len, config.text_config.max_position_embeddings)

    @classmethod
    def from_pretrained(
        cls,
        source: str | Path,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
        settings: ThingSettings | None = None,
        *,
        tokenizer: str | Path | None = None,
        quantise: bool = False,
        compile: bool = False,
    ) -> GroundingDino:
        """Load a checkpoint from a folder or the hub ("IDEA-Research/grounding-dino-tiny").

        The authors' own checkpoints are read as well: a path that ends in ``.pth``, or
        ``groundingdino_swint_ogc.pth`` from the hub. They lack the tokenizer, which is
        ``bert-base-uncased``: from beside the checkpoint, else from the hub. ``tokenizer`` is a
        folder or hub name to take it from instead.

        ``quantise`` makes it quicker on CPUs, and less exact: see :meth:`quantise`. ``compile``
        hands it to ``torch.compile``: see :meth:`compile`.

        Raises ``ValueError`` for other checkpoints and damaged ones.
        """
        from transformers import AutoModelForZeroShotObjectDetection

        if quantise and torch.device(device).type != "cpu":
            raise ValueError(
                f"8 bits (quantise) are for CPUs, and the model is to run on {device}: leave it "
                "out there, bfloat16 is quicker; or name the device cpu"
            )
        if (path := find_checkpoint(source)) is not None:
            model = load_original(path)
            words = find_tokenizer(tokenizer, path.parent)
            transform = ImageTransform.grounding_dino()
        else:
            model = load_model(
                AutoModelForZeroShotObjectDetection, source, ("grounding-dino", "mm-grounding-dino")
            )
            words = load_tokenizer(tokenizer or source, model.config.text_config.vocab_size)
            transform = ImageTransform.from_pretrained(str(source))
        detector = cls(model.to(device), words, transform, settings, dtype)
        if quantise:
            detector.quantise()
        if compile:
            detector.compile()
        return detector

    @property
    def device(self) -> torch.device:
        return self.model.device

    def quantise(self) -> None:
        """From now on multiply in 8-bit numbers where most of the work is, on a CPU only: in the
        backbone and in the layers of the encoder that words don't enter.

        Once done it stays. What it saves and what it costs is in docs/performance.md. Raises
        ``ValueError`` for a model that isn't on a CPU.
        """
        self._steps.quantise()

    def compile(self) -> None:
        """From now on run through ``torch.compile``: the first picture of each size takes minutes.

        It is meant for GPUs; on a CPU the compiling isn't worth waiting for (docs/performance.md).
        """
        self._steps.compile()

    def captions(self, vocabulary: Vocabulary) -> tuple[Caption, ...]:
        """The captions that the vocabulary's things are asked with."""
        most = self.settings.names_per_caption
        with TOKENIZING:
            check_words(self.tokenizer, vocabulary.things, unknown_ones=True)
            return captions(vocabulary.things, self.tokenizer, self._token_limit, most)

    def detect(self, image: np.ndarray, vocabulary: Vocabulary) -> Boxes:
        """Boxes of the vocabulary's things in an RGB uint8 image (H, W, 3).

        Raises ``ValueError`` for other images, and for words that the model doesn't know.
        """
        return self.detect_batch([image], vocabulary)[0]

    def detect_batch(self, images: Sequence[np.ndarray], vocabulary: Vocabulary) -> list[Boxes]:
        """As ``detect`` for each image. Images of one input size go through the model together.

        Others don't, as an image's boxes would depend on the padding that its neighbours need.
        """
        return [self.boxes(seen) for seen in self.look_batch(images, vocabulary)]

    def look(self, image: np.ndarray, vocabulary: Vocabulary) -> Seen:
        """What the model sees in an image, whatever the thresholds: see ``StagedThingDetector``."""
        return self.look_batch([image], vocabulary)[0]

    def look_batch(self, images: Sequence[np.ndarray], vocabulary: Vocabulary) -> list[Seen]:
        asked = self.captions(vocabulary)
        together: dict[tuple[int, int], list[int]] = defaultdict(list)
        for i, image in enumerate(images):
            together[self.transform.size(*check_image(image).shape[:2])].append(i)
        found = [Seen(image.shape[:2], ()) for image in images]
        for group in together.values() if asked else ():
            for i, seen in zip(group, self._look([images[i] for i in group], asked), strict=True):
                found[i] = seen
        return found

    def boxes(self, seen: Seen) -> Boxes:
        """The boxes that pass the settings as they are now."""
        parts = [self._boxes(*part, seen.size) for part in seen.parts]
        return suppress(Boxes.concatenate(parts), self.settings)

    @torch.inference_mode()
    def _look(self, images: list[np.ndarray], asked: Sequence[Caption]) -> list[Seen]:
        padded = [
            pad_to_tokens(self.transform(image), self.model.config.num_queries, self._strides)
            for image in images
        ]
        pixels = torch.stack([p for p, _ in padded]).to(self.device)
        mask = torch.stack([m for _, m in padded])
        has_padding = not bool(mask.all())
        found: list[list[tuple[np.ndarray, np.ndarray, Caption]]] = [[] for _ in images]
        with autocast(self.device, self.dtype):
            seen = self._steps.see(pixels, mask.to(self.device), has_padding)
            for caption in asked:
                ids = torch.tensor(caption.token_ids, device=self.device)
                logits, boxes = self._steps.ask(seen, ids)
                probabilities = logits.float().sigmoid().cpu().numpy()
                centers = boxes.float().cpu().numpy()
                if np.isnan(probabilities).any() or np.isnan(centers).any():
                    raise RuntimeError(
                        f"the detector computed numbers that aren't finite in {self.dtype}; "
                        "use float32 or bfloat16"
                    )
                for i in range(len(images)):
                    found[i].append((probabilities[i], centers[i], caption))
        return [
            Seen(image.shape[:2], tuple(parts)) for image, parts in zip(images, found, strict=True)
        ]

    def _boxes(
        self,
        probabilities: np.ndarray,
        centers: np.ndarray,
        caption: Caption,
        size: tuple[int, ...],
    ) -> Boxes:
        """Boxes that pass the thresholds; ``centers`` (Q, 4) are cx, cy, w, h in [0, 1]."""
        rows, category_ids, scores, margins = choose(probabilities, caption, self.settings)
        height, width = size
        middle, half = centers[rows, :2], centers[rows, 2:] / 2
        xyxy = np.concatenate([middle - half, middle + half], axis=1)
        xyxy = xyxy * np.array([width, height, width, height], dtype=np.float32)
        sure = lead(scores, LEVEL)
        return Boxes(xyxy, category_ids, scores, sure, margins).clipped(height, width)
