"""Trains the demo Grounding DINO: ``python -m training.grounding_dino --minutes 80``.

The architecture is transformers' own, made small; the training forward and the losses are ours
(see :mod:`training.detection_loss` for why).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import GroundingDinoProcessor

from panoptic.demo.artwork import THING_NAMES
from training.augment import erase, posterise, recolour, recolour_objects
from training.detection_loss import (
    GIOU_WEIGHT,
    L1_WEIGHT,
    WORD_WEIGHT,
    Grid,
    Targets,
    assign_dense,
    match,
    naming_loss,
    pair_loss,
)
from training.detection_metrics import average_precision, detect, prompts_for
from training.export import save_half
from training.grounding_dino_model import (
    SIDE,
    STRIDES,
    build_config,
    build_model,
    encode_prompts,
    forward,
    load_backbone,
)
from training.loop import add_arguments, settings_from, train
from training.scenes import LabelledScene, SceneSource, held_out, normalise, things_of
from training.tokenizers import bert_tokenizer

UNKNOWN = "[UNK]"
MINUTES = 80.0
CROPPED = 0.5  # share of the scenes
NAMING_WEIGHT = 3.0  # words, not boxes, are what a short training lacks


class GroundingDinoTask:
    """Grounding DINO as :class:`training.loop.Task`."""

    name = "grounding_dino"

    def __init__(
        self, source: SceneSource | None, words: list[str], backbone: Path | None = None
    ) -> None:
        self.source = source
        self.backbone = backbone
        self.words = words
        self.tokenizer = bert_tokenizer(words)
        self.grid = Grid.of(SIDE, STRIDES)

    def build(self) -> nn.Module:
        model = build_model(build_config(len(self.tokenizer)))
        if self.backbone is not None:
            load_backbone(model, self.backbone)
        return model

    def draw(self, seed: int) -> LabelledScene:
        if self.source is None:
            raise ValueError("this task was made without scenes: give it a SceneSource")
        return self.source.draw(seed)

    def choose_words(self, present: list[str], rng: np.random.Generator) -> list[str]:
        """The prompt of one image: all words now and then, else those present and some others."""
        absent = [word for word in self.words if word not in present]
        rng.shuffle(absent)
        if rng.random() > 0.25:
            count = int(rng.integers(max(2, len(present)), 25))
            absent = absent[: max(0, count - len(present))]
        if rng.random() < 0.15:
            absent.append(UNKNOWN)
        prompt = present + absent
        rng.shuffle(prompt)
        return prompt

    def collate(
        self, samples: list[LabelledScene], rng: np.random.Generator, step: int
    ) -> dict[str, Any]:
        images, prompts, boxes, words, owners = [], [], [], [], []
        cells = (self.grid.centres.numpy() * SIDE).astype(int)
        for scene in samples:
            scene = scene.mirrored() if rng.random() < 0.5 else scene
            scene = scene.cropped(rng) if rng.random() < CROPPED else scene
            names, truth, segment_ids = things_of(scene)
            prompt = self.choose_words(list(dict.fromkeys(names)), rng)
            at_tokens = scene.ids[cells[:, 1], cells[:, 0]]
            owner = np.full(len(cells), -1)
            for index, segment_id in enumerate(segment_ids):
                owner[at_tokens == segment_id] = index
            images.append(self._augment(scene, segment_ids, rng))
            prompts.append(prompt)
            boxes.append(torch.tensor(truth, dtype=torch.float32).reshape(-1, 4))
            words.append(torch.tensor([prompt.index(name) for name in names], dtype=torch.long))
            owners.append(torch.from_numpy(owner))
        input_ids, mask, tokens = encode_prompts(self.tokenizer, prompts)
        return {
            "pixel_values": normalise(np.stack(images)),
            "input_ids": input_ids,
            "attention_mask": mask,
            "tokens": tokens,
            "boxes": boxes,
            "words": words,
            "owners": torch.stack(owners),
        }

    def _augment(
        self, scene: LabelledScene, segment_ids: list[int], rng: np.random.Generator
    ) -> np.ndarray:
        image = scene.image.astype(np.float32)
        recolour_objects(image, scene.ids, [i for i in segment_ids if rng.random() < 0.15], rng)
        if rng.random() < 0.4:
            image = recolour(image, rng, 0.4)
        if rng.random() < 0.1:
            image = np.repeat(image.mean(2, keepdims=True), 3, 2)
        if rng.random() < 0.1:
            image = posterise(image, int(rng.integers(4, 12)))
        if rng.random() < 0.15:
            erase(image, rng, 0.25)
        return np.clip(image, 0, 255)

    def loss(
        self, model: Any, batch: dict[str, Any], step: int
    ) -> tuple[Tensor, dict[str, Tensor]]:
        layers, (dense_logits, dense_boxes), mask = forward(model, batch)
        targets = [
            Targets(*each)
            for each in zip(batch["boxes"], batch["words"], batch["tokens"], strict=True)
        ]
        parts: dict[str, Tensor] = {}
        with torch.autocast(mask.device.type, enabled=False):
            for number, (logits, boxes) in enumerate(layers):
                with torch.no_grad():
                    pairs = [
                        match(x.detach(), y.detach(), t)
                        for x, y, t in zip(logits, boxes, targets, strict=True)
                    ]
                parts |= _named(f"decoder{number}", pair_loss(logits, boxes, mask, targets, pairs))
            grid = self.grid.to(mask.device)
            with torch.no_grad():
                pairs = [
                    assign_dense(x, y, t, grid)
                    for x, y, t in zip(dense_logits, dense_boxes, targets, strict=True)
                ]
            parts |= _named("proposal", pair_loss(dense_logits, dense_boxes, mask, targets, pairs))
            parts["naming"] = naming_loss(dense_logits, targets, batch["owners"])
        weights = {
            "word": WORD_WEIGHT,
            "l1": L1_WEIGHT,
            "giou": GIOU_WEIGHT,
            "naming": NAMING_WEIGHT,
        }
        total = sum(weights[name.split("_")[-1]] * part for name, part in parts.items())
        assert isinstance(total, Tensor)
        return total, parts

    def evaluate(self, model: Any) -> dict[str, float]:
        """AP50 with the right word on scenes of a world the training doesn't see."""
        device = next(model.parameters()).device
        metrics = {}
        for vendor, scenes in held_out(48, SIDE).items():
            for asked in (12, None):
                prompts = prompts_for(scenes, self.words, asked, seed=0)
                found = detect(model, self.tokenizer, scenes, prompts, device)
                key = f"AP50 {vendor}, {asked or 'all'} words"
                metrics[key] = average_precision(found, scenes).by_word
        return metrics

    def export(self, model: Any, folder: Path) -> None:
        from transformers.models.grounding_dino.image_processing_pil_grounding_dino import (
            GroundingDinoImageProcessorPil,
        )

        processor = GroundingDinoProcessor(
            GroundingDinoImageProcessorPil(size={"height": SIDE, "width": SIDE}), self.tokenizer
        )
        save_half(model, processor, folder)


def _named(prefix: str, losses: tuple[Tensor, Tensor, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}_{k}": v for k, v in zip(("word", "l1", "giou"), losses, strict=True)}


def make_task(seed: int | None, backbone: Path | None = None) -> GroundingDinoTask:
    """The task with the scenes of a training seed; without scenes (None) it can't train.

    ``backbone`` is a checkpoint of :mod:`training.grounding_dino_backbone` to start from.
    """
    source = None if seed is None else SceneSource.training(seed, SIDE, augment=0.3, crowded=0.75)
    return GroundingDinoTask(source, list(THING_NAMES), backbone)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    parser.add_argument(
        "--backbone", type=Path, help="by default the checkpoint of the first stage, among the runs"
    )
    arguments = parser.parse_args()
    backbone = arguments.backbone or arguments.runs / "grounding_dino_backbone" / "checkpoint.pt"
    recipe = {
        "minutes": MINUTES,
        "batch_size": 8,
        # Not more: what is seen often within some hundred steps is learned by heart.
        "reuse": 2,
        "evaluate_minutes": 10.0,
        "muon": True,
    }
    train(make_task(arguments.seed, backbone), settings_from(arguments, **recipe), arguments)


if __name__ == "__main__":
    main()
