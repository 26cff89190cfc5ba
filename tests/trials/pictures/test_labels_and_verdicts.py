"""Verdicts, corrections and labels that came back, vanished, or were given other words."""

import json
import logging
import os
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image

from panoptic.cli import main
from panoptic.dataset.export import export
from panoptic.dataset.resumable_labelling import label_dataset
from panoptic.dataset.store import DatasetStore
from panoptic.formats.coco_panoptic import CocoPanoptic
from panoptic.io.sources.opening import read_unit
from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation
from panoptic.settings.dataset import DatasetSettings
from prompts import Vocabulary
from tests.panoptic.dataset.colours import WORDS, ColourLabeller, contents, fill, picture
from tests.panoptic.dataset.test_videos import write_video

REDO = DatasetSettings(redo=True)


@dataclass(frozen=True)
class Filling(ColourLabeller):
    """Leaves no pixel without a segment, as --fill-unknown does."""

    largest_distance: int = 60

    def segment(self, image, vocabulary):
        found = super().segment(image, vocabulary)
        ids = np.where(found.ids == 0, 77, found.ids).astype(np.int32)
        unknown = Segment(77, 0, "unknown", True, 0.5, quality=0.1)
        return PanopticSegmentation.from_ids(ids, [*found.segments, unknown])


def drawn(folder, size, name="sand"):
    """A corrected file, all of one word."""
    category = WORDS.by_name(name)
    segment = Segment(3, category.id, name, category.is_thing, 1.0)
    return PanopticSegmentation.from_ids(np.full(size, 3, np.int32), [segment]).save(folder, "mine")


def names(label):
    return {s.category for s in label}


@pytest.fixture
def source(tmp_path):
    fill(tmp_path / "in", 3)
    return tmp_path / "in"


def label(source, out, words=WORDS, labeller=None, **options):
    return label_dataset(
        labeller or ColourLabeller(), source, words, out, progress=False, **options
    )


def test_accepting_a_corrected_label_keeps_the_correction(source, tmp_path, capsys):
    out = tmp_path / "out"
    label(source, out)
    with DatasetStore.open(out) as store:
        size = store.item("a/0001").size
    mine = drawn(tmp_path / "mine", size)
    assert main(["review", str(out), "--correct", f"a/0001={mine}"]) == 0
    assert main(["review", str(out), "--accept", "a/0001"]) == 0
    assert "what is accepted is the correction" in capsys.readouterr().out
    with DatasetStore.open(out) as store:
        assert names(store.item("a/0001").load()) == {"sand"}
    assert main(["review", str(out), "--reject", "a/0001"]) == 0
    told = capsys.readouterr().out
    assert "a/0001: reject; its correction is withdrawn, --correct takes it again: " in told
    kept = told.rpartition("again: ")[2].strip()
    assert main(["review", str(out), "--accept", "a/0001"]) == 0
    with DatasetStore.open(out) as store:
        assert names(store.item("a/0001").load()) > {"sand"}
    assert main(["review", str(out), "--correct", f"a/0001={kept}"]) == 0
    with DatasetStore.open(out) as store:
        assert names(store.item("a/0001").load()) == {"sand"}


def test_a_withdrawn_correction_of_a_frame_does_not_return_with_the_next(tmp_path):
    (tmp_path / "in").mkdir()
    write_video(tmp_path / "in/clip.mkv", count=3)
    label(tmp_path / "in", tmp_path / "out")
    with DatasetStore.open(tmp_path / "out") as store:
        size, first = store.item("clip").size, store.item("clip").load(0)
        mine = PanopticSegmentation.load(drawn(tmp_path, size))
        store.set_verdict("clip", "corrected", corrected={0: mine})
        store.set_verdict("clip", None)
        store.set_verdict("clip", "corrected", corrected={1: mine})
        assert store.item("clip").load(0) == first
        assert names(store.item("clip").load(1)) == {"sand"}


