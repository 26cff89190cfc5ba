"""Images into a model's input tensor, without torchvision."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image

Fit = Literal["stretch", "square"]


@dataclass(frozen=True)
class ImageTransform:
    """Resize, scale, normalise: the numbers are a checkpoint's own.

    With ``height`` and ``width`` the image is stretched to that size; with ``shortest`` it keeps
    its proportions, its short side becoming ``shortest`` unless the long one would exceed
    ``longest``; with none of them it keeps its size. Values are multiplied by ``scale``, then
    ``mean`` is taken off and what is left divided by ``std``. With ``fit`` "square" the image is
    made square first, with black on the right or below, and smoothed before it is made smaller:
    OWLv2's way.

    transformers' own processors do the same to ordinary pictures, but guess the layout from the
    shape, which goes wrong for images of 1 or 3 pixels' height, and differ in rounding with
    torchvision present.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    height: int | None = None
    width: int | None = None
    shortest: int | None = None
    longest: int | None = None
    resample: int = Image.Resampling.BILINEAR
    scale: float = 1 / 255
    fit: Fit = "stretch"

    def __post_init__(self) -> None:
        if bool(self.height) != bool(self.width) or (self.height and self.shortest):
            raise ValueError(f"expected height and width, or shortest side, got {self}")
        if self.fit == "square" and not self.height:
            raise ValueError(f"an image made square needs a height and width, got {self}")

    @classmethod
    def from_pretrained(cls, source: str) -> ImageTransform:
        """Read the numbers of a checkpoint's image processor (folder, or name on the hub).

        Raises ``ValueError`` for one that asks for what isn't done here.
        """
        from transformers import AutoImageProcessor

        try:
            processor = AutoImageProcessor.from_pretrained(source, backend="pil")
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            text = (str(error).strip().splitlines() or [""])[0]
            raise ValueError(
                f"{source}: its image processor can't be read ({type(error).__name__}: "
                f"{text[:200]}); expected preprocessor_config.json or processor_config.json as "
                "transformers writes it. Copy or download it again"
            ) from error
        return cls.from_fields(processor.to_dict(), source)

    @classmethod
    def grounding_dino(cls) -> ImageTransform:
        """What Grounding DINO was trained with, for checkpoints that don't say."""
        return cls((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), shortest=800, longest=1333)

    @classmethod
    def from_fields(
        cls, fields: Mapping[str, Any], source: str = "the image processor"
    ) -> ImageTransform:
        """From the fields of a processor file (``preprocessor_config.json``) of transformers.

        Every field is honoured, or the file is refused with a ``ValueError`` that names it: a
        picture that is prepared otherwise than in training is seen, and nothing of it is
        recognised.
        """
        left = {key: value for key, value in fields.items() if value is not None}
        kind = str(left.pop("image_processor_type", "")).removesuffix("Fast").removesuffix("Pil")
        if kind not in _KINDS:
            raise ValueError(
                f"{source}: pictures are prepared by {kind or 'an unnamed processor'}, which isn't "
                f"known here; known are {', '.join(_KINDS)}"
            )
        fit = _KINDS[kind]
        for name in _NOTHING_OF_THE_PICTURE:
            left.pop(name, None)
        size, problems = _sides(left.pop("size", None)), []
        sides = size if left.pop("do_resize", True) else {}
        if size is None:
            problems.append(f"size {fields['size']}")
        if not left.pop("do_pad", True) and fit == "square":
            problems.append("do_pad False")
        scale = left.pop("rescale_factor", 1 / 255)
        scale = scale if left.pop("do_rescale", True) else 1.0
        mean, std = left.pop("image_mean", None), left.pop("image_std", None)
        if not left.pop("do_normalize", True):
            mean, std = (0, 0, 0), (1, 1, 1)
        if mean is None or std is None:
            problems.append(f"image_mean {mean}, image_std {std}")
        resample = int(left.pop("resample", Image.Resampling.BILINEAR))
        problems += [
            f"{name} {value}" for name, value in sorted(left.items()) if value is not False
        ]
        if problems:
            raise ValueError(
                f"{source}: its image processor asks for what isn't done here: "
                f"{'; '.join(problems)}. Pictures prepared in another way than in training would "
                "not be recognised"
            )
        assert sides is not None
        return cls(_three(mean), _three(std), resample=resample, scale=scale, fit=fit, **sides)

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width that an image of this size is resized to."""
        if self.height and self.width:
            return self.height, self.width
        if self.shortest is None:
            return height, width
        small, large = min(height, width), max(height, width)
        short: float = self.shortest
        if self.longest is not None and large / small * short > self.longest:
            short = self.longest * small / large
        # Whole pixels as transformers has them: the short side rounded, the long one cut off,
        # nothing done if the short side fits already. Its error, no pixels at all, is not kept.
        rounded = round(short)
        new_small = max(1, rounded)
        new_large = large if rounded == small else int(short * large / small)
        return (new_small, new_large) if height <= width else (new_large, new_small)

    def __call__(self, image: np.ndarray) -> torch.Tensor:
        """RGB uint8 (H, W, 3) to float32 (3, h, w)."""
        if self.fit == "square":
            return self._normalised(self._smoothed_square(image))
        height, width = self.size(*image.shape[:2])
        if (height, width) != image.shape[:2]:
            picture = Image.fromarray(np.ascontiguousarray(image))
            image = np.asarray(picture.resize((width, height), Image.Resampling(self.resample)))
        return self._normalised(torch.tensor(image).to(torch.float32) / (1 / self.scale))

    def _normalised(self, pixels_hwc: torch.Tensor) -> torch.Tensor:
        mean, std = torch.tensor(self.mean), torch.tensor(self.std)
        return ((pixels_hwc - mean) / std).permute(2, 0, 1).contiguous()

    def _smoothed_square(self, image: np.ndarray) -> torch.Tensor:
        """(h, w, 3), as scikit-image's ``resize`` with anti-aliasing does it: a Gaussian as wide
        as the image shrinks, then linear interpolation. transformers' OWLv2 copies that."""
        from scipy import ndimage

        assert self.height
        assert self.width
        side = max(image.shape[:2])
        square = np.zeros((side, side, 3), dtype=np.float32)
        square[: image.shape[0], : image.shape[1]] = image * np.float32(self.scale)
        factors = np.array([side / self.height, side / self.width, 1.0])
        smooth = ndimage.gaussian_filter(square, np.maximum(0, (factors - 1) / 2), mode="mirror")
        resized = ndimage.zoom(smooth, 1 / factors, order=1, mode="mirror", grid_mode=True)
        return torch.from_numpy(np.clip(resized, square.min(), square.max()))


