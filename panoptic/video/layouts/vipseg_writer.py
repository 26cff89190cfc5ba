"""Writes panoptic videos as VIPSeg and panopticapi-style evaluators read them, frame by frame."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from panoptic.coco import categories_of, segments_info, write_ids
from panoptic.segmentation import CategoryLike, PanopticSegmentation
from panoptic.video.layouts.files import Journal, whole_file


class VipsegWriter:
    """Writes one video: ``FOLDER/pan_pred/VIDEO/00000.png`` at once, ``FOLDER/pred.json`` at the
    end, with all videos that were finished in this folder.

    What the JSON says of a frame goes to ``FOLDER/frames/VIDEO.jsonl`` first; ``close`` puts the
    JSON together from these, without holding a video in memory. ``categories`` are listed even
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
        if finished.exists() and start:
            finished.replace(_unfinished(finished))
        self._finished = finished
        self._journal = Journal(_unfinished(finished), start + 1 if start else 0)
        if not start:
            finished.unlink(missing_ok=True)
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
        journals = sorted(self._finished.parent.glob("*.jsonl"))
        categories: dict[int, dict[str, Any]] = {}
        for path in journals:
            for record in _records(path):
                for category in record["categories"]:
                    known = categories.setdefault(category["id"], category)
                    if known["name"] != category["name"]:
                        raise ValueError(
                            f"category {category['id']} is {known['name']!r} in one video of "
                            f"{str(self.folder)!r} and {category['name']!r} in {path.stem!r}: "
                            "write videos of different words to folders of their own"
                        )
        with whole_file(self.json_path) as part, part.open("w", encoding="utf-8") as file:
            file.write('{"videos": [')
            for number, path in enumerate(journals):
                images = (record["image"] for record in _frames(path))
                _write_video(file, number, path.stem, "images", images)
            file.write('], "annotations": [')
            for number, path in enumerate(journals):
                annotations = map(_annotation, _frames(path))
                _write_video(file, number, path.stem, "annotations", annotations)
            listed = [categories[i] for i in sorted(categories)]
            file.write('], "categories": ' + json.dumps(listed, ensure_ascii=False) + "}\n")
        return self.json_path


def _unfinished(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def _records(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def _frames(path: Path) -> Iterator[dict[str, Any]]:
    return (record for record in _records(path) if "image" in record)


def _annotation(record: Mapping[str, Any]) -> dict[str, Any]:
    image = record["image"]
    return {
        "image_id": image["id"],
        "file_name": image["file_name"],
        "segments_info": record["segments_info"],
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
