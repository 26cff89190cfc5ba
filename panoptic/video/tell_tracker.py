"""Telling the tracker what was said by hand, so that what is labelled next goes on from there."""

from __future__ import annotations

import math
from collections.abc import Collection

import numpy as np

from panoptic.results.segmentation import PanopticSegmentation
from panoptic.video.edits import Edits
from panoptic.video.frame_maps import compose
from panoptic.video.identities import Member
from panoptic.video.layer_store import LayerStore
from panoptic.video.session import VideoSession
from panoptic.video.shown_frames import shown
from sam2core import FrameSource


def tell(
    session: VideoSession,
    edits: Edits,
    recording: LayerStore,
    source: FrameSource,
    untold: Collection[int],
    next_id: int,
) -> None:
    """Have a session follow what is there by hand, by the ids and categories given by hand.

    What was removed or joined to another is forgotten. Segments in ``untold`` are followed from
    their masks in the latest frame, and put aside if they have none there.
    """
    roster = session.roster
    roster.reserve(next_id)
    owners = {c.id: edits.stuff_owner(c.id) for c in session.vocabulary.stuff}
    # Of what isn't confirmed nobody was told yet; of stuff that is there by now it is a part.
    waiting = {
        m.id: m.category_id for m in roster if not m.confirmed and owners.get(m.category_id) is None
    }
    for id in [*roster.live, *roster.shelf]:
        if not edits.is_live(id) and id not in waiting:
            session.drop(id)
    for id in [*roster.live, *roster.shelf]:
        if id not in waiting:
            _name(session, edits, id)
    index = len(recording) - 1
    roots = sorted({root for id in untold if edits.is_live(root := edits.root(id))})
    if index >= 0 and roots:
        image = source[index]
        record = shown(recording[index], edits)
        result = compose(
            record.layers, session.vocabulary, session.settings, session.pipeline, image
        )
        _follow(session, edits, result, image, index, roots)
        for id in roots:
            if id not in roster:
                _remember(session, edits, recording, source, id)
    roster.stuff = {category: id for category, id in owners.items() if id is not None}
    roster.stuff |= {c: id for id, c in waiting.items() if not roster.live[id].is_thing}


def _name(session: VideoSession, edits: Edits, id: int) -> None:
    """A member is of the category given by hand; if that was taken back, of the one made."""
    roster = session.roster
    member = roster.live[id] if id in roster.live else roster.shelf[id]
    category = session.vocabulary.by_id(edits.category(id))
    if id in edits.named:
        roster.set_category(id, category)
    elif math.inf in member.votes.values():
        roster.set_category(id, category)
        member.votes = {category.id: 1.0}


def _follow(
    session: VideoSession,
    edits: Edits,
    result: PanopticSegmentation,
    image: np.ndarray,
    index: int,
    ids: Collection[int],
) -> None:
    """Follow segments from their masks in the latest frame, and nothing else that they were."""
    roster, tracker = session.roster, session.tracker
    tracker.look_again(image)
    there = {s.id for s in result}
    masks: dict[int, np.ndarray] = {}
    for id in ids:
        if id not in there:
            if id in roster.live:
                session.put_aside(id)
            continue
        if id in roster.shelf:
            roster.take_back(id)
        elif id not in roster.live:
            _enter(session, edits, id, index)
        member, masks[id] = roster.live[id], result.mask(id)
        member.visible, member.last_seen = True, index
        member.unseen = member.doubted = 0.0
        member.sightings = max(member.sightings, 1)
        if member.is_thing:
            member.appearance = tracker.describe(masks[id])[None]
        if id in tracker.object_ids:
            tracker.remove(id)
    if masks:
        tracker.prompt_masks(list(masks), np.stack(list(masks.values())))


def _remember(
    session: VideoSession, edits: Edits, recording: LayerStore, source: FrameSource, id: int
) -> None:
    """What was put in by hand and is out of sight now may be recognised."""
    frames = edits.corrected_frames(id)
    if not frames or not session.vocabulary.by_id(edits.category(id)).is_thing:
        return
    frame = max(frames)
    masks = [recording[frame].prompts.get(part) for part in edits.group(id)]
    mask = next((m for m in masks if m is not None and m.any()), None)
    if mask is not None:
        member = _enter(session, edits, id, frame)
        member.shot, member.sightings = recording.shots[frame], 1
        segmenter = session.pipeline.segmenter
        look = segmenter.describe(mask, image=segmenter.encode(source[frame]))
        member.appearance = look[None]
        session.put_aside(id)


def _enter(session: VideoSession, edits: Edits, id: int, index: int) -> Member:
    category = session.vocabulary.by_id(edits.category(id))
    member = session.roster.follow(id, category.id, category.is_thing, 1.0, index)
    member.votes = {category.id: math.inf if id in edits.named else 1.0}
    return member
