"""The objects of SA-V's videos, whichever of its two layouts they lie in: folders or masklets.

The two can be compared: a mask is told by its video, its object and the number of its frame. In
folders that number is the PNG's name; masklet files have every fourth frame of the video, and those
written here say in ``annotated_frames`` which they have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from panoptic.formats.sa_v import Masklets, SavFolder, find_masklets, read_mask

Name = int | str  # a number where it is one: folder 007 is masklet 7


@dataclass(frozen=True)
class ObjectMasks:
    """The annotated ``frames`` of one object, in order, and how to ``read`` the mask of one,
    bool (H, W); ``FileNotFoundError`` or ``ValueError`` where it can't be."""

    frames: tuple[Name, ...]
    read: Callable[[Name], np.ndarray]


@dataclass(frozen=True)
class VideoObjects:
    """The objects of one video by id.

    ``is_numbered`` is False where a masklet file doesn't tell which frames it has: then they are
    numbered by their place among the annotated ones. ``has_own_ids`` tells that the ids are this
    program's, which nobody had prompted with the truth's.
    """

    by_id: Mapping[Name, ObjectMasks]
    is_numbered: bool = True
    has_own_ids: bool = False

    def by_place(self) -> VideoObjects:
        """The same with frames numbered by their place."""
        return replace(self, by_id={i: _placed(o) for i, o in self.by_id.items()})


@dataclass(frozen=True)
class SavVideos:
    """The videos of one side, each loaded when asked for."""

    root: Path
    videos: tuple[str, ...]
    load: Callable[[str], VideoObjects]

    @classmethod
    def open(cls, root: str | Path) -> SavVideos:
        """``root`` is what ``SavFolder`` opens, a masklet file or a folder of such, also the
        output folder of ``panoptic video``. Raises ``ValueError`` and ``FileNotFoundError``."""
        root = Path(root)
        for place in (root / "sa-v", root):
            if place.is_file() or (place.is_dir() and any(place.glob("*_*.json"))):
                return _masklet_files(place)
        folder = SavFolder.open(root)
        return cls(folder.annotations, folder.videos, lambda video: _of_folder(folder, video))


def _masklet_files(place: Path) -> SavVideos:
    files = find_masklets(place)
    return SavVideos(place, tuple(files), lambda video: _of_masklets(files[video]))


def _placed(masks: ObjectMasks) -> ObjectMasks:
    return ObjectMasks(
        tuple(range(len(masks.frames))), lambda place: masks.read(masks.frames[int(place)])
    )


def _of_folder(folder: SavFolder, video: str) -> VideoObjects:
    objects = {}
    for name in folder.objects(video):
        paths = {_number(path.stem): path for path in folder.frames(video, name)}
        place = folder.annotations / video / name
        objects[_number(name)] = ObjectMasks(tuple(paths), _reader(paths, place))
    return VideoObjects(objects)


def _reader(paths: dict[Name, Path], place: Path) -> Callable[[Name], np.ndarray]:
    def read(frame: Name) -> np.ndarray:
        if frame not in paths:
            name = f"{frame:05d}.png" if isinstance(frame, int) else f"{frame}.png"
            raise FileNotFoundError(f"there is no {str(place / name)!r}")
        return read_mask(paths[frame])

    return read


def _of_masklets(path: Path) -> VideoObjects:
    masklets = Masklets.open(path)
    numbers = masklets.frame_numbers
    frames: Sequence[int] = range(len(masklets)) if numbers is None else numbers
    places = {number: place for place, number in enumerate(frames)}

    def of(id: int) -> ObjectMasks:
        def read(frame: Name) -> np.ndarray:
            if frame not in places:
                raise ValueError(
                    f"{str(path)!r} has no masks of frame {frame}, which the truth has: annotate "
                    "the frames that are evaluated (SA-V: every fourth)"
                )
            return masklets.mask(places[int(frame)], id)

        return ObjectMasks(tuple(frames), read)

    found_here = "annotated_frames" in masklets.content
    return VideoObjects({id: of(id) for id in masklets.ids}, numbers is not None, found_here)


def _number(name: str) -> Name:
    return int(name) if name.isascii() and name.isdecimal() else name
