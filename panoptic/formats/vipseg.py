"""Panoptic videos on disk as VIPSeg and panopticapi-style evaluators have them.

One JSON for all videos: ``videos`` lists the frames of each, ``annotations`` has one entry a video
whose ``annotations`` are COCO panoptic's, one a frame, and ``categories`` is COCO's list; one RGB
PNG a frame, id = R + 256 G + 65536 B, the same id in all frames of a video. The truth is
``panoptic_gt_VIPSeg_val.json`` beside ``panomasksRGB/VIDEO/FRAME.png``, results are ``pred.json``
beside ``pan_pred/VIDEO/FRAME.png`` (https://github.com/VIPSeg-Dataset/VIPSeg-Dataset).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from panoptic.errors import CocoFormatError
from panoptic.formats.coco_checks import by_id, check_annotation, check_category, flag
from panoptic.formats.coco_documents import categories_of, segments_info
from panoptic.formats.coco_panoptic import read_ids, write_ids
from panoptic.formats.video_output import Place, VideoInfo, present, remove_frames, require_frames
from panoptic.io.files import Journal, read_json, whole_file
from panoptic.results.segment import CategoryLike, NamedCategory, Segment
from panoptic.results.segmentation import PanopticSegmentation

if TYPE_CHECKING:
    from panoptic.results.frame import PanopticFrame


JSON_NAMES = ("panoptic_gt_VIPSeg_{subset}.json", "pred.json", "panoptic_gt_VIPSeg.json")
PNG_FOLDERS = ("panomasksRGB", "pan_pred")


@dataclass(frozen=True)
class VipsegVideos:
    """A panoptic video data set opened for reading; PNGs are read when asked for.

    ``annotations`` has the frames of every video in order: file name and ``segments_info``.
    ``categories`` is empty where the file lists none, as results often don't.
    """

    json_path: Path
    png_folder: Path
    categories: Mapping[int, NamedCategory]
    annotations: Mapping[str, tuple[Mapping[str, Any], ...]]

    @classmethod
    def open(cls, path: str | Path, subset: str = "val") -> VipsegVideos:
        """``path`` is the JSON, or the folder that has it under one of its usual names, also the
        output folder of ``panoptic video``. ``subset`` is that of the truth's JSON.

        Raises ``CocoFormatError`` if a field is missing, and ``FileNotFoundError``.
        """
        path = Path(path)
        if path.is_dir():
            path = path / "vipseg" if (path / "vipseg" / "pred.json").is_file() else path
            path = _first([path / name.format(subset=subset) for name in JSON_NAMES], "JSON")
        png_folder = _first([path.parent / name for name in PNG_FOLDERS], "folder of PNGs")
        content = read_json(path)
        try:
            for category in content.get("categories", ()):
                check_category(category)
            categories = {
                id: NamedCategory(id, c["name"], flag(c, "isthing", True))
                for id, c in by_id(content.get("categories", []), "id", "category").items()
            }
            videos = by_id(content["annotations"], "video_id", "video")
            annotations = {str(id): _checked(id, videos[id]["annotations"]) for id in videos}
        except (KeyError, TypeError, AttributeError) as error:
            raise CocoFormatError(f"{str(path)!r}: missing or wrong {error}") from error
        except CocoFormatError as error:
            raise CocoFormatError(f"{str(path)!r}: {error}") from error
        return cls(path, png_folder, categories, annotations)

    def file_names(self, video: str) -> list[str]:
        """The names of a video's PNGs in order."""
        return [annotation["file_name"] for annotation in self.annotations[video]]

    def frames(
        self,
        video: str,
        categories: Mapping[int, NamedCategory | None] | None = None,
        names: Sequence[str] | None = None,
    ) -> Iterator[PanopticSegmentation]:
        """The frames of a video, read one by one; with ``names``, those of these file names.

        ``categories`` says what the file's category ids mean, where it shouldn't be its own list;
        segments whose category is None become void.
        Raises ``CocoFormatError`` if PNG and JSON hold different ids.
        """
        known = self.categories if categories is None else categories
        listed = {annotation["file_name"]: annotation for annotation in self.annotations[video]}
        for annotation in [listed[name] for name in (listed if names is None else names)]:
            path = self.png_folder / video / annotation["file_name"]
            ids = read_ids(path)
            infos = annotation["segments_info"]
            unseen = {info["id"] for info in infos} - set(np.unique(ids).tolist())
            if unseen:
                raise CocoFormatError(
                    f"{str(path)!r}: segments {sorted(unseen)} of the JSON are not in the PNG"
                )
            segments = [self._segment(info, known) for info in infos]
            dropped = [info["id"] for info, s in zip(infos, segments, strict=True) if s is None]
            if dropped:
                ids = np.where(np.isin(ids, dropped), 0, ids)
            try:
                yield PanopticSegmentation.from_ids(ids, [s for s in segments if s is not None])
            except ValueError as error:
                raise CocoFormatError(f"{str(path)!r}: {error}") from error

    def _segment(
        self, info: Mapping[str, Any], known: Mapping[int, NamedCategory | None]
    ) -> Segment | None:
        if info["category_id"] not in known:
            raise CocoFormatError(
                f"{str(self.json_path)!r}: segment {info['id']} has category "
                f"{info['category_id']}, which isn't in the list of categories"
            )
        category = known[info["category_id"]]
        if category is None:
            return None
        return Segment(
            id=info["id"],
            category_id=category.id,
            category=category.name,
            is_thing=category.is_thing,
            score=info.get("score", 1.0),
            is_crowd=flag(info, "iscrowd", False),
        )


