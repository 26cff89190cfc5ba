"""CLIPSeg (arXiv 2112.10003) through transformers, for many words at the price of a few."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from detectors.base import Heatmaps, check_image
from detectors.checkpoint_parts import check_words, load_tokenizer
from detectors.image_transform import ImageTransform
from detectors.pretrained import TOKENIZING, autocast, load_model
from prompts.vocabulary import Category, Vocabulary


@dataclass(frozen=True)
class StuffSettings:
    """How words are asked."""

    template: str = "{}"
    """The sentence that a word is put into, such as "a photo of a {}". CLIPSeg was trained with
    several, the bare word among them."""
    words_per_pass: int = 32
    """The most words that go through the decoder together; more take more memory, not less time."""

    def __post_init__(self) -> None:
        if self.template.count("{}") != 1:
            raise ValueError(f"the template must contain {{}} once, got {self.template!r}")
        if self.words_per_pass < 1:
            raise ValueError(f"words_per_pass must be 1 or more, got {self.words_per_pass}")


class ClipSeg:
    """Heatmaps for words: a ``StuffDetector``.

    The image goes through the vision tower once for all words, the words through the text tower
    once for all images; only the small decoder runs for each pair. The outcome is what
    ``CLIPSegForImageSegmentation`` gives word by word. A category with synonyms has at each pixel
    the probability of the likeliest of its words: what any of them names belongs to it.

    ``settings`` can be replaced at any time. ``dtype`` is what is computed in; weights stay in
    float32.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        transform: ImageTransform,
        settings: StuffSettings | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.transform = transform
        self.settings = settings or StuffSettings()
        self.dtype = dtype
        self._embedded: tuple[object, torch.Tensor] | None = None

    @classmethod
    def from_pretrained(
        cls,
        source: str | Path,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
        settings: StuffSettings | None = None,
    ) -> ClipSeg:
        """Load a checkpoint from a folder or the hub ("CIDAS/clipseg-rd64-refined")."""
        from transformers import CLIPSegForImageSegmentation

        model = load_model(CLIPSegForImageSegmentation, source, ("clipseg",))
        # The decoder reads the vision tower up to a layer before its last; the rest is for CLIP.
        encoder = model.clip.vision_model.encoder
        encoder.layers = encoder.layers[: max(model.extract_layers) + 1]
        tokenizer = load_tokenizer(source, model.config.text_config.vocab_size)
        transform = ImageTransform.from_pretrained(str(source))
        return cls(model.to(device), tokenizer, transform, settings, dtype)

    @property
    def device(self) -> torch.device:
        return self.model.device

    def heatmaps(self, image: np.ndarray, vocabulary: Vocabulary) -> Heatmaps:
        """A heatmap for each stuff category, at the size of the RGB uint8 image (H, W, 3).

        Raises ``ValueError`` for other images, and for words that the model doesn't know.
        """
        return self.heatmaps_batch([image], vocabulary)[0]

    @torch.inference_mode()
    def heatmaps_batch(
        self,
        images: Sequence[np.ndarray],
        vocabulary: Vocabulary,
        sizes: Sequence[tuple[int, ...]] | None = None,
    ) -> list[Heatmaps]:
        """As ``heatmaps`` for each image; the vision tower takes all images together.

        ``sizes`` are (height, width) of the heatmaps, by default those of the images.
        """
        own = [check_image(image).shape[:2] for image in images]
        sizes = own if sizes is None else sizes
        if not vocabulary.stuff or not images:
            return [Heatmaps.empty(size[0], size[1]) for size in sizes]
        pixels = torch.stack([self.transform(image) for image in images]).to(self.device)
        with autocast(self.device, self.dtype):
            words = self._embed(vocabulary.stuff)
            # The published checkpoint was pretrained at 224 pixels and is used at 352.
            vision = self.model.clip.vision_model(
                pixels, interpolate_pos_encoding=True, output_hidden_states=True
            )
            # Entry 0 is what goes into the first layer.
            layers = [vision.hidden_states[i + 1] for i in self.model.extract_layers]
            logits = [
                self._decode([layer[i : i + 1] for layer in layers], words)
                for i in range(len(images))
            ]
        return [
            _heatmaps(per_word, vocabulary.stuff, size)
            for per_word, size in zip(logits, sizes, strict=True)
        ]

    def _embed(self, categories: tuple[Category, ...]) -> torch.Tensor:
        """Embeddings (P, D) of all phrases; those of the latest vocabulary are remembered."""
        phrases = tuple(phrase for category in categories for phrase in category.phrases)
        texts = tuple(self.settings.template.format(phrase) for phrase in phrases)
        key = texts, self.dtype
        embedded = self._embedded  # read once: another thread may put its own words there
        if embedded is None or embedded[0] != key:
            with TOKENIZING:
                self._check_known(phrases)
                check_words(self.tokenizer, categories)
                encoded = self.tokenizer(list(texts), padding=True, return_tensors="pt")
            limit = self.model.config.text_config.max_position_embeddings
            if encoded["input_ids"].shape[1] > limit:
                longest = max(texts, key=len)
                raise ValueError(f"{longest!r} is too long for CLIPSeg, which reads {limit} tokens")
            clip = self.model.clip
            text = clip.text_model(
                input_ids=encoded["input_ids"].to(self.device),
                attention_mask=encoded["attention_mask"].to(self.device),
            )
            embedded = self._embedded = key, clip.text_projection(text.pooler_output)
        return embedded[1]

    def _check_known(self, phrases: Sequence[str]) -> None:
        unknown = self.tokenizer.unk_token_id
        # CLIP's own dictionary can spell everything, and uses its end token for "unknown".
        if unknown is None or unknown == self.tokenizer.eos_token_id:
            return
        for phrase in phrases:
            if unknown in self.tokenizer(phrase, add_special_tokens=False)["input_ids"]:
                raise ValueError(
                    f"the stuff model has no word for {phrase!r}; use another word, or a model "
                    "with a larger dictionary"
                )

    def _decode(self, layers: list[torch.Tensor], words: torch.Tensor) -> torch.Tensor:
        """Logits (P, h, w) of one image's activations (1, T, D) for P words."""
        parts = [
            self.model.decoder([layer.expand(len(part), -1, -1) for layer in layers], part).logits
            for part in words.split(self.settings.words_per_pass)
        ]
        return torch.cat(parts).float()


def _heatmaps(
    logits_phw: torch.Tensor, categories: tuple[Category, ...], size: tuple[int, ...]
) -> Heatmaps:
    """The best word's logits for each category, enlarged to the image, as probabilities."""
    height, width = size
    shrinks = height < logits_phw.shape[1] or width < logits_phw.shape[2]
    best = torch.stack(
        [part.amax(dim=0) for part in logits_phw.split([len(c.phrases) for c in categories])]
    )
    probabilities = np.empty((len(categories), height, width), dtype=np.float32)
    if shrinks:
        best = best.cpu()  # Apple's GPU has antialiasing since torch 2.7 only, and this is small
    for target, low in zip(probabilities, best, strict=True):  # one at a time, for the memory
        # Logits, not probabilities, are interpolated: outlines stay where the word is as likely
        # as not.
        resized = functional.interpolate(
            low[None, None], (height, width), mode="bilinear", antialias=shrinks
        )
        target[:] = resized[0, 0].sigmoid().cpu().numpy()
    return Heatmaps(probabilities, np.array([c.id for c in categories]))
