"""COCO panoptic: a JSON of segments and one RGB PNG an image, id = R + 256 G + 65536 B.

The format: https://cocodataset.org/#format-data, section 4. Next to its fields we write ``score``
and ``quality`` into a segment, which readers of the format ignore. As an export:

    train/NAME.jpg                             pictures
    annotations/panoptic_train.json            segments and categories
    annotations/panoptic_train/NAME.png        id = R + 256 G + 65536 B
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any

import numpy as np
from PIL import Image

from panoptic.errors import CocoFormatError
from panoptic.formats.coco_checks import (
    by_id,
    check_annotation,
    check_category,
    flag,
    png_folder_of,
)
from panoptic.formats.coco_documents import (
    annotation_of,
    categories_of,
    content_of,
    document_of,
    image_of,
    segments_info,
)
from panoptic.formats.exporter import ExportItem, PictureSink
from panoptic.formats.image_ids import ImageIds, image_entry
from panoptic.formats.writers import JsonLists, close_coco
from panoptic.io.files import json_text, png_bytes, put_files, read_json, write_json, write_png
from panoptic.io.names import free_stem
from panoptic.io.pillow_files import open_png
from panoptic.results.id_map import ids_to_rgb, rgb_to_ids
from panoptic.results.labelled import Split
from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation
from prompts import Vocabulary


def read_ids(path: Path) -> np.ndarray:
    """The id map (H, W) of one PNG. Raises ``CocoFormatError`` if it is not an 8-bit RGB one."""
    try:
        with open_png(path) as png:
            if png.mode not in ("RGB", "RGBA"):
                raise CocoFormatError(f"{str(path)!r}: an RGB PNG was expected, got {png.mode}")
            return rgb_to_ids(np.asarray(png))
    except FileNotFoundError:
        raise
    except (OSError, SyntaxError) as error:
        raise CocoFormatError(f"{str(path)!r} cannot be read as a PNG: {error}") from error


def write_ids(path: Path, ids: np.ndarray) -> None:
    """Writes an id map (H, W) as the PNG of the format. The file appears whole or not at all."""
    write_png(path, Image.fromarray(ids_to_rgb(ids)))


class CocoPanopticWriter:
    """Writes results one by one: ``folder/name/*.png`` at once, ``folder/name.json`` at the end.

    ``categories`` is COCO's list (``Vocabulary.to_coco()``); categories that only occur in results
    are added to it. ``place`` is told of every file before it is written (``OutputFolder.file``).
    Use it in a ``with`` block: the JSON is written when that ends without error.
    """

    def __init__(
        self,
        folder: str | Path,
        name: str = "panoptic",
        categories: Iterable[Mapping[str, Any]] = (),
        *,
        place: Callable[[Path], Path] = Path,
    ) -> None:
        self.json_path = Path(folder) / f"{name}.json"
        self.png_folder = Path(folder) / name
        self._place = place
        self._categories: dict[int, dict[str, Any]] = {c["id"]: dict(c) for c in categories}
        self._images: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []
        self._image_ids: set[int | str] = set()
        self._png_names: set[str] = set()

    def add(
        self, result: PanopticSegmentation, file_name: str, image_id: int | str | None = None
    ) -> Path:
        """Writes one result's PNG, named like its picture; returns the PNG's path.

        ``file_name`` is the picture's own; ``image_id`` counts from 1 where it isn't given.
        """
        if image_id is None:
            image_id = len(self._images) + 1
            while image_id in self._image_ids:
                image_id += 1
        if image_id in self._image_ids:
            raise ValueError(f"image id {image_id} was written already")
        self._image_ids.add(image_id)
        for category in categories_of(result.segments):
            known = self._categories.setdefault(category["id"], category)
            if known["name"] != category["name"]:
                raise ValueError(
                    f"category {category['id']} is {known['name']!r} in this data set "
                    f"and {category['name']!r} in the result for {file_name!r}"
                )
        # a.jpg and a.png, or one/a.jpg and two/a.jpg, must not share a PNG.
        stem = PurePosixPath(file_name.replace("\\", "/")).stem or "image"
        stem = free_stem(stem, self._png_names.__contains__)
        self._png_names.add(stem.casefold())
        png = f"{stem}.png"
        write_ids(self._place(self.png_folder / png), result.ids)
        self._images.append(image_of(result, file_name, image_id))
        self._annotations.append(annotation_of(result, png, image_id))
        return self.png_folder / png

    def close(self) -> Path:
        """Writes the JSON and returns its path."""
        self.png_folder.mkdir(parents=True, exist_ok=True)
        document = content_of(self._images, self._annotations, self._categories)
        write_json(self._place(self.json_path), document)
        return self.json_path

    def __enter__(self) -> CocoPanopticWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()


def save_result(
    result: PanopticSegmentation,
    folder: Path,
    name: str,
    file_name: str,
    *,
    overwrite: bool = False,
) -> Path:
    """One result as ``folder/name.json`` and ``folder/name.png``; returns the JSON's path.

    Raises ``OutputError`` where another result has these names, unless ``overwrite``.
    """
    path = folder / f"{name}.json"
    document = document_of(result, file_name, f"{name}.png")
    contents = {
        folder / f"{name}.png": png_bytes(Image.fromarray(ids_to_rgb(result.ids))),
        path: json_text(document).encode("utf-8"),
    }
    put_files(contents, overwrite=overwrite)
    return path


@dataclass(frozen=True)
class CocoPanoptic:
    """A COCO panoptic data set opened for reading; PNGs are read when asked for."""

    json_path: Path
    png_folder: Path
    categories: Mapping[int, Mapping[str, Any]]
    images: Mapping[int | str, Mapping[str, Any]]
    annotations: Mapping[int | str, Mapping[str, Any]]

    @classmethod
    def open(cls, json_path: str | Path, png_folder: str | Path | None = None) -> CocoPanoptic:
        """Reads the JSON. The PNG folder is the JSON's name without ``.json``, as COCO has it, or
        else the JSON's own. ``CocoFormatError`` if a field is missing, ``FileNotFoundError``."""
        json_path = Path(json_path)
        try:
            content = read_json(json_path)
        except FileNotFoundError:
            raise
        except ValueError as error:
            raise CocoFormatError(str(error)) from error
        if not isinstance(content, dict) or not isinstance(content.get("annotations"), list):
            raise CocoFormatError(f"{str(json_path)!r} has no list 'annotations'")
        png_folder = png_folder_of(json_path, content) if png_folder is None else Path(png_folder)
        if not png_folder.is_dir():
            raise FileNotFoundError(f"the PNG folder {str(png_folder)!r} does not exist")
        try:
            for annotation in content["annotations"]:
                check_annotation(annotation)
            for category in content.get("categories", ()):
                check_category(category)
            annotations = by_id(content["annotations"], "image_id", "the annotation of image")
            images = by_id(content.get("images", []), "id", "image")
            categories = by_id(content.get("categories", []), "id", "category")
        except (KeyError, TypeError, AttributeError, CocoFormatError) as error:
            reason = f"missing or wrong {error}" if not isinstance(error, ValueError) else error
            raise CocoFormatError(f"{str(json_path)!r}: {reason}") from error
        return cls(json_path, png_folder, categories, images, annotations)

    def png_path(self, image_id: int | str) -> Path:
        """Where the PNG of an image lies; a name that leads out of the PNG folder is refused."""
        name = self.annotations[image_id]["file_name"]
        path = PurePosixPath(name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts:
            raise CocoFormatError(f"{str(self.json_path)!r}: file name {name!r} leads elsewhere")
        return self.png_folder / path

    def read_ids(self, image_id: int | str) -> np.ndarray:
        """The id map (H, W) of an image."""
        return read_ids(self.png_path(image_id))

    def load(self, image_id: int | str | None = None) -> PanopticSegmentation:
        """One image as a result. Scores that the file doesn't hold are 1.

        Raises ``ValueError`` if PNG and JSON hold different ids, or, without ``image_id``, if
        there is not exactly one image.
        """
        if image_id is None:
            if len(self.annotations) != 1:
                raise ValueError(
                    f"{str(self.json_path)!r} holds {len(self.annotations)} images: say which"
                )
            image_id = next(iter(self.annotations))
        if image_id not in self.annotations:
            raise ValueError(f"{str(self.json_path)!r} holds no image {image_id!r}")
        where = f"{str(self.json_path)!r}, image {image_id!r}"
        try:
            segments = [self._segment(info) for info in self.annotations[image_id]["segments_info"]]
            result = PanopticSegmentation.from_ids(self.read_ids(image_id), segments)
        except (ValueError, TypeError, LookupError, OverflowError) as error:
            raise CocoFormatError(f"{where}: {error}") from error
        unseen = {s.id for s in segments} - {s.id for s in result}
        if unseen:
            raise CocoFormatError(f"{where}: {sorted(unseen)} of the JSON are not in the PNG")
        return result

    def __iter__(self) -> Iterator[tuple[int | str, PanopticSegmentation]]:
        for image_id in self.annotations:
            yield image_id, self.load(image_id)

    def __len__(self) -> int:
        return len(self.annotations)

    def _segment(self, info: Mapping[str, Any]) -> Segment:
        category = self.categories.get(info["category_id"])
        if category is None:
            raise CocoFormatError(
                f"{str(self.json_path)!r}: segment {info['id']} has category "
                f"{info['category_id']}, which 'categories' does not list"
            )
        return Segment(
            id=info["id"],
            category_id=info["category_id"],
            category=category["name"],
            is_thing=flag(category, "isthing", True),
            score=info.get("score", 1.0),
            quality=info.get("quality"),
            is_crowd=flag(info, "iscrowd", False),
        )


class CocoPanopticExporter:
    """Image ids are the source's own, else count through all splits, from 1, in the order of the
    items."""

    def __init__(self, folder: Path, vocabulary: Vocabulary, pictures: PictureSink) -> None:
        self.folder = folder
        self.vocabulary = vocabulary
        self.pictures = pictures
        self._json: dict[Split, JsonLists] = {}
        self._ids = ImageIds()

    def add(self, item: ExportItem) -> None:
        annotations = self.folder / "annotations"
        pngs = annotations / f"panoptic_{item.split}"
        lists = self._lists(item.split)
        with lists.together(), self._ids.together():
            for frame, result in item.frames():
                name = item.frame_name(frame)
                picture = self.pictures.put(item, frame, self.folder / item.split / name)
                write_ids(item.file(pngs / f"{name}.png"), result.ids)
                image_id, size = self._ids.of(item), (result.height, result.width)
                lists.append("images", image_entry(image_id, picture.name, size, item))
                lists.append(
                    "annotations",
                    {
                        **{"image_id": image_id, "file_name": f"{name}.png"},
                        "segments_info": segments_info(result),
                    },
                )

    def _lists(self, split: Split) -> JsonLists:
        if split not in self._json:
            path = self.folder / "annotations" / f"panoptic_{split}.json"
            self._json[split] = JsonLists(path, "images", "annotations")
        return self._json[split]

    def close(self) -> None:
        for lists in self._json.values():
            close_coco(lists, self.vocabulary)
