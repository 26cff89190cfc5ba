"""Grounding DINO (arXiv 2303.05499) through transformers, and MM Grounding DINO as well."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from types import MethodType
from typing import Any

import numpy as np
import torch

from detectors.base import Boxes, ThingSettings, check_image
from detectors.box_words import choose
from detectors.checkpoint_parts import check_words, load_tokenizer
from detectors.groundingdino_weights import find_checkpoint, load_original
from detectors.image_transform import ImageTransform, pad_to_tokens
from detectors.pretrained import TOKENIZING, autocast, find_tokenizer, load_model
from detectors.suppression import suppress
from prompts.caption import Caption, captions
from prompts.vocabulary import Vocabulary

# The model keeps names apart by these token ids, which are written into its code: [CLS], [SEP]
# and the full stop of BERT's dictionary.
_SEPARATORS = {"[CLS]": 101, "[SEP]": 102, ".": 1012}


class GroundingDino:
    """Boxes for words: a ``ThingDetector``.

    A box's category is the one whose tokens in the caption score highest
    (``detectors.box_words``). Words that need several captions cost several passes, but the
    image goes through the backbone once.

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
        for token, expected in _SEPARATORS.items():
            if (got := tokenizer.convert_tokens_to_ids(token)) != expected:
                raise ValueError(
                    f"Grounding DINO needs a BERT dictionary in which {token!r} is token "
                    f"{expected}, this tokenizer has it at {got}"
                )
        backbone = model.model.backbone
        backbone.forward = MethodType(_remembering, backbone)
        self.model = model
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
    ) -> GroundingDino:
        """Load a checkpoint from a folder or the hub ("IDEA-Research/grounding-dino-tiny").

        The authors' own checkpoints are read as well: a path that ends in ``.pth``, or
        ``groundingdino_swint_ogc.pth`` from the hub. They lack the tokenizer, which is
        ``bert-base-uncased``: from beside the checkpoint, else from the hub. ``tokenizer`` is a
        folder or hub name to take it from instead.

        Raises ``ValueError`` for other checkpoints and damaged ones.
        """
        from transformers import AutoModelForZeroShotObjectDetection

        if (path := find_checkpoint(source)) is not None:
            original = load_original(path).to(device)
            words = find_tokenizer(tokenizer, path.parent)
            return cls(original, words, ImageTransform.grounding_dino(), settings, dtype)
        model = load_model(
            AutoModelForZeroShotObjectDetection, source, ("grounding-dino", "mm-grounding-dino")
        )
        words = load_tokenizer(tokenizer or source, model.config.text_config.vocab_size)
        transform = ImageTransform.from_pretrained(str(source))
        return cls(model.to(device), words, transform, settings, dtype)

    @property
    def device(self) -> torch.device:
        return self.model.device

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
        asked = self.captions(vocabulary)
        together: dict[tuple[int, int], list[int]] = defaultdict(list)
        for i, image in enumerate(images):
            together[self.transform.size(*check_image(image).shape[:2])].append(i)
        found = [Boxes.empty()] * len(images)
        for group in together.values() if asked else ():
            for i, boxes in zip(
                group, self._detect([images[i] for i in group], asked), strict=True
            ):
                found[i] = boxes
        return found

    @torch.inference_mode()
    def _detect(self, images: list[np.ndarray], asked: Sequence[Caption]) -> list[Boxes]:
        padded = [
            pad_to_tokens(self.transform(image), self.model.config.num_queries, self._strides)
            for image in images
        ]
        pixels = torch.stack([p for p, _ in padded]).to(self.device)
        mask = torch.stack([m for _, m in padded]).to(self.device)
        found: list[list[Boxes]] = [[] for _ in images]
        with _backbone_once(pixels), autocast(self.device, self.dtype):
            for caption in asked:
                ids = torch.tensor(caption.token_ids, device=self.device).repeat(len(images), 1)
                output = self.model(pixel_values=pixels, pixel_mask=mask, input_ids=ids)
                probabilities = output.logits.float().sigmoid().cpu().numpy()
                centers = output.pred_boxes.float().cpu().numpy()
                for i, image in enumerate(images):
                    found[i].append(self._boxes(probabilities[i], centers[i], caption, image))
        return [suppress(Boxes.concatenate(parts), self.settings) for parts in found]

    def _boxes(
        self, probabilities: np.ndarray, centers: np.ndarray, caption: Caption, image: np.ndarray
    ) -> Boxes:
        """Boxes that pass the thresholds; ``centers`` (Q, 4) are cx, cy, w, h in [0, 1]."""
        if np.isnan(probabilities).any() or np.isnan(centers).any():
            raise RuntimeError(
                f"the detector computed numbers that aren't finite in {self.dtype}; "
                "use float32 or bfloat16"
            )
        rows, category_ids, scores = choose(probabilities, caption, self.settings)
        height, width = image.shape[:2]
        middle, half = centers[rows, :2], centers[rows, 2:] / 2
        xyxy = np.concatenate([middle - half, middle + half], axis=1)
        xyxy = xyxy * np.array([width, height, width, height], dtype=np.float32)
        return Boxes(xyxy, category_ids, scores).clipped(height, width)


@dataclass
class _Once:
    """Pixels, and their features once somebody asked for them."""

    pixels: torch.Tensor
    features: tuple[list[Any], list[Any]] | None = None


_ONCE: ContextVar[_Once | None] = ContextVar("features_of_grounding_dino", default=None)


@contextmanager
def _backbone_once(pixels: torch.Tensor) -> Iterator[None]:
    """Within the block, and in this thread, the features of ``pixels`` are computed only once."""
    before = _ONCE.set(_Once(pixels))
    try:
        yield
    finally:
        _ONCE.reset(before)


def _remembering(backbone: torch.nn.Module, image: Any, *mask: torch.Tensor) -> tuple[list, list]:
    """A backbone's ``forward`` that minds ``_backbone_once``: the model takes no features.

    The package's backbone takes pixels and mask as one.
    """
    compute = type(backbone).forward
    once = _ONCE.get()
    if once is None or getattr(image, "tensors", image) is not once.pixels:
        return compute(backbone, image, *mask)
    if once.features is None:
        once.features = compute(backbone, image, *mask)
    features, positions = once.features
    return list(features), list(positions)  # the model appends to them
