import logging
import multiprocessing
import os
import shutil
import signal
import sys
import threading
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image

from panoptic.dataset.resumable_labelling import label_dataset
from panoptic.dataset.store import DatasetStore
from panoptic.errors import (
    DatasetError,
    OutputError,
    SettingsChangedError,
    SourceError,
    TooManyErrors,
)
from panoptic.settings.dataset import DatasetSettings
from prompts import Vocabulary
from tests.panoptic.dataset.colours import WORDS, ColourLabeller, contents, fill, picture

SMALL = DatasetSettings(batch=2, chunk=6)


@dataclass(frozen=True)
class Batches(ColourLabeller):
    """Notes how many pictures it was asked for at a time, and can be interrupted."""

    def __post_init__(self):
        object.__setattr__(self, "asked", [])

    def segment_batch(self, images, vocabulary):
        self.asked.append([image.shape[:2] for image in images])
        return super().segment_batch(images, vocabulary)


@pytest.fixture
def source(tmp_path):
    fill(tmp_path / "in", 20)
    return tmp_path / "in"


def label(source, out, settings=SMALL, labeller=None, **options):
    return label_dataset(
        labeller or ColourLabeller(), source, WORDS, out, settings=settings, **options
    )


def test_every_picture_gets_the_label_that_the_labeller_gives(source, tmp_path):
    run = label(source, tmp_path / "out")
    assert (run.labelled, run.failed, run.interrupted) == (20, 0, False)
    with run.open() as store:
        items = list(store.items())
        assert len(store) == len(items) == 20
        assert [item.key for item in items] == sorted(item.key for item in items)
        for item in items:
            image = item.picture()
            expected = ColourLabeller().segment(image, WORDS)
            assert item.load() == expected
            assert item.size == image.shape[:2]
            assert item.quality == pytest.approx(np.mean([s.quality for s in expected]))
            records = store.segments(item.key)
            assert [(r.category_id, r.area) for r in records] == [
                (s.category_id, s.area) for s in expected
            ]
        assert store.vocabulary == WORDS


def test_pictures_of_one_size_go_through_the_models_together(source, tmp_path):
    labeller = Batches()
    label(source, tmp_path / "out", DatasetSettings(batch=4, chunk=20), labeller)
    assert len(labeller.asked) == 5
    assert sum(len(set(sizes)) == 1 for sizes in labeller.asked) >= 3


def test_a_second_run_does_nothing_and_new_pictures_are_added(source, tmp_path):
    out = tmp_path / "out"
    label(source, out)
    before = contents(out)
    labeller = Batches()
    assert label(source, out, labeller=labeller).labelled == 0
    assert labeller.asked == []
    fill(source, 3, start=20)
    run = label(source, out)
    assert (run.labelled, run.counts.done) == (3, 23)
    assert before.items() <= contents(out).items()


def test_a_changed_picture_is_labelled_again_and_its_old_label_kept(source, tmp_path):
    out = tmp_path / "out"
    label(source, out)
    old = (out / "labels/a/0001.png").read_bytes()
    with DatasetStore.open(out) as store:
        store.set_verdict("a/0001", "accept")
        store.set_verdict("a/0002", "accept")
    Image.fromarray(picture(99)).save(source / "a/0001.png")
    os.utime(source / "a/0002.png", (1, 1))  # touched, but the same
    run = label(source, out)
    assert run.labelled == 1
    with run.open() as store:
        assert store.item("a/0001").load() == ColourLabeller().segment(picture(99), WORDS)
        assert store.item("a/0001").verdict is None
        assert store.item("a/0002").verdict == "accept"
    kept = list((out / "previous").rglob("*.png"))
    assert [path.read_bytes() for path in kept] == [old]


def test_other_words_are_refused_or_redone_as_asked(source, tmp_path):
    out = tmp_path / "out"
    label(source, out)
    before = contents(out)
    with DatasetStore.open(out) as store:
        store.set_verdict("a/0001", "accept")
        store.set_verdict("a/0002", "reject")
    other = ColourLabeller(largest_distance=1)
    with pytest.raises(SettingsChangedError, match=r"largest_distance was 90, is 1.*--redo"):
        label(source, out, labeller=other)
    with pytest.raises(SettingsChangedError, match=r"its words are .*'sea'"):
        label_dataset(ColourLabeller(), source, Vocabulary(things=["ball"]), out)
    assert contents(out) == before
    redo = DatasetSettings(batch=2, chunk=6, redo=True)
    run = label(source, out, redo, other)
    assert run.labelled == 19  # what a person accepted stays
    with run.open() as store:
        assert store.item("a/0001").verdict == "accept"
        assert store.item("a/0002").verdict == "reject"
        assert store.settings["largest_distance"] == 1
    kept = {path.name for path in (out / "previous").rglob("*.png")}
    assert len(kept) == 19
    assert label(source, out, labeller=other).labelled == 0


