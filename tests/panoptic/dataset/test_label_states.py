"""What every pair of events leaves of a label, on data sets as they are: the state, the label that
is shown, and what an export has. What is expected is written here a second time, in plain words."""

import itertools
import os
from dataclasses import dataclass, field

import numpy as np
import pytest
from PIL import Image

from panoptic.dataset.export import export
from panoptic.dataset.label_state import EVENTS, STATES, after, state_of, stored_as
from panoptic.dataset.resumable_labelling import label_dataset
from panoptic.dataset.store import DatasetStore
from panoptic.errors import DatasetError
from panoptic.formats.coco_panoptic import CocoPanoptic
from panoptic.formats.exporter import ExportItem
from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation
from panoptic.settings.dataset import DatasetSettings
from prompts import Vocabulary
from tests.panoptic.dataset.colours import WORDS, ColourLabeller, picture

SIZE = (12, 16)
PERSON = ("accept", "reject", "correct", "correct otherwise", "forget")
FILES = ("nothing", "touch", "change", "damage", "delete", "break", "vanish")
ALL = (*PERSON, *FILES)
# Other words, of which two are the same; one of these has another number.
OTHER = Vocabulary(things=["box", "boat"], stuff=["foam", "sand"])
STATE = {None: "labelled", "accept": "accepted", "reject": "rejected", "corrected": "corrected"}


def drawing(size, name):
    """What a person draws: all of one word."""
    category = WORDS.by_name(name)
    return PanopticSegmentation.from_ids(
        np.full(size, 9, np.int32), [Segment(9, category.id, name, category.is_thing, 1.0)]
    )


@dataclass
class Expected:
    """The life of one label, in plain words."""

    verdict: str | None = None
    drawn: dict[int, str] = field(default_factory=dict)
    content: int = 0
    readable: bool = True
    lost: bool = False
    words: Vocabulary = WORDS
    asked: Vocabulary = WORDS

    def happens(self, event, frame=0):
        if event == "accept" and self.verdict != "corrected":
            self.verdict = "accept"
        elif event in ("reject", "forget", "change"):
            self.verdict, self.drawn = ("reject" if event == "reject" else None), {}
        elif event.startswith("correct"):
            name = "sand" if event == "correct" else "box"
            self.verdict, self.drawn = "corrected", {**self.drawn, frame: name}
        if event == "redo":
            self.asked = OTHER
            if self.readable and self.verdict not in ("accept", "corrected"):
                self.words = OTHER
        if event == "change":
            self.content, self.readable, self.lost = self.content + 1, True, False
            self.words = self.asked
        elif event in ("break", "vanish"):
            self.readable = False
        elif event in ("damage", "delete") and not self.readable:
            self.lost = True
        elif event in ("damage", "delete") and self.words is not self.asked:
            # Made again with the words asked for by now: not what was accepted.
            self.words = self.asked
            if self.verdict == "accept":
                self.verdict = None


def seed(number, content):
    return 100 + number + 1000 * content


def write(source, number, content=0):
    Image.fromarray(picture(seed(number, content), SIZE)).save(source / f"{number:04}.png")


def apply(event, source, out, number, history):
    """One event before the run that notices it."""
    path, key = source / f"{number:04}.png", f"{number:04}"
    if event in PERSON:
        with DatasetStore.open(out) as store:
            if event.startswith("correct"):
                name = "sand" if event == "correct" else "box"
                store.set_verdict(key, "corrected", corrected=drawing(SIZE, name))
            else:
                store.set_verdict(key, None if event == "forget" else event)
    elif event == "touch" and path.exists():
        os.utime(path, (1, 1))
    elif event == "change":
        write(source, number, history.count("change") + 1)
    elif event == "damage":
        png = out / "labels" / f"{key}.png"
        if png.exists():
            png.write_bytes(png.read_bytes()[:-20])
    elif event == "delete":
        (out / "labels" / f"{key}.json").unlink(missing_ok=True)
    elif event == "break":
        path.write_bytes(b"no picture")
    elif event == "vanish":
        path.unlink(missing_ok=True)


def redo(source, out):
    settings = DatasetSettings(redo=True)
    label_dataset(ColourLabeller(), source, OTHER, out, settings=settings, progress=False)


def lives(folder, histories):
    """A data set in which each picture has a history of its own; its store."""
    source, out = folder / "in", folder / "out"
    source.mkdir(parents=True)
    for number in range(len(histories)):
        write(source, number)
    words = WORDS
    label_dataset(ColourLabeller(), source, words, out, progress=False)
    for step in range(2):
        for number, history in enumerate(histories):
            apply(history[step], source, out, number, history[:step])
        if any(history[step] == "redo" for history in histories):
            words = OTHER
            redo(source, out)
        label_dataset(ColourLabeller(), source, words, out, progress=False)
    return out


