"""The notebook's widget: what is set is labelled, what makes no sense is told."""

import sys

import numpy as np
import pytest
from comm.base_comm import BaseComm

from prompts import Vocabulary

pytest.importorskip("anywidget", reason="the widget needs anywidget: the extra 'notebook'")


class Recorded(BaseComm):
    """Keeps what would go to the page."""

    def publish_msg(self, msg_type, data=None, metadata=None, buffers=None, **keys):
        self.__dict__.setdefault("sent", []).append((data or {}, buffers or []))


@pytest.fixture
def widget(tiny, picture, words):
    return tiny.explore(picture, words)


def test_it_begins_with_what_a_pipeline_gives(widget, tiny, picture, words):
    assert widget.result == tiny.segment(picture, words)
    assert widget.vocabulary is words
    assert (widget.things, widget.stuff) == ("car, dog, traffic light", "road, sky, grass")
    assert [s["id"] for s in widget.label["segments"]] == [s.id for s in widget.result]
    assert widget.picture.startswith(b"\xff\xd8")
    assert {"merge.min_visible", "detector.box_threshold"} <= {c["key"] for c in widget.choices}


def test_a_level_that_is_set_is_in_the_result_and_on_the_page(widget, tiny, picture, words):
    before, shown = widget.result, dict(widget.label)
    changes = {"merge.min_stuff_area": 0.2, "detector.max_boxes": 1}
    widget.levels = changes
    tiny.settings = tiny.settings.changed(changes)
    assert widget.result == tiny.segment(picture, words) != before
    assert widget.label != shown
    assert widget.answered == 2
    widget.levels = {}
    assert widget.result == before


def test_words_that_are_typed_are_looked_for(widget, tiny, picture):
    widget.stuff = "sky, road"
    asked = Vocabulary(["car", "dog", "traffic light"], ["sky", "road"])
    assert widget.vocabulary == asked
    assert widget.result == tiny.segment(picture, asked)


def test_known_words_keep_their_ids_and_synonyms(tiny, picture):
    known = Vocabulary.from_coco(
        [
            {"id": 7, "name": "car", "isthing": 1, "synonyms": ["dog"]},
            {"id": 3, "name": "road", "isthing": 0},
        ]
    )
    widget = tiny.explore(picture, known)
    assert {s.category_id for s in widget.result} <= {3, 7}
    widget.stuff = "road, sky"
    assert widget.vocabulary.by_name("car").synonyms == ("dog",)


def test_what_the_page_sends_is_the_same(widget):
    widget.set_state({"levels": {"merge.min_stuff_area": 0.2}, "things": "car"})
    assert widget.levels == {"merge.min_stuff_area": 0.2}
    assert [c.name for c in widget.vocabulary.things] == ["car"]


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("levels", {"merge.min_visible": 3}, "must be in"),
        ("levels", {"merge.visible": 0.1}, "merge.visible"),
        ("things", "car, car", "occurs twice"),
        ("stuff", "zebra crossing", "zebra crossing"),
    ],
)
def test_what_makes_no_sense_is_told_and_the_label_stays(widget, name, value, told):
    before = widget.result
    with pytest.raises(ValueError, match=told):
        setattr(widget, name, value)
    assert told in widget.error
    assert widget.result == before


def test_levels_that_are_refused_are_not_kept(widget, tiny, picture):
    widget.levels = {"merge.min_visible": 0.5}
    with pytest.raises(ValueError, match="must be in"):
        widget.levels = {"merge.min_visible": 3}
    assert widget.levels == {"merge.min_visible": 0.5}
    widget.things = "car"  # isn't refused for the sake of levels that were
    assert widget.error == ""
    with pytest.raises(ValueError, match=r"merge\.visible"):
        tiny.explore(picture, levels={"merge.visible": 0.1})


def test_the_page_is_told_what_makes_no_sense(widget):
    before, answered = widget.result, widget.answered
    widget.set_state({"things": "", "stuff": ""})
    assert "expected names" in widget.error
    assert widget.answered > answered
    assert widget.result == before
    widget.set_state({"stuff": "road"})
    assert widget.error == ""


def test_it_may_begin_without_words(tiny, picture):
    widget = tiny.explore(picture)
    widget.levels = {"detector.max_boxes": 1}  # before the words that they are for
    with pytest.raises(ValueError, match="nothing is labelled yet"):
        _ = widget.result
    widget.things = "car"
    assert len(widget.result) <= 1
    widget.levels = {}
    assert widget.result == tiny.segment(picture, Vocabulary(["car"]))
    with pytest.raises(ValueError, match="expected a Vocabulary"):
        tiny.explore(picture, ["car"])


def test_the_steps_come_when_they_are_asked_for(widget):
    widget.comm = Recorded()
    widget._handle_custom_msg("explain", [])
    ((data, pictures),) = [d for d in widget.comm.sent if d[0].get("method") == "custom"]
    assert len(data["content"]["titles"]) == len(pictures) == 8
    assert all(picture.startswith(b"\xff\xd8") for picture in pictures)
    assert data["content"]["text"] == widget.trace.explain().text()


def test_where_no_widget_can_be_shown_there_is_a_picture(widget):
    data, _ = widget._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    assert data["image/png"].startswith(b"\x89PNG")
    assert "0x" not in data["text/plain"]


def test_the_pipeline_is_not_changed(tiny, picture, words):
    before, settings = tiny.segment(picture, words), tiny.settings
    widget = tiny.explore(picture, words, {"detector.max_boxes": 1})
    widget.levels = {"seed": 5}
    assert tiny.settings == settings
    assert np.array_equal(tiny.segment(picture, words).ids, before.ids)


def test_without_the_extra_it_says_what_to_install(tiny, picture, words, monkeypatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    monkeypatch.delitem(sys.modules, "panoptic.explore.widget", raising=False)
    with pytest.raises(ModuleNotFoundError, match=r"'panoptic-anything\[notebook\]'"):
        tiny.explore(picture, words)
