"""Tiny folders in exactly the layouts in which the sets are published.

Pictures and truth are of the demo world: what it has a word for that the set has, too, is labelled,
the rest is void.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from panoptic.benchmark.words import SetWords
from panoptic.demo.artwork import load_artwork
from panoptic.demo.clips import Clip, make_clip
from panoptic.demo.scenes import Scene, World
from panoptic.formats.coco_panoptic import write_ids
from panoptic.formats.davis import palette
from panoptic.results.segmentation import PanopticSegmentation

SIZE = (96, 96)


@cache
def world() -> World:
    return World(load_artwork(), seed=3, textures=2)


@cache
def scenes(count: int) -> list[Scene]:
    return [world().scene(np.random.default_rng(seed), SIZE) for seed in range(count)]


@cache
def clip(seed: int) -> Clip:
    return make_clip(world(), "move", seed, 24, SIZE)


def frames_of(seed: int, count: int) -> Iterator[tuple[int, np.ndarray, PanopticSegmentation]]:
    """The number, the picture and the truth of the first frames of a clip."""
    made = clip(seed)
    yield from zip(range(count), made.frames, made.truth, strict=False)


def followed(seed: int) -> list[int]:
    """Ids of two objects that are there from the first frame on."""
    return [s.id for s in clip(seed).truth[0].segments if s.area > 60][:2]


def categories(set: str, first: int) -> list[dict]:
    """As the set's JSON lists them; ids that count from 0 have 0 as ``first``."""
    words = SetWords.of(set)
    return [
        {"id": c.id - 1 + first, "name": words.names[c.id], "isthing": int(c.is_thing)}
        for c in sorted(words.vocabulary, key=lambda c: c.id)
    ]


def segments(truth, set: str, first: int) -> tuple[np.ndarray, list[dict]]:
    """The id map and the segments that the set has a category for."""
    words = SetWords.of(set)
    ids, found = truth.ids.copy(), []
    for s in truth:
        if s.category not in words.vocabulary:
            ids[ids == s.id] = 0
            continue
        id = words.vocabulary.by_name(s.category).id - 1 + first
        found.append({"id": s.id, "category_id": id, "area": s.area, "iscrowd": 0})
    return ids, found


def save_jpeg(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, quality=95)


