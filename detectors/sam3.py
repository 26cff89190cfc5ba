"""SAM 3 (arXiv 2511.16719) through transformers: boxes and masks of a concept, by its name.

Its weights are gated on the hub, under Meta's "SAM License": accept it there first.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from detectors.base import Boxes, ThingMasks, ThingSettings, check_image, lead
from detectors.checkpoint_parts import check_words, load_tokenizer
from detectors.image_transform import ImageTransform
from detectors.pretrained import TOKENIZING, autocast, load_model
from detectors.suppression import surviving
from prompts.vocabulary import Vocabulary

SETTINGS = ThingSettings(box_threshold=0.5, text_threshold=0.5)
"""The level of Meta's own processor."""


class Sam3:
    """Things and their masks by name: a ``ThingSegmenter``, and a ``ThingDetector``.

    The image goes through the vision tower once for all names, a name through the text tower
    once for all images of a batch. Each name is asked by itself; a thing found under two names
    keeps the surer one (``cross_category_iou`` of the settings). Its score is the query's times
    that of the concept being there at all, and must reach ``box_threshold``; ``text_threshold``
    and ``names_per_caption`` are for models that read captions.

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
        self.settings = settings or SETTINGS
        self.dtype = dtype
        self._limit = model.config.text_config.max_position_embeddings

    @classmethod
    def from_pretrained(
        cls,
        source: str | Path,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
        settings: ThingSettings | None = None,
    ) -> Sam3:
        """Load a checkpoint from a folder or the hub ("facebook/sam3")."""
        from transformers import Sam3Model
        from transformers.image_processing_base import ImageProcessingMixin

        model = load_model(Sam3Model, source, ("sam3", "sam3_video"))
        tokenizer = load_tokenizer(source, model.config.text_config.vocab_size)
        # Its class in transformers can't be made without torchvision; its file can be read.
        fields, _ = ImageProcessingMixin.get_image_processor_dict(source)
        transform = ImageTransform.from_fields(fields, str(source))
        return cls(model.to(device), tokenizer, transform, settings, dtype)

    @property
    def device(self) -> torch.device:
        return self.model.device

    def detect(self, image: np.ndarray, vocabulary: Vocabulary) -> Boxes:
        """The boxes alone, as every ``ThingDetector`` gives them."""
        return self.detect_batch([image], vocabulary)[0]

    def detect_batch(self, images: Sequence[np.ndarray], vocabulary: Vocabulary) -> list[Boxes]:
        """As ``detect`` for each image."""
        return [found.boxes for found in self.segment_batch(images, vocabulary)]

    @torch.inference_mode()
    def segment_batch(
        self, images: Sequence[np.ndarray], vocabulary: Vocabulary
    ) -> list[ThingMasks]:
        """Boxes and masks of the vocabulary's things in RGB uint8 images (H, W, 3).

        Raises ``ValueError`` for other images, and for names longer than the model reads.
        """
        for image in images:
            check_image(image)
        if not vocabulary.things:
            return [ThingMasks.empty()] * len(images)
        with TOKENIZING:
            check_words(self.tokenizer, vocabulary.things)
        with autocast(self.device, self.dtype):
            asked = [
                (category.id, *self._embed(phrase))
                for category in vocabulary.things
                for phrase in category.phrases
            ]
            return [self._segment(image, asked) for image in images]

    def _segment(self, image: np.ndarray, asked: Sequence[tuple[int, Any, Any]]) -> ThingMasks:
        seen = self.model.get_vision_features(self.transform(image)[None].to(self.device))
        height, width = image.shape[:2]
        extent = np.array([width, height, width, height], dtype=np.float32)
        boxes, masks = [], []
        for category_id, text, mask in asked:
            output = self.model(vision_embeds=seen, text_embeds=text, attention_mask=mask)
            logits = output.pred_logits[0].float()
            scores = (logits.sigmoid() * output.presence_logits[0].float().sigmoid()).cpu().numpy()
            if np.isnan(scores).any():
                raise RuntimeError(
                    f"SAM 3 computed numbers that aren't finite in {self.dtype}; "
                    "use float32 or bfloat16"
                )
            xyxy = output.pred_boxes[0].float().clamp(0, 1).cpu().numpy() * extent
            sides = xyxy[:, 2:] - xyxy[:, :2]
            kept = np.flatnonzero((scores >= self.settings.box_threshold) & (sides > 0).all(axis=1))
            sure = lead(scores[kept], SETTINGS.box_threshold)
            boxes.append(Boxes(xyxy[kept], np.full(len(kept), category_id), scores[kept], sure))
            masks.append(output.pred_masks[0, torch.as_tensor(kept)].float().cpu().numpy())
        together = Boxes.concatenate(boxes)
        left = surviving(together, self.settings)
        return ThingMasks(together[left], np.concatenate(masks)[left])

    def _embed(self, phrase: str) -> tuple[Any, torch.Tensor]:
        """A name's text features, and which of its tokens are padding."""
        with TOKENIZING:
            length = len(self.tokenizer(phrase)["input_ids"])
            tokens = self.tokenizer(
                phrase,
                padding="max_length",
                max_length=self._limit,
                return_tensors="pt",
                return_attention_mask=True,
            ).to(self.device)
        if length > self._limit:
            raise ValueError(
                f"{phrase!r} takes {length} tokens, but SAM 3 reads {self._limit}; "
                "use a shorter name"
            )
        ids, mask = tokens["input_ids"], tokens["attention_mask"]
        return self.model.get_text_features(input_ids=ids, attention_mask=mask), mask
