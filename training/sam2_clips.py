"""SAM 2's second stage: things followed through clips by memory, still scenes along with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from panoptic.demo.clips import make_clip
from panoptic.demo.scenarios import SCENARIOS
from sam2core import ImageEmbedding, MaskPrediction, Memory, MemoryBank, Prompt, Sam2, save
from training.augment import colour_matrix
from training.sam2_clip_metrics import clip_metrics, held_out_clips
from training.sam2_images import (
    ImageTask,
    Still,
    answers_loss,
    resize,
    shrink,
    training_worlds,
)
from training.sam2_loss import Truth, prompt_loss
from training.sam2_model import SIDE, build_model, decode
from training.sam2_prompts import as_prompt, box_of, box_points, inner_points, jitter_box

OBJECTS = 4  # of each clip
STILLS = 2  # beside each clip: they keep, and add to, what the stages before learned
FRAMES, FRAME_ODDS = (3, 4, 6, 8), (0.3, 0.35, 0.25, 0.1)  # in a step
LENGTHS = (12, 16, 24, 32)  # of the whole story: the fewer frames, the quicker all moves
LEAST_PIXELS = 40  # of an object where it is prompted
TRIES = 3  # to find frames in which something gets hidden
UNSURE_PIXELS = 8  # what shows less than this, and more than nothing, counts for nothing
# How often frames that weren't kept lie between two, and how many then: a few frames are enough
# to learn from memories of all ages.
JUMP, NEAR_JUMP, FAR_JUMP = 0.35, 5, 16
CLIP_WEIGHT, PRESENCE_WEIGHT = 1.0, 2.0
HIDING = ("behind-thing", "behind-stuff", "leave-and-return", "cut", "cut-back")
HIDING_SHARE = 0.5  # of the clips, at least: absence is rare and must be learned too


@dataclass(frozen=True)
class Excerpt:
    """A clip, uint8 (F, H, W, 3), its ids (F, H, W), which of them are things; and stills."""

    frames: np.ndarray
    ids: np.ndarray
    things: tuple[int, ...]
    stills: tuple[Still, ...]


class ClipTask:
    """Objects through clips as :class:`training.loop.Task`, from the weights of the stills.

    In a step, some objects of each clip are prompted in its first frame, all of them by a mask,
    a box or a point, and then followed as :class:`sam2core.VideoTracker` does it; the gradient
    runs back through all memories, and ends at the image encoder, which stays as it is. Prompts on
    stills keep what the first stage learned.
    """

    name = "sam2"

    def __init__(self, seed: int, start: Mapping[str, Tensor]) -> None:
        self.seed, self.start = seed, start
        self.images = ImageTask(seed)

    def build(self) -> nn.Module:
        model = build_model()
        model.load_state_dict(dict(self.start))
        # It has seen many more pictures in the stages before than clips have to show, and what it
        # makes of them stays; a step is also much shorter.
        model.image_encoder.requires_grad_(False)
        return model

    def draw(self, seed: int) -> Excerpt:
        rng = np.random.default_rng(seed)
        worlds = training_worlds(self.seed)
        names = HIDING if rng.random() < HIDING_SHARE else tuple(SCENARIOS)
        clip = make_clip(
            worlds[rng.integers(len(worlds))],
            names[rng.integers(len(names))],
            int(rng.integers(2**31)),
            int(rng.choice(LENGTHS)),
            augment=0.3,
            anything=bool(rng.random() < 0.6),
        )
        things = tuple(i for i, track in clip.tracks.items() if track.is_thing)
        ids = np.stack([truth.ids for truth in clip.truth]).astype(np.int16)
        stills = tuple(self.images.draw(seed + k) for k in range(STILLS))
        return Excerpt(clip.frames, ids, things, stills)

    def collate(
        self, samples: list[Excerpt], rng: np.random.Generator, step: int
    ) -> dict[str, Any]:
        count = int(rng.choice(FRAMES, p=FRAME_ODDS))
        kind = str(rng.choice(["mask", "box", "point"], p=[0.5, 0.3, 0.2]))
        pixels, masks, others, states, first, prompts = [], [], [], [], [], []
        for excerpt in samples:
            frames, ids = _choose_frames(excerpt, count, rng)
            if rng.random() < 0.5:
                frames, ids = frames[:, :, ::-1], ids[:, :, ::-1]
            shown = frames.astype(np.float32)
            if rng.random() < 0.5:  # The same for all frames: colour is what tells things apart.
                shown = np.clip(
                    shown @ colour_matrix(rng.normal(0, 0.5), rng.uniform(0.5, 1.2)), 0, 255
                )
            pixels.append(resize(list(shown), SIDE))
            things = np.isin(ids, excerpt.things)
            for chosen in _choose_objects(ids, excerpt.things, rng):
                mask = ids == chosen
                area = mask.sum((1, 2))
                masks.append(shrink(mask, SIDE // 4))
                others.append(shrink(things & ~mask, SIDE // 4))
                # 1 is there, 0 isn't, -1 is too little to say.
                states.append(np.where(area == 0, 0, np.where(area < UNSURE_PIXELS, -1, 1)))
                first.append(F.interpolate(torch.from_numpy(mask[:1]).float()[None], (SIDE, SIDE)))
                if kind == "box":
                    prompts.append(
                        box_points(jitter_box(box_of(mask[0]), rng, 0.05, mask.shape[1:]))
                    )
                else:
                    prompts.append(inner_points(mask[0], rng, 1))
        scale = (SIDE / samples[0].ids.shape[2], SIDE / samples[0].ids.shape[1])
        prompt = as_prompt(prompts, scale, 2 if kind == "box" else 1)
        leaps = rng.integers(2, rng.choice([NEAR_JUMP, NEAR_JUMP, FAR_JUMP]) + 1, count - 1)
        jumps = np.where(rng.random(count - 1) < JUMP, leaps, 1)
        return {
            "pixels": torch.stack(pixels),
            "masks": torch.stack(masks, 1),
            "others": torch.stack(others, 1),
            "states": torch.from_numpy(np.stack(states, 1)),
            "first": torch.cat(first),
            "kind": kind,
            "points": prompt.points,
            "labels": prompt.labels,
            "times": [0, *np.cumsum(jumps).tolist()],
            "stills": self.images.collate([s for e in samples for s in e.stills], rng, step),
        }

    def loss(
        self, model: nn.Module, batch: dict[str, Any], step: int
    ) -> tuple[Tensor, dict[str, Tensor]]:
        assert isinstance(model, Sam2)
        stills = batch["stills"]
        clips, count = batch["pixels"].shape[:2]
        everything = model.encode_image(
            torch.cat((batch["pixels"].flatten(0, 1), stills["pixels"]))
        )
        image_loss, image_parts = answers_loss(
            model, model.recall(everything[clips * count :]), stills
        )
        rows = torch.arange(clips, device=model.device).repeat_interleave(OBJECTS) * count
        clip_loss, parts = follow(model, [everything[rows + t] for t in range(count)], batch)
        parts["still"] = image_parts["found"]
        return image_loss + CLIP_WEIGHT * clip_loss, parts

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """J&F and presence on held-out clips, mask IoU on held-out scenes."""
        assert isinstance(model, Sam2)
        return clip_metrics(model, held_out_clips(4, 20)) | self.images.evaluate(model)

    def export(self, model: nn.Module, folder: Path) -> None:
        assert isinstance(model, Sam2)
        save(model, folder, torch.float16)


def _choose_frames(
    excerpt: Excerpt, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """``count`` frames at a random pace, forward or backward; with luck something that is seen in
    the first of them is hidden later."""
    total = len(excerpt.ids)
    for _ in range(TRIES):
        pace = int(rng.integers(1, max(1, (total - 1) // (count - 1)) + 1))
        start = int(rng.integers(0, total - pace * (count - 1)))
        index = start + pace * np.arange(count)
        if rng.random() < 0.5:
            index = index[::-1]
        ids = excerpt.ids[index]
        later = [np.isin(excerpt.things, each) for each in ids[1:]]
        if (np.isin(excerpt.things, ids[0]) & ~np.logical_and.reduce(later)).any():
            break
    return excerpt.frames[index], ids


def _choose_objects(
    ids: np.ndarray, things: tuple[int, ...], rng: np.random.Generator
) -> list[int]:
    """Ids of OBJECTS objects of the first frame: first those that get hidden, then other things,
    then stuff; some of them again where there are too few."""
    found, areas = np.unique(ids[0], return_counts=True)
    seen = [int(i) for i, area in zip(found, areas, strict=True) if i and area >= LEAST_PIXELS]

    def rank(i: int) -> float:
        hidden = i in things and bool((~(ids == i).any((1, 2))).any())
        return rng.random() + (1.0 if hidden else 0.7 if i in things else 0.3)

    seen.sort(key=rank, reverse=True)
    if not seen:  # Only void, or nothing but crumbs: the largest of what there is.
        seen = [int(found[areas.argmax()])]
    return [seen[i % len(seen)] for i in range(OBJECTS)]


def follow(
    model: Sam2, embeddings: list[ImageEmbedding], batch: dict[str, Any]
) -> tuple[Tensor, dict[str, Tensor]]:
    """Loss of following N objects through frames; ``embeddings`` has of each frame N rows."""
    banks = [MemoryBank() for _ in range(len(batch["first"]))]
    total = torch.zeros((), device=model.device)
    sums: dict[str, Tensor] = {}
    frames = 0
    for t, embedding in enumerate(embeddings):
        truth = Truth(batch["masks"][t], batch["others"][t], batch["states"][t])
        if t == 0 and batch["kind"] == "mask":
            kept = model.adopt(embedding, batch["first"])
        else:
            answer, ambiguous = _answer(model, embedding, banks, batch, t)
            loss, parts = prompt_loss(answer, truth, ambiguous)
            total = total + loss + PRESENCE_WEIGHT * parts["presence"]
            frames += 1
            if t:
                for name, value in parts.items():
                    sums[name] = sums.get(name, torch.zeros_like(value)) + value / (
                        len(embeddings) - 1
                    )
            kept = model.gate(_best(answer, ambiguous))
        features = model.remember(embedding, kept.logits, kept.presence, binary=t == 0)
        for i, bank in enumerate(banks):
            memory = Memory(
                batch["times"][t],
                kept.pointer[i, 0],
                float(kept.presence[i, 0].detach()),
                float(kept.iou[i, 0].detach()),
                features[i],
            )
            bank.add(memory, prompted=t == 0)
    return total / frames, sums


def _answer(
    model: Sam2, embedding: ImageEmbedding, banks: list[MemoryBank], batch: dict[str, Any], t: int
) -> tuple[MaskPrediction, Tensor]:
    """The answer in frame ``t``: from the prompt in the first, from memory in the others."""
    count = len(banks)
    if t == 0:
        prompt = Prompt(batch["points"], batch["labels"])
        return decode(model, model.recall(embedding), prompt), (prompt.labels >= 0).sum(1) == 1
    selections = [bank.select(batch["times"][t]) for bank in banks]
    prompt = Prompt.empty(count, model.device)
    every = torch.ones(count, dtype=torch.bool, device=model.device)
    return decode(model, model.recall(embedding, selections), prompt), every


def _best(answer: MaskPrediction, ambiguous: Tensor) -> MaskPrediction:
    """The single mask, or the likeliest of the other three where ``ambiguous`` (N,)."""
    likeliest = answer.iou[:, 1:].argmax(1) + 1
    index = torch.where(ambiguous, likeliest, 0)
    rows = torch.arange(len(index), device=index.device)
    return MaskPrediction(
        answer.logits[rows, index][:, None].float(),
        answer.iou[rows, index][:, None].float(),
        answer.pointer[rows, index][:, None].float(),
        answer.presence.float(),
    )
