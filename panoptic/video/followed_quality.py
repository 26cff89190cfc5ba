"""What speaks for a segment that is followed: what looks said of it, and how its mask is now.

A look's quality is that of its own mask. What is followed since is another one: it drifts, and of
what looks don't find any more the tracker may still hold something.
"""

from __future__ import annotations

import numpy as np

from panoptic.compose.quality import Evidence
from panoptic.video.identities import Member
from panoptic.video.mask_layers import STEPS


def evidence_of(member: Member, steps: np.ndarray, predicted_iou: float) -> Evidence | None:
    """Of a member's mask in a frame, ``steps`` int8 (h, w), whose IoU the tracker takes to be
    ``predicted_iou``. None for what no look has judged, as it was put in by hand."""
    if member.looked is None:
        return None
    inside, around = np.count_nonzero(steps > STEPS), np.count_nonzero(steps > -STEPS)
    return Evidence(
        looked=member.looked,
        # One look that found it isn't all there could be: half a look more on either side.
        found=(member.found + 0.5) / (member.looks + 1),
        predicted_iou=float(np.clip(predicted_iou, 0, 1)),
        stability=inside / around if around else 0.0,
    )
