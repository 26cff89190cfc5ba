"""What ``benchmarks.gpu`` times: things that are set up once and then take one frame after another.

Each is a function that sets up, warms up and gives an iterator: a step of it is a frame (or a batch
of pictures). Weights are random; the pictures are noise with shapes on it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import sam2core
from benchmarks.lib.tracker_ways import TrackerWay
from benchmarks.parity.reference import random_state, write_model
from benchmarks.parity.shapes import ModelShape
from benchmarks.parity.weights import randomise
from detectors.base import Boxes, Heatmaps
from panoptic.pipeline import PanopticPipeline
from panoptic.video.session import VideoSession
from prompts import Vocabulary
from sam2core import ImageMasks, ImageSegmenter, TrackedFrame, TrackerSettings, VideoTracker

VERSION = "2.1"
_PRESENT = "mask_decoder.pred_obj_score_head.proj_out.bias"


def save_sam2(shape: ModelShape, folder: Path) -> Path:
    """A SAM 2 of random weights in the hub's format, to which every object is present."""
    if not folder.exists():
        state = randomise(random_state(shape, VERSION), 0)
        state[_PRESENT] += 20
        write_model(shape, VERSION, state, folder)
    return folder


def pictures(height: int, width: int, count: int = 4) -> list[np.ndarray]:
    """Noise that wanders."""
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    return [np.roll(picture, 3 * i, axis=1) for i in range(count)]


def masks(count: int, height: int, width: int) -> np.ndarray:
    """Bool (count, height, width): discs side by side."""
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    y, x = np.mgrid[:height, :width]
    row, column = np.divmod(np.arange(count), columns)
    places = np.stack([(row + 0.5) * height / rows, (column + 0.5) * width / columns], 1)
    radius = 0.35 * min(height / rows, width / columns)
    return np.stack([np.hypot(y + 0.5 - p[0], x + 0.5 - p[1]) <= radius for p in places])


def track_ours(
    folder: Path, way: TrackerWay, objects: int, side: int, device: str, dtype: torch.dtype
) -> Iterator[Any]:
    """``VideoTracker`` over a stream, objects prompted by masks on the first frame."""
    model = sam2core.load(folder, device=device, dtype=dtype, **way.load)
    tracker = VideoTracker(model, settings=way.tracker_settings())
    stream = tracker.stream(itertools.cycle(pictures(side, side)))
    next(stream)
    tracker.prompt_masks(list(range(1, objects + 1)), masks(objects, side, side))
    return stream


@torch.inference_mode()
def track_theirs(
    folder: Path, objects: int, side: int, device: str, dtype: torch.dtype
) -> Iterator[Any]:
    """transformers' ``Sam2VideoModel`` on the same weights, frames and masks."""
    from transformers import Sam2VideoModel
    from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession

    model = Sam2VideoModel.from_pretrained(folder, dtype=dtype).to(device).eval()
    session = Sam2VideoInferenceSession(
        video_height=side,
        video_width=side,
        inference_device=device,
        inference_state_device=device,
        video_storage_device=device,
        dtype=dtype,
    )
    frames = [
        ((torch.from_numpy(p).permute(2, 0, 1) / 255 - 0.45) / 0.225).to(device, dtype)
        for p in pictures(side, side)
    ]
    given = torch.from_numpy(masks(objects, side, side)).to(device, dtype)
    for number in range(objects):
        session.add_mask_inputs(session.obj_id_to_idx(number + 1), 0, given[number][None, None])
    session.obj_with_new_inputs = list(range(1, objects + 1))

    def steps() -> Iterator[Any]:
        for index in itertools.count():
            with torch.inference_mode():
                yield model(session, frame=frames[index % len(frames)], frame_idx=index)

    return steps()


class KnownThings:
    """A detector that takes its time, and then gives the boxes that a test needs."""

    def __init__(self, detector: Any, found: np.ndarray) -> None:
        self.detector, self.found = detector, found
        self.settings = detector.settings

    def detect(self, image: np.ndarray, vocabulary: Vocabulary) -> Boxes:
        return self.detect_batch([image], vocabulary)[0]

    def detect_batch(self, images: Sequence[np.ndarray], vocabulary: Vocabulary) -> list[Boxes]:
        self.detector.detect_batch(images, vocabulary)
        count = len(self.found)
        ids = np.resize([category.id for category in vocabulary.things], count)
        scores = np.linspace(0.9, 0.5, count)
        return [Boxes(self.found, ids, scores) for _ in images]


