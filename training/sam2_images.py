"""SAM 2's first stages: masks of things and stuff in still scenes, from prompts and corrections."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from panoptic.demo.artwork import TRAINING_VENDORS, load_artwork
from panoptic.demo.scenes import World
from sam2core import ImageEmbedding, MaskPrediction, Prompt, Sam2, save
from training.augment import recolour
from training.sam2_loss import Truth, prompt_loss
from training.sam2_metrics import image_metrics
from training.sam2_model import SIDE, build_model, decode
from training.sam2_prompts import (
    MAX_POINTS,
    Points,
    as_prompt,
    box_of,
    box_points,
    correction,
    empty_box,
    jitter_box,
    stuff_prompt,
    thing_prompt,
)
from training.scenes import held_out, normalise

SIZES = ((192, 192), (192, 192), (192, 192), (256, 256), (192, 272), (272, 192))
PROMPTS = 8  # of each picture
WORLDS = 3
STUFF_SHARE, ABSENT_SHARE = 0.25, 0.08
ROUNDS = (0.3, 0.35, 0.35)  # how often a step ends after one, two, three answers


@dataclass(frozen=True)
class Still:
    """``image`` uint8 (H, W, 3), ``ids`` int16 (H, W) with 0 for void, the ids of each kind."""

    image: np.ndarray
    ids: np.ndarray
    things: tuple[int, ...]
    stuff: tuple[int, ...]


@functools.lru_cache(maxsize=1)
def training_worlds(seed: int) -> tuple[World, ...]:
    """Worlds with every picture of the training vendors, made once a process."""
    artwork = load_artwork(TRAINING_VENDORS, all_pictures=True)
    return tuple(World(artwork, seed=seed * WORLDS + i) for i in range(WORLDS))


def resize(images: list[np.ndarray], side: int) -> Tensor:
    """Pictures (H, W, 3) in [0, 255] of any sizes to normalised pixels (B, 3, side, side)."""
    resized_images = []
    for image in images:
        pixels = normalise(image[None])
        resized_images.append(
            F.interpolate(pixels, (side, side), mode="bilinear", antialias=max(image.shape) > side)
        )
    return torch.cat(resized_images)


def shrink(masks: np.ndarray, side: int) -> Tensor:
    """Masks (N, H, W) to shares of cells (N, side, side)."""
    return F.interpolate(torch.from_numpy(masks).float()[:, None], (side, side), mode="area")[:, 0]


class ImageTask:
    """Masks in still scenes as :class:`training.loop.Task`.

    ``warmup_steps`` are those in which the wanted mask is the filled box (or a disc about the
    point): they teach that the prompt says where. ``start`` are weights to go on from.
    """

    name = "sam2"

    def __init__(
        self, seed: int = 0, warmup_steps: int = 0, start: Mapping[str, Tensor] | None = None
    ) -> None:
        self.seed, self.warmup_steps, self.start = seed, warmup_steps, start

    def build(self) -> nn.Module:
        model = build_model()
        if self.start is not None:
            model.load_state_dict(dict(self.start))
        return model

    def draw(self, seed: int) -> Still:
        rng = np.random.default_rng(seed)
        worlds = training_worlds(self.seed)
        scene = worlds[rng.integers(len(worlds))].scene(
            int(rng.integers(2**31)),
            SIZES[rng.integers(len(SIZES))],
            augment=0.3,
            anything=bool(rng.random() < 0.6),
            things=(1, 7),
        )
        segments = scene.truth.segments
        return Still(
            scene.image,
            scene.truth.ids.astype(np.int16),
            tuple(s.id for s in segments if s.is_thing),
            tuple(s.id for s in segments if not s.is_thing),
        )

    def collate(self, samples: list[Still], rng: np.random.Generator, step: int) -> dict[str, Any]:
        images, prompts, masks, others = [], [], [], []
        present: list[int] = []
        for still in samples:
            if rng.random() < 0.5:
                still = Still(still.image[:, ::-1], still.ids[:, ::-1], still.things, still.stuff)
            image = still.image.astype(np.float32)
            images.append(
                np.clip(recolour(image, rng, 0.3), 0, 255) if rng.random() < 0.5 else image
            )
            choose = self._geometric if step < self.warmup_steps else self._real
            asked, wanted, distracting, there = choose(still, rng)
            scale = (SIDE / still.ids.shape[1], SIDE / still.ids.shape[0])
            prompts.append(as_prompt(asked, scale, MAX_POINTS))
            masks.append(shrink(wanted, SIDE // 4))
            others.append(shrink(distracting, SIDE // 4))
            present += there
        points, labels = (torch.cat([getattr(p, k) for p in prompts]) for k in ("points", "labels"))
        length = max(2, int((labels >= 0).sum(1).max()))
        return {
            "pixels": resize(images, SIDE),
            "points": points[:, :length],
            "labels": labels[:, :length],
            "masks": torch.cat(masks),
            "others": torch.cat(others),
            "present": torch.tensor(present, dtype=torch.float32),
            "rounds": 1 if step < self.warmup_steps else 1 + int(rng.choice(3, p=ROUNDS)),
        }

    def _real(
        self, still: Still, rng: np.random.Generator
    ) -> tuple[list[Points], np.ndarray, np.ndarray, list[int]]:
        """Prompts of one scene, their masks, the other things, and what is there."""
        things = np.isin(still.ids, still.things)
        points: list[Points] = []
        masks, others, present = [], [], []
        order = [int(i) for i in rng.permutation(still.things)]
        while len(points) < PROMPTS:
            kind = rng.random()
            if kind < ABSENT_SHARE and (box := empty_box(~things & (still.ids > 0), rng)):
                points.append(box)
                masks.append(np.zeros_like(things))
                others.append(np.zeros_like(things))
                present.append(0)
                continue
            if still.stuff and (kind < ABSENT_SHARE + STUFF_SHARE or not order):
                mask = still.ids == rng.choice(still.stuff)
                points.append(stuff_prompt(mask, rng))
                others.append(things)
            else:
                mask = still.ids == order[len(points) % len(order)]
                points.append(thing_prompt(mask, things & ~mask, rng))
                others.append(things & ~mask)
            masks.append(mask)
            present.append(1)
        return points, np.stack(masks), np.stack(others), present

    def _geometric(
        self, still: Still, rng: np.random.Generator
    ) -> tuple[list[Points], np.ndarray, np.ndarray, list[int]]:
        height, width = still.ids.shape
        y, x = np.mgrid[:height, :width]
        points: list[Points] = []
        masks = []
        for _ in range(PROMPTS):
            kind = rng.random()
            box = rng.uniform(-0.1, 1.1, 4) * (width, height, width, height)
            box = np.concatenate((np.minimum(box[:2], box[2:]), np.maximum(box[:2], box[2:])))
            if still.things and kind < 0.7:
                thing = still.ids == rng.choice(still.things)
                box = jitter_box(box_of(thing), rng, 0.05, still.ids.shape)
            box = np.clip(box, 0, (width, height, width, height))
            if kind < 0.3:
                cx, cy = rng.uniform(0, width), rng.uniform(0, height)
                points.append([(cx, cy, 1)])
                masks.append((x - cx) ** 2 + (y - cy) ** 2 < (0.12 * min(height, width)) ** 2)
            else:
                points.append(box_points(box))
                masks.append((x >= box[0]) & (y >= box[1]) & (x < box[2]) & (y < box[3]))
        return points, np.stack(masks), np.zeros((PROMPTS, height, width), bool), [1] * PROMPTS

    def loss(
        self, model: nn.Module, batch: dict[str, Any], step: int
    ) -> tuple[Tensor, dict[str, Tensor]]:
        assert isinstance(model, Sam2)
        embedding = model.recall(model.encode_image(batch["pixels"]))
        return answers_loss(model, embedding, batch)

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Mask IoU by kind of prompt on scenes of a world the training doesn't see."""
        assert isinstance(model, Sam2)
        metrics: dict[str, float] = {}
        for vendor, scenes in held_out(16).items():
            for name, value in image_metrics(model, scenes).items():
                metrics[f"{name} {vendor}"] = value
        return metrics

    def export(self, model: nn.Module, folder: Path) -> None:
        assert isinstance(model, Sam2)
        save(model, folder, torch.float16)


