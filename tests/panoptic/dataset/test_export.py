"""What holds for every format: whole or not at all, the same bytes again, nothing left over."""

import errno
import gc
import hashlib
import json
import os
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from panoptic.dataset.export import ExportSettings, export
from panoptic.errors import ImageError, OutputError
from panoptic.formats import FORMATS
from panoptic.formats.coco_panoptic import CocoPanoptic
from panoptic.formats.exporter import ExportItem, Selection
from panoptic.io.output_record import RECORD
from panoptic.results.labelled import LabelledItem
from prompts import Vocabulary
from tests.panoptic.formats.labelled import WORDS, Labels, data_set, frames, write


@pytest.fixture(scope="module")
def items(tmp_path_factory):
    return data_set(tmp_path_factory.mktemp("source"))


def digest(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def folders(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_how_far_it_is_is_told_to_a_callback(items, tmp_path):
    calls = []
    for each in (items, iter(items)):
        export(
            each, WORDS, tmp_path, ["labelme"], overwrite=True, progress=lambda *c: calls.append(c)
        )
    counted = range(1, len(items) + 1)
    assert calls == [(n, len(items)) for n in counted] + [(n, None) for n in counted]


def test_every_format_in_one_pass_gives_the_bytes_of_each_alone(items, tmp_path):
    export(items, WORDS, tmp_path / "all", list(FORMATS))
    for name in FORMATS:
        (tmp_path / "alone").mkdir(exist_ok=True)
        alone = write(tmp_path / "alone", name, items)
        assert digest(alone) == digest(tmp_path / "all" / name)
        again = write(tmp_path / "alone", name, items)
        assert digest(again) == digest(tmp_path / "all" / name)
    assert folders(tmp_path / "all") == sorted(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_an_error_leaves_the_earlier_export_as_it_was(items, tmp_path, name):
    folder = write(tmp_path, name, items[-2:])
    before = digest(folder)

    def broken():
        yield items[0]
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space left"):
        export(broken(), WORDS, tmp_path, [name], overwrite=True)
    assert digest(folder) == before
    assert folders(tmp_path) == [name]


@pytest.mark.parametrize("name", FORMATS)
def test_what_lost_its_picture_is_left_out_whole(items, tmp_path, name):
    """The second frame of a clip cannot be read any more; the others are as if it never was."""

    class Vanishing(Labels):
        def picture(self, item, frame):
            if frame == 2:
                raise ImageError("'clip.mp4' has changed since it was labelled")
            return super().picture(item, frame)

    labels = Vanishing()
    clip = items[-1]
    labels.frames["torn"] = [clip.load(f) for f in range(clip.frames)]
    labels.pictures["torn"] = [clip.picture(f) for f in range(clip.frames)]
    torn = LabelledItem(
        "torn", "clip.mp4", "video", clip.size, clip.split, None, None, clip.frames, reader=labels
    )
    (done,) = export([items[0], torn, *items[1:]], WORDS, tmp_path / "with", [name])
    assert "torn: 'clip.mp4' has changed" in done.first_reason or name == "cvat_video"
    without = digest(write(tmp_path / "without", name, items))
    found = digest(done.folder)
    assert found.pop("export.json") != without.pop("export.json")
    assert found == without


def test_many_that_have_no_place_are_told_in_few_lines(items, tmp_path, caplog):
    """Pictures among videos: each is in the note, and twenty are told."""
    pictures = [replace(items[0], key=f"picture {n}") for n in range(23)]
    (done,) = export([*pictures, items[-1]], WORDS, tmp_path, ["cvat_video"])
    told = [r.getMessage() for r in caplog.records if r.name == "panoptic.dataset"]
    assert len(told) == 21
    assert told[-1] == "cvat_video has none of 3 more items, see export.json"
    note = json.loads((done.folder / "export.json").read_text())
    assert len(note["left_out"]) == done.left_out == 23


def test_verdicts_and_quality_decide(items, tmp_path):
    chosen = [*items]
    fields = {n: getattr(items[0], n) for n in ("source", "kind", "size", "split", "frames")}
    for key, quality, verdict in (
        ("bad", 0.9, "reject"),
        ("poor", 0.2, None),
        ("poor but right", 0.2, "accept"),
        ("mended", 0.1, "corrected"),
    ):
        labels = Labels()
        labels.frames[key] = [items[0].load()]
        chosen.append(LabelledItem(key, quality=quality, verdict=verdict, reader=labels, **fields))
    (done,) = export(chosen, WORDS, tmp_path, ["labelme"], ExportSettings(min_quality=0.3))
    assert done.total == len(items) + 2
    left_out = json.loads((done.folder / "export.json").read_text("utf-8"))["left_out"]
    assert left_out == [
        {"key": "bad", "reason": "rejected"},
        {"key": "poor", "reason": "its quality is 0.200"},
    ]


def test_parts_and_segment_quality(items, tmp_path):
    settings = ExportSettings(Selection("things", min_quality=0.6))
    folder = write(tmp_path, "coco_panoptic", items, settings)
    read = CocoPanoptic.open(folder / "annotations" / "panoptic_train.json")
    assert [c["name"] for c in read.categories.values()] == [c.name for c in WORDS.things]
    named = frames(items)
    kept = 0
    for image_id, image in read.images.items():
        item, frame = named[image["file_name"].rpartition(".")[0]]
        truth, found = item.load(frame), read.load(image_id)
        wanted = [s for s in truth if s.is_thing and s.quality >= 0.6]
        kept += len(wanted)
        assert list(found) == wanted
        np.testing.assert_array_equal(
            found.ids, np.where(np.isin(truth.ids, [s.id for s in wanted]), truth.ids, 0)
        )
    assert 0 < kept < sum(len(i.load(f)) for i, f in named.values())


def test_links(items, tmp_path):
    folder = write(tmp_path, "labelme", items, ExportSettings(pictures="link"))
    assert (folder / "train" / "a.jpg").samefile(items[0].source)


@pytest.mark.parametrize("name", ["coco_instances", "segments_ai", "cvat_images", "huggingface"])
def test_memory_does_not_grow_with_the_number_of_items(items, tmp_path, monkeypatch, name):
    # Rows of parquet are gathered up to a bound; here it is reached in both cases.
    monkeypatch.setattr("panoptic.formats.huggingface._ROWS", 8)
    small = items[0]
    labels = Labels()
    labels.frames = {f"{i:04}": [small.load()] for i in range(190)}

    def stream(start, stop):
        for i in range(start, stop):
            yield LabelledItem(
                **{"key": f"{i:04}", "source": small.source, "kind": "image", "size": small.size},
                **{"split": "train", "quality": None, "verdict": None, "frames": 1},
                reader=labels,
            )

    def peak(folder, start, stop):
        gc.collect()
        tracemalloc.start()
        try:
            export(stream(start, stop), WORDS, folder, [name])
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(tmp_path / "warm", 0, 10)  # imports and caches
    few = peak(tmp_path / "few", 10, 40)
    # Twice: a table of the interpreter's own, such as that of interned strings, may grow once.
    many = min(peak(tmp_path / f"many{i}", 40, 190) for i in range(2))
    # Buffers fill up, but 120 more items (some 10 KB each, were they kept) make no difference.
    assert many < few + 250_000


def test_what_a_killed_export_left_is_cleared_away(items, tmp_path):
    torn = tmp_path / ".labelme.part"
    (torn / "train").mkdir(parents=True)
    (torn / "train" / "half.json").write_text("{")
    folder = write(tmp_path, "labelme", items)
    assert folders(tmp_path) == ["labelme"]
    assert not (folder / "train" / "half.json").exists()


def test_folders_of_others_are_left_alone(items, tmp_path):
    (tmp_path / "davis").mkdir()
    (tmp_path / "davis" / "thesis.tex").write_text("all my work")
    with pytest.raises(OutputError, match=r"holds 'thesis\.tex'.*--overwrite"):
        export(items, WORDS, tmp_path, ["labelme", "davis"])
    assert folders(tmp_path) == ["davis"]
    assert (tmp_path / "davis" / "thesis.tex").read_text() == "all my work"


def test_requests_that_make_no_sense(items, tmp_path):
    for formats, words, settings, message in (
        ([], WORDS, None, "at least one format"),
        (["labelme", "labelme"], WORDS, None, "named twice"),
        (["word_document"], WORDS, None, "no format is called 'word_document'; there are coco_"),
        (["labelme"], Vocabulary(stuff=["sky"]), ExportSettings(Selection("things")), "no things"),
    ):
        with pytest.raises(ValueError, match=message):
            export(items, words, tmp_path, formats, settings)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="parts are all"):
        Selection("rest")
    with pytest.raises(ValueError, match="copied or linked"):
        ExportSettings(pictures="steal")


def test_names_never_meet():
    keys = ["a/b", "a--b", "a", "b", "a/b--c", "a--b/c", "a/b/c", "a-/b", "a/-b", "a---000000"]
    keys += ["c d", "c_d", "c  d", "clip/000000", "clip--000000"]

    def item(key, kind="image"):
        return LabelledItem(key, key, kind, (1, 1), "train", None, None, 2, reader=Labels())

    names = [ExportItem(item(key)).name for key in keys]
    names += [ExportItem(item(key, "video")).frame_name(0) for key in ("a-", "clip")]
    assert len({name.casefold() for name in names}) == len(names)
    assert names[:4] == ["a--b", names[1], "a", "b"]
    assert not any(" " in name for name in names)


@pytest.mark.parametrize("name", ["coco_panoptic", "huggingface", "davis"])
def test_a_full_disk_ends_the_run_and_leaves_what_was_there(items, tmp_path, name):
    """No other item would do better; whatever a format made of the error on its way."""

    class Full(Labels):
        def picture(self, item, frame):
            try:
                raise OSError(errno.ENOSPC, "No space left on device")
            except OSError as error:
                raise RuntimeError("a library could not write") from error

    folder = write(tmp_path, name, items)
    before = digest(folder)
    fields = {n: getattr(items[0], n) for n in ("source", "kind", "size", "split", "frames")}
    labels = Full()
    labels.frames["b"] = [items[0].load()]
    last = LabelledItem("b", quality=None, verdict=None, reader=labels, **fields)
    with pytest.raises(OutputError, match=r"can't be written to .*What was there is as it was"):
        export([items[0], last, *items[1:]], WORDS, tmp_path, [name], overwrite=True)
    assert digest(folder) == before
    assert folders(tmp_path) == [name]


@pytest.mark.parametrize("name", FORMATS)
def test_an_error_in_the_middle_of_a_clip_leaves_nothing_of_it(items, tmp_path, name):
    """A label that can't be read any more, or an error that nobody thought of."""
    clip = items[-1]

    class Torn(Labels):
        def load(self, item, frame):
            if frame == 3:
                raise ZeroDivisionError("nobody thought of it")
            return super().load(item, frame)

    labels = Torn()
    labels.frames["torn"] = [clip.load(f) for f in range(clip.frames)]
    labels.pictures["torn"] = [clip.picture(f) for f in range(clip.frames)]
    torn = LabelledItem(
        "torn", "clip.mp4", "video", clip.size, clip.split, None, None, clip.frames, reader=labels
    )
    (done,) = export([torn, *items], WORDS, tmp_path / "with", [name])
    assert done.first_reason == "torn: ZeroDivisionError: nobody thought of it"
    without = digest(write(tmp_path / "without", name, items))
    found = digest(done.folder)
    assert found.pop("export.json") != without.pop("export.json")
    assert found == without


def test_an_export_of_an_earlier_version_is_replaced_too(items, tmp_path):
    """It has no record of its files; what is younger than its note is somebody else's."""
    folder = write(tmp_path, "labelme", items)
    before = digest(folder)
    (folder / RECORD).unlink()
    (folder / "notes.txt").write_text("mine")
    later = (folder / "export.json").stat().st_mtime + 60
    os.utime(folder / "notes.txt", (later, later))
    write(tmp_path, "labelme", items)
    after = digest(folder)
    assert (folder / "notes.txt").read_text() == "mine"
    del after["notes.txt"]
    assert after == before