PAIRS = [*itertools.product(ALL, ALL)]
REDO_LAST = [(event, "redo") for event in ALL]
REDO_FIRST = [("redo", event) for event in ALL]


@pytest.fixture(scope="module")
def data_sets(tmp_path_factory):
    """Every pair of events, each on a picture of its own."""
    found = {}
    for name, histories in (("pairs", PAIRS), ("last", REDO_LAST), ("first", REDO_FIRST)):
        out = lives(tmp_path_factory.mktemp(name), histories)
        (made,) = export_of(out)
        exported = {}
        for path in (made.folder / "annotations").glob("*.json"):
            data = CocoPanoptic.open(path)
            exported |= {data.images[i]["file_name"].split(".")[0]: data.load(i) for i in
                         data.annotations}  # fmt: skip
        store = DatasetStore.open(out)
        for number, history in enumerate(histories):
            found[history] = (store, f"{number:04}", number, exported.get(f"{number:04}"))
    yield found
    for store in {id(store): store for store, *_ in found.values()}.values():
        store.close()


def export_of(out):
    with DatasetStore.open(out) as store:
        shown = (item for item in store.items() if _can_be_read(item))
        return export(shown, store.vocabulary, out / "export", ["coco_panoptic"], progress=False)


def _can_be_read(item):
    try:
        item.load()
        item.picture()
        return True
    except ValueError:
        return False


def names(label):
    """A label as others read it: pixels by the names of their words."""
    shown = np.full(label.ids.shape, "", dtype="U20")
    for s in label:
        shown[label.ids == s.id] = s.category
    return shown


@pytest.mark.parametrize("history", [*PAIRS, *REDO_LAST, *REDO_FIRST], ids=" then ".join)
def test_a_label_has_one_state_after_every_pair_of_events(data_sets, history):
    store, key, number, exported = data_sets[history]
    expected = Expected()
    for event in history:
        expected.happens(event)
    item = store.item(key)
    assert item.verdict == expected.verdict
    assert store.state(key) == STATE[expected.verdict]
    if expected.lost and not expected.drawn:
        with pytest.raises(DatasetError, match="gone or damaged"):
            item.load()
        return
    if expected.drawn:
        truth = drawing(SIZE, expected.drawn[0])
        assert set(store.corrections(key)) == {0}
    else:
        truth = ColourLabeller().segment(
            picture(seed(number, expected.content), SIZE), expected.words
        )
        assert store.corrections(key) == {}
    label = item.load()
    assert (names(label) == names(truth)).all()
    for s in label:
        known = store.vocabulary.by_id(s.category_id)
        assert (known.name, known.is_thing) == (s.category, s.is_thing)
    assert {r.category_id for r in store.segments(key)} <= {c.id for c in store.vocabulary}
    if expected.readable:
        assert (exported is None) == (expected.verdict == "reject")
        assert exported is None or (names(exported) == names(truth)).all()
        assert ExportItem(item).name == key


def test_the_words_asked_for_keep_their_numbers(data_sets):
    store, *_ = data_sets["accept", "redo"]
    vocabulary = store.vocabulary
    assert store.asked == OTHER
    assert [vocabulary.by_id(c.id) for c in OTHER] == list(OTHER)
    assert {c.name for c in vocabulary} - {c.name for c in OTHER} == {"ball", "sea"}


def test_a_verdict_on_a_label_that_was_made_anew_meanwhile_is_refused(tmp_path):
    out = lives(tmp_path, [("nothing", "nothing")])
    with DatasetStore.open(out) as store:
        with pytest.raises(DatasetError, match="labelled anew meanwhile"):
            store.verdicts.give("0000", "accept", content="that of another picture")
        assert store.state("0000") == "labelled"


# -- the table itself ------------------------------------------------------------------------------


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("state", STATES)
def test_every_event_leads_somewhere_or_is_refused(state, event):
    assert state_of(*stored_as(state)) == state
    if state in ("waiting", "broken", "gone") and event in (
        *("accept", "reject", "correct", "forget"),
    ):
        with pytest.raises(DatasetError, match=f"{state} can't get the verdict"):
            after(state, event)
    else:
        assert after(state, event) in STATES


def test_labels_without_one_state_are_refused():
    with pytest.raises(DatasetError, match="'waiting' with the verdict 'accept'"):
        state_of("waiting", "accept")
