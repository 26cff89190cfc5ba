"""Videos of a data set corrected on later frames, propagated, undone, and gone on with."""

import json

import pytest

from panoptic.dataset.decisions import Decision
from panoptic.dataset.resumable_labelling import label_dataset
from panoptic.dataset.store import DatasetStore
from panoptic.dataset.video_corrections import VideoCorrections
from panoptic.dataset.video_timeline import timeline_of
from panoptic.errors import StaleLabelError
from tests.panoptic.dataset.colours import WORDS, ColourLabeller, fill
from tests.panoptic.dataset.test_videos import write_video

REQUESTS = iter(range(10**6))
FRAMES = 6


@pytest.fixture
def out(tmp_path):
    fill(tmp_path / "in", 1)
    write_video(tmp_path / "in/clip.mkv", count=FRAMES)
    label_dataset(ColourLabeller(), tmp_path / "in", WORDS, tmp_path / "out")
    return tmp_path / "out"


@pytest.fixture
def desk(out, tiny):
    with DatasetStore.open(out) as store:
        videos = VideoCorrections(store, lambda: tiny)
        yield store, videos
        videos.close()


def correct(desk, frame, edit, seen=None):
    store, videos = desk
    seen = seen or store.decisions.version("clip")
    return videos.correct("clip", frame, edit, Decision("me", f"r{next(REQUESTS)}", seen))


def undo(desk):
    store, videos = desk
    undone = store.decisions.undo("me", f"u{next(REQUESTS)}")
    videos.undone(undone)


def labels(store):
    item = store.item("clip")
    return [item.load(frame) for frame in range(item.frames)]


CLICK = {"edit": "click", "segment": 3, "x": 4, "y": 20, "positive": True}


def test_a_later_frame_is_corrected_and_the_frames_around_follow(desk):
    store, _ = desk
    before = labels(store)
    assert correct(desk, 3, CLICK) == [3]
    clicked = labels(store)
    assert [a == b for a, b in zip(before, clicked, strict=True)].count(False) <= 1
    assert store.item("clip").verdict == "corrected"
    assert sorted(store.corrections("clip")) == [3]
    changed = correct(desk, 3, {"edit": "propagate"})
    assert set(changed) > {3}
    assert sorted(store.corrections("clip")) == sorted({3, *changed})
    assert timeline_of(store, "clip").corrected == tuple(sorted({3, *changed}))
    after = labels(store)
    for _ in range(2):
        undo(desk)
    assert labels(store) == before
    assert store.item("clip").verdict is None
    assert store.decisions.latest("me") is None
    # The session stands there as well: the same again gives the same.
    correct(desk, 3, CLICK)
    correct(desk, 3, {"edit": "propagate"})
    assert labels(store) == after


def test_another_word_and_a_deletion_are_of_all_frames(desk):
    store, _ = desk
    has_ball = [i for i, label in enumerate(labels(store)) if any(s.id == 1 for s in label)]
    assert correct(desk, 0, {"edit": "relabel", "segment": 1, "word": 2}) == has_ball
    assert not any(s.category == "ball" for label in labels(store) for s in label)
    rows = {row.id: row for row in timeline_of(store, "clip").rows}
    assert rows[1].name == "box"
    assert [f for first, last in rows[1].runs for f in range(first, last + 1)] == has_ball
    correct(desk, 2, {"edit": "delete", "segment": 1})
    assert 1 not in {row.id for row in timeline_of(store, "clip").rows}


def test_a_box_is_a_new_id(desk):
    store, _ = desk
    known = {s.id for label in labels(store) for s in label}
    correct(desk, 2, {"edit": "box", "box": [2, 2, 20, 20], "word": 1})
    assert len({s.id for s in labels(store)[2]} - known) == 1


def test_it_goes_on_after_a_restart_and_clicks_add_up(out, tiny):
    with DatasetStore.open(out) as store:
        videos = VideoCorrections(store, lambda: tiny)
        correct((store, videos), 3, CLICK)
        videos.close()
    with DatasetStore.open(out) as store:
        videos = VideoCorrections(store, lambda: tiny)
        session = videos.session("clip")
        assert session.undoable == ("click on segment 3 in frame 3",)
        correct((store, videos), 3, {**CLICK, "x": 9, "positive": False})
        assert len(session.edits.corrections[3, 3].points) == 2
        undo((store, videos))
        assert len(session.undoable) == 1
        videos.close()


@pytest.mark.parametrize("kill", ["before the data set", "after it"])
def test_a_kill_between_session_and_data_set_loses_nothing(out, tiny, kill):
    with DatasetStore.open(out) as store:
        videos = VideoCorrections(store, lambda: tiny)
        correct((store, videos), 3, CLICK)
        wanted = labels(store)
        mark = videos.folder("clip") / "written.json"
        if kill == "before the data set":
            store.decisions.undo("me", "u")  # what stood before; the session is a step ahead
        mark.write_text(json.dumps({"standing": None}))
        videos.close()
    with DatasetStore.open(out) as store:
        videos = VideoCorrections(store, lambda: tiny)
        videos.session("clip")
        assert labels(store) == wanted
        assert json.loads(mark.read_text())["standing"] is not None
        videos.close()


def test_what_others_corrected_meanwhile_is_begun_from(desk):
    store, videos = desk
    correct(desk, 3, CLICK)
    other = labels(store)[0]
    store.set_verdict("clip", "corrected", corrected={5: other})  # as panoptic review does
    stood = labels(store)
    session = videos.session("clip")
    assert session.undoable == ()
    assert [session.frame(i).segmentation.ids.tolist() for i in range(FRAMES)] == [
        label.ids.tolist() for label in stood
    ]


def test_a_rejection_withdraws_and_its_undo_brings_back(desk):
    store, _ = desk
    correct(desk, 3, CLICK)
    wanted = labels(store)
    version = store.decisions.version("clip")
    store.set_verdict("clip", "reject", decision=Decision("me", "r", version))
    undo(desk)
    assert labels(store) == wanted


def test_what_makes_no_sense_is_refused_and_changes_nothing(desk):
    store, videos = desk
    before, version = labels(store), store.decisions.version("clip")
    for edit, error in (
        ({"edit": "propagate"}, ValueError),
        ({**CLICK, "segment": 99}, KeyError),
        ({**CLICK, "x": 999}, ValueError),
        ({"edit": "box", "box": [5, 5, 5, 9], "word": 1}, ValueError),
        ({"edit": "paint"}, ValueError),
    ):
        with pytest.raises(error):
            correct(desk, 3, edit)
    with pytest.raises(StaleLabelError):
        correct(desk, 3, CLICK, seen="another")
    assert (labels(store), store.decisions.version("clip")) == (before, version)
    assert videos.session("clip").undoable == ()
