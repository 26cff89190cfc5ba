"""The whole recipe for a comparison's weights: random values, then decisions that fall both ways.

A model decides four times: whether the single mask is stable, which of three masks is best,
whether the object is present, and which pixels are inside. With random weights each decision but
the last falls the same way nearly always, and a mistake in the other branch would not show.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from benchmarks.parity.cases import ClipCase, clip_cases, image_cases
from benchmarks.parity.reference import Reference, random_state
from benchmarks.parity.scenes import Scene
from benchmarks.parity.shapes import ModelShape
from benchmarks.parity.weights import randomise

_SINGLE_MASK = "mask_decoder.output_hypernetworks_mlps.0.proj_out."
_IOU_BIAS = "mask_decoder.iou_prediction_head.proj_out.bias"
_PRESENCE_BIAS = "mask_decoder.pred_obj_score_head.proj_out.bias"
_ABSENT_SHARE = 0.3


def comparison_state(
    shape: ModelShape, version: str, seed: int = 0, device: str = "cpu"
) -> dict[str, Tensor]:
    """A state dict in Hugging Face naming with which the cases tell right from wrong.

    What the heads say depends on everything before them, so their last layers are set by runs
    of the reference: half of the prompts give an unstable single mask, each of the three masks
    is the best about as often, and three in ten of the tracked objects are absent.
    """
    state = randomise(random_state(shape, version), seed)
    scene = Scene(shape.image_size, seed=seed)
    case = next(case for case in clip_cases(scene) if case.absent)

    def reference() -> Reference:
        return Reference(shape, version, state, device=device)

    scale = _scale_to_the_edge_of_stability(reference(), scene)
    for name in (_SINGLE_MASK + "weight", _SINGLE_MASK + "bias"):
        state[name] = state[name] * scale
    iou, _ = _decided(reference(), case, scene)
    state[_IOU_BIAS][1:] -= iou.logit().mean(dim=0)
    _, presence = _decided(reference(), case, scene)
    state[_PRESENCE_BIAS] -= _widest_gap(presence, _ABSENT_SHARE)
    return state


def _scale_to_the_edge_of_stability(reference: Reference, scene: Scene) -> float:
    """The factor on the single mask's logits with which half of the images' prompts are stable."""
    decoder = reference.image.mask_decoder
    decoder.dynamic_multimask_via_stability = False
    masks = torch.stack(
        [
            answer.logits[0]
            for case in image_cases(scene)
            if not case.multimask
            for answer in reference.segment(case, scene)
        ]
    ).flatten(1)
    # Of every mask the factor (its logarithm) from which on it is stable, by bisection.
    low, high = torch.full((len(masks), 1), -4.0), torch.full((len(masks), 1), 4.0)
    for _ in range(30):
        middle = (low + high) / 2
        offset = decoder.dynamic_multimask_stability_delta / middle.exp()
        inside, around = (masks > offset).sum(dim=1), (masks > -offset).sum(dim=1).clamp(min=1)
        stable = (inside / around >= decoder.dynamic_multimask_stability_thresh)[:, None]
        low, high = torch.where(stable, low, middle), torch.where(stable, middle, high)
    return math.exp(_widest_gap(high[:, 0], 0.5))


def _widest_gap(values: Tensor, share: float) -> float:
    """About the quantile `share`, but where no value is near, so that noise decides nothing."""
    ordered = values.double().sort().values
    count = len(ordered)
    first, last = int(count * (share - 0.15)), int(count * (share + 0.15)) + 1
    near = ordered[max(first, 0) : last + 1]
    widest = int(near.diff().argmax())
    return float((near[widest] + near[widest + 1]) / 2)


def _decided(reference: Reference, case: ClipCase, scene: Scene) -> tuple[Tensor, Tensor]:
    """Estimated IoU (N, 3) and presence (N,) of the tracked frames of a case."""
    iou: list[Tensor] = []
    hook = reference.video.mask_decoder.register_forward_hook(
        lambda module, inputs, output: iou.append(output[1].flatten().cpu())
    )
    run = reference.track(case, scene)
    hook.remove()
    first = len(case.visits[0].asks)  # the rest of the visits have none
    presence = [answer.presence for answer in run.answers if answer.visit > 0]
    return torch.stack(iou[first:]), torch.tensor(presence)
