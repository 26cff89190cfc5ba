"""Two tracks on one thing: a tracker that lost one thing to another follows that twice."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from panoptic.settings.video import VideoSettings
from panoptic.video.identities import Roster
from panoptic.video.mask_layers import Layers

SAME = 0.8
"""IoU of two masks from which on they are of one thing: more than things that pass before each
other reach, and those only for a moment."""


def twins(masks: Layers, roster: Roster) -> dict[int, int]:
    """The things whose mask is that of another one which is followed for longer, with that one.

    ``masks`` are as the tracker has them, before they contest for pixels.
    """
    members = [m for m in roster if m.is_thing and m.confirmed and m.id in masks.ids]
    members.sort(key=lambda m: (m.born, m.id))
    seen = [masks[m.id] for m in members if not masks[m.id].is_empty]
    if len(seen) < 2:
        return {}
    height, width = np.max([layer.steps.shape for layer in seen], axis=0)
    inside = np.stack([layer.resized(height, width).ravel() > 0 for layer in seen])
    counted = inside.astype(np.float32)
    shared = counted @ counted.T
    areas = counted.sum(axis=1)
    same = shared >= SAME * (areas[:, None] + areas[None] - shared)
    found: dict[int, int] = {}
    for younger in range(1, len(seen)):
        elder = int(np.argmax(same[younger, :younger]))
        if same[younger, elder]:
            found[seen[younger].id] = seen[elder].id
    return found


def lasting_twins(
    masks: Layers, roster: Roster, found: Collection[int], waited: float, settings: VideoSettings
) -> dict[int, int]:
    """Those of which looks on end for ``settings.doubt_for`` seconds found one thing in the place
    of two, a look that comes ``waited`` seconds after the one before among them.

    ``masks`` are what that look saw, and ``found`` the members that it found. One that finds
    neither says nothing, one that finds both that they are two.
    """
    pairs = twins(masks, roster) if settings.correction else {}
    for member in roster:
        pair = {member.id, pairs.get(member.id)}
        if member.id not in pairs or pair <= set(found):
            member.doubled = 0.0
        elif pair & set(found):
            member.doubled += waited
    return {
        id: elder for id, elder in pairs.items() if roster.live[id].doubled >= settings.doubt_for
    }
