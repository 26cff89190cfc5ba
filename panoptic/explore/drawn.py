"""Labels and pictures as the page draws them: small, exact in their ids, quick to make."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

from panoptic.compose.candidates import within
from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation
from panoptic.show.overlay import UNKNOWN_COLOR
from prompts import Vocabulary

SIDE = 1600
"""Longer side, in pixels, of what is sent at most: more than a screen shows."""


def runs_of(values: np.ndarray) -> list[int]:
    """A map (H, W) of whole numbers, row by row, as value, length, value, length, ..."""
    flat = np.asarray(values).ravel()
    if not flat.size:
        return []
    starts = np.concatenate([[0], np.flatnonzero(np.diff(flat)) + 1])
    lengths = np.diff(np.concatenate([starts, [flat.size]]))
    return np.column_stack([flat[starts], lengths]).ravel().tolist()


def label_of(
    label: PanopticSegmentation, vocabulary: Vocabulary, side: int = SIDE
) -> dict[str, Any]:
    """A label for the page: its map, at most ``side`` pixels long, holds the place (from 1 on) of
    each pixel's segment in ``segments``, 0 where there is none."""
    height, width = within(label.ids.shape, side)
    ids = label.ids
    if (height, width) != ids.shape:
        rows = (np.arange(height) * ids.shape[0]) // height
        columns = (np.arange(width) * ids.shape[1]) // width
        ids = ids[rows[:, None], columns]
    known = np.array([0, *(s.id for s in label)])
    order = np.argsort(known)
    places = order[np.searchsorted(known[order], ids)]
    return {
        "size": [label.height, label.width],
        "view": [height, width],
        "runs": runs_of(places),
        "segments": [segment_of(s, vocabulary, label.ids.size) for s in label],
    }


def segment_of(segment: Segment, vocabulary: Vocabulary, pixels: int) -> dict[str, Any]:
    return {
        "id": segment.id,
        "category": segment.category_id,
        "name": segment.category,
        "thing": segment.is_thing,
        "score": round(segment.score, 4),
        "quality": None if segment.quality is None else round(segment.quality, 4),
        "share": round(segment.area / pixels, 5),
        "box": list(segment.box),
        "color": color_of(vocabulary, segment.category_id),
    }


def words_of(vocabulary: Vocabulary) -> list[dict[str, Any]]:
    """The words in their order, numbered by the keys that choose them."""
    return [
        {"id": c.id, "name": c.name, "thing": c.is_thing, "color": list(vocabulary.color(c.id))}
        for c in vocabulary
    ]


def jpeg(picture: np.ndarray, side: int = SIDE, quality: int = 90) -> bytes:
    """A picture (H, W, 3) of at most ``side`` pixels."""
    image = Image.fromarray(picture)
    height, width = within(picture.shape, side)
    if (width, height) != image.size:
        image = image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3)
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def color_of(vocabulary: Vocabulary, category: int | str) -> list[int]:
    """The colour of a category by id or name; grey for what no word names."""
    if category not in vocabulary:
        return list(UNKNOWN_COLOR)
    if isinstance(category, str):
        category = vocabulary.by_name(category).id
    return list(vocabulary.color(category))
