"""Where quality is lost: how right each stage of a trace is, against the truth of its scene."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from panoptic.compose.trace import Trace
from panoptic.results.masks import mask_agreement
from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation
from sam2core.transforms import to_masks


@dataclass
class Stages:
    """Values of each stage, one a true segment; their means are told."""

    values: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def add(self, trace: Trace, truth: PanopticSegmentation) -> None:
        things = [s for s in truth if s.is_thing]
        masks = () if trace.thing_masks is None else trace.thing_masks.masks()[:, 0]
        for segment in things:
            self._add_thing(trace, truth, segment, masks)
        for segment in truth.stuff:
            self._add_stuff(trace, truth, segment)

    def _add_thing(
        self, trace: Trace, truth: PanopticSegmentation, segment: Segment, masks: np.ndarray
    ) -> None:
        ious = np.array([_box_iou(box, segment.box) for box in trace.boxes.xyxy])
        on = np.flatnonzero(ious >= 0.5)
        right = [i for i in on if trace.boxes.category_ids[i] == segment.category_id]
        self.values["things: boxed (IoU 0.5), whatever the word"].append(float(len(on) > 0))
        self.values["things: boxed with the right word"].append(float(len(right) > 0))
        if len(on):
            best = int(on[ious[on].argmax()])
            mask = truth.mask(segment.id)
            self.values["things: IoU of the mask, of those boxed"].append(
                mask_agreement(masks[best], mask)
            )

    def _add_stuff(self, trace: Trace, truth: PanopticSegmentation, segment: Segment) -> None:
        true = truth.mask(segment.id)
        void = truth.ids == 0
        of = [s for s in trace.stuff_masks if s.region.category_id == segment.category_id]
        shape = truth.ids.shape
        regions = np.zeros(shape, bool)
        masks = np.zeros(shape, bool)
        covered = _resized(trace.covered, shape)
        for stuff in of:
            regions |= _resized(stuff.region.mask, shape)
            masks |= _masks(stuff.logits, shape)
        heat = trace.heatmaps.probabilities
        index = trace.heatmaps.category_ids.tolist().index(segment.category_id)
        likeliest = _resized(heat.argmax(0) == index, shape)
        things = np.isin(truth.ids, [s.id for s in truth.things])
        for name, found in (
            ("stuff: IoU of the likeliest word, true things taken out", likeliest & ~things),
            ("stuff: IoU of the regions", regions),
            ("stuff: IoU of the masks", masks & ~covered),
        ):
            self.values[name].append(mask_agreement(found & ~void, true))

    def means(self) -> dict[str, float]:
        return {name: float(np.mean(values)) for name, values in self.values.items()}


def _box_iou(a: np.ndarray, b: tuple[int, int, int, int]) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0.0) * max(height, 0.0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return float(shared / union)


def _resized(mask: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    rows = np.arange(shape[0]) * mask.shape[0] // shape[0]
    columns = np.arange(shape[1]) * mask.shape[1] // shape[1]
    return mask[rows[:, None], columns[None]]


def _masks(logits: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    import torch

    return to_masks(torch.from_numpy(logits)[None, None], shape[0], shape[1])[0, 0].numpy()
