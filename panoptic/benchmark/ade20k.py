"""The panoptic truth of ADE20K from its semantic and instance labels.

As published preparations have it (Mask2Former's datasets/prepare_ade20k_pan_seg.py): stuff is what
the semantic labels (``annotations``: 1 to 150, 0 void) say, and the instances
(``annotations_instance``: red is the category, 1 to 100, green the instance, 0 none) lie over it.
Pixels of a thing that no instance has are void. Categories count from 0 on, an image's id is its
name. The 100 categories of instances are the things in the order of their ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from panoptic.benchmark.layouts import AdeParts, Pictures
from panoptic.benchmark.words import SetWords
from panoptic.errors import DatasetError
from panoptic.formats.coco_panoptic import write_ids
from panoptic.io.files import read_json, write_json
from panoptic.io.output_folder import OutputFolder
from panoptic.io.pillow_files import open_png
from panoptic.io.progress import Progress

_NAME = "ade20k_panoptic_val"


def panoptic_truth(
    parts: AdeParts, words: SetWords, out: OutputFolder, limit: int | None, progress: Progress
) -> Pictures:
    """The truth of the first ``limit`` pictures (None: of all) in ``truth/`` of the output folder;
    made unless it is there already."""
    pictures = sorted(path.stem for path in parts.images.glob("*.jpg"))
    names = pictures[:limit]
    if not names:
        raise DatasetError(f"there is no picture *.jpg in {str(parts.images)!r}")
    json, pngs = out.root / "truth" / f"{_NAME}.json", out.root / "truth" / _NAME
    made = Pictures(parts.images, json, pngs, len(pictures))
    if json.is_file() and {image["id"] for image in read_json(json)["images"]} >= set(names):
        return made
    folder = out.files(f"truth/{_NAME}", "*.png")
    folder.mkdir(parents=True, exist_ok=True)
    things = [category.id for category in words.vocabulary.things]
    images, annotations = [], []
    for done, name in enumerate(names, start=1):
        semantic = _read(parts.semantic / f"{name}.png", ("L", "P"))
        instances = _read(parts.instances / f"{name}.png", ("RGB",))
        if semantic.shape != instances.shape[:2]:
            raise DatasetError(
                f"{name}: the semantic labels are {semantic.shape}, the instances "
                f"{instances.shape[:2]} (height, width)"
            )
        ids, segments = _combined(semantic, instances, things, name)
        write_ids(folder / f"{name}.png", ids)
        height, width = ids.shape
        images.append({"id": name, "file_name": f"{name}.jpg", "height": height, "width": width})
        annotations.append(
            {"image_id": name, "file_name": f"{name}.png", "segments_info": segments}
        )
        progress(done, len(names))
    categories = [
        {"id": c.id - 1, "name": words.names[c.id], "isthing": int(c.is_thing)}
        for c in sorted(words.vocabulary, key=lambda c: c.id)
    ]
    content = {"images": images, "annotations": annotations, "categories": categories}
    write_json(out.file(f"truth/{_NAME}.json"), content)
    return made


def _read(path: Path, modes: Sequence[str]) -> np.ndarray:
    try:
        with open_png(path) as png:
            if png.mode in modes:
                return np.asarray(png)
            found = png.mode
    except FileNotFoundError as error:
        raise DatasetError(
            f"there is no {str(path)!r}, labels of a picture that is there"
        ) from error
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise DatasetError(f"{str(path)!r} cannot be read as a PNG: {error}") from error
    raise DatasetError(f"{str(path)!r}: expected a PNG of mode {' or '.join(modes)}, got {found}")


def _combined(
    semantic: np.ndarray, instances: np.ndarray, things: Sequence[int], name: str
) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """The id map (H, W) and its segments, whose categories count from 0 on."""
    ids = np.zeros(semantic.shape, np.int32)
    categories: list[int] = []
    for category in np.unique(semantic):
        if category and category not in things:
            categories.append(int(category))
            ids[semantic == category] = len(categories)
    for number in np.unique(instances[..., 1]):
        if not number:
            continue
        mask = instances[..., 1] == number
        found = np.unique(instances[..., 0][mask])
        if len(found) != 1 or not 1 <= found[0] <= len(things):
            raise DatasetError(
                f"{name}: instance {number} has the categories {found.tolist()}; one of 1 to "
                f"{len(things)} was expected"
            )
        categories.append(things[int(found[0]) - 1])
        ids[mask] = len(categories)
    areas = np.bincount(ids.ravel(), minlength=len(categories) + 1)
    segments = [
        {"id": id, "category_id": category - 1, "area": int(areas[id]), "iscrowd": 0}
        for id, category in enumerate(categories, start=1)
        if areas[id]  # stuff may be hidden by instances
    ]
    return ids, segments