def test_how_far_it_is_is_told_to_a_callback(source, tmp_path, caplog):
    caplog.set_level(logging.INFO, "panoptic.dataset")
    (source / "a/0001.png").write_bytes(b"no picture")
    calls = []
    label(source, tmp_path / "out", progress=lambda *call: calls.append(call))
    assert calls[0] == (0, None)  # the source is read
    known = [done for done, total in calls if total == 20]
    assert known == sorted(set(known))
    assert (known[0], known[-1]) == (0, 20)
    assert "labelled already" not in caplog.text
    fill(source, 4, start=20)
    calls.clear()
    label(source, tmp_path / "out", progress=lambda *call: calls.append(call))
    assert calls[1] == (0, 5)
    assert calls[-1] == (5, 5)  # the new ones, and the broken one once more
    assert "19 labelled already, 5 to do" in caplog.messages


def test_broken_items_are_told_and_the_rest_is_done(source, tmp_path, caplog):
    (source / "a/0001.png").write_bytes(b"no picture")
    (source / "b/0003.png").write_bytes(b"")
    run = label(source, tmp_path / "out")
    told = [record.failure for record in caplog.records]
    assert {(r.name, r.levelno) for r in caplog.records} == {("panoptic.dataset", logging.WARNING)}
    for failure, line in zip(told, caplog.messages, strict=True):
        assert line == f"left out: {failure.error}"
        assert failure.name in line
    assert (run.labelled, run.failed, run.counts.failed) == (18, 2, 2)
    assert sorted(failure.name for failure in told) == ["a/0001.png", "b/0003.png"]
    with run.open() as store:
        assert {f.name: f.error for f in store.failures()} == {f.name: f.error for f in told}
        assert "no picture of a known format" in told[0].error
    fill(source, 4)  # mended
    run = label(source, tmp_path / "out")
    assert (run.labelled, run.counts.done, run.counts.failed) == (2, 20, 0)
    assert list(run.open().failures()) == []


def test_too_many_broken_items_end_the_run_and_it_can_be_gone_on_with(source, tmp_path):
    for name in ("a/0001.png", "a/0002.png", "a/0004.png"):
        (source / name).write_bytes(b"no picture")
    with pytest.raises(TooManyErrors, match="3 items are broken, more than the 2"):
        label(source, tmp_path / "out", DatasetSettings(batch=2, chunk=6, max_errors=2))
    run = label(source, tmp_path / "out", DatasetSettings(batch=2, chunk=6, max_errors=3))
    assert (run.counts.done, run.counts.failed) == (17, 3)


def test_one_picture_that_the_models_cannot_do_fails_alone(source, tmp_path, caplog):
    @dataclass(frozen=True)
    class Choosy(ColourLabeller):
        def segment_batch(self, images, vocabulary):
            if any((image[0, 0] == 7).all() for image in images):
                raise RuntimeError("out of memory")
            return super().segment_batch(images, vocabulary)

    image = picture(1)
    image[0, 0] = 7
    Image.fromarray(image).save(source / "a/0001.png")
    run = label(source, tmp_path / "out", labeller=Choosy())
    assert (run.labelled, run.failed) == (19, 1)
    (failure,) = run.open().failures()
    assert (failure.name, failure.error) == ("a/0001.png", "RuntimeError: out of memory")
    assert caplog.messages == ["left out: 'a/0001.png': RuntimeError: out of memory"]


def test_models_that_fail_on_everything_end_the_run(source, tmp_path):
    @dataclass(frozen=True)
    class Broken(ColourLabeller):
        def segment_batch(self, images, vocabulary):
            raise RuntimeError("no such kernel")

    with pytest.raises(DatasetError, match="fail on all of the first 8 pictures: no such kernel"):
        label(source, tmp_path / "out", labeller=Broken())


def test_an_interrupt_finishes_what_is_in_flight_and_the_next_run_goes_on(source, tmp_path, caplog):
    @dataclass(frozen=True)
    class Interrupted(Batches):
        def segment_batch(self, images, vocabulary):
            if len(self.asked) == 2:
                signal.raise_signal(signal.SIGINT)
            return super().segment_batch(images, vocabulary)

    before = signal.getsignal(signal.SIGINT)  # in a job of a shell it is ignored
    run = label(source, tmp_path / "out", labeller=Interrupted())
    assert run.interrupted
    assert ["in flight" in message for message in caplog.messages] == [True]
    # The batch at work and what was decoded ahead of it; nothing half done.
    assert 4 < run.labelled < 20
    assert len(contents(tmp_path / "out")) == 2 * run.labelled
    assert signal.getsignal(signal.SIGINT) is before
    again = label(source, tmp_path / "out", labeller=Batches())
    assert run.labelled + again.labelled == again.counts.done == 20
    label(source, tmp_path / "undisturbed", labeller=Batches())
    assert contents(tmp_path / "out") == contents(tmp_path / "undisturbed")


