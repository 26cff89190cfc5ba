"""Sam2: the model itself, without state. Four verbs: encode_image, recall, segment, remember."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from sam2core.config import Sam2Config
from sam2core.cuda_graphs import CudaGraphs, Found
from sam2core.image_embedding import ImageEmbedding
from sam2core.image_encoder import ImageEncoder
from sam2core.kept_keys import KeptKeys
from sam2core.layers import resize
from sam2core.mask_decoder import (
    ABSENT_LOGIT,
    MaskDecoder,
    MaskPrediction,
    multimask,
    single_mask,
)
from sam2core.memory import Memory, Selection
from sam2core.memory_attention import MemoryAttention
from sam2core.memory_encoder import MemoryEncoder
from sam2core.memory_tokens import FoldedMemories, MemoryBatch, MemoryTokens
from sam2core.merged_frame import MergedFrame, merged_frame
from sam2core.pooled_memory import pooled_count
from sam2core.position import sine_time
from sam2core.prompt_encoder import Prompt, PromptEncoder

MASK_SCALE, MASK_BIAS = 20.0, -10.0
"""A mask in [0, 1] enters the memory encoder, and leaves as logits, on the scale of -10 to 10."""
GRAPHED_ROWS, GRAPHED_OBJECTS = 16, 4
"""Up to so many images or objects are a frame's kernels worth starting together, and of objects
those of memory attention, which is given most."""


class Sam2(nn.Module):
    """Segment Anything 2 (arXiv 2408.00714), images and video.

    A frame of a video, for one object or for N at once, is::

        embedding = model.encode_image(pixels)
        conditioned = model.recall(embedding, [bank.select(t) for bank in banks])
        prediction = model.segment(conditioned, prompt)
        features = model.remember(embedding, prediction.logits, prediction.presence)

    ``compute_dtype`` is what the verbs compute in, by autocast; the weights stay as they are,
    because casting them to half precision visibly degrades masks.
    """

    def __init__(self, config: Sam2Config) -> None:
        super().__init__()
        self.config = config
        self.compute_dtype = torch.float32
        self.graphs = CudaGraphs()
        """On CUDA, kernels of small batches are recorded once and started together;
        ``model.graphs.enabled = False`` switches it off (to see them one by one, or for hooks)."""
        self.image_encoder = ImageEncoder(config)
        self.prompt_encoder = PromptEncoder(config)
        self.mask_decoder = MaskDecoder(config)
        self.no_memory = nn.Parameter(torch.zeros(1, config.dim))
        """Added to a frame that has nothing to recall, as every picture by itself."""
        if not config.tracks:
            return
        self.memory_attention = MemoryAttention(config)
        self.memory_encoder = MemoryEncoder(config)
        self.mask_to_logits = nn.Conv2d(1, 1, kernel_size=4, stride=4)
        """From a mask prompt to the scale of logits, for the pointer of a prompted mask."""
        self.memory_time = nn.Parameter(torch.zeros(config.num_memories, config.memory_dim))
        """Row i: recent memory of age i + 1; the last row: prompted memories."""
        self.no_memory_position = nn.Parameter(torch.zeros(1, config.dim))
        self.no_pointer = nn.Parameter(torch.zeros(1, config.dim))
        if config.version.occlusion_embedding:
            self.absent = nn.Parameter(torch.zeros(1, config.memory_dim))
        if config.version.pointer_time:
            self.pointer_time = nn.Linear(config.dim, config.memory_dim)

    @property
    def device(self) -> torch.device:
        return self.no_memory.device

    def _apply(self, *given: Any, **options: Any) -> Any:
        self.graphs.forget()  # which know where weights lie
        return super()._apply(*given, **options)

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> Any:
        self.graphs.forget()
        return super().load_state_dict(state_dict, strict, assign)

    def require_memory(self) -> None:
        """Raise ``ValueError`` for a model that was made for images alone."""
        if not self.config.tracks:
            raise ValueError(
                "this SAM 2 has no memory (its config.json is of model_type 'sam2', for images "
                "alone), so it can't follow anything through a video; load one of model_type "
                "'sam2_video' or Meta's .pt file"
            )

    def _computing(self) -> contextlib.AbstractContextManager:
        if self.compute_dtype == torch.float32:
            return contextlib.nullcontext()  # the caller's own autocast, if any, stays in force
        return torch.autocast(self.device.type, self.compute_dtype)

    def encode_image(self, pixels: Tensor) -> ImageEmbedding:
        """Normalised pixels (B, 3, S, S), see :mod:`sam2core.transforms`, to an embedding."""
        size = self.config.image_size
        if pixels.ndim != 4 or tuple(pixels.shape[1:]) != (3, size, size):
            raise ValueError(f"pixels must be (B, 3, {size}, {size}), got {tuple(pixels.shape)}")
        with self._computing():
            positions = self.image_encoder.positions(pixels)
            features, *fine = self.run_recorded(self._encode, pixels, positions)
        return ImageEmbedding(features, (fine[0], fine[1]))

    def _encode(self, pixels: Tensor, positions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        # The decoder's projections run once an image instead of once a prompt.
        skips = self.mask_decoder.skip4, self.mask_decoder.skip8
        stride4, stride8, features = self.image_encoder(pixels, skips, positions)
        return features, stride4, stride8

    def run_recorded(self, compute: Callable[..., Found], *given: Tensor | None) -> Found:
        """``compute(*given)``, recorded where there are few rows."""
        if any(each is not None and len(each) > GRAPHED_ROWS for each in given):
            return compute(*given)
        return self.graphs.run(compute, *given)

    def recall(
        self,
        embedding: ImageEmbedding,
        selections: Sequence[Selection] = (),
        kept: KeptKeys | None = None,
        pooled: bool = False,
    ) -> ImageEmbedding:
        """Condition a frame on memories of N objects; without any, mark it as having none.

        All selections must have the same ``extent``. ``embedding`` is of one image, or of N.
        The result has N rows of features; its fine maps are those of ``embedding``. What depends on
        memories alone is taken from ``kept`` and kept there, if it is given. With ``pooled``,
        memories are of fewer tokens (:mod:`~sam2core.pooled_memory`).
        """
        if not selections:
            no_memory = self.no_memory[..., None, None].to(embedding.features.dtype)
            return ImageEmbedding(embedding.features + no_memory, embedding.fine)
        self.require_memory()
        first = selections[0]
        if any(s.extent != first.extent for s in selections):
            raise ValueError(
                "objects of different memory extent can't be recalled as one batch; group them "
                "by Selection.extent"
            )
        with self._computing():
            memory = self._memory_tokens(
                embedding.features, selections, KeptKeys() if kept is None else kept, pooled
            )
            merged = merged_frame(embedding.features, selections) if pooled else None
            features = self._attend(embedding.features, self.memory_attention.seen(memory), merged)
        return ImageEmbedding(features, embedding.fine)

    def _attend(
        self,
        features: Tensor,
        seen: Iterator[MemoryBatch | FoldedMemories],
        merged: MergedFrame | None,
    ) -> Tensor:
        first = next(seen)
        every = itertools.chain([first], seen)
        if isinstance(first, FoldedMemories) or len(first.keys) > GRAPHED_OBJECTS:
            return self.memory_attention.through(features, every, merged)
        tensors = [t for each in every if isinstance(each, MemoryBatch) for t in each.tensors()]
        if merged is None:
            return self.run_recorded(self._attend_to, features, *tensors)
        attend = partial(self._attend_to_merged, merged.merged, merged.side)
        return self.run_recorded(attend, features, merged.places, *tensors)

    def _attend_to(self, features: Tensor, *seen: Tensor | None) -> Tensor:
        return self.memory_attention.through(features, MemoryBatch.all_of(seen))

    def _attend_to_merged(
        self, count: int, side: int, features: Tensor, places: Tensor, *seen: Tensor | None
    ) -> Tensor:
        merged = MergedFrame(places, count, side)
        return self.memory_attention.through(features, MemoryBatch.all_of(seen), merged)

    def _memory_tokens(
        self, image: Tensor, selections: Sequence[Selection], kept: KeptKeys, pooled: bool = False
    ) -> MemoryTokens:
        """What is remembered, for a frame of the features ``image``."""
        device, side, attention = image.device, image.shape[-1], self.memory_attention
        autocast = torch.is_autocast_enabled(device.type)
        like = image.new_empty(
            0, dtype=torch.get_autocast_dtype(device.type) if autocast else image.dtype
        )
        timed = kept.timed(like, lambda: attention.time(self.memory_time, side, like.dtype, pooled))
        spatial = [[_features(memory).to(device) for memory, _ in s.spatial] for s in selections]
        every = [features for row in spatial for features in row]
        found = kept.of(
            every, like, lambda rows: attention.project(rows, side, like, pooled, self.run_recorded)
        )
        projected = iter(found)
        made = [[next(projected) for _ in row] for row in spatial]
        # Age 0, prompted, is the last row: it has no direction in time.
        rows = self.config.num_memories
        pointers = torch.stack(
            [
                torch.stack([memory.pointer.to(device) for memory, _ in s.pointers])
                if s.pointers
                else self.no_pointer[:0]
                for s in selections
            ]
        ).to(image.dtype)
        return MemoryTokens(
            [
                [
                    each if known.tokens is None else known.tokens
                    for each, known in zip(*both, strict=True)
                ]
                for both in zip(spatial, made, strict=True)
            ],
            made,
            [[(age - 1) % rows for _, age in s.spatial] for s in selections],
            timed,
            pointers,
            self._pointer_times(selections, device),
            pooled_count(side) if pooled else 0,
        )

    def _pointer_times(self, selections: Sequence[Selection], device: torch.device) -> Tensor:
        """Encodings (N, P, memory_dim) of the distances of pointers."""
        distances = torch.tensor([[d for _, d in s.pointers] for s in selections], device=device)
        if not (self.config.version.pointer_time and distances.numel()):
            return self.no_memory.new_zeros(*distances.shape, self.config.memory_dim)
        encoded = sine_time(distances.float() / selections[0].pointer_scale, self.config.dim)
        return self.pointer_time(encoded.to(self.no_pointer.dtype))

    def segment(
        self,
        embedding: ImageEmbedding,
        prompt: Prompt,
        multimask_output: bool = False,
        dynamic: bool = True,
    ) -> MaskPrediction:
        """Masks for N prompts on a conditioned embedding of one image or of N.

        Gives three masks a prompt with ``multimask_output`` and else one, which ``dynamic``
        replaces by the best of the three where it is unstable.
        """
        with self._computing():
            tokens, visible, dense = self.prompt_encoder(prompt)
            found = self.run_recorded(
                self._decode, embedding.features, *embedding.fine, tokens, visible, dense
            )
        every = MaskPrediction(*found)
        return multimask(every) if multimask_output else single_mask(every, dynamic)

    def _decode(
        self,
        features: Tensor,
        stride4: Tensor,
        stride8: Tensor,
        tokens: Tensor,
        visible: Tensor | None,
        dense: Tensor,
    ) -> tuple[Tensor, ...]:
        position = self.prompt_encoder.position.grid(*features.shape[-2:])
        fine = stride4, stride8
        found = self.mask_decoder(features, fine, position, tokens, visible, dense)
        return tuple(t.float() for t in (found.logits, found.iou, found.pointer, found.presence))

    def gate(self, prediction: MaskPrediction) -> MaskPrediction:
        """Make the masks and pointers of objects that are not in the picture say so."""
        present = prediction.presence > 0
        return MaskPrediction(
            torch.where(present[..., None, None], prediction.logits, ABSENT_LOGIT),
            prediction.iou,
            torch.where(present[..., None], prediction.pointer, self.no_pointer.float()),
            prediction.presence,
        )

    def adopt(self, embedding: ImageEmbedding, masks: Tensor) -> MaskPrediction:
        """Take masks (N, 1, S, S) of 0 and 1 as the answer, without asking the decoder for it.

        The decoder only gives the pointer for what the mask shows, that of its single-mask token.
        (Meta's code does so; transformers takes the best of three.) An empty mask means that the
        object is not in the picture. ``embedding`` is as encoded, without recall. The logits are
        -10 and 10, at a quarter of the size.
        """
        self.require_memory()
        count, size = len(masks), self.config.image_size
        if masks.ndim != 4 or tuple(masks.shape[1:]) != (1, size, size):
            raise ValueError(f"masks must be (N, 1, {size}, {size}), got {tuple(masks.shape)}")
        low = self.logits_of(masks)
        empty = Prompt.empty(count, self.device)
        mask_logits = self.mask_to_logits(masks.to(self.no_memory.dtype))
        prompt = Prompt(empty.points, empty.labels, mask_logits)
        answer = self.gate(self.segment(embedding, prompt))
        shown = masks.flatten(1).any(dim=1, keepdim=True)
        pointer = torch.where(shown[..., None], answer.pointer, self.no_pointer.float())
        presence = shown.float() * MASK_SCALE + MASK_BIAS
        return MaskPrediction(low, torch.ones_like(presence), pointer, presence)

    def logits_of(self, masks: Tensor) -> Tensor:
        """Masks (N, 1, S, S) of 0 and 1 as logits (N, 1, S/4, S/4) of -10 and 10."""
        small = self.config.mask_size
        return resize(masks.float() * MASK_SCALE + MASK_BIAS, (small, small), antialias=True)

    def remember(
        self,
        embedding: ImageEmbedding,
        logits: Tensor,
        presence: Tensor,
        binary: bool = False,
    ) -> Tensor:
        """Memory features (N, h*w, memory_dim) of N masks on the unconditioned embedding.

        ``logits`` (N, 1, ., .) are resized to the model's square; ``presence`` is (N, 1). With
        ``binary`` the mask enters as 0 and 1: what a person has confirmed is certain.
        """
        self.require_memory()
        compute = self._remember_given if binary else self._remember_tracked
        with self._computing():
            return self.run_recorded(compute, embedding.features, logits, presence)

    def _remember_given(self, features: Tensor, logits: Tensor, presence: Tensor) -> Tensor:
        return self._remember(features, (self._square(logits) > 0).float(), presence)

    def _remember_tracked(self, features: Tensor, logits: Tensor, presence: Tensor) -> Tensor:
        return self._remember(features, self._square(logits).sigmoid(), presence)

    def _square(self, logits: Tensor) -> Tensor:
        return resize(logits, (self.config.image_size, self.config.image_size))

    def _remember(self, features: Tensor, mask: Tensor, presence: Tensor) -> Tensor:
        found = self.memory_encoder(features, mask * MASK_SCALE + MASK_BIAS)
        if self.config.version.occlusion_embedding:
            absent = (presence <= 0).to(found.dtype)[..., None, None]
            found = found + absent * self.absent[..., None, None].to(found.dtype)
        return found.flatten(2).transpose(1, 2)


def _features(memory: Memory) -> Tensor:
    assert memory.features is not None, "a selected spatial memory has features"
    return memory.features
