"""DAVIS 2017: one palette PNG a frame, the pixel's value being its object's index.

``Annotations/480p/SEQUENCE/00000.png`` (``Annotations_unsupervised`` for the other task), the
sequences of a subset in ``ImageSets/2017/val.txt``; results are ``SEQUENCE/00000.png``. 0 is
background, 255 void. (https://davischallenge.org/davis2017/code.html) As an export:

    JPEGImages/480p/NAME/00000.jpg      frames
    Annotations/480p/NAME/00000.png     palette index of the object, 0 where nothing is
    Annotations/480p/NAME.json          which index is which segment, with its category
    ImageSets/2017/train.txt            names by split

"480p" is a folder's name that readers expect; frames keep their size. A picture is a sequence of
one frame. No more than 254 objects in a sequence, and no scores. JPEG loses a little of frames,
nothing of labels.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from panoptic.errors import CannotHold
from panoptic.formats.exporter import ExportItem, PictureSink
from panoptic.formats.video_output import Place, VideoInfo, present, remove_frames, require_frames
from panoptic.formats.writers import NameLists
from panoptic.io.files import read_json, write_json, write_png
from panoptic.io.pillow_files import open_png
from panoptic.results.segmentation import PanopticSegmentation
from prompts import Vocabulary
from prompts.text_files import read_text

if TYPE_CHECKING:
    from panoptic.results.frame import PanopticFrame


VOID_INDEX = 255


def palette() -> list[int]:
    """The colours of the 256 indices, r, g, b: the colour map of PASCAL VOC, which DAVIS uses.

    Bits 0, 3, 6 of an index go to red's highest bits, 1, 4, 7 to green's and 2, 5 to blue's.
    """
    indices = np.arange(256)
    colours = np.zeros((256, 3), int)
    for channel in range(3):
        for place in range(8):
            bit = 3 * place + channel
            if bit < 8:
                colours[:, channel] |= ((indices >> bit) & 1) << (7 - place)
    return colours.ravel().tolist()


def read_indices(path: Path) -> np.ndarray:
    """The object index of every pixel, uint8 (H, W). Raises ``ValueError`` if it isn't a PNG with
    a palette or of grey values, and ``FileNotFoundError``."""
    try:
        with open_png(path) as png:
            if png.mode not in ("P", "L"):
                raise ValueError(f"{str(path)!r}: a palette PNG was expected, got mode {png.mode}")
            return np.asarray(png)
    except FileNotFoundError:
        raise
    except (OSError, SyntaxError) as error:
        raise ValueError(f"{str(path)!r} cannot be read as a PNG: {error}") from error


@dataclass(frozen=True)
class Davis:
    """The annotations of one subset, opened for reading."""

    annotations: Path
    sequences: tuple[str, ...]

    @classmethod
    def open(cls, root: str | Path, subset: str = "val", *, unsupervised: bool = False) -> Davis:
        """Annotations in 480p, or in Full-Resolution where there are no others.

        Raises ``FileNotFoundError`` if the list of the subset or its annotations are missing."""
        root = Path(root)
        folder = root / ("Annotations_unsupervised" if unsupervised else "Annotations")
        listed = root / "ImageSets" / "2017" / f"{subset}.txt"
        if not listed.is_file():
            raise FileNotFoundError(
                f"no list of the subset {subset!r}: there is no {str(listed)!r}"
            )
        names = read_text(listed).split()
        full = folder / "Full-Resolution"
        annotations = full if full.is_dir() and not (folder / "480p").is_dir() else folder / "480p"
        for name in names:
            if not (annotations / name).is_dir():
                raise FileNotFoundError(
                    f"sequence {name!r} is in ImageSets, but not in {str(annotations)!r}"
                )
        return cls(annotations, tuple(names))

    def frames(self, sequence: str) -> list[Path]:
        """The PNGs of a sequence in order."""
        return sorted((self.annotations / sequence).glob("*.png"))


class DavisWriter:
    """Writes the frames of one video as ``FOLDER/SEQUENCE/00000.png`` and so on.

    Every id that lasts gets the next free index, 1 to 254, in the order of appearance;
    ``FOLDER/SEQUENCE.json`` says which index is what. A resumed run gives ``start``, the number of
    the frame it goes on with: indices given before are kept.

    Raises ``ValueError`` when a video has more than 254 objects.
    """

    def __init__(self, folder: str | Path, sequence: str, *, start: int = 0) -> None:
        self.folder = Path(folder) / sequence
        self._list = Path(folder) / f"{sequence}.json"
        self._frame = start
        self._objects: list[dict[str, Any]] = []
        if start:
            known = read_json(self._list)["objects"]
            self._objects = [o for o in known if o["first_frame"] < start]
        self._write_list()

    def add(self, result: PanopticSegmentation, name: str = "") -> Path:
        """Writes the next frame; returns the PNG's path. ``name`` is the frame's own (a stem),
        where it isn't its number."""
        lookup = {o["id"]: o["index"] for o in self._objects}
        new = [s for s in result.segments if s.id not in lookup]
        if len(lookup) + len(new) >= VOID_INDEX:
            raise ValueError(
                f"frame {self._frame}: a palette PNG holds {VOID_INDEX - 1} objects, this video "
                "has more; write it in the layout of VIPSeg, or leave small segments out"
            )
        for s in new:
            lookup[s.id] = len(lookup) + 1
            self._objects.append(
                {
                    **{"index": lookup[s.id], "id": s.id, "category": s.category},
                    **{"isthing": int(s.is_thing), "first_frame": self._frame},
                }
            )
        if new:
            self._write_list()
        indices = np.zeros(result.ids.shape, np.uint8)
        for s in result.segments:
            indices[result.ids == s.id] = lookup[s.id]
        image = Image.fromarray(indices)
        image.putpalette(palette())
        path = self.folder / f"{name or f'{self._frame:05d}'}.png"
        write_png(path, image)
        self._frame += 1
        return path

    def _write_list(self) -> None:
        write_json(self._list, {"objects": self._objects})