def test_what_shares_a_batch_does_not_depend_on_what_is_done(source, tmp_path):
    whole = Batches()
    label(source, tmp_path / "out", labeller=whole)
    lost = "labels/a/0004.json"
    (tmp_path / "out" / lost).unlink()
    resumed = Batches()
    run = label(source, tmp_path / "out", labeller=resumed)
    assert run.labelled == 1
    assert len(resumed.asked) == 1
    assert resumed.asked[0] in whole.asked
    assert (tmp_path / "out" / lost).exists()


def test_two_runs_into_one_folder_are_refused(source, tmp_path):
    inside, outcome = threading.Event(), []

    @dataclass(frozen=True)
    class Waiting(ColourLabeller):
        def segment_batch(self, images, vocabulary):
            inside.set()
            go_on.wait(20)
            return super().segment_batch(images, vocabulary)

    go_on = threading.Event()
    thread = threading.Thread(
        target=lambda: outcome.append(label(source, tmp_path / "out", labeller=Waiting()))
    )
    thread.start()
    assert inside.wait(20)
    with pytest.raises(DatasetError, match="another run is labelling"):
        label(source, tmp_path / "out")
    go_on.set()
    thread.join()
    assert outcome[0].labelled == 20


def test_another_source_needs_another_folder(source, tmp_path):
    label(source, tmp_path / "out")
    fill(tmp_path / "other", 2)
    with pytest.raises(DatasetError, match=r"holds the labels of .*another source"):
        label(tmp_path / "other", tmp_path / "out")


def test_labels_without_a_manifest_are_not_overwritten(source, tmp_path):
    label(source, tmp_path / "out")
    before = contents(tmp_path / "out")
    for path in (tmp_path / "out").glob("manifest.sqlite*"):
        path.unlink()
    with pytest.raises(DatasetError, match=r"no manifest\.sqlite that knows them"):
        label(source, tmp_path / "out")
    assert contents(tmp_path / "out") == before


@pytest.mark.parametrize("damage", ["a file", "a damaged manifest"])
def test_an_output_that_cannot_be_used_is_told(source, tmp_path, damage):
    out = tmp_path / "out"
    if damage == "a file":
        out.write_text("hello")
    else:
        out.mkdir()
        (out / "manifest.sqlite").write_bytes(b"not a database, far from it" * 50)
    with pytest.raises(OutputError, match="can't be used"):
        label(source, out)


def test_a_source_that_is_not_there_is_told_before_anything_is_made(tmp_path):
    with pytest.raises(SourceError, match="there is no"):
        label(tmp_path / "nothing", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def _label_with_little_space(source, out, limit, told):
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        label(source, out)
    except OutputError as error:
        told.send(str(error))


@pytest.mark.skipif(sys.platform != "linux", reason="takes limits of file sizes and forks")
@pytest.mark.parametrize("limit", [400, 80_000])
def test_a_full_disk_ends_the_run_clearly_and_it_goes_on_later(tmp_path, limit):
    """A limit on file sizes stands for the disk: of labels, and of the manifest."""
    source, out = tmp_path / "in", tmp_path / "out"
    fill(source, 20)
    label(source, out)  # so that the small limit meets labels, not the manifest
    for path in sorted((out / "labels").rglob("*.json"))[:5]:
        path.unlink()
    if limit > 400:
        for i in range(400):  # more than the manifest may hold
            (source / f"{i}-{'x' * 200}.png").touch()
    told, tell = multiprocessing.Pipe(duplex=False)
    fork = multiprocessing.get_context("fork")
    child = fork.Process(target=_label_with_little_space, args=(source, out, limit, tell))
    child.start()
    child.join(120)
    assert told.poll()
    assert "can't be" in told.recv()
    run = label(source, out)
    label(source, tmp_path / "undisturbed")
    assert contents(out) == contents(tmp_path / "undisturbed")
    assert run.counts.waiting == 0


def test_a_folder_that_cannot_be_written_is_told(source, tmp_path):
    out = tmp_path / "out"
    label(source, out)
    shutil.rmtree(out / "labels")
    (out / "labels").write_text("in the way")
    with pytest.raises(OutputError, match="labels can't be written"):
        label(source, out)
    (out / "labels").unlink()
    assert label(source, out).counts.done == 20
    assert len(contents(out)) == 40
