"""From what the tracker answers to the map of a frame: one way for all of panoptic video."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from panoptic.results.segmentation import PanopticSegmentation
from panoptic.settings.video import VideoSettings
from panoptic.video.device_maps import composes_there, steps_and_owner
from panoptic.video.followed_quality import evidence_of
from panoptic.video.identities import Roster
from panoptic.video.mask_layers import Composed, Layer, Layers, Levels, to_steps
from prompts import Vocabulary
from sam2core import BankSettings, TrackedFrame, TrackerSettings

if TYPE_CHECKING:
    from panoptic.image_pipeline import ImagePipeline


def layers_of(
    answer: TrackedFrame, roster: Roster, settings: VideoSettings, pipeline: ImagePipeline
) -> Layers:
    """The masks of all that is followed in a frame; the roster notes how far each can be trusted in
    it. A GPU composes those that are shown at once."""
    ids, size = answer.object_ids, answer.size
    members = [roster.live[id] for id in ids]
    shown = sorted((n for n, m in enumerate(members) if m.confirmed), key=lambda n: ids[n])
    things = tuple(members[n].is_thing for n in shown)
    cleanup = pipeline.settings.merge
    levels = Levels(things, settings.stuff_logit, settings.min_area, cleanup)
    owner = None
    if shown and composes_there(answer.logits.device):
        steps, owner = steps_and_owner(answer.logits, shown, size, levels)
    else:
        steps = to_steps(answer.logits.cpu().numpy())
    for m, each, iou in zip(members, steps, answer.iou.tolist(), strict=True):
        evidence = evidence_of(m, each, iou)
        if evidence is not None:
            m.quality = pipeline.quality(evidence, m.is_thing)
    layers = Layers(answer.frame_index, size, ()).with_layers(
        [
            Layer(id, m.category_id, m.score, m.quality, each)
            for id, m, each in zip(ids, members, steps, strict=True)
        ]
    )
    if owner is None:
        return layers
    return replace(layers, composed=Composed(tuple(ids[n] for n in shown), levels, owner))


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
