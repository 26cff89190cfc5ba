"""The frame that a tracker has at hand: which one it is, and its embedding."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from sam2core.arrays import as_id
from sam2core.errors import PromptError
from sam2core.frame_pixels import to_device
from sam2core.frames import FrameSource, open_frames
from sam2core.image_embedding import ImageEmbedding
from sam2core.looks import look_of, overview_of
from sam2core.model import Sam2
from sam2core.transforms import Picture, as_rgb, to_pixels


class FrameAtHand:
    """One frame of a stream, or any of ``frames`` (what :func:`~sam2core.frames.open_frames`
    takes), encoded when it is needed."""

    def __init__(self, model: Sam2, frames: Any = None) -> None:
        self.model = model
        self.frames: FrameSource | None = None if frames is None else open_frames(frames)
        self._index = -1
        self._size = (0, 0)
        self._embedding: ImageEmbedding | None = None

    @property
    def frame_index(self) -> int:
        """Index of the frame at hand; -1 before the first one."""
        return self._index

    @torch.inference_mode()
    def look_again(self, frame: Picture) -> None:
        """Have the latest frame of a stream at hand, to prompt objects in it after
        ``load_state``. It must be that very frame; it is not tracked once more."""
        rgb = as_rgb(frame)
        if self._index < 0 or rgb.shape[:2] != self._size:
            found = f"got one of size {rgb.shape[:2]}"
            raise PromptError(f"the latest frame is {self._index}, of size {self._size}, {found}")
        if self._embedding is None:
            self._take(self._index, self._size, to_pixels(rgb, self.model.config.image_size))

    @torch.inference_mode()
    def describe(self, mask: Any) -> np.ndarray:
        """What a mask (H, W) of the frame at hand shows: see :mod:`sam2core.looks`."""
        return look_of(self._look_at(None), mask, self._size)

    def overview(self) -> np.ndarray:
        """What the frame at hand shows where, as coarse image features (C, G, G)."""
        return overview_of(self._look_at(None))

    def _look_at(self, frame_index: int | None) -> ImageEmbedding:
        """The embedding of a frame, which becomes the one at hand."""
        index = self._index if frame_index is None else as_id(frame_index, "frame_index")
        if index == self._index and self._embedding is not None:
            return self._embedding
        if index < 0 or (index == self._index and self.frames is None):
            raise PromptError(
                "there is no frame at hand yet: give frame_index (with frames), or step first; "
                "after load_state, look_again at the latest frame"
            )
        if self.frames is None:
            raise PromptError(
                f"frame {index} is not the one at hand ({self._index}): a tracker without "
                f"frames can't go back to it"
            )
        return self._take(index, *self._read(index))

    def _read(self, index: int) -> tuple[tuple[int, ...], Tensor]:
        """The (height, width) of one of ``frames``, and its pixels (1, 3, S, S)."""
        assert self.frames is not None
        if not 0 <= index < len(self.frames):
            raise PromptError(f"frame_index must be in 0 to {len(self.frames) - 1}, got {index}")
        rgb = as_rgb(self.frames[index])
        return rgb.shape[:2], to_pixels(rgb, self.model.config.image_size)

    def _take(self, index: int, size: tuple[int, ...], pixels: Tensor) -> ImageEmbedding:
        """Have another frame at hand."""
        self._embedding = self.model.encode_image(to_device(pixels, self.model.device))
        self._index, self._size = index, (size[0], size[1])
        return self._embedding
