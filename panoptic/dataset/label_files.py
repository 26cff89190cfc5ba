"""Labels on disk: COCO panoptic files, one pair an image, one folder of pairs a video.

    labels/KEY.png, labels/KEY.json             an image
    videos/KEY.frames/000000.png, 000000.json   a video, frame by frame
    corrections/KEY.png, KEY.json               what people corrected, laid out alike
    corrections/KEY.2.png, KEY.2.json           and corrected once more
    previous/LABELLING/...                      what was there before it was labelled anew
    previous/damaged-SCAN/...                   what was there and wasn't as it was written

Keys hold no dots, so no two items' files meet. What is written appears whole or not at all: files
are made in ``.partial``, brought to the disk and then moved. A correction is never written over nor
removed: which of them stand, the manifest says.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from panoptic.dataset.label_marks import is_whole, mark_of
from panoptic.dataset.tasks import CorrectionFile
from panoptic.errors import CocoFormatError, DatasetError, OutputError
from panoptic.formats.coco_panoptic import CocoPanoptic, save_result
from panoptic.io.files import to_disk, whole_file
from panoptic.io.sources.base import Kind
from panoptic.results.segmentation import PanopticSegmentation

PARTIAL = ".partial"


class LabelFiles:
    """The label files under ``root``. Needs no manifest, so workers anywhere can write."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, key: str, kind: Kind, frame: int = 0) -> Path:
        """The PNG of a label; its JSON lies beside it."""
        if kind == "image":
            return self.root / "labels" / f"{key}.png"
        return self.root / "videos" / f"{key}.frames" / f"{frame:06}.png"

    def parts(self, key: str, kind: Kind, frames: int) -> list[Path]:
        """All files of a label."""
        pngs = [self.path(key, kind, frame) for frame in range(frames)]
        return [file for png in pngs for file in (png, png.with_suffix(".json"))]

    def correction_parts(self, correction: CorrectionFile) -> list[Path]:
        path = self.root / correction.path
        return [path.with_suffix(".png"), path]

    def load(self, key: str, kind: Kind, frame: int = 0) -> PanopticSegmentation:
        """Reads a label as the models made it; ``DatasetError`` where it is gone or damaged."""
        return _load(
            self.path(key, kind, frame).with_suffix(".json"),
            "label",
            "the `panoptic dataset` command that made it makes it again",
        )

    def load_correction(self, key: str, correction: CorrectionFile) -> PanopticSegmentation:
        """Reads a correction; ``DatasetError`` where it is gone or damaged."""
        return _load(
            self.root / correction.path,
            "correction",
            f"put it back, correct {key!r} once more, or take it back with panoptic review "
            "--forget",
        )

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
    ) -> CorrectionFile:
        """Writes a correction beside those that were there before."""
        name = key if kind == "image" else f"{key}.frames/{frame:06}"
        png, number = self.root / "corrections" / f"{name}.png", 1
        while png.exists() or png.with_suffix(".json").exists():
            number += 1
            png = self.root / "corrections" / f"{name}.{number}.png"
        with self.staging() as stage:
            save_result(result, stage, png.stem, f"{key}.png")
            self._put(stage, png, None)
        path = png.with_suffix(".json")
        words = sorted({(s.category, s.is_thing) for s in result if not s.is_unknown})
        relative = path.relative_to(self.root).as_posix()
        return CorrectionFile(relative, mark_of([png, path]), tuple(words))

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


def _load(path: Path, what: str, advice: str) -> PanopticSegmentation:
    png = path.with_suffix(".png")
    try:
        if not is_whole(png):  # what reads PNGs takes many that are cut short
            raise CocoFormatError(f"{str(png)!r} is not whole")
        return CocoPanoptic.open(path, path.parent).load()
    except Exception as error:  # a damaged file may bring anything up
        raise DatasetError(
            f"the {what} {str(path)!r} is gone or damaged; {advice} ({error})"
        ) from error


def unwritable(files: LabelFiles, error: OSError) -> OutputError:
    """What to say where labels can't be written."""
    reason = error.strerror or str(error)
    return OutputError(
        f"labels can't be written to {str(files.root)!r}: {reason}. What is there is good; the "
        "same command goes on from it when this is mended"
    )


def _also_as(path: Path, other: Path) -> None:
    try:
        os.link(path, other)
    except OSError:  # file systems without links
        with whole_file(other, synced=True) as part:
            shutil.copyfile(path, part)
