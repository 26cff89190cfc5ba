"""DatasetStore: a folder of labels with its manifest, as exporters, reports and reviews read it."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from panoptic.dataset.label_files import PARTIAL, LabelFiles
from panoptic.dataset.manifest import Manifest, unit_of
from panoptic.dataset.tasks import Counts, Failure, SegmentRecord
from panoptic.errors import DatasetError, ImageError, OutputError, SettingsChangedError
from panoptic.io.files import content_hash
from panoptic.io.images import read_picture
from panoptic.io.picture_settings import PictureSettings
from panoptic.io.writer_lock import VERDICT, only_one
from panoptic.results.labelled import VERDICTS, LabelledItem, Split, Verdict
from panoptic.results.segmentation import PanopticSegmentation
from prompts import Vocabulary

MANIFEST = "manifest.sqlite"
OWN = (MANIFEST, "labels", "videos", "corrections", PARTIAL)
"""By any of these a folder is known as a data set's."""
_VERDICT_SECONDS = 30.0  # that a verdict waits for another's, which takes well under a second


class DatasetStore:
    """Labels, manifest and verdicts of a labelled data set.

    ``DatasetStore.open(folder)`` opens one that ``panoptic dataset`` wrote (or is writing).
    Nothing is held in memory: ``items`` reads from the manifest as it goes.
    """

    def __init__(self, root: Path, manifest: Manifest) -> None:
        self.root = root
        self.manifest = manifest
        self.files = LabelFiles(root)
        self._vocabulary: Vocabulary | None = None
        self._frames: tuple[str, Any] | None = None

    @classmethod
    def open(cls, out: str | Path) -> DatasetStore:
        """Opens a labelled data set; ``DatasetError`` if there is none or it can't be read."""
        root = Path(out)
        store = cls(root, Manifest(root / MANIFEST))
        if store.manifest.get_meta("vocabulary") is None:
            raise DatasetError(f"{str(root)!r} is no labelled data set yet: its run never began")
        return store

    @classmethod
    def create(
        cls,
        out: str | Path,
        vocabulary: Vocabulary,
        settings: Mapping[str, Any],
        settings_hash: str,
        source: str,
        *,
        redo: bool = False,
    ) -> DatasetStore:
        """Opens a data set to label into, made if it isn't there.

        ``SettingsChangedError`` if it was labelled with other words or settings, unless ``redo``;
        ``DatasetError`` if it is of another source; ``OutputError`` if it can't be written.
        """
        root = Path(out)
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"the output folder {str(root)!r} can't be made: {error.strerror or error}"
            ) from error
        if not (root / MANIFEST).exists() and any(
            (root / name).exists() for name in ("labels", "videos", "corrections")
        ):
            raise DatasetError(
                f"{str(root)!r} holds labels, but no {MANIFEST} that knows them; "
                "they would be overwritten: choose another folder"
            )
        store = cls(root, Manifest(root / MANIFEST, create=True))
        meta = store.manifest.get_meta
        if (known := meta("source")) not in (None, source):
            raise DatasetError(
                f"{str(root)!r} holds the labels of {known!r}; another source needs a folder of "
                f"its own, got {source!r}"
            )
        if (known := meta("settings_hash")) not in (None, settings_hash) and not redo:
            _check_version(root, store.settings, settings)
            raise SettingsChangedError(
                f"{str(root)!r} was labelled with other words, models or settings: "
                f"{_difference(store, vocabulary, settings)}. Ask for what it was, label it all "
                "anew with --redo (what is there is kept in previous/), or choose another folder"
            )
        store.manifest.set_meta(
            vocabulary=vocabulary.to_coco(),
            settings=dict(settings),
            settings_hash=settings_hash,
            source=source,
        )
        return store

    # -- what there is -------------------------------------------------------------------------

    @property
    def vocabulary(self) -> Vocabulary:
        if self._vocabulary is None:
            self._vocabulary = Vocabulary.from_coco(self.manifest.get_meta("vocabulary"))
        return self._vocabulary

    @property
    def settings(self) -> dict[str, Any]:
        """What it was labelled with: models, thresholds, seed."""
        return dict(self.manifest.get_meta("settings"))

    @property
    def source(self) -> str:
        return str(self.manifest.get_meta("source"))

    def counts(self) -> Counts:
        return self.manifest.counts()

    def __len__(self) -> int:
        """How many items have a label."""
        return self.counts().done

    def items(self) -> Iterator[LabelledItem]:
        """Everything that has a label, in the order of the names in the source."""
        return (self._item(row) for row in self.manifest.labelled())

    def item(self, key: str) -> LabelledItem:
        """One item; ``KeyError`` if none that has a label has this key."""
        return self._item(self.manifest.row(key))

    def failures(self) -> Iterator[Failure]:
        """What could not be labelled, with reasons."""
        return self.manifest.failures()

    def segments(self, key: str) -> list[SegmentRecord]:
        """The segments of an item as labelled, without opening its files."""
        return self.manifest.segments(key)

    def set_verdict(
        self,
        key: str,
        verdict: Verdict | None,
        *,
        corrected: PanopticSegmentation | Mapping[int, PanopticSegmentation] | None = None,
        note: str = "",
    ) -> None:
        """What a person says of an item; ``None`` takes it back.

        "corrected" comes with the corrected label, of a video by frame. It is kept beside the
        first label and takes its place for everyone who loads the item. Verdicts outlast further
        runs, as long as the picture stays the same.
        """
        item = self.item(key)
        if verdict is not None and verdict not in VERDICTS:
            raise ValueError(f"a verdict is one of {', '.join(VERDICTS)}, got {verdict!r}")
        if (verdict == "corrected") != (corrected is not None):
            raise ValueError('the verdict "corrected" and a corrected label go together')
        if isinstance(corrected, PanopticSegmentation):
            corrected = {0: corrected}
        for frame, result in (corrected or {}).items():
            self._check_correction(item, frame, result)
        # Another reviewer's files would lie beside this verdict; a run may go on meanwhile.
        with only_one(self.root, "writing verdicts into", VERDICT, wait=_VERDICT_SECONDS):
            for frame, result in (corrected or {}).items():
                self.files.write_correction(key, item.kind, frame, result)
            self.manifest.set_verdict(key, verdict, note)

    # -- what items ask ------------------------------------------------------------------------

    def load(self, item: LabelledItem, frame: int) -> PanopticSegmentation:
        corrected = item.verdict == "corrected"
        return self.files.load(item.key, item.kind, frame, corrected=corrected)

    def picture(self, item: LabelledItem, frame: int) -> np.ndarray:
        from panoptic.io.sources.opening import read_unit

        row = self.manifest.row(item.key)
        unit = unit_of(row)
        if unit.kind == "video":
            return self._video_frame(item.key, unit, frame)
        pictures = self._pictures()
        data = read_unit(unit, pictures.max_bytes)
        if content_hash(data) != row["content"]:
            raise ImageError(f"{item.source!r} has changed since it was labelled")
        return read_picture(data, pictures, repr(item.source)).pixels

    def _pictures(self) -> PictureSettings:
        """As they were read to be labelled, whatever their size."""
        asked = self.settings.get("settings", {}).get("pictures", {})
        return PictureSettings(sys.maxsize, sys.maxsize, sys.maxsize, **asked)

    def close(self) -> None:
        self._close_video()
        self.manifest.close()

    def __enter__(self) -> DatasetStore:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # -- underneath ----------------------------------------------------------------------------

    def _item(self, row: sqlite3.Row) -> LabelledItem:
        unit = unit_of(row)
        return LabelledItem(
            key=row["key"],
            source=unit.source,
            kind=row["kind"],
            size=(row["height"], row["width"]),
            split=split_of(row["content"]),
            quality=row["quality"],
            verdict=row["verdict"],
            frames=row["frames"],
            reader=self,
            name=unit.name,
            image_id=unit.image_id,
        )

    def _check_correction(
        self, item: LabelledItem, frame: int, result: PanopticSegmentation
    ) -> None:
        if not 0 <= frame < item.frames:
            raise ValueError(f"{item.key!r} has frames 0 to {item.frames - 1}, not {frame}")
        if result.ids.shape != item.size:
            raise ValueError(f"{item.key!r} is {item.size}, its correction is {result.ids.shape}")
        for s in result:
            if s.is_unknown:
                continue
            known = self.vocabulary.by_id(s.category_id)
            if (known.name, known.is_thing) != (s.category, s.is_thing):
                raise ValueError(
                    f"category {s.category_id} is {known.name!r} here, and {s.category!r} in the "
                    f"correction of {item.key!r}"
                )

    def _video_frame(self, key: str, unit: Any, frame: int) -> np.ndarray:
        """Frames are mostly asked for in order, so the latest video stays open."""
        from panoptic.io.clips import VideoInput

        if self._frames is None or self._frames[0] != key:
            self._close_video()
            self._frames = (key, VideoInput.of(unit))
        return self._frames[1].at_hand[frame]

    def _close_video(self) -> None:
        if self._frames is not None:
            with closing(self._frames[1]):
                self._frames = None


