"""Images into a model's input tensor, without torchvision."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image


@dataclass(frozen=True)
class ImageTransform:
    """Resize, scale to [0, 1], normalise: the numbers are a checkpoint's own.

    With ``height`` and ``width`` the image is stretched to that size; with ``shortest`` and
    ``longest`` it keeps its proportions, its short side becoming ``shortest`` unless the long one
    would exceed ``longest``. transformers' own processors do the same to ordinary pictures, but
    guess the layout from the shape, which goes wrong for images of 1 or 3 pixels' height, and
    differ in rounding with torchvision present.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    height: int | None = None
    width: int | None = None
    shortest: int | None = None
    longest: int | None = None
    resample: int = Image.Resampling.BILINEAR

    def __post_init__(self) -> None:
        if not ((self.height and self.width) or (self.shortest and self.longest)):
            raise ValueError(f"expected height and width, or shortest and longest side, got {self}")

    @classmethod
    def from_pretrained(cls, source: str) -> ImageTransform:
        """Read the numbers of a checkpoint's image processor (folder, or name on the hub)."""
        from transformers import AutoImageProcessor

        return cls.from_processor(AutoImageProcessor.from_pretrained(source, backend="pil"))

    @classmethod
    def grounding_dino(cls) -> ImageTransform:
        """What Grounding DINO was trained with, for checkpoints that don't say."""
        return cls((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), shortest=800, longest=1333)

    @classmethod
    def from_processor(cls, processor: Any) -> ImageTransform:
        """Take the numbers of an image processor of transformers."""
        size = {k: v for k, v in dict(processor.size).items() if v is not None}
        sides = {
            "height": size.get("height"),
            "width": size.get("width"),
            "shortest": size.get("shortest_edge"),
            "longest": size.get("longest_edge"),
        }
        return cls(
            tuple(processor.image_mean), tuple(processor.image_std), **sides,
            resample=int(processor.resample),
        )  # fmt: skip

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width that an image of this size is resized to."""
        if self.height and self.width:
            return self.height, self.width
        assert self.shortest is not None
        assert self.longest is not None
        small, large = min(height, width), max(height, width)
        short: float = self.shortest
        if large / small * short > self.longest:
            short = self.longest * small / large
        # Whole pixels as transformers has them: the short side rounded, the long one cut off,
        # nothing done if the short side fits already. Its error, no pixels at all, is not kept.
        rounded = round(short)
        new_small = max(1, rounded)
        new_large = large if rounded == small else int(short * large / small)
        return (new_small, new_large) if height <= width else (new_large, new_small)

    def __call__(self, image: np.ndarray) -> torch.Tensor:
        """RGB uint8 (H, W, 3) to float32 (3, h, w)."""
        height, width = self.size(*image.shape[:2])
        if (height, width) != image.shape[:2]:
            picture = Image.fromarray(np.ascontiguousarray(image))
            image = np.asarray(picture.resize((width, height), Image.Resampling(self.resample)))
        pixels = torch.tensor(image).permute(2, 0, 1).to(torch.float32) / 255
        mean, std = torch.tensor(self.mean), torch.tensor(self.std)
        return ((pixels - mean[:, None, None]) / std[:, None, None]).contiguous()


def pad_to_tokens(
    pixels: torch.Tensor, tokens: int, strides: tuple[int, ...]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Pad (3, h, w) until feature maps of these strides have so many places together.

    Detectors of the DETR family choose their queries among these places and fail where there
    are fewer, as in a picture of 8000 x 20. Padding goes right and below; returns the pixels and
    a mask int64 (h, w), 1 where there is image.
    """
    height, width = pixels.shape[1:]

    def places(h: int, w: int) -> int:
        return sum(math.ceil(h / s) * math.ceil(w / s) for s in strides)

    new_height, new_width = height, width
    while places(new_height, new_width) < tokens:
        if new_height <= new_width:
            new_height += strides[0]
        else:
            new_width += strides[0]
    mask = torch.zeros((new_height, new_width), dtype=torch.int64)
    mask[:height, :width] = 1
    padding = (0, new_width - width, 0, new_height - height)
    return torch.nn.functional.pad(pixels, padding), mask
