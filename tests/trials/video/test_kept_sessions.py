"""A session is not lost with its kernel: it is on disk, and can be gone on with and back in."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from panoptic import Vocabulary
from panoptic.errors import DatasetError, OutputError
from panoptic.io.clips import VideoInput
from panoptic.video.passes import ForwardPass
from panoptic.video.resumable_tracking import RecordSettings, record
from panoptic.video.session import VideoSession
from tests.panoptic.video.small_sessions import (
    OTHER_THING,
    SETTINGS,
    THING,
    WORDS,
    check,
    label,
    small_clip,
    small_pipeline,
    small_session,
    stuff,
    things,
)
from tests.panoptic.video.videos import files_of

BOX = (8, 8, 40, 40)


def edit(session):
    """Some of every kind, one of them undone."""
    session.add_box(1, BOX, OTHER_THING)
    session.click(2, stuff(session)[0], (40, 3))
    session.click(2, stuff(session)[0], (3, 40), positive=False)
    session.propagate(progress=False)
    session.add_box(2, BOX, session.segments[stuff(session)[0]])
    session.remove(things(session)[0])
    session.relabel(things(session)[0], THING)
    session.undo()


def reopened(session, folder):
    session.close()
    return small_pipeline().open_session(folder, small_clip().frames)


def test_a_session_in_a_folder_goes_on_where_it_was(tmp_path):
    folder = tmp_path / "session"
    with small_session(frames=3) as undisturbed:
        edit(undisturbed)
        shown = check(undisturbed)
        undisturbed.redo()
        label(undisturbed, 8)
        expected = check(undisturbed)
    session = small_session(folder, frames=1)
    session = reopened(session, folder)
    label(session, 2)
    session = reopened(session, folder)
    edit(session)
    session = reopened(session, folder)
    assert check(session) == shown
    assert session.redoable
    session.redo()
    label(session, 2)
    session = reopened(session, folder)
    label(session, 8)
    with session:
        assert check(session) == expected
        while session.undoable:
            session.undo()
        check(session)


def test_a_session_can_be_saved_at_any_time_and_is_kept_from_then_on(tmp_path):
    folder = tmp_path / "kept"
    session = small_session(frames=3)
    edit(session)
    undoable = session.undoable
    assert session.save(folder) == folder
    session.restore(min(session.edits.removed))
    shown = check(session)
    with reopened(session, folder) as again:
        assert check(again) == shown
        assert again.undoable[:-1] == undoable
        again.save(tmp_path / "another")
        again.undo()
    with small_pipeline().open_session(folder, small_clip().frames) as first:
        assert check(first) == shown


def test_a_killed_process_costs_no_edit(tmp_path):
    """What is on disk in the middle of labelling is what a killed process leaves."""
    folder, left = tmp_path / "session", tmp_path / "left"
    with small_session(folder, frames=3) as session:
        session.add_box(1, BOX, OTHER_THING)
        session.propagate(progress=False)
        for frame in session.run(progress=False):
            if frame.index == 5:
                shutil.copytree(folder, left)
        expected = check(session)
    with small_pipeline().open_session(left, small_clip().frames) as session:
        assert session.labelled == 3
        assert len(session.undoable) == 2
        label(session, 8)
        assert check(session) == expected


def test_a_step_that_was_broken_off_while_it_was_written_is_as_if_not_begun(tmp_path):
    folder = tmp_path / "session"
    session = small_session(folder, frames=2)
    session.remove(things(session)[0])
    shown = check(session)
    session.close()
    with (folder / "journal.jsonl").open("ab") as file:
        file.write(b'{"version": 4, "kind": "do", "na')
    with (folder / "layers.bin").open("ab") as file:
        file.write(b"\\0\\0")
    with small_pipeline().open_session(folder, small_clip().frames) as session:
        assert check(session) == shown
        session.undo()
        restored = check(session)
    with small_pipeline().open_session(folder, small_clip().frames) as session:
        assert check(session) == restored


def test_what_is_no_session_of_this_clip_is_refused_by_name(tmp_path):
    folder = tmp_path / "session"
    clip = small_clip().frames
    with small_session(folder, frames=1):
        with pytest.raises(DatasetError, match="correcting the session in"):
            small_pipeline().open_session(folder, clip)
        with pytest.raises(OutputError, match="there is a session in"):
            small_session(folder, frames=0)
    with pytest.raises(ValueError, match="weren't a file"):
        small_pipeline().open_session(folder)
    with pytest.raises(ValueError, match="has 5"):
        small_pipeline().open_session(folder, clip[:5])
    with pytest.raises(ValueError, match="first frame of the clip"):
        small_pipeline().open_session(folder, clip[::-1])
    with pytest.raises(ValueError, match="holds no session"):
        small_pipeline().open_session(tmp_path)
    lines = (folder / "journal.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "journal.jsonl").write_bytes(b"".join(lines[1:]))
    with pytest.raises(ValueError, match="is damaged"):
        small_pipeline().open_session(folder, clip)
    (folder / "session.json").write_text("{")
    with pytest.raises(ValueError, match="is not JSON"):
        small_pipeline().open_session(folder, clip)
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    (stranger / "thesis.txt").write_text("mine")
    with small_session(frames=1) as session:
        with pytest.raises(OutputError, match="thesis"):
            session.save(stranger)
        with pytest.raises(ValueError, match="no folder yet"):
            session.save()


def test_edits_are_undone_and_made_again_in_order():
    with small_session(frames=3) as session:
        shown = [check(session)]
        thing = things(session)[0]
        for edit in (
            lambda: session.remove(thing),
            lambda: session.restore(thing),
            lambda: session.relabel(thing, OTHER_THING),
            lambda: session.add_box(1, BOX, THING),
            lambda: session.propagate(progress=False),
        ):
            edit()
            shown.append(check(session))
        names = session.undoable
        for before in shown[-2::-1]:
            session.undo()
            assert check(session) == before
        with pytest.raises(ValueError, match="no edit to undo"):
            session.undo()
        for after in shown[1:]:
            session.redo()
            assert check(session) == after
        assert session.undoable == names
        with pytest.raises(ValueError, match="nothing to redo"):
            session.redo()
        with pytest.raises(KeyError, match="isn't removed"):
            session.restore(thing)
        session.remove(thing)
        with pytest.raises(KeyError, match=rf"restore\({thing}\)"):
            session.click(0, thing, (1, 1))


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """The folder that ``panoptic video`` writes for a clip of pictures, and the clip."""
    root = tmp_path_factory.mktemp("labelled")
    clip = root / "clip"
    clip.mkdir()
    for index, frame in enumerate(small_clip().frames):
        Image.fromarray(frame).save(clip / f"{index:03d}.png")
    labeller = ForwardPass(small_pipeline(), WORDS, SETTINGS)
    formats = RecordSettings(("vipseg", "timeline", "detections"))
    video = VideoInput.of(clip)
    record(video, labeller, WORDS, root / "out", formats, request={}, progress=False)
    return root / "out", clip


def test_what_panoptic_video_wrote_can_be_corrected_and_written_again(labelled, tmp_path):
    out, clip = labelled
    kept = tmp_path / "session"
    with small_pipeline().open_labels(out, clip, folder=kept) as session:
        assert len(check(session)) == len(session)
        session.write(tmp_path / "same", ["vipseg", "timeline", "detections"], progress=False)
        same, before = files_of(tmp_path / "same"), files_of(out, without=(".json",))
        for name in before:
            if "resume" not in name and name.endswith((".png", ".jsonl", ".csv")):
                assert same[name] == before[name], name
        first = VideoSession(small_pipeline(), WORDS, SETTINGS).step(small_clip().frames[0])
        assert np.array_equal(session.frame(0).segmentation.ids, first.segmentation.ids)
        thing = things(session)[0]
        session.remove(thing)
        session.add_box(1, BOX, OTHER_THING)
        session.click(1, stuff(session)[0], (2, 2))
        session.propagate(progress=False)
        shown = check(session)
    with small_pipeline().open_session(kept) as session:
        assert check(session) == shown
        paths = session.write(tmp_path / "corrected", progress=False)
        assert set(paths) == {"overlay", "timeline", "vipseg"}
        assert all(path.exists() for path in paths.values())
        written = json.loads((tmp_path / "corrected" / "vipseg" / "pred.json").read_text())
        ids = {
            s["id"] for a in written["annotations"][0]["annotations"] for s in a["segments_info"]
        }
        assert thing not in ids
        assert ids == {s.id for f in shown for s in f.segmentation}
        with pytest.raises(OutputError, match="isn't empty"):
            session.write(tmp_path / "corrected", progress=False)
        session.write(tmp_path / "corrected", "vipseg", overwrite=True, progress=False)
        assert not (tmp_path / "corrected" / "overlays").exists()


def test_what_panoptic_video_wrote_of_a_part_is_gone_on_with(labelled, tmp_path):
    out, clip = tmp_path / "out", labelled[1]
    labeller = ForwardPass(small_pipeline(), WORDS, SETTINGS)
    some = RecordSettings(("vipseg",), limit=4)
    video = VideoInput.of(clip)
    record(video, labeller, WORDS, out, some, request={}, progress=False)
    with small_pipeline().open_labels(out, clip) as session:
        assert session.labelled == 4
        there = set(session.segments)
        label(session, 8)
        frames = check(session)
        assert len(frames) == len(session)
        assert {s.id for s in frames[4].segmentation} & there  # nobody begins anew


def test_labels_that_are_not_of_the_clip_are_refused_by_name(labelled, tmp_path):
    out, clip = labelled
    pipeline = small_pipeline()
    with pytest.raises(ValueError, match="no VIPSeg output"):
        pipeline.open_labels(tmp_path, clip)
    with pytest.raises(ValueError, match="no labels of 'video'; there are clip"):
        pipeline.open_labels(out, small_clip().frames)
    with pytest.raises(ValueError, match="other words"):
        pipeline.open_labels(out, clip, Vocabulary(["zeppelin"], ["mud"]))
    short = tmp_path / "clip"
    shutil.copytree(clip, short)
    for path in sorted(short.iterdir())[4:]:
        path.unlink()
    with pytest.raises(ValueError, match="8 frames of 'clip', which has 4"):
        pipeline.open_labels(out, short)


def test_labels_of_another_clip_of_the_same_name_and_size_are_refused(labelled, tmp_path):
    out, clip = labelled
    other = tmp_path / "elsewhere" / clip.name
    shutil.copytree(clip, other)
    last = sorted(other.iterdir())[-1]
    Image.fromarray(255 - np.asarray(Image.open(last))).save(last)
    with pytest.raises(ValueError, match="the clip is another one, or changed since"):
        small_pipeline().open_labels(out, other)


@pytest.mark.parametrize("target", ["out/session", "out"])
def test_what_is_written_never_takes_the_place_of_the_session_itself(tmp_path, target):
    """It took the files along that the session was written to: later edits were lost."""
    folder = tmp_path / "out" / "session"
    with small_session(folder, frames=3) as session:
        with pytest.raises(OutputError, match="the session itself is kept in"):
            session.write(tmp_path / target, ["vipseg"], overwrite=True, progress=False)
        removed = things(session)[0]
        session.remove(removed)
    with small_pipeline().open_session(folder, small_clip().frames) as session:
        assert set(session.edits.removed) == {removed}


def test_a_session_that_another_one_has_open_is_not_replaced(tmp_path):
    """Neither by what is written around it, nor by saving an earlier copy of it there."""
    first, folder = tmp_path / "first", tmp_path / "out" / "session"
    with small_session(first, frames=3) as session:
        session.save(folder)
        session.save(tmp_path / "third")
        with small_pipeline().open_session(folder, small_clip().frames) as other:
            with pytest.raises(DatasetError, match="writing into"):
                session.write(tmp_path / "out", ["vipseg"], overwrite=True, progress=False)
            with pytest.raises(DatasetError, match="correcting the session"):
                session.save(folder)
            removed = things(other)[0]
            other.remove(removed)
        with pytest.raises(OutputError, match="there is a session"):
            session.save(folder)  # it has an edit that this one hasn't
        assert session.save(first) == first
    with small_pipeline().open_session(folder, small_clip().frames) as session:
        assert set(session.edits.removed) == {removed}


def test_saving_leaves_what_others_put_into_the_folder(tmp_path):
    folder = tmp_path / "session"
    with small_session(folder, frames=2) as session:
        session.write(folder / "corrected", ["vipseg"], progress=False)
        session.save(tmp_path / "another")
        with pytest.raises(OutputError, match="there is a session"):
            session.save(folder)
    assert (folder / "corrected" / "vipseg" / "pred.json").exists()
