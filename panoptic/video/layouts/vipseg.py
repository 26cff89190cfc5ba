"""Panoptic videos on disk as VIPSeg and panopticapi-style evaluators have them.

One JSON for all videos: ``videos`` lists the frames of each, ``annotations`` has one entry a video
whose ``annotations`` are COCO panoptic's, one a frame, and ``categories`` is COCO's list; one RGB
PNG a frame, id = R + 256 G + 65536 B, the same id in all frames of a video. The truth is
``panoptic_gt_VIPSeg_val.json`` beside ``panomasksRGB/VIDEO/FRAME.png``, results are ``pred.json``
beside ``pan_pred/VIDEO/FRAME.png`` (https://github.com/VIPSeg-Dataset/VIPSeg-Dataset).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from panoptic.coco import CocoFormatError, read_ids
from panoptic.evaluate import EvaluatedCategory
from panoptic.segmentation import PanopticSegmentation, Segment
from panoptic.video.layouts.files import read_json

JSON_NAMES = ("panoptic_gt_VIPSeg_val.json", "pred.json")
PNG_FOLDERS = ("panomasksRGB", "pan_pred")


@dataclass(frozen=True)
class VipsegVideos:
    """A panoptic video data set opened for reading; PNGs are read when asked for.

    ``annotations`` has the frames of every video in order: file name and ``segments_info``.
    ``categories`` is empty where the file lists none, as results often don't.
    """

    json_path: Path
    png_folder: Path
    categories: Mapping[int, EvaluatedCategory]
    annotations: Mapping[str, tuple[Mapping[str, Any], ...]]

    @classmethod
    def open(cls, path: str | Path) -> VipsegVideos:
        """``path`` is the JSON, or the folder that has it under one of its usual names.

        Raises ``CocoFormatError`` if a field is missing, and ``FileNotFoundError``.
        """
        path = Path(path)
        if path.is_dir():
            path = _first([path / name for name in JSON_NAMES], "JSON")
        png_folder = _first([path.parent / name for name in PNG_FOLDERS], "folder of PNGs")
        content = read_json(path)
        try:
            categories = {
                c["id"]: EvaluatedCategory(c["id"], str(c["name"]), bool(c.get("isthing", 1)))
                for c in content.get("categories", ())
            }
            annotations = {
                str(video["video_id"]): tuple(_checked(a) for a in video["annotations"])
                for video in content["annotations"]
            }
        except (KeyError, TypeError, AttributeError) as error:
            raise CocoFormatError(f"{str(path)!r}: missing or wrong {error}") from error
        return cls(path, png_folder, categories, annotations)

    def file_names(self, video: str) -> list[str]:
        """The names of a video's PNGs in order."""
        return [annotation["file_name"] for annotation in self.annotations[video]]

    def frames(
        self, video: str, categories: Mapping[int, EvaluatedCategory | None] | None = None
    ) -> Iterator[PanopticSegmentation]:
        """The frames of a video, read one by one.

        ``categories`` says what the file's category ids mean, where it shouldn't be its own list;
        segments whose category is None become void.
        Raises ``CocoFormatError`` if PNG and JSON hold different ids.
        """
        known = self.categories if categories is None else categories
        for annotation in self.annotations[video]:
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
        self, info: Mapping[str, Any], known: Mapping[int, EvaluatedCategory | None]
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
            is_crowd=bool(info.get("iscrowd", 0)),
        )


def _first(paths: list[Path], what: str) -> Path:
    for path in paths:
        if path.exists():
            return path
    names = " or ".join(repr(path.name) for path in paths)
    raise FileNotFoundError(f"no {what} {names} in {str(paths[0].parent)!r}")


def _checked(annotation: Mapping[str, Any]) -> Mapping[str, Any]:
    name = annotation["file_name"]
    if PurePosixPath(name).name != name or "\\" in name:
        raise CocoFormatError(f"file name {name!r} leads elsewhere")
    for info in annotation["segments_info"]:
        if not isinstance(info["id"], int) or not isinstance(info["category_id"], int):
            raise CocoFormatError(f"segment {info!r}: id and category_id must be integers")
    return annotation
