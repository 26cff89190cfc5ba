"""What varies between SAM 2 models: sizes, versions, and the widths of a custom model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Size = Literal["tiny", "small", "base_plus", "large"]
VersionName = Literal["2.0", "2.1"]


@dataclass(frozen=True)
class Version:
    """All that SAM 2.1 changed over SAM 2.0.

    Both changes are about what the memory says of an object besides its picture.
    """

    name: VersionName
    occlusion_embedding: bool
    """Spatial memories of frames where the object is absent are marked by a learned vector."""
    pointer_time: bool
    """Object pointers carry a (signed, projected) sine encoding of their distance in time."""


VERSIONS: dict[str, Version] = {
    "2.0": Version("2.0", occlusion_embedding=False, pointer_time=False),
    "2.1": Version("2.1", occlusion_embedding=True, pointer_time=True),
}


@dataclass(frozen=True)
class Sam2Config:
    """Everything that fixes the shapes and the function of a SAM 2 model.

    The public checkpoints differ in the first six fields and in ``version`` alone
    (:meth:`preset`); the other fields allow smaller models of the same architecture.
    """

    # Hiera (arXiv 2306.00989): four stages, width and heads double from stage to stage.
    embed_dim: int = 96
    num_heads: int = 1
    blocks: tuple[int, int, int, int] = (1, 2, 7, 2)
    global_blocks: tuple[int, ...] = (5, 7, 9)
    """Indices (over all stages) of the blocks that attend globally instead of in windows."""
    window_sizes: tuple[int, int, int, int] = (8, 4, 14, 7)
    position_size: tuple[int, int] = (7, 7)
    """Grid of the learned position embedding, interpolated to the size of the tokens."""
    mlp_ratio: float = 4.0

    version: Version = VERSIONS["2.1"]
    tracks: bool = True
    """Whether the model has a memory. Without (transformers' ``Sam2Model``, as saved by itself) it
    segments images and can't follow anything through a video."""

    image_size: int = 1024
    """Side of the square that every image is resized to; a multiple of 32."""
    dim: int = 256
    """Channels of the image embedding, of prompts and of pointers."""
    decoder_heads: int = 8
    decoder_mlp_dim: int = 2048
    iou_hidden_dim: int = 256
    mask_channels: int = 16
    """Channels between the two convolutions that embed a mask prompt."""

    memory_dim: int = 64
    num_memories: int = 7
    """Temporal embeddings: one for prompted memories, the others for recent ones by age."""
    max_pointers: int = 16
    memory_layers: int = 4
    memory_mlp_dim: int = 2048
    fuser_dim: int = 1024

    def __post_init__(self) -> None:
        if self.image_size <= 0 or self.image_size % 32:
            raise ValueError(
                f"image_size must be a positive multiple of 32 (four Hiera stages of stride 4 "
                f"to 32), got {self.image_size}"
            )
        if self.dim % self.memory_dim:
            raise ValueError(
                f"dim must be a multiple of memory_dim, because an object pointer is split into "
                f"tokens of memory_dim channels; got dim={self.dim}, memory_dim={self.memory_dim}"
            )
        if self.dim % 32 or self.dim % self.decoder_heads:
            raise ValueError(
                f"dim must be a multiple of 32 and of decoder_heads, got dim={self.dim}, "
                f"decoder_heads={self.decoder_heads}"
            )
        pooling = {sum(self.blocks[:stage]) for stage in (1, 2, 3)}
        if pooling & set(self.global_blocks):
            raise ValueError(
                f"a block that pools, the first of stages 2 to 4, must attend in windows (Meta's "
                f"and transformers' models fail otherwise): {sorted(pooling)} pool, "
                f"global_blocks is {self.global_blocks}"
            )
        if self.num_memories < 1 or self.max_pointers < 2:
            raise ValueError(
                f"num_memories must be at least 1 and max_pointers at least 2, got "
                f"{self.num_memories} and {self.max_pointers}"
            )

    @property
    def stage_dims(self) -> tuple[int, int, int, int]:
        d = self.embed_dim
        return d, 2 * d, 4 * d, 8 * d

    @property
    def embedding_size(self) -> int:
        """Side of the image embedding (stride 16)."""
        return self.image_size // 16

    @property
    def mask_size(self) -> int:
        """Side of the mask logits that the decoder gives (stride 4)."""
        return self.image_size // 4

    @classmethod
    def preset(cls, size: Size, version: VersionName = "2.1", image_size: int = 1024) -> Sam2Config:
        """The configuration of a public checkpoint: ``Sam2Config.preset("tiny")``."""
        if size not in _PRESETS:
            raise ValueError(f"size must be one of {sorted(_PRESETS)}, got {size!r}")
        if version not in VERSIONS:
            raise ValueError(f"version must be one of {sorted(VERSIONS)}, got {version!r}")
        return replace(_PRESETS[size], version=VERSIONS[version], image_size=image_size)


_PRESETS: dict[str, Sam2Config] = {
    "tiny": Sam2Config(),
    "small": Sam2Config(blocks=(1, 2, 11, 2), global_blocks=(7, 10, 13)),
    "base_plus": Sam2Config(
        embed_dim=112,
        num_heads=2,
        blocks=(2, 3, 16, 3),
        global_blocks=(12, 16, 20),
        position_size=(14, 14),
    ),
    "large": Sam2Config(
        embed_dim=144,
        num_heads=2,
        blocks=(2, 6, 36, 4),
        global_blocks=(23, 33, 43),
        window_sizes=(8, 4, 16, 8),
    ),
}