def split_of(content: str, shares: tuple[float, float, float] = (0.8, 0.1, 0.1)) -> Split:
    """The split of an item, from the hash of its content alone.

    Copies of one picture are always in the same split, and nobody changes theirs when items are
    added, renamed or taken away.
    """
    if len(shares) != 3 or min(shares) < 0 or not 0.999 < sum(shares) < 1.001:
        raise ValueError(f"shares of train, val and test must add up to 1, got {shares}")
    place = int(content[:12], 16) / 16**12
    if place < shares[0]:
        return "train"
    return "val" if place < shares[0] + shares[1] else "test"


def _check_version(root: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    if "version" not in now or before.get("version") == now["version"]:
        return
    version = f"version {before['version']}" if "version" in before else "an earlier version"
    raise SettingsChangedError(
        f"{str(root)!r} was labelled by {version} of this package, this is {now['version']}: "
        "labels of both don't belong into one data set. Label it all anew with --redo (what is "
        "there is kept in previous/), or choose another folder. Export, report and review take "
        "it as it is"
    )


def _difference(store: DatasetStore, vocabulary: Vocabulary, settings: Mapping[str, Any]) -> str:
    if store.vocabulary != vocabulary:
        return f"its words are {store.vocabulary!r}, now {vocabulary!r}"
    old, new = _flat(store.settings), _flat(settings)
    differences = [
        f"{name} was {old.get(name)!r}, is {new.get(name)!r}"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]
    return "; ".join(differences[:4]) or "settings that an earlier version wrote"


def _flat(settings: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{before}{name}.")
        else:
            flat[before + name] = value
    return flat
