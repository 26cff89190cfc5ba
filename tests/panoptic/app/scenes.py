"""Scenes and a clip of the demo world, labelled but for a part of the largest thing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.lib.clip_files import write_video
from panoptic.dataset.resumable_labelling import label_dataset
from panoptic.demo.artwork import load_artwork
from panoptic.demo.clips import make_clip
from panoptic.demo.scenes import HELD_OUT_WORLD, World, demo_vocabulary
from panoptic.io.images import load_image
from panoptic.results.frame import PanopticFrame
from panoptic.results.segmentation import PanopticSegmentation
from sam2core.frames import open_frames

SIZE = (120, 160)


@dataclass(frozen=True)
class TruthLabeller:
    """Knows the truth of each picture by its pixels, and labels it with a part left out."""

    truths: dict[bytes, PanopticSegmentation]

    def fingerprint(self) -> dict[str, int]:
        return {"pictures": len(self.truths)}

    def segment_batch(self, images, vocabulary):
        return [self._label(load_image(image)) for image in images]

    def track(self, video, vocabulary):
        for index, image in open_frames(video).frames():
            yield PanopticFrame(index, image, self._label(image))

    def _label(self, image):
        return spoiled(self.truths[image.tobytes()])


def largest(truth: PanopticSegmentation) -> int:
    return max(truth.things, key=lambda s: s.area).id


def spoiled(truth: PanopticSegmentation) -> PanopticSegmentation:
    """Without the left 60 % of the largest thing, which is doubted the more the larger it is."""
    id = largest(truth)
    columns = np.flatnonzero(truth.mask(id).any(0))
    cut = columns[0] + int(0.6 * (columns[-1] - columns[0]))
    ids = truth.ids.copy()
    ids[:, :cut][truth.mask(id)[:, :cut]] = 0
    doubt = truth.segment(id).area / truth.ids.size
    segments = [replace(s, quality=0.4 - doubt if s.id == id else 0.9) for s in truth]
    return PanopticSegmentation.from_ids(ids, segments)


def iou(label: PanopticSegmentation, truth: PanopticSegmentation, id: int) -> float:
    found = label.mask(id) if any(s.id == id for s in label) else np.zeros(label.ids.shape, bool)
    return float((found & truth.mask(id)).sum() / (found | truth.mask(id)).sum())


def make_scenes(folder: Path, count: int, frames: int = 0) -> dict[str, list[PanopticSegmentation]]:
    """So many scenes, and a clip where frames are asked for, in ``folder/in``, labelled in
    ``folder/out``; the truths by key."""
    world, source = World(load_artwork(("twemoji",)), seed=HELD_OUT_WORLD), folder / "in"
    source.mkdir(parents=True)
    known, truths = {}, {}
    for number in range(count):
        scene = world.scene(np.random.default_rng((3, number)), SIZE, things=(2, 4))
        Image.fromarray(scene.image).save(source / f"scene-{number:02}.png")
        known[scene.image.tobytes()] = scene.truth
        truths[f"scene-{number:02}"] = [scene.truth]
    if frames:
        clip = make_clip(world, "move", 5, frames=frames, size=SIZE)
        path = source / "clip.mkv"
        write_video(path, clip.frames)
        decoded = [image for _, image in open_frames(path).frames()]
        known |= {image.tobytes(): truth for image, truth in zip(decoded, clip.truth, strict=True)}
        truths["clip"] = list(clip.truth)
    label_dataset(TruthLabeller(known), source, demo_vocabulary(), folder / "out", progress=False)
    return truths
