"""ImageSegmenter: encode a picture once, then ask for as many masks as you like."""

from __future__ import annotations

from collections.abc import Iterator, Sized
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sam2core.errors import PromptError
from sam2core.image_embedding import ImageEmbedding
from sam2core.looks import look_of
from sam2core.mask_decoder import MaskPrediction
from sam2core.model import Sam2
from sam2core.tracker import VideoTracker
from sam2core.tracker_settings import TrackerSettings
from sam2core.transforms import Picture, as_rgb, to_masks, to_pixels, to_prompt


@dataclass(frozen=True)
class ImageMasks:
    """The answer to N prompts, M masks each (M is 3 with ``multimask``, else 1).

    ``logits`` (N, M, h, w), float32, at a quarter of the model's resolution: what
    ``mask_logits`` of a next prompt takes. They are as the model gives them, without a limit;
    the next prompt cuts them to +-32. ``iou`` (N, M) is the model's own estimate of each mask's
    IoU, ``presence`` (N,) the logit of there being such an object. All three are on the model's
    device. ``size`` is the (height, width) of the picture; masks are made at that size when they
    are asked for.
    """

    logits: Tensor
    iou: Tensor
    presence: Tensor
    size: tuple[int, int]

    def __len__(self) -> int:
        return len(self.logits)

    def masks(self) -> np.ndarray:
        """All masks, bool (N, M, H, W)."""
        return np.concatenate([m[None] for m in self] or [np.zeros((0, 1, *self.size), bool)])

    def __iter__(self) -> Iterator[np.ndarray]:
        """Of every prompt its masks, bool (M, H, W): one at a time, for many large ones."""
        for logits in self.logits:
            yield to_masks(logits[None], *self.size)[0].cpu().numpy()

    def best(self) -> ImageMasks:
        """Of every prompt the mask with the highest estimated IoU (M becomes 1)."""
        rows = torch.arange(len(self), device=self.iou.device)[:, None]
        index = self.iou.argmax(dim=1, keepdim=True)
        return ImageMasks(self.logits[rows, index], self.iou[rows, index], self.presence, self.size)

    def stability(self, offset: float = 1.0) -> Tensor:
        """IoU (N, M) of each mask's cut at +offset with its cut at -offset."""
        inside = (self.logits > offset).sum(dim=(-2, -1)).float()
        around = (self.logits > -offset).sum(dim=(-2, -1)).float()
        return torch.where(around > 0, inside / around.clamp(min=1), 0.0)


@dataclass(frozen=True, eq=False)
class EncodedImage:
    """A picture as the model sees it, to be asked for masks: see ``ImageSegmenter.encode``.

    ``size`` is the (height, width) of the picture. Nothing ever writes to it, so several threads
    may ask about it at once.
    """

    embedding: ImageEmbedding
    size: tuple[int, int]


class ImageSegmenter:
    """Masks of pictures from points, boxes and earlier masks.

    ``encode`` looks at a picture, ``segment(..., image=encoded)`` asks about it: so used, one
    segmenter serves any number of pictures and threads. ``set_image`` keeps one picture that
    ``segment`` then asks about by itself, which is for one thread.

    ``prompts_per_batch`` bounds the memory of one pass of the decoder, which takes 24 MB a prompt
    in a model of 1024 pixels in float32: 1.5 GB for 64. It does not change the result.
    """

    def __init__(self, model: Sam2, prompts_per_batch: int = 64) -> None:
        if prompts_per_batch < 1:
            raise ValueError(f"prompts_per_batch must be at least 1, got {prompts_per_batch}")
        self.model = model
        self.prompts_per_batch = prompts_per_batch
        self._image: EncodedImage | None = None

    @torch.inference_mode()
    def encode(self, image: Picture) -> EncodedImage:
        """Encode a picture: an RGB uint8 array or tensor (H, W, 3), a PIL image or a path.

        Raises ``ValueError`` for what is no picture.
        """
        rgb = as_rgb(image)
        pixels = to_pixels(rgb, self.model.config.image_size).to(self.model.device)
        embedding = self.model.recall(self.model.encode_image(pixels))
        return EncodedImage(embedding, (rgb.shape[0], rgb.shape[1]))

    def set_image(self, image: Picture) -> None:
        """Encode a picture, and keep it for ``segment``."""
        self._image = self.encode(image)

    @property
    def mask_size(self) -> int:
        """The side of the logits of answers, which are square."""
        return self.model.config.mask_size

    def tracker(self, settings: TrackerSettings | None = None) -> VideoTracker:
        """A tracker of a stream by the same model."""
        return VideoTracker(self.model, settings=settings)

    def tracker_over(self, frames: Any, settings: TrackerSettings | None = None) -> VideoTracker:
        """A tracker by the same model, of frames that can be gone back to."""
        return VideoTracker(self.model, frames, settings)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the picture that is set."""
        return self._require_image().size

    @torch.inference_mode()
    def segment(
        self,
        points: Any = None,
        labels: Any = None,
        boxes: Any = None,
        mask_logits: Any = None,
        multimask: bool = False,
        *,
        image: EncodedImage | None = None,
    ) -> ImageMasks:
        """Masks for N prompts on ``image``, by default the one that was set, in one batched call.

        ``points`` (N, K, 2), (K, 2) or a ragged list, as (x, y) in pixels, with ``labels`` 1
        (positive, the default) or 0 (negative); ``boxes`` (N, 4) or (4,), xyxy in pixels;
        ``mask_logits`` (N, h, w) or (h, w) from an earlier answer, which are cut to +-32 first.
        They combine: a box with points inside it is one prompt. With ``multimask`` every prompt
        gets three masks, which is for single clicks, whose object may be a part or the whole.
        All of these may be arrays, lists, or tensors on any device.

        Raises ``PromptError`` for prompts that are empty, malformed or outside of the picture.
        """
        image = image or self._require_image()
        if all(given is None or _is_empty(given) for given in (points, boxes, mask_logits)):
            raise PromptError("a prompt needs points, boxes or mask_logits; none was given")
        config = self.model.config
        prompt = to_prompt(*image.size, config.image_size, points, labels, boxes, mask_logits)
        step = self.prompts_per_batch
        answers = [
            self.model.segment(
                image.embedding, prompt[i : i + step].to(self.model.device), multimask
            )
            for i in range(0, len(prompt), step)
        ]
        answer = MaskPrediction.cat(answers)
        return ImageMasks(answer.logits, answer.iou, answer.presence[:, 0], image.size)

    @torch.inference_mode()
    def describe(self, mask: Any, *, image: EncodedImage | None = None) -> np.ndarray:
        """What a mask (H, W) shows of ``image``, by default the one that was set, to be known
        again: a vector of length 1, see :mod:`sam2core.looks`."""
        image = image or self._require_image()
        return look_of(image.embedding, mask, image.size)

    def _require_image(self) -> EncodedImage:
        if self._image is None:
            raise ValueError(
                "no picture is set yet: call set_image(image) first, or give segment one of "
                "encode(...) as image="
            )
        return self._image


def _is_empty(given: Any) -> bool:
    """Whether there is nothing in it. A single number is something, and is refused elsewhere."""
    return isinstance(given, Sized) and getattr(given, "ndim", 1) > 0 and len(given) == 0