def test_with_unknown_segments_a_labels_own_files_are_a_correction_of_it(source, tmp_path):
    write_video(source / "clip.mkv", count=2)
    out = tmp_path / "out"
    image = picture(1)
    image[:3, :3] = 255
    Image.fromarray(image).save(source / "a/0001.png")
    label(source, out, labeller=Filling())
    with DatasetStore.open(out) as store:
        before = store.item("a/0001").load()
        assert "unknown" in names(before)
        frame = store.item("clip").load(1)
    for own in ("labels/a/0001.json", "labels/a/0001.png"):
        assert main(["review", str(out), "--correct", f"a/0001={out / own}"]) == 0
        with DatasetStore.open(out) as store:
            assert np.array_equal(store.item("a/0001").load().ids, before.ids)
    for own in ("000001.json", "000001.png"):
        path = out / "videos/clip.frames" / own
        assert main(["review", str(out), "--correct", f"clip={path}"]) == 0
        with DatasetStore.open(out) as store:
            assert [*store.corrections("clip")] == [1]  # the frame that it is of, not the first
            assert np.array_equal(store.item("clip").load(1).ids, frame.ids)
        assert main(["review", str(out), "--forget", "clip"]) == 0


def test_two_verdicts_on_one_label_in_one_command_are_refused(source, tmp_path, capsys):
    label(source, tmp_path / "out")
    given = ["review", str(tmp_path / "out"), "--accept", "a/0001", "--reject", "a/0001"]
    assert main(given) == 2
    assert "'a/0001' is given two verdicts, --accept and --reject" in capsys.readouterr().err


def test_an_accepted_label_keeps_its_words_when_others_are_asked_for(source, tmp_path):
    out = tmp_path / "out"
    label(source, out)
    with DatasetStore.open(out) as store:
        before = store.item("a/0001").load()
        store.set_verdict("a/0001", "accept")
        assert names(before) == {"ball", "box", "sand", "sea"}
    other = Vocabulary(things=["crate", "ball"], stuff=["foam", "dune"])
    label(source, out, other, settings=REDO)
    with DatasetStore.open(out) as store:
        now = store.item("a/0001").load()
        assert [(s.id, s.category, s.area) for s in now] == [
            (s.id, s.category, s.area) for s in before
        ]
        assert [c.name for c in store.vocabulary] == [
            *("crate", "ball", "box", "foam", "dune", "sand", "sea")
        ]
        counted = {store.vocabulary.by_id(r.category_id).name for r in store.segments("a/0001")}
        assert counted == names(before)
        (made,) = export(store.items(), store.vocabulary, out / "export", ["coco_panoptic"])
    found = {}
    for path in (made.folder / "annotations").glob("*.json"):
        data = CocoPanoptic.open(path)
        found |= {data.images[i]["file_name"]: names(label) for i, label in data}
    assert found["a--0001.png"] == {"ball", "box", "sand", "sea"}
    assert found["b--0000.png"] <= {"crate", "ball", "foam", "dune"}


def test_a_word_that_becomes_a_thing_stays_stuff_where_it_was(source, tmp_path):
    out = tmp_path / "out"
    label(source, out)
    with DatasetStore.open(out) as store:
        store.set_verdict("a/0001", "accept")
    label(source, out, Vocabulary(things=["sand", "box"], stuff=["ball", "sea"]), settings=REDO)
    with DatasetStore.open(out) as store:
        kinds = {(s.category, s.is_thing) for s in store.item("a/0001").load()}
    assert kinds == {("ball (thing)", True), ("box", True), ("sand (stuff)", False), ("sea", False)}


def test_a_new_time_of_an_accepted_picture_changes_nothing(source, tmp_path):
    out = tmp_path / "out"
    label(source, out)
    with DatasetStore.open(out) as store:
        before = store.item("a/0001").load()
        store.set_verdict("a/0001", "accept")
    other = Vocabulary(things=["crate", "ball"], stuff=["foam", "dune"])
    label(source, out, other, settings=REDO)
    files = contents(out)
    os.utime(source / "a/0001.png", (1, 1))
    assert label(source, out, other).labelled == 0
    assert contents(out) == files
    with DatasetStore.open(out) as store:
        assert names(store.item("a/0001").load()) == names(before)
        assert store.item("a/0001").verdict == "accept"


def test_a_new_picture_takes_the_verdict_with_it_and_that_is_said(source, tmp_path, caplog):
    caplog.set_level(logging.WARNING, "panoptic.dataset")
    out = tmp_path / "out"
    label(source, out)
    with DatasetStore.open(out) as store:
        store.set_verdict("a/0001", "accept")
    Image.fromarray(picture(99)).save(source / "a/0001.png")
    assert label(source, out).labelled == 1
    assert caplog.messages == [
        "'a/0001.png' was accepted, and it has changed: it is labelled anew, and waits for a "
        "verdict"
    ]
    with DatasetStore.open(out) as store:
        assert store.item("a/0001").verdict is None


def truncate(path):
    path.write_bytes(path.read_bytes()[:-20])


