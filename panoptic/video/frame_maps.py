"""From what the tracker answers to the map of a frame: one way for all of panoptic video."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from panoptic.results.segmentation import PanopticSegmentation
from panoptic.settings.video import VideoSettings
from panoptic.video.identities import Roster
from panoptic.video.mask_layers import Layer, Layers, to_steps
from prompts import Vocabulary
from sam2core import BankSettings, TrackedFrame, TrackerSettings

if TYPE_CHECKING:
    from panoptic.image_pipeline import ImagePipeline


def layers_of(answer: TrackedFrame, roster: Roster, size: tuple[int, int]) -> Layers:
    """The masks of all that is followed, in a frame of ``size`` (height, width)."""
    layers = []
    for id, steps in zip(answer.object_ids, to_steps(answer.logits.cpu().numpy()), strict=True):
        member = roster.live[id]
        layers.append(Layer(id, member.category_id, member.score, member.quality, steps))
    return Layers(answer.frame_index, size, ()).with_layers(layers)


def tracker_settings(settings: VideoSettings) -> TrackerSettings:
    """How the tracker keeps memories: bounded, and what was corrected like what was prompted."""
    bank = BankSettings(policy=settings.memory, keep_prompted=settings.keep_prompts)
    return TrackerSettings(mode=settings.tracker_mode, bank=bank, corrections_are_prompts=True)


def compose(
    layers: Layers,
    vocabulary: Vocabulary,
    settings: VideoSettings,
    pipeline: ImagePipeline,
    image: np.ndarray | None = None,
) -> PanopticSegmentation:
    """The map of a frame, as all of panoptic video makes it."""
    return layers.compose(
        {c.id: c for c in vocabulary},
        settings.stuff_logit,
        settings.min_area,
        pipeline.settings.merge,
        image,
    )
