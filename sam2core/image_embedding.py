"""ImageEmbedding: what the model sees of images."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class ImageEmbedding:
    """What the model sees of B images.

    ``features`` (B, dim, S/16, S/16); ``fine`` maps of strides 4 and 8, projected for the mask
    decoder: (B, dim/8, S/4, S/4) and (B, dim/4, S/8, S/8). Indexing takes images, so
    ``embedding[torch.tensor([0, 0, 1])]`` gives two prompts the first image and one the second.
    """

    features: Tensor
    fine: tuple[Tensor, Tensor]

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, index: slice | Tensor) -> ImageEmbedding:
        return ImageEmbedding(self.features[index], (self.fine[0][index], self.fine[1][index]))
