"""Average precision of a detector with the right word, and the prompts it is asked with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from training.detection_loss import corners, overlaps, phrase_logits
from training.grounding_dino_model import encode_prompts
from training.scenes import LabelledScene, normalise, things_of

LEAST_SCORE = 0.02  # below, a detection no longer moves the average precision
SAME_OBJECT = 0.6  # IoU from which two boxes with one word are one object


@dataclass(frozen=True)
class Detection:
    """``box`` is (left, top, right, bottom) in fractions of the image."""

    score: float
    word: str
    box: Tensor


@dataclass(frozen=True)
class Precision:
    """``by_word`` is the mean over words of the average precision at IoU 0.5 (mAP50), ``pooled``
    that of all detections in one list, ``boxed`` the share of things that have a box with a score
    of 0.3 or more on them, whatever its word, ``named`` those whose word is right too."""

    by_word: float
    pooled: float
    boxed: float
    named: float


def prompts_for(
    scenes: Sequence[LabelledScene], words: Sequence[str], asked: int | None, seed: int
) -> list[list[str]]:
    """For each scene the words it is asked for: those present, filled up with others to ``asked``
    words (all words if None), shuffled."""
    rng = np.random.default_rng(seed)
    prompts = []
    for scene in scenes:
        present = list(dict.fromkeys(scene.things.values()))
        absent = [word for word in words if word not in present]
        rng.shuffle(absent)
        if asked is not None:
            absent = absent[: max(0, asked - len(present))]
        prompt = present + absent
        rng.shuffle(prompt)
        prompts.append(prompt)
    return prompts


def decode(logits: Tensor, boxes: Tensor, tokens: Tensor, prompt: list[str]) -> list[Detection]:
    """Detections of one image, best first, out of (Q, T) token logits, (Q, 4) boxes as centre and
    size, and the (P, T) map of the prompt's phrases: a query's word is the phrase whose tokens are
    likeliest on average; overlapping boxes with one word are reduced to the best."""
    scores, words = phrase_logits(logits.sigmoid().nan_to_num(0), tokens).max(1)
    around = corners(boxes)
    kept: list[int] = []
    for query in scores.argsort(descending=True).tolist():
        if scores[query] < LEAST_SCORE:
            break
        rivals = [k for k in kept if words[k] == words[query]]
        if not rivals or overlaps(around[query], around[rivals])[0].max() < SAME_OBJECT:
            kept.append(query)
    return [Detection(float(scores[q]), prompt[int(words[q])], around[q]) for q in kept]


@torch.no_grad()
def detect(
    model: nn.Module,
    tokenizer: PreTrainedTokenizerBase,
    scenes: Sequence[LabelledScene],
    prompts: list[list[str]],
    device: torch.device,
    batch_size: int = 20,
) -> list[list[Detection]]:
    """Detections of each scene, through the model's own forward."""
    found = []
    for start in range(0, len(scenes), batch_size):
        part = slice(start, start + batch_size)
        input_ids, mask, tokens = encode_prompts(tokenizer, prompts[part])
        images = np.stack([scene.image for scene in scenes[part]])
        out = model(
            pixel_values=normalise(images).to(device),
            input_ids=input_ids.to(device),
            attention_mask=mask.to(device),
        )
        logits = out.logits[..., : mask.shape[1]].float().cpu()
        boxes = out.pred_boxes.float().cpu()
        found += [decode(*each) for each in zip(logits, boxes, tokens, prompts[part], strict=True)]
    return found


def average_precision(
    found: Sequence[Sequence[Detection]], scenes: Sequence[LabelledScene]
) -> Precision:
    """Precision of detections against the visible things of their scenes.

    Each truth is found once, by the best-scoring detection with its word and IoU >= 0.5 (as in
    the COCO protocol, at one IoU, with 101 recall points).
    """
    by_word: dict[str, list[tuple[float, bool]]] = defaultdict(list)
    totals: dict[str, int] = defaultdict(int)
    boxed = named = 0
    for detections, scene in zip(found, scenes, strict=True):
        names, boxes, _ = things_of(scene)
        truth = corners(torch.from_numpy(boxes))
        taken: set[int] = set()
        any_word: set[int] = set()
        right_word: set[int] = set()
        for name in names:
            totals[name] += 1
        for detection in sorted(detections, key=lambda d: -d.score):
            iou = overlaps(detection.box[None], truth)[0] if names else torch.zeros(0)
            on = (iou >= 0.5).nonzero()[:, 0].tolist()
            right = [k for k in on if names[k] == detection.word]
            if detection.score >= 0.3:
                any_word.update(on)
                right_word.update(right)
            free = [k for k in right if k not in taken]
            if free:
                taken.add(max(free, key=lambda k: float(iou[k])))
            by_word[detection.word].append((detection.score, bool(free)))
        boxed += len(any_word)
        named += len(right_word)
    count = max(1, sum(totals.values()))
    pooled = [hit for hits in by_word.values() for hit in hits]
    return Precision(
        float(np.mean([_area(by_word[w], n) for w, n in totals.items()])) if totals else 0.0,
        _area(pooled, count),
        boxed / count,
        named / count,
    )


def _area(hits: list[tuple[float, bool]], total: int) -> float:
    if not hits:
        return 0.0
    correct = np.cumsum([hit for _, hit in sorted(hits, key=lambda h: -h[0])])
    precision = correct / np.arange(1, len(correct) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    recall = correct / total
    at = np.searchsorted(recall, np.linspace(0, 1, 101))
    return float(np.append(precision, 0.0)[np.minimum(at, len(precision))].mean())
