"""Trains the demo CLIPSeg: ``python -m training.clipseg --minutes 15``.

The architecture is transformers' own, made small. Its forward freezes both towers, so the training
forward is written out here; and it is trained from scratch, towers and all, without CLIP.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import CLIPSegConfig, CLIPSegForImageSegmentation, CLIPSegProcessor

from panoptic.demo.artwork import THING_NAMES
from panoptic.demo.textures import STUFF_NAMES
from training.augment import erase, recolour
from training.export import save_half
from training.loop import add_arguments, settings_from, train
from training.scenes import LabelledScene, SceneSource, held_out, normalise
from training.stuff_metrics import stuff_iou
from training.tokenizers import word_level_tokenizer

SIDE = 192
PATCH = 16
PROMPTS = 4  # words asked of each image in training
DICE_WEIGHT, PATCH_WEIGHT = 0.3, 0.5
MINUTES = 15.0


def build_config(words: int) -> CLIPSegConfig:
    """The shipped configuration for a tokenizer of ``words`` tokens."""
    return CLIPSegConfig(
        text_config={
            "vocab_size": words,
            "hidden_size": 96,
            "intermediate_size": 192,
            "num_hidden_layers": 1,
            "num_attention_heads": 4,
            "max_position_embeddings": 16,
            "pad_token_id": 0,
            "bos_token_id": 1,
            "eos_token_id": 3,
        },
        vision_config={
            "hidden_size": 160,
            "intermediate_size": 480,
            "num_hidden_layers": 5,
            "num_attention_heads": 5,
            "image_size": SIDE,
            "patch_size": PATCH,
        },
        projection_dim=96,
        reduce_dim=64,
        extract_layers=[0, 2, 4],
        decoder_num_attention_heads=4,
        decoder_intermediate_size=256,
        use_complex_transposed_convolution=True,
    )


def build_model(config: CLIPSegConfig) -> CLIPSegForImageSegmentation:
    """A new model with a decoder that can be trained.

    transformers starts the decoder's own layers with standard deviation 1, which never recovers.
    """
    model = CLIPSegForImageSegmentation(config)
    decoder: Any = model.decoder
    for module in decoder.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            assert module.bias is not None
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            nn.init.zeros_(module.bias)
    for module in (*decoder.reduces, decoder.film_mul, decoder.film_add):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)
    nn.init.ones_(decoder.film_mul.bias)
    last = decoder.transposed_convolution[-1]
    nn.init.normal_(last.weight, std=0.05)
    nn.init.constant_(last.bias, -1.0)
    return model


def patch_shares(labels: Tensor, classes: int) -> Tensor:
    """(B, H, W) class indices, -1 for none, to (B, N, classes): each patch's share of pixels."""
    b, h, w = labels.shape
    patches = labels.reshape(b, h // PATCH, PATCH, w // PATCH, PATCH).transpose(2, 3)
    patches = patches.reshape(b, -1, PATCH * PATCH) + 1
    counts = torch.zeros(b, patches.shape[1], classes + 1)
    counts.scatter_add_(2, patches, torch.ones_like(patches, dtype=counts.dtype))
    return counts[..., 1:] / PATCH**2


class ClipSegTask:
    """CLIPSeg as :class:`training.loop.Task`."""

    name = "clipseg"

    def __init__(self, source: SceneSource | None, things: list[str], stuff: list[str]) -> None:
        self.source = source
        self.things = things
        self.stuff = stuff
        self.tokenizer = word_level_tokenizer([*stuff, *things])
        # Stuff first: the patch loss takes the first words as its classes.
        self.words = [*stuff, *things, self.tokenizer.unk_token]
        table = self.tokenizer(self.words, padding=True, return_tensors="pt")
        self.table = (table.input_ids, table.attention_mask)

    def build(self) -> nn.Module:
        return build_model(build_config(len(self.tokenizer)))

    def draw(self, seed: int) -> LabelledScene:
        if self.source is None:
            raise ValueError("this task was made without scenes: give it a SceneSource")
        return self.source.draw(seed)

    def choose_words(self, scene: LabelledScene, rng: np.random.Generator) -> list[str]:
        """Two kinds of stuff that are there, one that isn't, and a thing or an unknown word."""
        present = sorted(set(scene.stuff.values()))
        absent = [name for name in self.stuff if name not in present]
        rng.shuffle(present)
        rng.shuffle(absent)
        chosen = present[:2]
        chosen += absent[: PROMPTS - 1 - len(chosen)]
        things = sorted(set(scene.things.values()))
        draw = rng.random()
        if draw < 0.1:
            return [*chosen, self.words[-1]]
        return [*chosen, str(rng.choice(things if things and draw < 0.6 else self.things))]

    def collate(
        self, samples: list[LabelledScene], rng: np.random.Generator, step: int
    ) -> dict[str, Any]:
        images, words, masks, labels = [], [], [], []
        for scene in samples:
            scene = scene.mirrored() if rng.random() < 0.5 else scene
            chosen = self.choose_words(scene, rng)
            names = {**scene.stuff, **scene.things}
            masks.append(
                [np.isin(scene.ids, [i for i, n in names.items() if n == w]) for w in chosen]
            )
            label = np.full(scene.ids.shape, -1)
            for segment_id, name in scene.stuff.items():
                label[scene.ids == segment_id] = self.stuff.index(name)
            labels.append(label)
            words.append([self.words.index(word) for word in chosen])
            image = scene.image.astype(np.float32)
            if rng.random() < 0.7:
                # Gently: unlike a thing, stuff is to a good part its colour.
                image = recolour(image, rng, 0.2)
            if rng.random() < 0.2:
                erase(image, rng, 0.2)
            images.append(np.clip(image, 0, 255))
        return {
            "pixel_values": normalise(np.stack(images)),
            "words": torch.tensor(words),
            "masks": torch.from_numpy(np.array(masks, np.float32)),
            "shares": patch_shares(torch.from_numpy(np.stack(labels)), len(self.stuff)),
        }

    def loss(
        self, model: Any, batch: dict[str, Any], step: int
    ) -> tuple[Tensor, dict[str, Tensor]]:
        device = batch["words"].device
        clip = model.clip
        texts = self.embed_words(model)
        decoded, last = forward(model, batch["pixel_values"], texts[batch["words"]])
        # A quarter of the pixels, another quarter at every step, teaches as much as all of them.
        y, x = divmod(step % 4, 2)
        truth = batch["masks"][..., y::2, x::2]
        logits = decoded[..., y::2, x::2]
        tokens = clip.visual_projection(clip.vision_model.post_layernorm(last[:, 1:]))
        likeness = F.normalize(tokens, dim=-1) @ F.normalize(texts[: len(self.stuff)], dim=-1).t()
        with torch.autocast(device.type, enabled=False):
            parts = {
                "pixel": F.binary_cross_entropy_with_logits(logits.float(), truth),
                "dice": dice_loss(logits.float(), truth),
                "patch": patch_loss(likeness.float() * clip.logit_scale.exp(), batch["shares"]),
            }
        return parts["pixel"] + DICE_WEIGHT * parts["dice"] + PATCH_WEIGHT * parts["patch"], parts

    def evaluate(self, model: Any) -> dict[str, float]:
        """Mean IoU over stuff on scenes of a world the training doesn't see."""
        return {
            f"stuff mIoU {vendor}": stuff_iou(self.predict(model, scenes), scenes, self.stuff).mean
            for vendor, scenes in held_out(48, SIDE).items()
        }

    def embed_words(self, model: Any) -> Tensor:
        """(words, D): the text tower's embeddings of all words, the stuff first."""
        input_ids, attention_mask = (x.to(model.device) for x in self.table)
        return model.clip.get_text_features(input_ids, attention_mask=attention_mask).pooler_output

    @torch.no_grad()
    def predict(self, model: Any, scenes: list[LabelledScene]) -> np.ndarray:
        """(N, H, W): the index of the likeliest stuff of each pixel."""
        texts = self.embed_words(model)[None, : len(self.stuff)]
        return np.stack(
            [
                forward(model, normalise(scene.image[None]).to(model.device), texts)[0][0]
                .argmax(0)
                .cpu()
                .numpy()
                for scene in scenes
            ]
        )

    def export(self, model: Any, folder: Path) -> None:
        from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

        processor = CLIPSegProcessor(
            ViTImageProcessorPil(
                size={"height": SIDE, "width": SIDE},
                image_mean=[0.485, 0.456, 0.406],
                image_std=[0.229, 0.224, 0.225],
            ),
            self.tokenizer,
        )
        save_half(model, processor, folder)


def forward(model: Any, pixel_values: Tensor, texts: Tensor) -> tuple[Tensor, Tensor]:
    """Mask logits (B, K, H, W) of K words of each image, whose embeddings are ``texts``
    (B, K, D), and the vision tower's last tokens. transformers' own forward would take the
    vision tower through every image K times, and freeze it."""
    seen = model.clip.vision_model(pixel_values, output_hidden_states=True)
    count = texts.shape[1]
    activations = [
        seen.hidden_states[i + 1].repeat_interleave(count, 0) for i in model.extract_layers
    ]
    logits = model.decoder(activations, texts.flatten(0, 1)).logits
    return logits.unflatten(0, (-1, count)), seen.last_hidden_state


def dice_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Soft dice of (..., H, W) masks, one number per mask, averaged; empty masks stay tame."""
    p = logits.sigmoid()
    shared = (p * truth).sum((-2, -1))
    sizes = p.sum((-2, -1)) + truth.sum((-2, -1))
    return (1 - (2 * shared + 20) / (sizes + 20)).mean()


def patch_loss(logits: Tensor, shares: Tensor) -> Tensor:
    """Cross-entropy of (B, N, C) logits against each patch's shares of stuff (B, N, C), over the
    patches that are more than half stuff."""
    total = shares.sum(-1)
    kept = (total > 0.5).float()
    wanted = shares / total.clamp(min=1e-6)[..., None]
    entropy = -(wanted * logits.log_softmax(-1)).sum(-1)
    return (entropy * kept).sum() / kept.sum().clamp(min=1)


def make_task(seed: int | None) -> ClipSegTask:
    """The task with the scenes of a training seed; without scenes (None) it can't train."""
    source = None if seed is None else SceneSource.training(seed, SIDE, augment=0.3)
    return ClipSegTask(source, list(THING_NAMES), list(STUFF_NAMES))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    arguments = parser.parse_args()
    recipe = {
        "minutes": MINUTES,
        "batch_size": 8,
        "reuse": 4,
        "weight_decay": 0.02,
        "clip_norm": 1.0,
        "evaluate_minutes": 4.0,
    }
    train(make_task(arguments.seed), settings_from(arguments, **recipe), arguments)


if __name__ == "__main__":
    main()