class KnownStuff:
    """A detector of stuff that takes its time, and then gives each word a stripe."""

    def __init__(self, detector: Any) -> None:
        self.detector, self.settings = detector, detector.settings

    def heatmaps(self, image: np.ndarray, vocabulary: Vocabulary) -> Heatmaps:
        return self.heatmaps_batch([image], vocabulary)[0]

    def heatmaps_batch(
        self,
        images: Sequence[np.ndarray],
        vocabulary: Vocabulary,
        sizes: Sequence[tuple[int, int]] | None = None,
    ) -> list[Heatmaps]:
        found = self.detector.heatmaps_batch(images, vocabulary, sizes)
        stripes = []
        for heat in found:
            height, width = heat.probabilities.shape[1:]
            word = np.arange(width) * len(heat) // width
            maps = np.where(word == np.arange(len(heat))[:, None], 0.9, 0.02).astype(np.float32)
            maps = np.repeat(maps[:, None], height, 1)
            stripes.append(Heatmaps(maps, heat.category_ids))
        return stripes


class KnownMasks(ImageSegmenter):
    """A segmenter that takes its time, and then gives every box the ellipse in it; its trackers
    see everything stay where it was prompted."""

    def segment(self, *given: Any, boxes: Any = None, **others: Any) -> ImageMasks:
        found = super().segment(*given, boxes=boxes, **others)
        if boxes is None:
            return found
        height, width = found.size
        side = found.logits.shape[-1]
        device = found.logits.device
        edges = torch.as_tensor(np.asarray(boxes), device=device).T[..., None, None]
        y = (torch.arange(side, device=device) + 0.5)[:, None] * height / side
        x = (torch.arange(side, device=device) + 0.5) * width / side
        across = (2 * x - edges[0] - edges[2]) / (edges[2] - edges[0])
        along = (2 * y - edges[1] - edges[3]) / (edges[3] - edges[1])
        logits = (1 - torch.hypot(across, along)).clamp(-1, 1) * 10
        return replace(found, logits=logits[:, None].expand_as(found.logits).float())

    def tracker(self, settings: TrackerSettings | None = None) -> VideoTracker:
        return _StandingTracker(self.model, settings=settings)


class _StandingTracker(VideoTracker):
    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self._standing: dict[int, torch.Tensor] = {}

    def prompt_masks(
        self, object_ids: Sequence[int], masks: Any, frame_index: int | None = None
    ) -> TrackedFrame:
        answer = super().prompt_masks(object_ids, masks, frame_index)
        prompted = super()._show(object_ids)
        self._standing |= dict(zip(object_ids, prompted.logits, strict=True))
        return answer

    def _show(self, object_ids: Sequence[int], frame_index: int | None = None) -> TrackedFrame:
        answer = super()._show(object_ids, frame_index)
        known = [
            self._standing.get(id, logits)
            for id, logits in zip(object_ids, answer.logits, strict=True)
        ]
        return replace(answer, logits=torch.stack(known)) if known else answer


def boxes_of(found: np.ndarray) -> np.ndarray:
    """The boxes (N, 4) of masks (N, H, W)."""
    spans = [(np.flatnonzero(m.any(0)), np.flatnonzero(m.any(1))) for m in found]
    return np.array([(x[0], y[0], x[-1] + 1, y[-1] + 1) for x, y in spans], np.float32)


def panoptic_video(
    pipeline: PanopticPipeline, vocabulary: Vocabulary, segments: int, size: tuple[int, int]
) -> Iterator[Any]:
    """``VideoSession`` over a stream: detectors, tracker and composing, two thirds of the segments
    things. The models take their time, but what they find is known, or random weights would soon
    lose sight of everything."""
    things = segments - len(vocabulary.stuff)
    pipeline.things = KnownThings(pipeline.things, boxes_of(masks(things, *size)))
    pipeline.stuff = KnownStuff(pipeline.stuff)
    pipeline.segmenter = KnownMasks(pipeline.segmenter.model)  # type: ignore[attr-defined]
    session = VideoSession(pipeline, vocabulary)
    for index, picture in enumerate(itertools.cycle(pictures(*size))):
        yield session.step(picture, index / 25)


def labelled_pictures(
    pipeline: PanopticPipeline, vocabulary: Vocabulary, size: tuple[int, int], batch: int
) -> Iterator[Any]:
    """``PanopticPipeline.segment_batch``, a batch a step."""
    found = pictures(*size, count=batch)
    while True:
        yield pipeline.segment_batch(found, vocabulary)