def save_palette(path: Path, indices: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(indices.astype(np.uint8))
    image.putpalette(palette())
    image.save(path)


def coco(root: Path, count: int = 3) -> Path:
    images, annotations = [], []
    pngs = root / "annotations" / "panoptic_val2017"
    for number, scene in enumerate(scenes(count)):
        id, name = 139 + 146 * number, f"{139 + 146 * number:012d}"
        save_jpeg(root / "val2017" / f"{name}.jpg", scene.image)
        ids, found = segments(scene.truth, "coco", 1)
        pngs.mkdir(parents=True, exist_ok=True)
        write_ids(pngs / f"{name}.png", ids)
        size = {"height": SIZE[0], "width": SIZE[1]}
        images.append({"id": id, "file_name": f"{name}.jpg", **size})
        annotations.append({"image_id": id, "file_name": f"{name}.png", "segments_info": found})
    _write(
        root / "annotations" / "panoptic_val2017.json",
        {"images": images, "annotations": annotations, "categories": categories("coco", 1)},
    )
    return root


def ade20k(root: Path, count: int = 3) -> Path:
    """With the panoptic truth that Mask2Former's script makes."""
    images, annotations = [], []
    for number, scene in enumerate(scenes(count), start=1):
        name = f"ADE_val_{number:08d}"
        save_jpeg(root / "images" / "validation" / f"{name}.jpg", scene.image)
        ids, found = segments(scene.truth, "ade20k", 0)
        (root / "ade20k_panoptic_val").mkdir(parents=True, exist_ok=True)
        write_ids(root / "ade20k_panoptic_val" / f"{name}.png", ids)
        size = {"width": SIZE[1], "height": SIZE[0]}
        images.append({"id": name, "file_name": f"{name}.jpg", **size})
        annotations.append({"image_id": name, "file_name": f"{name}.png", "segments_info": found})
    _write(
        root / "ade20k_panoptic_val.json",
        {"images": images, "annotations": annotations, "categories": categories("ade20k", 0)},
    )
    return root


def ade20k_parts(root: Path, count: int = 3) -> Path:
    """As it is downloaded: semantic labels, and instances in red (category) and green (number)."""
    words = SetWords.of("ade20k").vocabulary
    things = [category.id for category in words.things]
    for number, scene in enumerate(scenes(count), start=1):
        name = f"ADE_val_{number:08d}"
        save_jpeg(root / "images" / "validation" / f"{name}.jpg", scene.image)
        semantic = np.zeros(SIZE, np.uint8)
        instances = np.zeros((*SIZE, 3), np.uint8)
        for count, s in enumerate((s for s in scene.truth if s.category in words), start=1):
            category, mask = words.by_name(s.category), scene.truth.ids == s.id
            semantic[mask] = category.id
            if category.is_thing:
                instances[mask] = (things.index(category.id) + 1, count, 0)
        for folder, array in (("annotations", semantic), ("annotations_instance", instances)):
            path = root / folder / "validation" / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(path)
    return root


def vipseg(root: Path, seeds: Iterable[int] = (0, 1), frames: int = 4) -> Path:
    videos, annotations = [], []
    for seed in seeds:
        video = f"{seed}_-clip_{seed}"
        listed, labelled = [], []
        for number, image, truth in frames_of(seed, frames):
            name = f"{4 * number:08d}"
            save_jpeg(root / "images" / video / f"{name}.jpg", image)
            ids, found = segments(truth, "vipseg", 0)
            (root / "panomasksRGB" / video).mkdir(parents=True, exist_ok=True)
            write_ids(root / "panomasksRGB" / video / f"{name}.png", ids)
            size = {"width": SIZE[1], "height": SIZE[0]}
            listed.append({"id": name, "file_name": f"{name}.png", **size})
            labelled.append({"image_id": name, "file_name": f"{name}.png", "segments_info": found})
        videos.append({"video_id": video, "images": listed})
        annotations.append({"video_id": video, "annotations": labelled})
    own = categories("vipseg", 0)
    content = {"videos": videos, "annotations": annotations, "categories": own}
    _write(root / "panoptic_gt_VIPSeg_val.json", content)
    _write(root / "panoVIPSeg_categories.json", own)
    (root / "val.txt").write_text("".join(f"{v['video_id']}\n" for v in videos))
    return root


def davis(root: Path, seeds: Iterable[int] = (0, 1), frames: int = 5) -> Path:
    for seed in seeds:
        name, objects = f"clip-{seed}", followed(seed)
        for number, image, truth in frames_of(seed, frames):
            save_jpeg(root / "JPEGImages" / "480p" / name / f"{number:05d}.jpg", image)
            indices = sum((i + 1) * (truth.ids == id) for i, id in enumerate(objects))
            save_palette(root / "Annotations" / "480p" / name / f"{number:05d}.png", indices)
    listed = root / "ImageSets" / "2017"
    listed.mkdir(parents=True)
    (listed / "val.txt").write_text("".join(f"clip-{seed}\n" for seed in seeds))
    return root


def sa_v(root: Path, seeds: Iterable[int] = (0, 1), frames: int = 17, late=(0, 0)) -> Path:
    """``root`` is called sav_val or sav_test; ``late`` are the frames that first show an object."""
    for seed in seeds:
        name = f"sav_{seed:06d}"
        for number, image, truth in frames_of(seed, frames):
            save_jpeg(root / "JPEGImages_24fps" / name / f"{number:05d}.jpg", image)
            for object, id in enumerate(followed(seed)):
                if number % 4 == 0:
                    folder = root / "Annotations_6fps" / name / f"{object:03d}"
                    mask = (truth.ids == id) & (number >= late[object])
                    save_palette(folder / f"{number:05d}.png", mask)
    (root / f"{root.name}.txt").write_text("".join(f"sav_{seed:06d}\n" for seed in seeds))
    return root


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")
