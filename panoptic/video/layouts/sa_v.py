"""SA-V on disk: masklets as JSON with COCO's compressed RLE, or one folder of PNGs an object.

The training set has ``VIDEO_manual.json`` and ``VIDEO_auto.json``, whose ``masklet`` lists the
objects' masks of every annotated frame; validation and test have
``Annotations_6fps/VIDEO/OBJECT/00000.png`` and a list of videos. Masks of a frame may overlap.
(https://github.com/facebookresearch/sam2/tree/main/sav_dataset)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from panoptic.video.layouts.files import read_json


def read_mask(path: Path) -> np.ndarray:
    """The mask of one object, bool (H, W). Raises ``ValueError`` if the PNG holds several."""
    try:
        with Image.open(path, formats=["PNG"]) as png:
            if png.mode not in ("1", "L", "P"):
                raise ValueError(f"{str(path)!r}: a mask PNG was expected, got mode {png.mode}")
            values = np.asarray(png)
    except FileNotFoundError:
        raise
    except (OSError, SyntaxError) as error:
        raise ValueError(f"{str(path)!r} cannot be read as a PNG: {error}") from error
    if len(np.unique(values[values > 0])) > 1:
        raise ValueError(f"{str(path)!r} holds several objects: SA-V has one PNG an object")
    return values > 0


@dataclass(frozen=True)
class SavFolder:
    """PNGs of SA-V's validation or test set, or results in the same layout."""

    annotations: Path
    videos: tuple[str, ...]

    @classmethod
    def open(cls, root: str | Path) -> SavFolder:
        """``root`` has ``Annotations_6fps`` and a list ``*.txt`` of videos; or it has the videos.

        Raises ``FileNotFoundError`` if there is no video, or one of the list is missing.
        """
        root = Path(root)
        annotations = root / "Annotations_6fps"
        annotations = annotations if annotations.is_dir() else root
        listed = [name for path in root.glob("*.txt") for name in path.read_text().split()]
        videos = listed or [path.name for path in annotations.iterdir() if path.is_dir()]
        missing = [name for name in videos if not (annotations / name).is_dir()]
        if missing or not videos:
            raise FileNotFoundError(
                f"{str(annotations)!r} lacks the video {missing[0]!r}"
                if missing
                else f"{str(annotations)!r} has no folder of a video"
            )
        return cls(annotations, tuple(sorted(videos)))

    def objects(self, video: str) -> list[str]:
        """The names of a video's objects: 000, 001 and so on."""
        return sorted(path.name for path in (self.annotations / video).iterdir() if path.is_dir())

    def frames(self, video: str, name: str) -> list[Path]:
        """The PNGs of one object in order."""
        return sorted((self.annotations / video / name).glob("*.png"))


@dataclass(frozen=True)
class Masklets:
    """A masklet file opened for reading; masks are decoded when asked for."""

    path: Path
    video_id: str
    ids: tuple[int, ...]
    content: Mapping[str, Any]

    @classmethod
    def open(cls, path: str | Path) -> Masklets:
        """Raises ``ValueError`` if fields are missing or don't fit together."""
        path = Path(path)
        content = read_json(path)
        try:
            ids = tuple(int(i) for i in content["masklet_id"])
            video_id = str(content["video_id"])
            counts = {len(frame) for frame in content["masklet"]}
        except (KeyError, TypeError) as error:
            raise ValueError(f"{str(path)!r}: missing or wrong {error}") from error
        if counts - {len(ids)} or len(set(ids)) != len(ids):
            raise ValueError(
                f"{str(path)!r}: masklet_id lists {len(ids)} objects, the frames of masklet have "
                f"{sorted(counts)} masks"
            )
        return cls(path, video_id, ids, content)

    def __len__(self) -> int:
        """The annotated frames."""
        return len(self.content["masklet"])

    def __iter__(self) -> Iterator[dict[int, np.ndarray]]:
        """The masks of every annotated frame, bool (H, W) by object id."""
        for number in range(len(self)):
            yield self.masks(number)

    def masks(self, number: int) -> dict[int, np.ndarray]:
        """The masks of one annotated frame, bool (H, W) by object id."""
        return {id: self.mask(number, id) for id in self.ids}

    def mask(self, number: int, id: int) -> np.ndarray:
        """One object's mask in an annotated frame. Raises ``ValueError`` for a broken RLE."""
        from supervision import rle_to_mask

        rle = self.content["masklet"][number][self.ids.index(id)]
        try:
            height, width = rle["size"]
            return rle_to_mask(rle["counts"], (width, height))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{str(self.path)!r}: a mask cannot be decoded: {error}") from error


def find_masklets(path: Path) -> dict[str, Path]:
    """The masklet files of a folder (or the one that ``path`` is) by video id.

    Raises ``ValueError`` if a video has several, such as ``_auto`` and ``_manual``.
    """
    found: dict[str, Path] = {}
    for file in [path] if path.is_file() else sorted(path.glob("*_*.json")):
        video = file.stem.rpartition("_")[0]
        if video in found:
            raise ValueError(
                f"{found[video].name!r} and {file.name!r} are of one video: name the file to "
                "evaluate, or keep the kinds in folders of their own"
            )
        found[video] = file
    return found