class DavisOutput:
    """``FOLDER/davis/VIDEO/00000.png``; ``FOLDER/davis/VIDEO.json`` says what each index is.
    Frames that have names keep them."""

    def __init__(self, folder: Path, info: VideoInfo, start: int = 0) -> None:
        self._folder = folder / "davis" / info.name
        names = (info.frame_name(number) for number in range(start))
        require_frames(self._folder / f"{name}.png" for name in names)
        remove_frames(self._folder, info, start)
        self._info = info
        self._writer = DavisWriter(folder / "davis", info.name, start=start)

    def add(self, frame: PanopticFrame) -> None:
        self._writer.add(frame.segmentation, self._info.frame_name(frame.index))

    def checkpoint(self) -> None:
        """Every frame is on disk as soon as it was added."""

    def close(self) -> Path:
        return self._folder

    @staticmethod
    def leftovers(folder: Path, info: VideoInfo) -> list[Path]:
        return []

    @staticmethod
    def files(folder: Path, info: VideoInfo) -> list[Path]:
        pngs = folder / "davis" / info.name
        return present([*pngs.glob("*.png"), pngs.with_name(f"{info.name}.json")])

    @staticmethod
    def places(info: VideoInfo) -> list[Place]:
        return [(f"davis/{info.name}", "*.png"), *info.places("davis", ".json")]


_QUALITY = 95


class DavisExporter:
    def __init__(self, folder: Path, vocabulary: Vocabulary, pictures: PictureSink) -> None:
        self.folder = folder
        self._lists = NameLists(folder / "ImageSets" / "2017")

    def add(self, item: ExportItem) -> None:
        pngs = self.folder / "Annotations" / "480p"
        frames = self.folder / "JPEGImages" / "480p" / item.name
        item.file(pngs / f"{item.name}.json")
        try:
            writer = DavisWriter(pngs, item.name)
            for frame, result in item.frames():
                try:
                    writer.add(result)
                except ValueError as error:
                    raise CannotHold(str(error)) from error
                path = item.file(frames / f"{frame:05d}.jpg")
                picture = Image.fromarray(item.picture(frame))
                picture.save(path, format="JPEG", quality=_QUALITY, subsampling=0)
        except BaseException:
            for folder in (pngs / item.name, frames):
                shutil.rmtree(folder, ignore_errors=True)
            raise
        self._lists.append(item.split, item.name)

    def close(self) -> None:
        pass