# Image processors of transformers whose pictures are made here, and how they make them fit.
_KINDS: dict[str, Fit] = {
    "ViTImageProcessor": "stretch",
    "ViTFeatureExtractor": "stretch",
    "CLIPImageProcessor": "stretch",
    "DetrImageProcessor": "stretch",
    "DeformableDetrImageProcessor": "stretch",
    "GroundingDinoImageProcessor": "stretch",
    "Sam3ImageProcessor": "stretch",
    "Owlv2ImageProcessor": "square",
}
# Annotations, how arrays are handed over, what belongs to a mask. Images here are RGB already.
# ``crop_size`` and ``pad_size`` count only where ``do_center_crop`` or ``do_pad`` says so, and
# padding to the largest image of a batch does nothing to images of one size.
_NOTHING_OF_THE_PICTURE = (
    *("do_convert_rgb", "do_convert_annotations", "format", "processor_class", "device"),
    *("data_format", "input_data_format", "return_tensors", "disable_grouping", "crop_size"),
    *("default_to_square", "mask_size", "_valid_processor_keys", "feature_extractor_type"),
    *("max_size", "return_segmentation_masks", "masks_path", "annotations", "image_seq_length"),
)


def _sides(size: Any) -> dict[str, int] | None:
    """Our fields of a processor's ``size``; None for what isn't known."""
    if isinstance(size, int):
        return {"height": size, "width": size}
    given = {key: value for key, value in dict(size or {}).items() if value is not None}
    if set(given) == {"height", "width"}:
        return given
    if set(given) == {"shortest_edge", "longest_edge"}:
        return {"shortest": given["shortest_edge"], "longest": given["longest_edge"]}
    if set(given) == {"shortest_edge"}:
        return {"shortest": given["shortest_edge"]}
    return None


def _three(value: Any) -> tuple[float, float, float]:
    numbers = [float(v) for v in (value if isinstance(value, (list, tuple)) else [value] * 3)]
    if len(numbers) != 3:
        raise ValueError(f"expected a number for each of three colours, got {value}")
    return numbers[0], numbers[1], numbers[2]


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