def scramble(path):
    """Of the same size."""
    data = path.read_bytes()
    path.write_bytes(data[:-30] + bytes(byte ^ 1 for byte in data[-30:]))


@pytest.mark.parametrize("ending", ["png", "json"])
@pytest.mark.parametrize("harm", [os.unlink, truncate, scramble])
def test_a_damaged_or_deleted_label_is_made_again(source, tmp_path, ending, harm, caplog):
    write_video(source / "clip.mkv", count=2)
    out = tmp_path / "out"
    label(source, out)
    with DatasetStore.open(out) as store:
        store.set_verdict("a/0001", "accept")
    before = contents(out)
    broken = [out / f"labels/a/0001.{ending}", out / f"videos/clip.frames/000001.{ending}"]
    for path in broken:
        harm(path)
    found = {path: path.read_bytes() for path in broken if path.exists()}
    run = label(source, out)
    assert (run.labelled, run.failed, run.counts.done) == (2, 0, 4)
    assert contents(out) == before
    assert {m.split("'")[1] for m in caplog.messages} == {"a/0001.png", "clip.mkv"}
    kept = {path.name: path.read_bytes() for path in (out / "previous").rglob(f"*.{ending}")}
    for path, data in found.items():  # it may be what somebody painted
        assert kept[path.name] == data
    with DatasetStore.open(out) as store:
        assert store.item("a/0001").verdict == "accept"  # it is the same label
    assert label(source, out).labelled == 0


def test_a_data_set_that_was_copied_is_not_labelled_anew(source, tmp_path):
    out = tmp_path / "out"
    label(source, out)
    for path in (out / "labels").rglob("*.*"):
        os.utime(path, (1, 1))
    assert label(source, out).labelled == 0
    assert not (out / "previous").exists()


def test_a_correction_whose_file_is_gone_is_told_and_not_the_models_label(source, tmp_path, caplog):
    out = tmp_path / "out"
    label(source, out)
    with DatasetStore.open(out) as store:
        mine = PanopticSegmentation.load(drawn(tmp_path, store.item("a/0001").size))
        store.set_verdict("a/0001", "corrected", corrected=mine)
        for ending in ("png", "json"):
            (out / f"corrections/a/0001.{ending}").unlink()
        with pytest.raises(ValueError, match=r"correction .* is gone or damaged; put it back"):
            store.item("a/0001").load()
    assert label(source, out).failed == 1
    assert "is gone or damaged: put it back" in caplog.text


def test_ten_broken_pictures_do_not_have_hundreds_read_each_time(source, tmp_path, monkeypatch):
    fill(source, 640)
    for number in range(0, 640, 64):
        path = source / ("a" if number % 3 else "b") / f"{number:04}.png"
        # Some have a good header, and break when they are decoded.
        path.write_bytes(path.read_bytes()[:60] if number % 128 else b"no picture")
    out = tmp_path / "out"
    run = label(source, out)
    assert (run.labelled, run.failed) == (630, 10)
    read = []

    def counted(unit, *given):
        read.append(unit.name)
        return read_unit(unit, *given)

    monkeypatch.setattr("panoptic.dataset.worker.read_unit", counted)
    run = label(source, out)
    assert (run.labelled, run.failed) == (0, 10)
    assert len(read) == 10


def test_a_broken_file_that_was_removed_no_longer_fails_the_run(source, tmp_path):
    (source / "broken.png").write_bytes(b"no picture")
    assert label(source, tmp_path / "out").counts.failed == 1
    (source / "broken.png").unlink()
    run = label(source, tmp_path / "out")
    assert (run.failed, run.counts.failed, run.counts.done) == (0, 0, 3)
    with run.open() as store:
        assert [*store.failures()] == []
        assert store.state("broken") == "gone"
    (source / "broken.png").write_bytes(b"no picture")
    assert label(source, tmp_path / "out").counts.failed == 1


def test_verdicts_of_a_file_are_taken_in_their_order(source, tmp_path):
    label(source, tmp_path / "out")
    lines = [{"key": "a/0001", "verdict": v} for v in ("accept", None, "reject")]
    (tmp_path / "log.jsonl").write_text("\n".join(map(json.dumps, lines)))
    given = ["review", str(tmp_path / "out"), "--verdicts", str(tmp_path / "log.jsonl")]
    assert main(given) == 0
    with DatasetStore.open(tmp_path / "out") as store:
        assert store.item("a/0001").verdict == "reject"
