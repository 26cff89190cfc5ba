"""A small labelled data set with known truth: pictures on disk, labels in memory."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from panoptic.dataset.export import ExportSettings, export
from panoptic.io.images import load_image
from panoptic.results.labelled import LabelledItem
from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation
from prompts import Vocabulary

# Awkward names and an order in which ids, classes and names differ.
WORDS = Vocabulary(things=["car", "traffic light", "grüne Ampel"], stuff=["road", "sky & clouds"])


class Labels:
    """Reads labels from memory and pictures from where they lie."""

    def __init__(self):
        self.frames: dict[str, list[PanopticSegmentation]] = {}
        self.pictures: dict[str, list[np.ndarray]] = {}

    def load(self, item, frame):
        return self.frames[item.key][frame]

    def picture(self, item, frame):
        if item.kind == "image":
            return load_image(item.source)
        return self.pictures[item.key][frame]


def segmentation(ids: np.ndarray, seed: int = 0) -> PanopticSegmentation:
    """The map with categories in turn; scores and qualities differ."""
    rng = np.random.default_rng(seed)
    categories = list(WORDS)
    segments = []
    for number, id in enumerate(np.unique(ids[ids > 0]).tolist()):
        c = categories[number % len(categories)]
        score, quality = rng.uniform(0.3, 1, 2).round(4).tolist()
        segments.append(Segment(id, c.id, c.name, c.is_thing, score, quality=quality))
    return PanopticSegmentation.from_ids(ids, segments)


def blobs(height: int, width: int, seed: int, void: float = 0.2) -> np.ndarray:
    """A map of ragged regions with holes, islands and lines of one pixel; some of it is void."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((4, height, width))
    fields = [ndimage.gaussian_filter(n, s) for n, s in zip(noise, (1, 2, 2, 4), strict=True)]
    fields = [f / f.std() for f in fields]
    ids = np.argmax(fields, axis=0).astype(np.int32) + 1
    ids[rng.random(ids.shape) < 0.01] = 9
    ids[height // 2, 3:-3] = 300  # beyond a byte
    ids[ndimage.gaussian_filter(rng.standard_normal(ids.shape), 3) > void] = 0
    ids[0, 0], ids[-1, -1] = 70_000, 70_000  # two far corners, beyond two bytes
    return ids


def moving(frames: int = 5) -> list[np.ndarray]:
    """A ring that moves and is gone for a frame, and a square that comes late, on a road."""
    maps = []
    for t in range(frames):
        ids = np.full((40, 60), 1, np.int32)
        if t != 2:
            ids[8:20, 5 + 4 * t : 17 + 4 * t] = 2
            ids[12:16, 9 + 4 * t : 13 + 4 * t] = 1
        if t >= 3:
            ids[30:36, 40:50] = 7
        maps.append(ids)
    return maps


def data_set(folder: Path) -> list[LabelledItem]:
    """Four pictures (one turned by EXIF, one grey, one without any label) and a video."""
    rng = np.random.default_rng(0)
    labels = Labels()
    items = []

    def add(key, source, kind, maps, split, quality, verdict=None):
        found = [segmentation(ids, seed=len(items)) for ids in maps]
        labels.frames[key] = found
        size = maps[0].shape
        items.append(
            LabelledItem(
                key, str(source), kind, size, split, quality, verdict, len(found), reader=labels
            )
        )

    def photo(name, height, width, mode="RGB", **options):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).convert(mode).save(path, **options)
        return path

    add("a", photo("a.jpg", 30, 44), "image", [blobs(30, 44, 1)], "train", 0.9)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = photo("sub/b_1.jpg", 33, 52, exif=exif)
    add("sub/b_1", turned, "image", [blobs(52, 33, 2)], "val", 0.4)
    grey = photo("sub/--grey ü.tiff", 25, 25, "L")
    add("sub/--grey ü", grey, "image", [blobs(25, 25, 3)], "train", None)
    empty = np.zeros((12, 20), np.int32)
    add("zero", photo("zero.png", 12, 20), "image", [empty], "test", None)
    maps = moving()
    pictures = [rng.integers(0, 256, (*m.shape, 3), dtype=np.uint8) for m in maps]
    add("clips/ride", folder / "ride.mp4", "video", maps, "train", 0.7)
    labels.pictures["clips/ride"] = pictures
    return items


def write(
    folder: Path, format: str, items: Iterable[LabelledItem], settings: ExportSettings | None = None
) -> Path:
    """Exports one format, in the place of an earlier one, and returns its folder."""
    (done,) = export(items, WORDS, folder, [format], settings, overwrite=True)
    return done.folder


def frames(items: Iterable[LabelledItem]) -> dict[str, tuple[LabelledItem, int]]:
    """Item and frame by the file name that formats use."""
    from panoptic.formats.exporter import ExportItem

    return {ExportItem(i).frame_name(f): (i, f) for i in items for f in range(i.frames)}
