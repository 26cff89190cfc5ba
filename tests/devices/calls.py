"""The whole public API once, on a device: pictures, videos, automatic masks, every detector.

Every call builds its models on the device that it is given, and answers with arrays. So it can be
asked on two devices, and the answers be compared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from detectors import ThingSettings
from detectors.clipseg import ClipSeg
from detectors.load import load_thing_detector
from detectors.sam3 import Sam3
from panoptic import PanopticPipeline
from panoptic.settings.video import VideoSettings
from prompts import Vocabulary
from sam2core import (
    AutomaticMasks,
    AutomaticSettings,
    ImageSegmenter,
    Sam2,
    TrackedFrame,
    TrackerSettings,
    VideoTracker,
)
from tests.sam2core.conftest import moving_square, random_model

Arrays = dict[str, np.ndarray]

FRAMES = moving_square(6)
MASKS = np.zeros((2, 48, 80), dtype=bool)
MASKS[0, 6:20, 4:18] = True
MASKS[1, 25:45, 40:70] = True
WORDS = Vocabulary(things=["car", "dog", "traffic light"], stuff=["road", "blue sky", "grass"])
EVERY_BOX = ThingSettings(
    box_threshold=0, text_threshold=0, same_category_iou=1, cross_category_iou=1, max_boxes=1000
)
FLOAT32 = TrackerSettings(memory_dtype=torch.float32)
"""Half precision would make more of the last bit, in which real devices differ."""


def photo(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Coarse colours with noise, uint8 (height, width, 3)."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 16 + 1, width // 16 + 1, 3), dtype=np.uint8)
    large = coarse.repeat(16, 0).repeat(16, 1)[:height, :width]
    return (large * 0.8 + rng.integers(0, 50, large.shape)).astype(np.uint8)


def sam2(device: str) -> Sam2:
    return random_model().to(device)


def segment_a_picture(device: str, _: None) -> Arrays:
    segmenter = ImageSegmenter(sam2(device), prompts_per_batch=2)
    segmenter.set_image(FRAMES[0])
    first = segmenter.segment(points=[[[20, 20]], [[60, 30]], [[5, 40]]], multimask=True)
    best = first.best()
    again = segmenter.segment(
        points=[[[20, 20], [70, 5]], [[60, 30]], [[5, 40]]],
        labels=[[1, 0], [1], [1]],
        boxes=[[2, 2, 40, 40], [40, 20, 79, 47], [0, 30, 20, 48]],
        mask_logits=best.logits[:, 0],
    )
    wide = np.linspace(-2, 2, 32 * 32, dtype=np.float32).reshape(1, 32, 32)
    larger = segmenter.segment(mask_logits=wide)  # than the model takes: it is made smaller
    answers = {"first": first, "best": best, "again": again, "larger": larger}
    found: Arrays = {}
    for name, answer in answers.items():
        found |= {f"{name} {part}": _array(getattr(answer, part)) for part in _PARTS}
        found |= {f"{name} masks": answer.masks(), f"{name} stability": _array(answer.stability())}
    return found


def find_everything(device: str, _: None) -> Arrays:
    settings = AutomaticSettings(
        points_per_side=6, min_iou=0, min_stability=0, max_coverage=1, max_overlap=0.95, min_area=4,
        crop_layers=1, crop_margin=0,
    )  # fmt: skip
    masks = AutomaticMasks(ImageSegmenter(sam2(device)), settings).generate(FRAMES[0])
    assert len(masks) > 3
    return {
        "set of masks": np.stack([m.mask() for m in masks]),
        "best iou": np.array([m.iou for m in masks[:4]]),
    }


def follow_a_stream(device: str, _: None) -> Arrays:
    model = sam2(device)
    tracker = VideoTracker(model, settings=FLOAT32)
    frames = [tracker.step(FRAMES[0], masks={1: MASKS[0], 2: MASKS[1]})]
    frames.append(tracker.step(FRAMES[1]))
    frames.append(tracker.prompt(3, points=[[50, 12]]))
    frames.append(tracker.prompt(3, points=[[52, 14], [5, 5]], labels=[1, 0]))  # refines it
    frames.append(tracker.step(FRAMES[2]))
    other = VideoTracker(model, settings=FLOAT32)
    other.load_state(tracker.state())
    frames += list(other.stream(iter(FRAMES[3:])))
    return _frames(frames)


def follow_in_a_video(device: str, _: None) -> Arrays:
    tracker = VideoTracker(sam2(device), FRAMES, FLOAT32)
    frames = [tracker.prompt_masks([4, 5], MASKS, frame_index=2)]
    frames.append(tracker.prompt(6, box=[30, 5, 60, 40], frame_index=3))
    frames += tracker.propagate()
    frames.append(tracker.prompt(4, points=[[12, 12]], frame_index=4))  # corrects it
    frames += tracker.propagate(reverse=True)
    frames.append(tracker.prompt(5, mask=MASKS[0], frame_index=0))
    frames.append(tracker.current())
    tracker.remove(4)
    frames += tracker.propagate(start=0, stop=3)
    return _frames(frames)


def detect_things(device: str, folder: Path) -> Arrays:
    detector: Any = load_thing_detector(folder, device, torch.float32)
    detector.settings = EVERY_BOX
    found: Arrays = {}
    for i, boxes in enumerate(detector.detect_batch([photo(64, 90), photo(40, 64, 1)], WORDS)):
        assert len(boxes) > 3
        found |= {f"{i} xyxy": boxes.xyxy, f"{i} scores": boxes.scores}
        found[f"{i} categories"] = boxes.category_ids
    return found


def segment_things(device: str, folder: Path) -> Arrays:
    detector = Sam3.from_pretrained(folder, device, torch.float32, EVERY_BOX)
    (found,) = detector.segment_batch([photo(64, 90)], WORDS)
    assert len(found) > 3
    return {"logits": found.logits, "xyxy": found.boxes.xyxy, "scores": found.boxes.scores}


def find_stuff(device: str, folder: Path) -> Arrays:
    detector = ClipSeg.from_pretrained(folder, device, torch.float32)
    heatmaps = detector.heatmaps_batch([photo(90, 120), photo(30, 40, 1)], WORDS)
    return {f"{i} probabilities": maps.probabilities for i, maps in enumerate(heatmaps)}


def label_a_picture(device: str, folder: Path) -> Arrays:
    pipeline = _pipeline(device, folder)
    pipeline.settings = replace(pipeline.settings, fill_unknown=True)
    trace = pipeline.trace(photo(90, 120), WORDS)
    assert len(trace.result.things) > 1
    assert len(trace.result.stuff) > 1
    trace.explain()
    return {
        "ids": trace.result.ids,
        "scores": np.array([s.score for s in trace.result]),
        "things": trace.thing_masks.masks() if trace.thing_masks else np.zeros(0),
        "stuff": np.stack([m.logits for m in trace.stuff_masks]),
    }


def label_a_video(device: str, folder: Path) -> Arrays:
    pipeline = _pipeline(device, folder)
    settings = VideoSettings(detect_every=2 / 25)
    found: Arrays = {}
    for both_ways in (False, True):
        for frame in pipeline.track(FRAMES[:4], WORDS, settings=settings, both_ways=both_ways):
            found[f"{frame.index} {both_ways}"] = frame.segmentation.ids
    return found


def correct_a_video(device: str, folder: Path) -> Arrays:
    with _pipeline(device, folder).open_video(FRAMES[:4], WORDS) as session:
        found = {f"{f.index}": f.segmentation.ids for f in session.run()}
        session.add_box(1, (30, 5, 60, 40), "car")
        segment = session.frame(1).events[-1].segment_id
        assert segment is not None
        session.click(2, segment, (40, 20))
        session.click(2, segment, (70, 40), positive=False)
        return found | {f"{f.index} corrected": f.segmentation.ids for f in session.propagate()}


def go_on_with_a_stream(device: str, folder: Path) -> Arrays:
    pipeline = _pipeline(device, folder)
    session = pipeline.video_session(WORDS)
    session.step(FRAMES[0])
    session.step(FRAMES[1])
    session = type(session).restore(pipeline, WORDS, session.settings, session.state())
    return {"ids": session.step(FRAMES[2]).segmentation.ids}


CALLS: dict[str, tuple[Callable[[str, Any], Arrays], str | None]] = {
    "picture": (segment_a_picture, None),
    "automatic": (find_everything, None),
    "stream": (follow_a_stream, None),
    "video": (follow_in_a_video, None),
    "grounding_dino": (detect_things, "grounding_dino_folder"),
    "mm_grounding_dino": (detect_things, "mm_grounding_dino_folder"),
    "owlv2": (detect_things, "owlv2_folder"),
    "omdet": (detect_things, "omdet_folder"),
    "sam3": (segment_things, "sam3_folder"),
    "clipseg": (find_stuff, "clipseg_folder"),
    "pipeline_picture": (label_a_picture, "models_folder"),
    "pipeline_video": (label_a_video, "models_folder"),
    "pipeline_corrections": (correct_a_video, "models_folder"),
    "pipeline_stream": (go_on_with_a_stream, "models_folder"),
}
"""What is asked, and the fixture with the models that it takes."""

_PARTS = ("logits", "iou", "presence")


def _pipeline(device: str, folder: Path) -> PanopticPipeline:
    """With thresholds at which random models find something."""
    settings = {
        "merge": {"min_visible": 0.05},
        "stuff_masks": {"min_agreement": 0.05},
        "automatic": AutomaticSettings(points_per_side=4, min_iou=0, min_stability=0),
    }
    pipeline = PanopticPipeline.from_pretrained(
        folder, device=device, dtype=torch.float32, settings=settings
    )
    things: Any = pipeline.things
    things.settings = ThingSettings(box_threshold=0.5, text_threshold=0.5, max_boxes=6)
    return pipeline


def _array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.cpu().numpy()


def _frames(frames: list[TrackedFrame]) -> Arrays:
    found: Arrays = {}
    for i, frame in enumerate(frames):
        found |= {f"{i} {part}": _array(getattr(frame, part)) for part in _PARTS}
        found[f"{i} masks"] = frame.masks()
    return found
