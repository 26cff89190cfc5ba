"""The first stage of the demo Grounding DINO: its Swin alone learns to tell the things apart.

A detector that starts from nothing learns boxes within minutes and words not within hours: what
names a thing reaches the backbone through the decoder, the encoder and a contrast with words that
have no meaning yet. A linear classifier right on the backbone's maps asks for the noun at every
cell, and a step costs a third of one of the whole detector.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from panoptic.demo.artwork import THING_NAMES
from training.grounding_dino import GroundingDinoTask
from training.grounding_dino_model import SIDE, STRIDES, backbone_of, build_config, build_model
from training.loop import add_arguments, settings_from, train
from training.scenes import SceneSource, held_out, normalise, things_of

MINUTES = 20.0
_BACKGROUND_WEIGHT = 0.5


class Classifier(nn.Module):
    """Grounding DINO's backbone with a linear classifier on each of its maps.

    Pixels (B, 3, S, S) to one tensor (B, N, nouns + 1) with all cells of all maps, those of the
    finest first, as Grounding DINO's encoder has them; the last class is "no thing".
    """

    def __init__(self, words: int, nouns: int) -> None:
        super().__init__()
        self.backbone = backbone_of(build_model(build_config(words)))
        # Each linear layer sees maps of very different scales otherwise.
        self.heads = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(c), nn.Linear(c, nouns + 1)) for c in self.backbone.channels
        )

    def forward(self, pixels: Tensor) -> Tensor:
        maps = self.backbone(pixels).feature_maps
        rows = [x.flatten(2).transpose(1, 2) for x in maps]
        return torch.cat([head(x) for head, x in zip(self.heads, rows, strict=True)], 1)


class BackboneTask(GroundingDinoTask):
    """Naming every cell as :class:`training.loop.Task`, with the scenes of the detector's."""

    name = "grounding_dino_backbone"

    def build(self) -> nn.Module:
        return Classifier(len(self.tokenizer), len(self.words))

    def choose_words(self, present: list[str], rng: np.random.Generator) -> list[str]:
        """All nouns in their order: a target's word is its class."""
        return list(self.words)

    def loss(
        self, model: nn.Module, batch: dict[str, Any], step: int
    ) -> tuple[Tensor, dict[str, Tensor]]:
        logits = model(batch["pixel_values"]).float()
        sides = [(-(-SIDE // stride)) ** 2 for stride in STRIDES]
        parts = {}
        with torch.autocast(logits.device.type, enabled=False):
            levels = zip(
                STRIDES, logits.split(sides, 1), batch["owners"].split(sides, 1), strict=True
            )
            for stride, rows, owners in levels:
                parts[f"name{stride}"], parts[f"back{stride}"] = naming(
                    rows, owners, batch["words"]
                )
        total = sum(
            part * (_BACKGROUND_WEIGHT if name.startswith("back") else 1.0)
            for name, part in parts.items()
        )
        assert isinstance(total, Tensor)
        return total, parts

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Share of things that most of their cells name rightly, map by map."""
        device = next(model.parameters()).device
        metrics: dict[str, float] = {}
        for vendor, scenes in held_out(48, SIDE).items():
            right, count = np.zeros(len(STRIDES)), 0
            for scene in scenes:
                logits = model(normalise(scene.image[None]).to(device))[0, :, : len(self.words)]
                names, _, ids = things_of(scene)
                cells = (self.grid.centres.numpy() * SIDE).astype(int)
                at_cells = scene.ids[cells[:, 1], cells[:, 0]]
                sides = [(-(-SIDE // stride)) ** 2 for stride in STRIDES]
                for name, segment_id in zip(names, ids, strict=True):
                    count += 1
                    rows = torch.from_numpy(at_cells == segment_id).to(device).split(sides)
                    for level, (part, inside) in enumerate(
                        zip(logits.split(sides), rows, strict=True)
                    ):
                        if inside.any():
                            said = part[inside].log_softmax(1).mean(0).argmax()
                            right[level] += self.words[int(said)] == name
            for stride, share in zip(STRIDES, right / max(1, count), strict=True):
                metrics[f"named {vendor}, stride {stride}"] = float(share)
        return metrics

    def export(self, model: nn.Module, folder: Path) -> None:
        raise ValueError("a backbone alone is no model to ship: train the second stage from it")


def naming(logits: Tensor, owners: Tensor, words: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Cross-entropy of the cells that lie on things, each thing weighing the same, and of the
    others. ``logits`` (B, N, K + 1), ``owners`` (B, N) index ``words`` of the image or are -1."""
    nothing = logits.shape[2] - 1
    named, things = logits.new_zeros(()), 0
    for b, classes in enumerate(words):
        on_thing = (owners[b] >= 0).nonzero()[:, 0]
        owner = owners[b, on_thing]
        size = torch.bincount(owner, minlength=len(classes))
        losses = F.cross_entropy(logits[b, on_thing], classes[owner], reduction="none")
        named = named + (losses / size[owner]).sum()
        things += int((size > 0).sum())
    back = logits[owners < 0]
    target = torch.full((len(back),), nothing, device=logits.device)
    return named / max(1, things), F.cross_entropy(back, target, reduction="sum") / max(
        1, len(back)
    )


def make_task(seed: int | None) -> BackboneTask:
    """The task with the scenes of a training seed; without scenes (None) it can't train."""
    source = None if seed is None else SceneSource.training(seed, SIDE, augment=0.3, crowded=0.9)
    return BackboneTask(source, list(THING_NAMES))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    arguments = parser.parse_args()
    recipe = {
        "minutes": MINUTES,
        "batch_size": 16,
        "reuse": 8,
        "evaluate_minutes": 6.0,
        "muon": True,
    }
    train(make_task(arguments.seed + 1), settings_from(arguments, **recipe), arguments)


if __name__ == "__main__":
    main()
