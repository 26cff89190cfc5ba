"""SA-V on disk: masklets as JSON with COCO's compressed RLE, or one folder of PNGs an object.

The training set has ``VIDEO_manual.json`` and ``VIDEO_auto.json``, whose ``masklet`` lists the
objects' masks of every annotated frame; validation and test have
``Annotations_6fps/VIDEO/OBJECT/00000.png`` and a list of videos. Masks of a frame may overlap.
(https://github.com/facebookresearch/sam2/tree/main/sav_dataset)
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from panoptic.formats.video_output import Place, VideoInfo, present
from panoptic.io.files import Journal, read_json, whole_file
from panoptic.io.pillow_files import open_png
from panoptic.results.segmentation import PanopticSegmentation
from prompts.text_files import read_text

if TYPE_CHECKING:
    from panoptic.results.frame import PanopticFrame


def read_mask(path: Path) -> np.ndarray:
    """The mask of one object, bool (H, W). Raises ``ValueError`` if the PNG holds several."""
    try:
        with open_png(path) as png:
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
        listed = [name for path in root.glob("*.txt") for name in read_text(path).split()]
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

    @property
    def frame_numbers(self) -> tuple[int, ...] | None:
        """Which frames of the video are annotated; None where the file doesn't tell.

        Files written here list them. SA-V's own have the number of the video's frames, of which
        every fourth is annotated, from the first on.
        """
        listed = self.content.get("annotated_frames")
        if listed is not None:
            if len(listed) != len(self) or sorted(set(listed)) != listed:
                raise ValueError(
                    f"{str(self.path)!r}: annotated_frames must rise and number the {len(self)} "
                    f"frames of masklet, got {len(listed)} numbers"
                )
            return tuple(int(number) for number in listed)
        count = self.content.get("video_frame_count")
        if not isinstance(count, int | float) or not len(self):
            return None
        for every in (1, SAV_EVERY, *range(2, int(count) + 1)):
            if len(range(0, int(count), every)) == len(self):
                return tuple(range(0, int(count), every))
        return None

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


SAV_EVERY = 4  # SA-V annotates 6 of the 24 frames a second
SMALL, MEDIUM = 32**2, 96**2  # pixels: the bounds of SA-V's size buckets


class MaskletWriter:
    """Writes one video as ``FOLDER/VIDEO_auto.json``, every segment a masklet.

    The layout wants every object in every frame, so frames go to a journal beside the file first,
    and ``close`` puts the JSON together, without holding the video in memory. Objects carry their
    segment id; ``masklet_category``, ``masklet_isthing`` and ``annotated_frames`` (the numbers of
    the frames that have masks) are added to the layout's fields, and what nobody judged
    (environment, split, stability) is null.

    ``fps`` is that of the video, and every ``every``-th frame is annotated (SA-V: every fourth).
    A resumed run gives ``start``, the number of the frame it goes on with.
    """

    def __init__(
        self, folder: str | Path, video_id: str, *, fps: float, every: int = 1, start: int = 0
    ) -> None:
        if fps <= 0 or every < 1:
            raise ValueError(f"fps is above 0 and every is 1 or more, got {fps} and {every}")
        self.path = Path(folder) / f"{video_id}_auto.json"
        self._video_id = video_id
        self._fps = fps
        self._every = every
        self._frame = start
        journal = self.path.with_name(self.path.name + ".frames")
        self._journal = Journal(journal, -(-start // every))

    def add(self, result: PanopticSegmentation, number: int | None = None) -> None:
        """Takes the next frame of the video; ``number`` is its own, where it isn't its place."""
        from supervision import mask_to_rle

        if self._frame % self._every == 0:
            masks = {
                str(s.id): {
                    **{"counts": mask_to_rle(result.mask(s.id), compressed=True), "area": s.area},
                    **{"category": s.category, "isthing": int(s.is_thing)},
                }
                for s in result.segments
            }
            number = self._frame if number is None else number
            size = [result.height, result.width]
            self._journal.append({"frame": number, "size": size, "masks": masks})
        self._frame += 1

    def close(self, *, keep_journal: bool = False) -> Path:
        """Writes the JSON, removes the journal and returns the JSON's path.

        Whoever wants to be able to resume until all else is done keeps the journal. Raises
        ``ValueError`` if no frame was added.
        """
        self._journal.close()
        masklets: dict[str, _Masklet] = {}
        size: list[int] | None = None
        numbers: list[int] = []
        for record in self._journal:
            size, frames = record["size"], len(numbers)
            for id, mask in record["masks"].items():
                masklet = masklets.setdefault(
                    id, _Masklet(mask["category"], mask["isthing"], frames)
                )
                masklet.areas.append(mask["area"])
                masklet.frames.append(frames)
            numbers.append(record["frame"])
        if size is None:
            raise ValueError(f"no frame of {self._video_id!r} was written: there is no video")
        order = sorted(masklets, key=int)
        with whole_file(self.path) as part, part.open("w", encoding="utf-8") as file:
            self._write_masks(file, order, size)
            fields = self._fields({i: masklets[i] for i in order}, size, numbers)
            file.write(json.dumps(fields, ensure_ascii=False)[1:] + "\n")
        if not keep_journal:
            self._journal.path.unlink()
        return self.path

    def _write_masks(self, file: TextIO, order: list[str], size: list[int]) -> None:
        from supervision import mask_to_rle

        empty = mask_to_rle(np.zeros(size, bool), compressed=True)
        file.write('{"masklet": [')
        for number, record in enumerate(self._journal):
            masks = record["masks"]
            row = [
                {"size": size, "counts": masks[i]["counts"] if i in masks else empty} for i in order
            ]
            file.write((", " if number else "") + json.dumps(row))
        file.write("], ")

    def _fields(
        self, masklets: dict[str, _Masklet], size: list[int], numbers: list[int]
    ) -> dict[str, Any]:
        height, width = size
        frames = len(numbers)
        each = list(masklets.values())
        areas = [float(np.mean(m.areas)) for m in each]
        return {
            "video_id": self._video_id,
            "video_duration": self._frame / self._fps,
            "video_frame_count": float(self._frame),
            "video_height": float(height),
            "video_width": float(width),
            "video_resolution": float(height * width),
            "video_environment": None,
            "video_split": None,
            "masklet_id": [int(i) for i in masklets],
            "masklet_size_rel": [a / (height * width) for a in areas],
            "masklet_size_abs": areas,
            "masklet_size_bucket": [_bucket(a) for a in areas],
            "masklet_visibility_changes": [m.visibility_changes(frames) for m in each],
            "masklet_first_appeared_frame": [m.first for m in each],
            "masklet_frame_count": [frames] * len(each),
            "masklet_edited_frame_count": [0] * len(each),
            "masklet_type": ["auto"] * len(each),
            "masklet_stability_score": [None] * len(each),
            "masklet_num": len(each),
            "masklet_category": [m.category for m in each],
            "masklet_isthing": [m.isthing for m in each],
            "annotated_frames": numbers,
        }


