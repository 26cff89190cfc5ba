"""SAM 2 alone, as semi-supervised evaluation has it: true masks of first frames, followed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from panoptic.errors import DatasetError
from panoptic.formats.davis import palette
from panoptic.io.files import write_png
from sam2core import Sam2, TrackedFrame, TrackerSettings, VideoTracker
from sam2core.layers import resize

SETTINGS = TrackerSettings(fill_hole_area=0)
"""As its authors evaluate it: no holes are filled (see ``panoptic.benchmark.published``)."""

Given = Mapping[int, Mapping[int, np.ndarray]]
"""The true masks that are given, bool (H, W), by frame and object id."""


def follow(model: Sam2, frames: Sequence[Path], given: Given) -> Iterator[TrackedFrame]:
    """All objects from the first frame on in which a mask is given; later ones join in theirs.

    Every object has memories of its own, so that it is followed as it would be alone.
    """
    tracker = VideoTracker(model, list(frames), SETTINGS)
    starts = sorted(given)
    for start, stop in zip(starts, [*starts[1:], None], strict=True):
        masks = given[start]
        tracker.prompt_masks(list(masks), np.stack(list(masks.values())), start)
        yield from tracker.propagate(start, stop)


def as_one(frame: TrackedFrame) -> np.ndarray:
    """Object ids of all pixels, uint8 (H, W): where masks overlap, the surest has the pixel, as
    in the evaluation of SAM 2 on DAVIS (``non_overlap_masks``)."""
    logits = resize(frame.logits[:, None], frame.size)[:, 0]
    best, which = logits.max(0)
    ids = np.array(frame.object_ids, np.uint8)
    return np.where((best > 0).cpu().numpy(), ids[which.cpu().numpy()], 0).astype(np.uint8)


def write_indices(path: Path, indices: np.ndarray) -> None:
    """A palette PNG, as DAVIS and SA-V have them."""
    image = Image.fromarray(indices)
    image.putpalette(palette())
    write_png(path, image)


def frame_paths(folder: Path) -> dict[str, Path]:
    """The pictures of a clip by their names without ending, in order."""
    paths = [p for p in folder.glob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png")]
    if not paths:
        raise DatasetError(f"there is no frame (*.jpg) in {str(folder)!r}")
    try:
        paths.sort(key=lambda path: int(path.stem))
    except ValueError as error:
        raise DatasetError(
            f"frames are called by numbers, as 00000.jpg, in {str(folder)!r}"
        ) from error
    return {path.stem: path for path in paths}
