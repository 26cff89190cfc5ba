"""Cityscapes' layout (https://github.com/mcordts/cityscapesScripts#dataset-structure).

    leftImg8bit/train/FOLDER/NAME_000000_000000_leftImg8bit.png
    gtFine/train/FOLDER/NAME_000000_000000_gtFine_labelIds.png       8 bits: the class
    ..._gtFine_instanceIds.png      16 bits: class * 1000 + number of the thing, stuff: the class
    ..._gtFine_color.png            the colour of the class
    labels.json                     the classes: name, id, hasInstances, color

FOLDER is "images", or the video's name, NAME has "-" for "_" and the last number is the frame.
If every category is one of Cityscapes' own, thing as thing and stuff as stuff, their ids and
colours are used, and Cityscapes' tools work on the result; else the vocabulary's ids are used, 0 is
unlabelled. Categories' ids must be below 256, those of things below 66; scores cannot be held.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from panoptic.errors import CannotHold
from panoptic.formats.exporter import ExportItem, PictureSink
from panoptic.formats.writers import lookup
from panoptic.io.files import write_json
from panoptic.results.segmentation import PanopticSegmentation
from prompts import Vocabulary

_LARGEST_THING = 65  # times 1000, plus a number, in 16 bits

# id, colour; from the table of classes at the address above. Things first.
OFFICIAL: dict[bool, dict[str, tuple[int, tuple[int, int, int]]]] = {
    True: {
        "person": (24, (220, 20, 60)),
        "rider": (25, (255, 0, 0)),
        "car": (26, (0, 0, 142)),
        "truck": (27, (0, 0, 70)),
        "bus": (28, (0, 60, 100)),
        "caravan": (29, (0, 0, 90)),
        "trailer": (30, (0, 0, 110)),
        "train": (31, (0, 80, 100)),
        "motorcycle": (32, (0, 0, 230)),
        "bicycle": (33, (119, 11, 32)),
    },
    False: {
        "ground": (6, (81, 0, 81)),
        "road": (7, (128, 64, 128)),
        "sidewalk": (8, (244, 35, 232)),
        "parking": (9, (250, 170, 160)),
        "rail track": (10, (230, 150, 140)),
        "building": (11, (70, 70, 70)),
        "wall": (12, (102, 102, 156)),
        "fence": (13, (190, 153, 153)),
        "guard rail": (14, (180, 165, 180)),
        "bridge": (15, (150, 100, 100)),
        "tunnel": (16, (150, 120, 90)),
        "pole": (17, (153, 153, 153)),
        "polegroup": (18, (153, 153, 153)),
        "traffic light": (19, (250, 170, 30)),
        "traffic sign": (20, (220, 220, 0)),
        "vegetation": (21, (107, 142, 35)),
        "terrain": (22, (152, 251, 152)),
        "sky": (23, (70, 130, 180)),
    },
}


class CityscapesExporter:
    @staticmethod
    def check(vocabulary: Vocabulary) -> None:
        _labels(vocabulary)

    def __init__(self, folder: Path, vocabulary: Vocabulary, pictures: PictureSink) -> None:
        self.folder = folder
        self.vocabulary = vocabulary
        self.labels = _labels(vocabulary)

    def add(self, item: ExportItem) -> None:
        place = item.name if item.is_video else "images"
        name = item.name.replace("_", "-")
        if name != item.name:  # "a_b" and "a-b" must not meet
            name = item.unmistakable(name)
        for frame, result in item.frames():
            stem = f"{name}_000000_{frame:06d}"
            truth = self.folder / "gtFine" / item.split / place / f"{stem}_gtFine"
            classes = lookup(result.ids, {s.id: self.labels[s.category_id][0] for s in result})
            numbers = lookup(result.ids, self._instances(result))
            colors = np.zeros((256, 3), np.uint8)
            for number, color in self.labels.values():
                colors[number] = color
            for kind, values in (
                ("labelIds", classes.astype(np.uint8)),
                ("instanceIds", numbers.astype(np.uint16)),
                ("color", colors[classes]),
            ):
                path = item.file(truth.with_name(f"{truth.name}_{kind}.png"))
                Image.fromarray(values).save(path, format="PNG")
            picture = self.folder / "leftImg8bit" / item.split / place / f"{stem}_leftImg8bit.png"
            Image.fromarray(item.picture(frame)).save(item.file(picture), format="PNG")

    def _instances(self, result: PanopticSegmentation) -> dict[int, int]:
        counts: Counter[int] = Counter()
        numbers = {}
        for s in result:
            number = self.labels[s.category_id][0]
            if s.is_thing:
                if counts[number] == 1000 or 1000 * number + counts[number] > 65_535:
                    raise CannotHold(f"Cityscapes' instance ids don't hold so many {s.category!r}")
                numbers[s.id] = 1000 * number + counts[number]
                counts[number] += 1
            else:
                numbers[s.id] = number
        return numbers

    def close(self) -> None:
        listed = []
        for category in self.vocabulary:
            number, color = self.labels[category.id]
            entry = {"name": category.name, "id": number, "hasInstances": category.is_thing}
            listed.append({**entry, "color": list(color)})
        write_json(self.folder / "labels.json", listed, indent=1)


def _labels(vocabulary: Vocabulary) -> dict[int, tuple[int, tuple[int, int, int]]]:
    """Class and colour by category id."""
    if all(c.name in OFFICIAL[c.is_thing] for c in vocabulary):
        return {c.id: OFFICIAL[c.is_thing][c.name] for c in vocabulary}
    for c in vocabulary:
        if c.id > (_LARGEST_THING if c.is_thing else 255):
            raise CannotHold(
                f"Cityscapes' ids end at {_LARGEST_THING} for things and 255 for stuff, "
                f"{c.name!r} has {c.id}: ask for fewer words, or for things alone or stuff alone"
            )
    return {c.id: (c.id, vocabulary.color(c.id)) for c in vocabulary}
