"""AutomaticMasks: segment everything in a picture, without being told what.

A grid of points is asked for three masks each; what the model is sure of, and what keeps its
shape when the threshold moves, is kept, and near copies are dropped. Optionally again on crops,
for small objects. From "Segment Anything" (arXiv 2304.02643), appendix B, with the settings of
Meta's generator for SAM 2. In one rule this differs from it: masks are compared by their pixels,
not by their boxes, so that a ring and what it encloses both stay, and one speck more doesn't make
a copy another mask (measured by ``python -m benchmarks.parity.automatic``).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sam2core.contracts import Segmenter
from sam2core.image_segmenter import ImageMasks
from sam2core.layers import resize
from sam2core.patches import Patch, suppress
from sam2core.transforms import Picture, as_rgb, to_masks

Box = tuple[int, int, int, int]
_PIXELS_AT_ONCE = 2**25
"""Of masks at the picture's size, as logits: 128 MB."""
_COMPARED_AT_ONCE = 64
"""Masks at the picture's size that are held beside those that are kept."""


@dataclass(frozen=True)
class AutomaticSettings:
    """What is asked, and what of the answers is kept."""

    points_per_side: int = 32
    """Points of the grid over the picture, each way. More find smaller objects, and cost more."""
    min_iou: float = 0.8
    """Of the model's own estimate, which has to be above. The reference value for SAM 2 (0.88 for
    SAM 1)."""
    min_stability: float = 0.95
    """IoU of a mask's cuts at +offset and -offset, in pixels of the picture: low where the border
    is a guess."""
    stability_offset: float = 1.0
    """In logits. Masks with borders less than this steep lose stability."""
    max_overlap: float = 0.7
    """IoU above which the worse one of two masks is taken for a copy."""
    max_coverage: float = 1.0
    """Masks of a larger part of the picture are dropped. With 0.95, the picture is no mask."""
    min_area: int = 0
    """In pixels. Smaller islands and holes are removed from masks, and smaller masks dropped."""
    crop_layers: int = 0
    """Layer i asks again in 2^i x 2^i crops. Each layer costs four times the one before."""
    crop_overlap: float = 512 / 1500
    """Of neighbouring crops in the first layer, as a part of the shorter side; halved with every
    layer. Objects smaller than this are whole in at least one crop."""
    crop_grid_divisor: int = 1
    """The grid is this much coarser with every layer. Crops are halved too, so that 2 keeps the
    points as dense in the picture as they are without crops, at a quarter of the cost."""
    crop_margin: int = 20
    """In pixels. Masks that come so close to a crop's border, and not to the picture's, are cut
    off there, and are dropped: another crop, or the whole picture, shows them whole."""

    def __post_init__(self) -> None:
        for name in ("points_per_side", "crop_grid_divisor"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("min_area", "crop_layers", "crop_margin", "stability_offset"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        for name in ("min_iou", "min_stability", "max_overlap", "max_coverage"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be in 0 to 1, got {getattr(self, name)}")
        if not 0 <= self.crop_overlap < 1:
            raise ValueError(f"crop_overlap must be in 0 to below 1, got {self.crop_overlap}")


@dataclass(frozen=True, eq=False)
class AutomaticMask:
    """One of the masks that were found.

    ``size`` is the picture's (height, width), ``iou`` the model's estimate, ``point`` the (x, y)
    that was asked for, and ``crop`` the part of the picture (xyxy) that the model looked at.
    """

    patch: Patch
    size: tuple[int, int]
    iou: float
    stability: float
    point: tuple[float, float]
    crop: Box

    @property
    def box(self) -> Box:
        """(x0, y0, x1, y1) in pixels, where x1 and y1 lie just outside."""
        return self.patch.box

    @property
    def area(self) -> int:
        """In pixels."""
        return self.patch.area

    def mask(self) -> np.ndarray:
        """Bool (H, W), made when it is asked for."""
        return self.patch.paste(*self.size)


class AutomaticMasks:
    """Segment everything. ``segmenter`` brings the model, and bounds how much runs at once.

    Same picture, same masks. Nothing of a picture is kept, here or in the segmenter.
    """

    def __init__(self, segmenter: Segmenter, settings: AutomaticSettings | None = None) -> None:
        self.segmenter = segmenter
        self.settings = settings or AutomaticSettings()

    def generate(self, picture: Picture) -> list[AutomaticMask]:
        """Masks of everything in the picture, best estimate first; they may overlap."""
        rgb = as_rgb(picture)
        size = rgb.shape[0], rgb.shape[1]
        found: list[AutomaticMask] = []
        s = self.settings
        for layer, crop in crop_boxes(*size, s.crop_layers, s.crop_overlap):
            found += self._look_at(rgb, layer, crop)
        # Of copies, the one seen from closer stays. Stable: of crops of equal area, in their order.
        found.sort(key=lambda m: _area(m.crop))
        kept = [found[i] for i in suppress([m.patch for m in found], s.max_overlap)]
        return sorted(kept, key=lambda m: -m.iou)

    def _look_at(self, rgb: np.ndarray, layer: int, crop: Box) -> list[AutomaticMask]:
        x0, y0, x1, y1 = crop
        size = rgb.shape[0], rgb.shape[1]
        image = self.segmenter.encode(rgb[y0:y1, x0:x1])
        per_side = max(1, self.settings.points_per_side // self.settings.crop_grid_divisor**layer)
        points = grid_points(per_side, y1 - y0, x1 - x0)
        candidates: list[_Candidate] = []
        step = self.segmenter.prompts_per_batch
        for i in range(0, len(points), step):
            batch = points[i : i + step]
            answer = self.segmenter.segment(points=batch[:, None], multimask=True, image=image)
            candidates += self._promising(answer, batch, size, crop)
        candidates.sort(key=lambda c: -c.iou)  # stable: of equals, the earlier point's first
        kept: list[AutomaticMask] = []
        for i in range(0, len(candidates), _COMPARED_AT_ONCE):
            some = candidates[i : i + _COMPARED_AT_ONCE]
            # Those that were kept before come first, and so stay.
            both = kept + [m for c in some if (m := self._finished(c, size, crop)) is not None]
            stay = suppress([m.patch for m in both], self.settings.max_overlap)
            kept = [both[j] for j in stay]
        return kept

    def _promising(
        self, answer: ImageMasks, points: np.ndarray, size: tuple[int, int], crop: Box
    ) -> Iterator[_Candidate]:
        """What of the answers is good enough, judged at the picture's resolution."""
        s = self.settings
        logits, iou = answer.logits.flatten(0, 1), answer.iou.flatten()
        height, width = answer.size
        sure = torch.nonzero(iou > s.min_iou)[:, 0]
        for part in sure.split(max(1, _PIXELS_AT_ONCE // (height * width))):
            large = resize(logits[part, None], answer.size)
            each = ImageMasks(large, iou[part, None], iou[part], answer.size)
            stability = each.stability(s.stability_offset)[:, 0]
            steady = torch.nonzero(stability >= s.min_stability)[:, 0]
            cuts = (large[steady, 0] > 0).cpu().numpy()
            kept = zip(part[steady].tolist(), stability[steady].tolist(), cuts, strict=True)
            for n, stable, cut in kept:
                patch = Patch.of(cut, crop[0], crop[1])
                whole = not is_cut_off(patch.box, crop, size, s.crop_margin)
                if whole and 0 < patch.area <= s.max_coverage * size[0] * size[1]:
                    yield _Candidate.of(logits[n].cpu(), float(iou[n]), stable, points[n // 3])

    def _finished(
        self, candidate: _Candidate, size: tuple[int, int], crop: Box
    ) -> AutomaticMask | None:
        """At full resolution, at its place in the picture; None if nothing is left of it."""
        x0, y0, x1, y1 = crop
        mask = to_masks(candidate.logits()[None, None], y1 - y0, x1 - x0)[0, 0].numpy()
        patch = Patch.of(mask, x0, y0).without_specks(self.settings.min_area)
        if patch.area < max(1, self.settings.min_area):
            return None
        point = (candidate.point[0] + x0, candidate.point[1] + y0)
        return AutomaticMask(patch, size, candidate.iou, candidate.stability, point, crop)


@dataclass(frozen=True, eq=False)
class _Candidate:
    """A mask at the model's resolution, ``shape`` (h, w), held in little space.

    ``edge`` are its logits within the box of ``cut`` and one cell around it. That is all that
    the mask's border depends on when the logits are enlarged: farther out they are negative,
    and so is what lies between them.
    """

    cut: Patch
    edge: Tensor
    shape: tuple[int, int]
    iou: float
    stability: float
    point: tuple[float, float]

    @classmethod
    def of(cls, logits: Tensor, iou: float, stability: float, point: np.ndarray) -> _Candidate:
        cut = Patch.of((logits > 0).numpy())
        edge = logits[_around(cut)].clone()  # not a view, which would keep all logits
        shape = logits.shape[0], logits.shape[1]
        return cls(cut, edge, shape, iou, stability, (float(point[0]), float(point[1])))

    def logits(self) -> Tensor:
        whole = torch.full(self.shape, -1.0)
        whole[_around(self.cut)] = self.edge
        return whole


def _around(cut: Patch) -> tuple[slice, slice]:
    x0, y0, x1, y1 = cut.box
    return slice(max(y0 - 1, 0), y1 + 1), slice(max(x0 - 1, 0), x1 + 1)


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def grid_points(per_side: int, height: int, width: int) -> np.ndarray:
    """Centres of per_side x per_side equal cells, (per_side^2, 2) as (x, y) in pixels."""
    centres = (np.arange(per_side) + 0.5) / per_side
    x, y = np.meshgrid(centres * width, centres * height)
    return np.stack([x, y], axis=-1).reshape(-1, 2).astype(np.float32)


def crop_boxes(height: int, width: int, layers: int, overlap: float) -> list[tuple[int, Box]]:
    """(layer, xyxy): layer 0 is the whole picture, layer i is 2^i x 2^i crops, by columns.

    Neighbours share ``overlap`` of the shorter side in layer 1, and half as much with every layer,
    rounded down. Crops are equal, but that the last ones end with the picture.
    """
    crops: list[tuple[int, Box]] = [(0, (0, 0, width, height))]
    for layer in range(1, layers + 1):
        per_side = 2**layer
        shared = int(overlap * min(height, width) * 2 / per_side)
        columns, rows = _spread(width, per_side, shared), _spread(height, per_side, shared)
        boxes = [(x0, y0, x1, y1) for x0, x1 in columns for y0, y1 in rows]
        seen = {box for _, box in crops}  # of a tiny picture, crops may be the same
        crops += [(layer, box) for box in dict.fromkeys(boxes) if box not in seen]
    return crops


def _spread(length: int, count: int, shared: int) -> list[tuple[int, int]]:
    """``count`` intervals from 0 to ``length``, neighbours sharing ``shared``; none is empty."""
    each = math.ceil((length + shared * (count - 1)) / count)
    starts = [i * (each - shared) for i in range(count)]
    return [(start, min(start + each, length)) for start in starts if start < length]


def is_cut_off(box: Box, crop: Box, size: tuple[int, int], margin: int) -> bool:
    """Whether a box (xyxy, the last two just outside) comes within ``margin`` of a side of the
    crop, and not of that side of the picture. What is measured to is its last pixel."""
    height, width = size
    ends = np.array(box) - (0, 0, 1, 1)
    at_crop = np.abs(ends - crop) <= margin
    at_picture = np.abs(ends - (0, 0, width, height)) <= margin
    return bool((at_crop & ~at_picture).any())