def answers_loss(
    model: Sam2, embedding: ImageEmbedding, batch: dict[str, Any]
) -> tuple[Tensor, dict[str, Tensor]]:
    """Answers to all prompts of a batch, each followed by a click on its worst error.

    ``batch`` holds the same number of prompts for each picture, picture by picture.
    """
    truth = Truth(batch["masks"], batch["others"], batch["present"])
    prompt = Prompt(batch["points"], batch["labels"])
    count = len(prompt) // len(embedding)
    each = embedding[torch.arange(len(embedding)).repeat_interleave(count).to(prompt.points.device)]
    ambiguous = (prompt.labels >= 0).sum(1) == 1
    total, parts = None, {}
    for number in range(batch["rounds"]):
        prediction = decode(model, each, prompt)
        loss, found = prompt_loss(prediction, truth, ambiguous)
        total = loss if total is None else total + loss
        if number == 0:
            parts = found
        if number + 1 < batch["rounds"]:
            prompt = correction(prompt, _shown(prediction, ambiguous), truth.masks)
            ambiguous = torch.zeros_like(ambiguous)
    assert total is not None
    return total / batch["rounds"], parts


def _shown(prediction: MaskPrediction, ambiguous: Tensor) -> Tensor:
    """Logits (N, 1, h, w) that a user would see: the likeliest of three where ambiguous."""
    single = prediction.logits[:, :1]
    best = prediction.iou[:, 1:].argmax(1) + 1
    likeliest = prediction.logits[torch.arange(len(best), device=best.device), best][:, None]
    return torch.where(ambiguous[:, None, None, None], likeliest, single).detach().float()