@dataclass
class _Masklet:
    category: str
    isthing: int
    first: int  # annotated frame

    def __post_init__(self) -> None:
        self.areas: list[int] = []
        self.frames: list[int] = []

    def visibility_changes(self, frames: int) -> int:
        """How often it comes into sight or goes out of it after its first appearance."""
        gaps = int(np.count_nonzero(np.diff(self.frames) > 1))
        return 2 * gaps + int(self.frames[-1] < frames - 1)


def _bucket(area: float) -> str:
    return "small" if area < SMALL else "medium" if area < MEDIUM else "large"


class MaskletOutput:
    """``FOLDER/sa-v/VIDEO_auto.json``, every frame annotated, or every so many (SA-V: 4)."""

    def __init__(self, folder: Path, info: VideoInfo, start: int = 0) -> None:
        self._info = info
        self._writer = MaskletWriter(
            folder / "sa-v", info.name, fps=info.fps, every=info.sa_v_every, start=start
        )

    def add(self, frame: PanopticFrame) -> None:
        self._writer.add(frame.segmentation, self._info.frame_number(frame.index))

    def checkpoint(self) -> None:
        """Every frame is on disk as soon as it was added."""

    def close(self) -> Path:
        return self._writer.close(keep_journal=True)

    @staticmethod
    def leftovers(folder: Path, info: VideoInfo) -> list[Path]:
        return [folder / "sa-v" / f"{info.name}_auto.json.frames"]

    @staticmethod
    def files(folder: Path, info: VideoInfo) -> list[Path]:
        return present([folder / "sa-v" / f"{info.name}_auto.json"])

    @staticmethod
    def places(info: VideoInfo) -> list[Place]:
        return info.places("sa-v", "_auto.json", "_auto.json.frames")