def _first(paths: list[Path], what: str) -> Path:
    for path in paths:
        if path.exists():
            return path
    names = " or ".join(repr(path.name) for path in paths)
    raise FileNotFoundError(f"no {what} {names} in {str(paths[0].parent)!r}")


def _checked(video: str, annotations: list[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    by_id(annotations, "file_name", f"video {video!r}: the frame")
    for annotation in annotations:
        check_annotation(annotation)
        name = annotation["file_name"]
        if PurePosixPath(name).name != name or "\\" in name:
            raise CocoFormatError(f"video {video!r}: file name {name!r} leads elsewhere")
    return tuple(annotations)


class VipsegWriter:
    """Writes one video: ``FOLDER/pan_pred/VIDEO/00000.png`` at once, ``FOLDER/pred.json`` at the
    end, with all videos that were finished in this folder.

    What the JSON says of a frame goes to ``FOLDER/frames/VIDEO.jsonl`` first; ``close`` puts the
    JSON together from these, without holding a video in memory. There an id has the category that
    it had last in all frames: what renames it, renames all of it. ``categories`` are listed even
    where they don't occur. A resumed run gives ``start``, the number of the frame it goes on with.
    """

    def __init__(
        self,
        folder: str | Path,
        video_id: str,
        categories: Iterable[CategoryLike] = (),
        *,
        start: int = 0,
    ) -> None:
        self.folder = Path(folder)
        self.json_path = self.folder / "pred.json"
        self._pngs = self.folder / "pan_pred" / video_id
        self._pngs.mkdir(parents=True, exist_ok=True)
        self._video_id = video_id
        self._frame = start
        finished = self.folder / "frames" / f"{video_id}.jsonl"
        if finished.exists():
            if not start:  # what the JSON lists is whole at any time
                write_listing(self.folder, without=video_id)
            finished.replace(_unfinished(finished))
        self._finished = finished
        self._journal = Journal(_unfinished(finished), start + 1 if start else 0)
        records = (record for record in self._journal if "image" in record)
        require_frames(self._pngs / record["image"]["file_name"] for record in records)
        if not start:
            listed = [{"id": c.id, "name": c.name, "isthing": int(c.is_thing)} for c in categories]
            self._journal.append({"categories": listed})

    def add(self, result: PanopticSegmentation, name: str = "") -> Path:
        """Writes the next frame; returns the PNG's path. ``name`` is the frame's own (a stem),
        where it isn't its number."""
        name = name or f"{self._frame:05d}"
        path = self._pngs / f"{name}.png"
        write_ids(path, result.ids)
        self._journal.append(
            {
                "image": {
                    **{"id": name, "width": result.width, "height": result.height},
                    "file_name": path.name,
                },
                "segments_info": segments_info(result),
                "categories": categories_of(result.segments),
            }
        )
        self._frame += 1
        return path

    def close(self) -> Path:
        """Counts the video as finished, writes the JSON and returns its path.

        Raises ``ValueError`` if a category id has two names among the videos of the folder.
        """
        self._journal.close()
        self._journal.path.replace(self._finished)
        return write_listing(self.folder)


def write_listing(folder: Path, without: str = "") -> Path:
    """Writes ``pred.json`` of all videos that were finished in a folder of results, but one;
    returns its path.

    Raises ``ValueError`` if a category id has two names among them.
    """
    path = folder / "pred.json"
    finished = sorted((folder / "frames").glob("*.jsonl"))
    journals = [journal for journal in finished if journal.stem != without]
    categories: dict[int, dict[str, Any]] = {}
    for journal in journals:
        for record in _records(journal):
            for category in record["categories"]:
                known = categories.setdefault(category["id"], category)
                if known["name"] != category["name"]:
                    raise ValueError(
                        f"category {category['id']} is {known['name']!r} in one video of "
                        f"{str(folder)!r} and {category['name']!r} in {journal.stem!r}: "
                        "write videos of different words to folders of their own"
                    )
    with whole_file(path) as part, part.open("w", encoding="utf-8") as file:
        file.write('{"videos": [')
        for number, journal in enumerate(journals):
            images = (record["image"] for record in _frames(journal))
            _write_video(file, number, journal.stem, "images", images)
        file.write('], "annotations": [')
        for number, journal in enumerate(journals):
            names = _last_categories(journal)
            annotations = (_annotation(record, names) for record in _frames(journal))
            _write_video(file, number, journal.stem, "annotations", annotations)
        listed = [categories[i] for i in sorted(categories)]
        file.write('], "categories": ' + json.dumps(listed, ensure_ascii=False) + "}\n")
    return path


def _unfinished(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def _records(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def _frames(path: Path) -> Iterator[dict[str, Any]]:
    return (record for record in _records(path) if "image" in record)


def _last_categories(path: Path) -> dict[int, int]:
    """The category that each id of a video had last."""
    return {
        info["id"]: info["category_id"]
        for record in _frames(path)
        for info in record["segments_info"]
    }


def _annotation(record: Mapping[str, Any], categories: Mapping[int, int]) -> dict[str, Any]:
    image = record["image"]
    return {
        "image_id": image["id"],
        "file_name": image["file_name"],
        "segments_info": [
            {**info, "category_id": categories[info["id"]]} for info in record["segments_info"]
        ],
    }


def _write_video(
    file: TextIO, number: int, video_id: str, name: str, items: Iterable[Mapping[str, Any]]
) -> None:
    """One entry of a list of videos, which has a list ``name``; items are written one by one."""
    file.write((", " if number else "") + json.dumps({"video_id": video_id})[:-1])
    file.write(f', "{name}": [')
    for i, item in enumerate(items):
        file.write((", " if i else "") + json.dumps(item, ensure_ascii=False))
    file.write("]}")


class VipsegOutput:
    """``FOLDER/vipseg/pan_pred/VIDEO/00000.png`` and ``FOLDER/vipseg/pred.json``, all videos of
    the folder in one JSON. Frames that have names keep them."""

    def __init__(self, folder: Path, info: VideoInfo, start: int = 0) -> None:
        root = folder / "vipseg"
        _check_words(root / "frames", info)
        self._info = info
        self._writer = VipsegWriter(root, info.name, info.vocabulary, start=start)
        remove_frames(root / "pan_pred" / info.name, info, start)

    def add(self, frame: PanopticFrame) -> None:
        self._writer.add(frame.segmentation, self._info.frame_name(frame.index))

    def checkpoint(self) -> None:
        """Every frame is on disk as soon as it was added."""

    def close(self) -> Path:
        return self._writer.close()

    @staticmethod
    def leftovers(folder: Path, info: VideoInfo) -> list[Path]:
        # Later videos need the finished journal, for the JSON.
        return [_unfinished(folder / "vipseg" / "frames" / f"{info.name}.jsonl")]

    @staticmethod
    def files(folder: Path, info: VideoInfo) -> list[Path]:
        root = folder / "vipseg"
        pngs = (root / "pan_pred" / info.name).glob("*.png")
        return present([*pngs, root / "frames" / f"{info.name}.jsonl"])

    @staticmethod
    def places(info: VideoInfo) -> list[Place]:
        journals = info.places("vipseg/frames", ".jsonl", ".jsonl.part")
        return [("vipseg", "pred.json"), (f"vipseg/pan_pred/{info.name}", "*.png"), *journals]


def _check_words(folder: Path, info: VideoInfo) -> None:
    """One JSON of several videos needs one meaning of each category id."""
    wanted = {c.id: c.name for c in info.vocabulary}
    for path in sorted(folder.glob("*.jsonl")):
        if path.stem == info.name:
            continue
        with path.open(encoding="utf-8") as file:
            there = {c["id"]: c["name"] for c in json.loads(file.readline())["categories"]}
        for id in sorted(wanted.keys() & there.keys()):
            if wanted[id] != there[id]:
                raise ValueError(
                    f"{str(folder.parent)!r} holds {path.stem!r}, labelled with other words "
                    f"(category {id} is {there[id]!r} there and {wanted[id]!r} here): give videos "
                    "of different words folders of their own"
                )
