"""DatasetStore: a folder of labels with its manifest, as exporters, reports and reviews read it."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from panoptic.dataset.label_files import PARTIAL, LabelFiles
from panoptic.dataset.label_state import State
from panoptic.dataset.manifest import Manifest, unit_of
from panoptic.dataset.settings_difference import check_version, difference
from panoptic.dataset.tasks import Counts, Failure, SegmentRecord
from panoptic.dataset.verdict_table import VerdictTable
from panoptic.dataset.words_of_labels import CommonWords, Word, WordTable
from panoptic.errors import DatasetError, ImageError, OutputError, SettingsChangedError
from panoptic.io.files import content_hash
from panoptic.io.images import read_picture
from panoptic.io.picture_settings import PictureSettings
from panoptic.io.writer_lock import VERDICT, only_one
from panoptic.results.labelled import VERDICTS, LabelledItem, Split, Verdict
from panoptic.results.segment import UNKNOWN_ID
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
        self.verdicts = VerdictTable(manifest)
        self.word_table = WordTable(manifest)
        self._words: CommonWords | None = None
        self._numbers: dict[tuple[str, int], Word] = {}
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
            check_version(root, store.settings, settings)
            raise SettingsChangedError(
                f"{str(root)!r} was labelled with other words, models or settings: "
                f"{difference(store.asked, store.settings, vocabulary, settings)}. Ask for what "
                "it was, label it all anew with --redo (what is there is kept in previous/), or "
                "choose another folder"
            )
        store.manifest.set_meta(
            vocabulary=vocabulary.to_coco(),
            settings=dict(settings),
            settings_hash=settings_hash,
            source=source,
        )
        store.word_table.know(settings_hash, vocabulary)
        return store

    # -- what there is -------------------------------------------------------------------------

    @property
    def vocabulary(self) -> Vocabulary:
        """The words of all labels: those asked for last, with their numbers, and then those that
        only labels of earlier runs have, such as what a person accepted before other words were
        asked for. All labels are given with these numbers, by name."""
        return self._common().vocabulary

    @property
    def asked(self) -> Vocabulary:
        """The words that the latest run asked for."""
        return Vocabulary.from_coco(self.manifest.get_meta("vocabulary"))

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
        return [
            replace(record, category_id=self._number(settings, record.category_id))
            for settings, record in self.manifest.segments(key)
        ]

    def state(self, key: str) -> State:
        """The state that an item's label is in, see ``panoptic.dataset.label_state``; ``KeyError``
        for a key that no item has."""
        return self.manifest.state(key)

    def corrections(self, key: str) -> dict[int, Path]:
        """The files (JSON) of the corrections of an item that stand, by frame."""
        found = self.verdicts.corrections(key)
        return {frame: self.root / file.path for frame, file in found.items()}

    def set_verdict(
        self,
        key: str,
        verdict: Verdict | None,
        *,
        corrected: PanopticSegmentation | Mapping[int, PanopticSegmentation] | None = None,
        note: str = "",
    ) -> State:
        """What a person says of an item; ``None`` takes it back. Returns the state that it is in.

        "corrected" comes with the corrected label, of a video by frame. It is kept beside the
        first label and takes its place for everyone who loads the item. More corrected frames of
        a video add to those that stand. "accept" of a corrected label leaves the correction in
        place; "reject" and ``None`` withdraw it: its files stay, and nothing but another
        "corrected" with them brings it back. Verdicts outlast further runs, as long as the picture
        stays the same.
        """
        if verdict is not None and verdict not in VERDICTS:
            raise ValueError(f"a verdict is one of {', '.join(VERDICTS)}, got {verdict!r}")
        if isinstance(corrected, PanopticSegmentation):
            corrected = {0: corrected}
        if (verdict == "corrected") != bool(corrected):
            raise ValueError('the verdict "corrected" and a corrected label go together')
        row = self.manifest.row(key)
        item = self._item(row)
        fitting = {
            frame: self._fitted(item, frame, result) for frame, result in (corrected or {}).items()
        }
        # Another reviewer's files would lie beside this verdict; a run may go on meanwhile.
        with only_one(self.root, "writing verdicts into", VERDICT, wait=_VERDICT_SECONDS):
            files = {
                frame: self.files.write_correction(key, item.kind, frame, result)
                for frame, result in fitting.items()
            }
            state = self.verdicts.give(key, verdict, note, corrected=files, content=row["content"])
        self._words = None
        return state

    # -- what items ask ------------------------------------------------------------------------

    def load(self, item: LabelledItem, frame: int) -> PanopticSegmentation:
        standing = self.verdicts.corrections(item.key) if item.verdict == "corrected" else {}
        if frame in standing:
            label = self.files.load_correction(item.key, standing[frame])
        else:
            label = self.files.load(item.key, item.kind, frame)
        if label.ids.shape != item.size:
            raise DatasetError(
                f"the label of {item.key!r} is {label.width} x {label.height}, but its picture was "
                f"{item.size[1]} x {item.size[0]}: the file that is there is another's"
            )
        return self._named(label, item.key)

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

    def _fitted(
        self, item: LabelledItem, frame: int, result: PanopticSegmentation
    ) -> PanopticSegmentation:
        """A correction with the numbers of this data set; ``ValueError`` where it doesn't fit."""
        if not 0 <= frame < item.frames:
            raise ValueError(f"{item.key!r} has frames 0 to {item.frames - 1}, not {frame}")
        if result.ids.shape != item.size:
            raise ValueError(f"{item.key!r} is {item.size}, its correction is {result.ids.shape}")
        words, known = self._common(), self.vocabulary
        fitted = words.apply(result)
        if fitted is None:
            strange = (s for s in result if not s.is_unknown)
            s = next(s for s in strange if words.find(s.category, s.is_thing) is None)
            here = f"{known.by_id(s.category_id).name!r}" if s.category_id in known else "nothing"
            kind = "thing" if s.is_thing else "stuff"
            raise ValueError(
                f"category {s.category_id} is {here} here, and {s.category!r} ({kind}) in the "
                f"correction of {item.key!r}; its words are {known!r}"
            )
        return fitted

    def _common(self) -> CommonWords:
        if self._words is None:
            made_by = str(self.manifest.get_meta("settings_hash"))
            self._words = CommonWords(self.asked, self.word_table.of_labels(made_by))
            self._numbers = self.word_table.by_number()
        return self._words

    def _named(self, label: PanopticSegmentation, key: str) -> PanopticSegmentation:
        named = self._common().apply(label)
        if named is None:  # a run may have begun to ask for other words meanwhile
            self._words = None
            named = self._common().apply(label)
        if named is None:
            raise DatasetError(
                f"the label of {key!r} has words that nobody asked for in this data set: "
                f"{', '.join(sorted({s.category for s in label}))}; its file is another's"
            )
        return named

    def _number(self, settings: str, category_id: int) -> int:
        """The number here of a category of a label that these settings made."""
        for _ in range(2):
            words = self._common()
            word = self._numbers.get((settings, category_id))
            if word is not None and (category := words.find(*word)) is not None:
                return category.id
            if category_id == UNKNOWN_ID:
                break
            self._words = None
        return UNKNOWN_ID

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
