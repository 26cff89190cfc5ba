"""YOLO segmentation, as Ultralytics reads it (https://docs.ultralytics.com/datasets/segment/).

    data.yaml                  folders and names
    images/train/NAME.jpg
    labels/train/NAME.txt      a line a segment: class x y x y ..., shares of width and height

A segment is one polygon through its outermost pixels. Holes and further parts are reached on a
line of one pixel, as the format has neither; other than that, filling it with OpenCV's fillPoly
gives the mask back. Ids and scores cannot be held. Ultralytics takes no picture below 10 pixels.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import yaml

from panoptic.formats.exporter import ExportItem, PictureSink
from panoptic.formats.polygons import centres, joined, straightened
from panoptic.results.labelled import SPLITS, Split
from prompts import Vocabulary

# Readers turn shares into whole pixels, some by rounding and some by cutting off: a little more
# than the whole pixel comes to the same in both.
_NUDGE = 0.1
# Ultralytics before 8.4 takes segments of one class and one box for the same.
_APART = 0.01


class YoloSegExporter:
    def __init__(self, folder: Path, vocabulary: Vocabulary, pictures: PictureSink) -> None:
        self.folder = folder
        self.pictures = pictures
        self.names = [c.name for c in vocabulary]
        self._classes = {c.id: number for number, c in enumerate(vocabulary)}
        self._splits: set[Split] = set()

    def add(self, item: ExportItem) -> None:
        for frame, result in item.frames():
            name = item.frame_name(frame)
            self.pictures.put(item, frame, self.folder / "images" / item.split / name)
            boxes: Counter[tuple[int, ...]] = Counter()
            lines = []
            for s in result.segments:
                number = self._classes[s.category_id]
                like = (number, *s.box)
                polygon = _polygon(result.mask(s.id), _NUDGE + _APART * boxes[like])
                boxes[like] += 1
                lines.append(f"{number} {polygon}\n")
            path = item.file(self.folder / "labels" / item.split / f"{name}.txt")
            path.write_text("".join(lines), encoding="utf-8")
        self._splits.add(item.split)

    def close(self) -> None:
        content: dict[str, object] = {
            # Without "path", Ultralytics takes the folder of this file, wherever that lies. It
            # insists on train and val, be there pictures or not.
            **{s: f"images/{s}" for s in SPLITS if s in self._splits or s != "test"},
            "names": dict(enumerate(self.names)),
        }
        for split in ("train", "val"):
            (self.folder / "images" / split).mkdir(parents=True, exist_ok=True)
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
        (self.folder / "data.yaml").write_text(text, encoding="utf-8")


def _polygon(mask: np.ndarray, nudge: float) -> str:
    rings = centres(mask)
    points = joined(rings) if len(rings) > 1 else straightened(rings[0])
    while len(points) < 3:  # a line of five numbers would be read as a box
        points = np.concatenate([points, points[-1:]])
    shares = (points + min(nudge, 0.4)) / mask.shape[::-1]
    return " ".join(f"{value:.6f}" for value in shares.ravel())
