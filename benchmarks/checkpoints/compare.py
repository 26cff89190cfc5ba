"""What our readers make of a folder, beside what transformers' own model and processor do.

Each side reads the folder by itself: theirs by ``from_pretrained`` of the class that saved it and
by its processor, ours by the public API. Differences are in standard deviations of their values.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from prompts import Vocabulary
from sam2core.transforms import to_pixels

THINGS = ("car", "dog", "traffic light")
STUFF = ("road", "blue sky")


@dataclass(frozen=True)
class Difference:
    """Largest difference of one output; ``iou`` is the least of masks where these are compared."""

    what: str
    largest: float
    iou: float | None = None

    @classmethod
    def of(cls, what: str, ours: Tensor, theirs: Tensor) -> Difference:
        """``ValueError`` where the shapes differ or nothing finite is left to compare."""
        if ours.shape != theirs.shape:
            raise ValueError(f"{what}: {tuple(ours.shape)} here, {tuple(theirs.shape)} there")
        ours, theirs = ours.detach().float().cpu(), theirs.detach().float().cpu()
        finite = theirs.isfinite()
        if not torch.equal(finite, ours.isfinite()) or finite.sum() < 2:
            return cls(what, float("inf"))
        return cls(what, float((ours - theirs)[finite].abs().max() / theirs[finite].std()))

    @classmethod
    def of_masks(cls, what: str, ours: Tensor, theirs: Tensor) -> Difference:
        """Of logits (N, M, h, w), whose masks are compared as well."""
        inside, reference = ours.flatten(0, -3).cpu() > 0, theirs.flatten(0, -3).cpu() > 0
        either = (inside | reference).flatten(1).sum(1)
        both = (inside & reference).flatten(1).sum(1)
        iou = torch.where(either > 0, both / either.clamp(min=1), 1.0)
        return cls(what, cls.of(what, ours, theirs).largest, float(iou.min()))


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Coarse colours under noise, so that there is something at every scale."""
    rng = np.random.default_rng(seed)
    cell = max(4, min(height, width) // 10)
    coarse = rng.integers(0, 200, (height // cell + 1, width // cell + 1, 3), dtype=np.uint8)
    coarse = coarse.repeat(cell, 0).repeat(cell, 1)[:height, :width]
    return coarse + rng.integers(0, 50, coarse.shape, dtype=np.uint8)


def detector(folder: Path, image: np.ndarray, device: str = "cpu") -> list[Difference]:
    """Pixels and outputs of a detector of things, or of CLIPSeg."""
    import transformers as tf

    from detectors.pretrained import read_config

    kind = read_config(folder).model_type
    if kind == "clipseg":
        return _clipseg(folder, image, device)
    if kind == "sam3":
        return _sam3(folder, image, device)
    theirs = tf.AutoModelForZeroShotObjectDetection.from_pretrained(
        folder, config=_their_config(folder, kind), dtype=torch.float32
    )
    theirs = theirs.eval().to(device)
    inputs = _their_inputs(folder, kind, image)
    reference = _run(theirs, inputs, device)
    given, answer = _our_call(folder, device, image)
    found = [Difference.of("pixels", given["pixel_values"], inputs["pixel_values"])]
    if kind == "omdet-turbo":
        pairs = {"logits": "decoder_class_logits", "boxes": "decoder_coord_logits"}
    else:
        pairs = {"logits": "logits", "boxes": "pred_boxes"}
    for what, name in pairs.items():
        found.append(Difference.of(what, getattr(answer, name), getattr(reference, name)))
    return found


def _their_config(folder: Path, kind: str) -> Any:
    """Theirs as they read it, but for what their newer classes get wrong about older files.

    transformers asks the hub for OmDet-Turbo's backbone, and lets the layers of MM Grounding
    DINO share a head, though the weights have one each (``detectors.pretrained``).
    """
    import transformers as tf

    from detectors.pretrained import read_config

    if kind == "omdet-turbo":
        return read_config(folder)
    config = tf.AutoConfig.from_pretrained(folder)
    if kind == "mm-grounding-dino":
        config.decoder_bbox_embed_share = config.decoder_cls_embed_share = False
    return config


def _their_inputs(folder: Path, kind: str, image: np.ndarray) -> dict[str, Tensor]:
    """Of their processor and tokenizer, for the words of ``THINGS``."""
    import transformers as tf

    processor = tf.AutoImageProcessor.from_pretrained(folder, backend="pil")
    tokenizer = tf.AutoTokenizer.from_pretrained(folder)
    pixels = dict(processor(images=image, return_tensors="pt"))
    if kind in ("grounding-dino", "mm-grounding-dino"):
        text = tokenizer(" ".join(f"{name}." for name in THINGS), return_tensors="pt")
        return pixels | {"input_ids": text["input_ids"]}
    whole = {"padding": "max_length", "truncation": True, "return_tensors": "pt"}
    if kind == "owlv2":
        words = tokenizer([f"a photo of a {name}" for name in THINGS], max_length=16, **whole)
        return pixels | {key: words[key] for key in ("input_ids", "attention_mask")}
    words = tokenizer(list(THINGS), max_length=77, **whole)
    # The words of the task in alphabetical order, as we ask it: theirs takes any sentence.
    task = tokenizer([f"Detect {', '.join(sorted(THINGS))}."], max_length=77, **whole)
    return {
        "pixel_values": pixels["pixel_values"],
        "classes_input_ids": words["input_ids"],
        "classes_attention_mask": words["attention_mask"],
        "tasks_input_ids": task["input_ids"],
        "tasks_attention_mask": task["attention_mask"],
        "classes_structure": torch.tensor([len(THINGS)]),
    }


def _our_call(folder: Path, device: str, image: np.ndarray) -> tuple[dict[str, Any], Any]:
    """What our detector gives its model, and what that answers."""
    from detectors.grounding_dino import GroundingDino
    from detectors.load import load_thing_detector

    ours = load_thing_detector(folder, device, torch.float32)
    if isinstance(ours, GroundingDino):
        return _our_steps(ours, image)
    with _calls(ours.model) as calls:
        ours.detect(image, Vocabulary(things=list(THINGS)))
    return calls[0]


def _our_steps(ours: Any, image: np.ndarray) -> tuple[dict[str, Any], Any]:
    """The same of Grounding DINO, which looks at a picture and then is asked for words."""
    steps, given, answers = ours._steps, [], []
    see, ask = steps.see, steps.ask

    def seeing(pixels: Tensor, *rest: Any) -> Any:
        given.append(pixels)
        return see(pixels, *rest)

    def asking(*asked: Any) -> Any:
        answers.append(ask(*asked))
        return answers[-1]

    steps.see, steps.ask = seeing, asking
    try:
        ours.detect(image, Vocabulary(things=list(THINGS)))
    finally:
        steps.see, steps.ask = see, ask
    logits, boxes = answers[0]
    return {"pixel_values": given[0]}, SimpleNamespace(logits=logits, pred_boxes=boxes)


def _clipseg(folder: Path, image: np.ndarray, device: str) -> list[Difference]:
    import transformers as tf

    from detectors.clipseg import ClipSeg

    processor = tf.AutoImageProcessor.from_pretrained(folder, backend="pil")
    tokenizer = tf.AutoTokenizer.from_pretrained(folder)
    theirs = tf.CLIPSegForImageSegmentation.from_pretrained(folder, dtype=torch.float32)
    theirs = theirs.eval().to(device)
    pixels = processor(images=[image] * len(STUFF), return_tensors="pt")["pixel_values"]
    words = tokenizer(list(STUFF), padding=True, return_tensors="pt")
    inputs = {"pixel_values": pixels, "interpolate_pos_encoding": True}
    inputs |= {key: words[key] for key in ("input_ids", "attention_mask")}
    reference = _run(theirs, inputs, device)
    ours = ClipSeg.from_pretrained(folder, device, torch.float32)
    with _calls(ours.model.decoder) as decoded, _calls(ours.model.clip.vision_model) as seen:
        maps = ours.heatmaps(image, Vocabulary(stuff=list(STUFF)))
    logits = torch.cat([answer.logits for _, answer in decoded])
    enlarged = nn.functional.interpolate(
        reference.logits[:, None].cpu(), image.shape[:2], mode="bilinear", antialias=False
    )
    shown = enlarged[:, 0].sigmoid()
    found = [
        Difference.of("pixels", seen[0][0]["pixels"], pixels[:1]),
        Difference.of("logits", logits, reference.logits),
    ]
    if min(image.shape[:2]) >= logits.shape[-1]:  # else the enlargement is a reduction
        found.append(Difference.of("heatmaps", torch.from_numpy(maps.probabilities), shown))
    return found


def _sam3(folder: Path, image: np.ndarray, device: str) -> list[Difference]:
    """Its processor needs torchvision: both sides see the pixels that ours makes."""
    import transformers as tf

    theirs = tf.Sam3Model.from_pretrained(folder, dtype=torch.float32).eval().to(device)
    from detectors.sam3 import Sam3

    ours = Sam3.from_pretrained(folder, device, torch.float32)
    with _calls(ours.model) as calls:
        ours.segment_batch([image], Vocabulary(things=[THINGS[0]]))
    tokenizer = tf.AutoTokenizer.from_pretrained(folder)
    limit = theirs.config.text_config.max_position_embeddings
    words = tokenizer([THINGS[0]], padding="max_length", max_length=limit, return_tensors="pt")
    pixels = ours.transform(image)[None]
    inputs = {"pixel_values": pixels} | {key: words[key] for key in ("input_ids", "attention_mask")}
    reference, (_, answer) = _run(theirs, inputs, device), calls[0]
    return [
        Difference.of("logits", answer.pred_logits, reference.pred_logits),
        Difference.of("boxes", answer.pred_boxes, reference.pred_boxes),
        Difference.of_masks("masks", answer.pred_masks, reference.pred_masks),
    ]


@torch.inference_mode()
def sam2(folder: Path, device: str = "cpu", frames: int = 3) -> list[Difference]:
    """Features and masks of a picture and, where the model has a memory, of tracked frames.

    Both sides see the pixels that ours makes; ``pixels`` compares those with their processor's,
    where torchvision is at hand, which that needs.
    """
    import transformers as tf

    import sam2core

    ours = sam2core.load(folder, device=device, dtype=torch.float32)
    theirs = tf.Sam2Model.from_pretrained(folder, dtype=torch.float32).eval().to(device)
    side = ours.config.image_size
    image = picture(side * 3 // 4, side)
    pixels = to_pixels(image, side).to(device)
    found = []
    if (reference_pixels := _sam2_pixels(folder, image)) is not None:
        found.append(Difference.of("pixels", pixels, reference_pixels))
    fine4, fine8, features = theirs.get_image_embeddings(pixels)
    embedding = ours.recall(ours.encode_image(pixels))
    for what, own, reference in (
        ("features", embedding.features, features),
        ("fine 8", embedding.fine[1], fine8),
        ("fine 4", embedding.fine[0], fine4),
    ):
        found.append(Difference.of(what, own, reference))
    del embedding
    segmenter = sam2core.ImageSegmenter(ours)
    segmenter.set_image(image)
    spots = np.array([[[0.3, 0.4]], [[0.7, 0.6]], [[0.5, 0.2]]], np.float32)
    box = np.array([[0.2, 0.2, 0.8, 0.7]], np.float32)
    size = np.array(image.shape[1::-1], np.float32)
    for multimask in (True, False):
        asked = {"input_points": torch.from_numpy(spots * side)[None].to(device)}
        answer = theirs(
            image_embeddings=[fine4, fine8, features], multimask_output=multimask, **asked
        )
        own_masks = segmenter.segment(points=spots * size, multimask=multimask)
        name = "three masks of points" if multimask else "one mask of points"
        found.append(Difference.of_masks(name, own_masks.logits, answer.pred_masks[0]))
        found.append(Difference.of(f"IoU, {name}", own_masks.iou, answer.iou_scores[0]))
    answer = theirs(
        image_embeddings=[fine4, fine8, features],
        input_boxes=torch.from_numpy(box * side)[None].to(device),
        multimask_output=False,
    )
    own_masks = segmenter.segment(boxes=box * np.tile(size, 2))
    found.append(Difference.of_masks("mask of a box", own_masks.logits, answer.pred_masks[0]))
    del theirs, answer, fine4, fine8, features
    if ours.config.tracks and frames:
        found.append(_tracked(ours, folder, device, frames))
    return found


def _tracked(ours: Any, folder: Path, device: str, frames: int) -> Difference:
    """The worst frame after a click in the first, of an object followed by memory alone."""
    from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession

    from benchmarks.parity.corrected import CorrectedVideo
    from sam2core import TrackerSettings, VideoTracker

    side = ours.config.image_size
    video = np.stack([picture(side, side, seed) for seed in range(frames)])
    theirs = CorrectedVideo.from_pretrained(folder, dtype=torch.float32).eval().to(device)
    session = Sam2VideoInferenceSession(
        video=torch.cat([to_pixels(frame, side) for frame in video]).to(device),
        video_height=side,
        video_width=side,
        inference_device=device,
        inference_state_device=device,
        video_storage_device=device,
        dtype=torch.float32,
    )
    spot = torch.tensor([[[[0.4, 0.5]]]], device=device) * side
    session.obj_id_to_idx(1)
    given = {"point_coords": spot, "point_labels": torch.ones(1, 1, 1, dtype=torch.int32)}
    session.add_point_inputs(0, 0, {k: v.to(device) for k, v in given.items()})
    session.obj_with_new_inputs = [1]
    settings = TrackerSettings(fill_hole_area=0, memory_dtype=torch.float32)
    tracker = VideoTracker(ours, video, settings)
    tracker.prompt(1, points=spot[0, 0].cpu().numpy(), frame_index=0)
    differences = []
    for frame in tracker.propagate():
        answer = theirs(session, frame_idx=frame.frame_index)
        differences.append(
            Difference.of_masks("tracked frames", frame.logits[:, None], answer.pred_masks)
        )
    return Difference(
        "tracked frames",
        max(d.largest for d in differences),
        min(d.iou for d in differences if d.iou is not None),
    )


def _sam2_pixels(folder: Path, image: np.ndarray) -> Tensor | None:
    """Of their processor; None where it can't be made, without torchvision."""
    if find_spec("torchvision") is None:
        return None
    from transformers import AutoImageProcessor

    processor = AutoImageProcessor.from_pretrained(folder)
    return processor(images=image, return_tensors="pt")["pixel_values"]


@torch.inference_mode()
def _run(model: Any, inputs: dict[str, Any], device: str) -> Any:
    moved = {k: v.to(device) if isinstance(v, Tensor) else v for k, v in inputs.items()}
    return model(**moved)


@contextmanager
def _calls(module: nn.Module) -> Iterator[list[tuple[dict[str, Any], Any]]]:
    """Within the block, what a module is given (by name, or "pixels" for the first) and gives."""
    calls: list[tuple[dict[str, Any], Any]] = []

    def note(_: nn.Module, positional: tuple, named: dict[str, Any], output: Any) -> None:
        first = {"pixels": positional[0]} if positional else {}
        calls.append((first | named, output))

    hook = module.register_forward_hook(note, with_kwargs=True)
    try:
        yield calls
    finally:
        hook.remove()
