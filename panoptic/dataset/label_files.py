"""Labels on disk: COCO panoptic files, one pair an image, one folder of pairs a video.

    labels/KEY.png, labels/KEY.json             an image
    videos/KEY.frames/000000.png, 000000.json   a video, frame by frame
    corrections/...                             what people corrected, laid out alike
    previous/LABELLING/...                      what was there before it was labelled anew

Keys hold no dots, so no two items' files meet. What is written appears whole or not at all: files
are made in ``.partial``, brought to the disk and then moved.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from panoptic.errors import CocoFormatError, DatasetError
from panoptic.formats.coco_panoptic import CocoPanoptic, save_result
from panoptic.io.files import to_disk, whole_file
from panoptic.io.sources.base import Kind
from panoptic.results.segmentation import PanopticSegmentation

PARTIAL = ".partial"


class LabelFiles:
    """The label files under ``root``. Needs no manifest, so workers anywhere can write."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, key: str, kind: Kind, frame: int = 0, *, corrected: bool = False) -> Path:
        """The PNG of a label; its JSON lies beside it."""
        if kind == "image":
            return self.root / ("corrections" if corrected else "labels") / f"{key}.png"
        folder = "corrections" if corrected else "videos"
        return self.root / folder / f"{key}.frames" / f"{frame:06}.png"

    def has(self, key: str, kind: Kind) -> bool:
        return self.path(key, kind).with_suffix(".json").is_file()

    def load(
        self, key: str, kind: Kind, frame: int = 0, *, corrected: bool = False
    ) -> PanopticSegmentation:
        """Reads a label; ``DatasetError`` where it is gone or damaged."""
        if corrected and (path := self.path(key, kind, frame, corrected=True)).exists():
            return _load(path.with_suffix(".json"))
        path = self.path(key, kind, frame).with_suffix(".json")
        try:
            return _load(path)
        except (FileNotFoundError, CocoFormatError) as error:
            raise DatasetError(
                f"the label {str(path)!r} is gone or damaged; `panoptic dataset` makes it again "
                f"once it is deleted ({error})"
            ) from error

    def write(
        self, key: str, result: PanopticSegmentation, file_name: str, previous: str | None = None
    ) -> None:
        """Writes the label of an image. ``previous`` names the label that is there, to keep it."""
        png = self.path(key, "image")
        with self.staging() as stage:
            save_result(result, stage, png.stem, file_name)
            self._put(stage, png, previous)

    def write_correction(
        self, key: str, kind: Kind, frame: int, result: PanopticSegmentation
    ) -> None:
        png = self.path(key, kind, frame, corrected=True)
        with self.staging() as stage:
            save_result(result, stage, png.stem, f"{key}.png")
            self._put(stage, png, None)

    @contextmanager
    def video(
        self, key: str, previous: str | None = None, begun: Path | None = None
    ) -> Iterator[Path]:
        """A folder to write a video's frames into; it takes its place when the block ends well.

        ``begun`` is one below the root that is gone on with, and stays if the block fails.
        """
        final = self.path(key, "video").parent
        with self.staging() as stage:
            folder = begun or stage / "frames"
            folder.mkdir(parents=True, exist_ok=True)
            yield folder
            final.parent.mkdir(parents=True, exist_ok=True)
            if final.exists():
                kept = self._kept(final, previous)
                if not kept.exists():
                    kept.parent.mkdir(parents=True, exist_ok=True)
                    os.rename(final, kept)
                else:  # of the same content, words and settings: the same label
                    os.rename(final, stage / "old")
            os.rename(folder, final)

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """A folder of one's own on the same file system, gone afterwards."""
        partial = self.root / PARTIAL
        partial.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(dir=partial))
        try:
            yield stage
        finally:
            shutil.rmtree(stage, ignore_errors=True)

    def clean(self) -> None:
        """Takes away what a killed run left half done."""
        shutil.rmtree(self.root / PARTIAL, ignore_errors=True)

    def _put(self, stage: Path, png: Path, previous: str | None) -> None:
        png.parent.mkdir(parents=True, exist_ok=True)
        finals = (png, png.with_suffix(".json"))
        for final in finals:
            to_disk(stage / final.name)
            if previous is not None and final.exists():
                kept = self._kept(final, previous)
                kept.parent.mkdir(parents=True, exist_ok=True)
                if not kept.exists():
                    _also_as(final, kept)
        for final in finals:  # the JSON last: where it is, the label is whole
            os.replace(stage / final.name, final)

    def _kept(self, final: Path, previous: str | None) -> Path:
        return self.root / "previous" / (previous or "unknown") / final.relative_to(self.root)


def _load(path: Path) -> PanopticSegmentation:
    """The PNG lies beside the JSON, whatever lies in a folder of the same name."""
    return CocoPanoptic.open(path, path.parent).load()


def _also_as(path: Path, other: Path) -> None:
    try:
        os.link(path, other)
    except OSError:  # file systems without links
        with whole_file(other, synced=True) as part:
            shutil.copyfile(path, part)
