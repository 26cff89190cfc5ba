"""The whole recipe for a comparison's weights: random values, then presence of both signs."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.parity.cases import clip_cases
from benchmarks.parity.reference import Reference, random_state
from benchmarks.parity.scenes import Scene
from benchmarks.parity.shapes import ModelShape
from benchmarks.parity.weights import randomise

_PRESENCE_BIAS = "mask_decoder.pred_obj_score_head.proj_out.bias"
_ABSENT_SHARE = 0.3


def comparison_state(
    shape: ModelShape, version: str, seed: int = 0, device: str = "cpu"
) -> dict[str, Tensor]:
    """A state dict in Hugging Face naming with which the cases tell right from wrong.

    What the presence head says depends on everything before it, so its bias is set by a run of
    the reference: about three in ten of the tracked objects of the occlusion case are absent.
    """
    state = randomise(random_state(shape, version), seed)
    scene = Scene(shape.image_size, seed=seed)
    case = next(case for case in clip_cases(scene) if case.absent)
    run = Reference(shape, version, state, device=device).track(case, scene)
    tracked = [answer.presence for answer in run.answers if answer.visit > 0]
    state[_PRESENCE_BIAS] = state[_PRESENCE_BIAS] - torch.tensor(tracked).quantile(_ABSENT_SHARE)
    return state
