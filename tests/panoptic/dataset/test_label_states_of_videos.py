"""What events leave of the labels of videos, of which single frames may be corrected."""

import itertools

import pytest

from panoptic.dataset.resumable_labelling import label_dataset
from panoptic.dataset.store import DatasetStore
from tests.panoptic.dataset.colours import WORDS, ColourLabeller, picture
from tests.panoptic.dataset.test_label_states import OTHER, Expected, drawing, names, redo
from tests.panoptic.dataset.test_videos import write_video

CLIP_EVENTS = ("accept", "reject", "correct 0", "correct 1", "forget", "change", "damage")
CLIP_PAIRS = [*itertools.product(CLIP_EVENTS, CLIP_EVENTS)]


def clip_event(event, store, key):
    if event.startswith("correct"):
        frame = int(event[-1])
        name = "sand" if frame == 0 else "box"
        size = store.item(key).size
        store.set_verdict(key, "corrected", corrected={frame: drawing(size, name)})
    else:
        store.set_verdict(key, None if event == "forget" else event)


def clip_shows(store, key, expected, first):
    item = store.item(key)
    assert item.verdict == expected.verdict
    assert set(store.corrections(key)) == set(expected.drawn)
    for frame in range(item.frames):
        if frame in expected.drawn:
            truth = drawing(item.size, expected.drawn[frame])
        else:
            truth = ColourLabeller().segment(picture(first + frame), WORDS)
        assert (names(item.load(frame)) == names(truth)).all()


def clip_happens(expected, event):
    if event.startswith("correct"):
        frame = int(event[-1])
        expected.happens("correct" if frame == 0 else "correct otherwise", frame)
    else:
        expected.happens(event)


def first_frame(number, expected):
    return 10 * number + 1000 * expected.content


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    source, out = folder / "in", folder / "out"
    source.mkdir()
    for number in range(len(CLIP_PAIRS)):
        write_video(source / f"{number:02}.mkv", count=2, start=10 * number)

    def run():
        label_dataset(ColourLabeller(), source, WORDS, out, progress=False)

    run()
    for step in range(2):
        with DatasetStore.open(out) as store:
            for number, history in enumerate(CLIP_PAIRS):
                key, event = f"{number:02}", history[step]
                if event == "change":
                    start = 10 * number + 1000 * (1 + history[:step].count("change"))
                    write_video(source / f"{key}.mkv", count=2, start=start)
                elif event == "damage":
                    (out / "videos" / f"{key}.frames" / "000001.png").unlink()
                else:
                    clip_event(event, store, key)
        run()
    with DatasetStore.open(out) as store:
        yield store


@pytest.mark.parametrize("history", CLIP_PAIRS, ids=" then ".join)
def test_a_video_has_one_state_after_every_pair_of_events(clips, history):
    number, expected = CLIP_PAIRS.index(history), Expected()
    for event in history:
        clip_happens(expected, event)
    clip_shows(clips, f"{number:02}", expected, first_frame(number, expected))


def test_verdicts_on_one_video_in_any_order_of_three(clips):
    """Each begins where the last one ended: what was withdrawn doesn't come back later either."""
    key, expected = f"{CLIP_PAIRS.index(('forget', 'forget')):02}", Expected()
    number = int(key)
    for history in itertools.product(CLIP_EVENTS[:5], repeat=3):
        for event in (*history, "forget"):
            clip_event(event, clips, key)
            clip_happens(expected, event)
            clip_shows(clips, key, expected, first_frame(number, expected))


def test_frames_corrected_among_lost_labels_of_other_words_are_withdrawn_and_that_is_said(
    tmp_path, caplog
):
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for name in ("one", "both"):
        write_video(source / f"{name}.mkv", count=2)
    label_dataset(ColourLabeller(), source, WORDS, out, progress=False)
    with DatasetStore.open(out) as store:
        mine = drawing(store.item("one").size, "sand")
        store.set_verdict("one", "corrected", corrected={1: mine})
        store.set_verdict("both", "corrected", corrected={0: mine, 1: mine})
    redo(source, out)
    for name in ("one", "both"):
        (out / "videos" / f"{name}.frames/000000.json").unlink()
    label_dataset(ColourLabeller(), source, OTHER, out, progress=False)
    with DatasetStore.open(out) as store:
        assert (store.state("one"), store.state("both")) == ("labelled", "corrected")
        assert {s.category for s in store.item("both").load(1)} == {"sand"}
        assert {s.category for s in store.item("one").load(1)} <= {c.name for c in OTHER}
    told = [m for m in caplog.messages if "was corrected" in m]
    assert len(told) == 1
    assert "'one.mkv' was corrected, and its label was lost, and made again with other" in told[0]
