"""DAVIS 2017 (https://davischallenge.org/davis2017/code.html): one palette PNG a frame.

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
from pathlib import Path

from PIL import Image

from panoptic.dataset.formats.base import CannotHold, ExportItem, Pictures
from panoptic.dataset.formats.files import NameLists
from panoptic.video.layouts.davis import DavisWriter
from prompts import Vocabulary

_QUALITY = 95


class DavisExporter:
    def __init__(self, folder: Path, vocabulary: Vocabulary, pictures: Pictures) -> None:
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
