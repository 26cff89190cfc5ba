"""What people saw when they gave the class list that they had as ``--vocabulary``."""

import json

import pytest

from prompts import Vocabulary

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("data.yaml", "path: .\ntrain: images\nnames:\n  0: car\n  1: dog\n", ["car", "dog"]),
        ("classes.txt", "car\ndog\n", ["car", "dog"]),
        ("cvat.json", '[{"name": "car", "attributes": []}]', ["car"]),
        (
            "label_studio.xml",
            '<View><BrushLabels name="t" toName="i"><Label value="car"/></BrushLabels></View>',
            ["car"],
        ),
        ("caps.yaml", "Things: [car]\nStuff: [road]\n", ["car", "road"]),
    ],
)
def test_class_lists_of_other_tools_were_refused(tmp_path, name, text, words):
    path = tmp_path / name
    path.write_text(text)
    assert [c.name for c in Vocabulary.from_file(path)] == words


def test_ids_from_0_were_refused():
    listed = [{"id": 0, "name": "car", "isthing": 1}, {"id": 1, "name": "sky", "isthing": 0}]
    assert [(c.id, c.name) for c in Vocabulary.from_coco(listed)] == [(1, "car"), (2, "sky")]


def test_the_repeated_class_of_roboflow_was_refused():
    listed = [
        {"id": 0, "name": "car", "supercategory": "none"},
        {"id": 1, "name": "car", "supercategory": "car"},
    ]
    assert [(c.id, c.name) for c in Vocabulary.from_coco(listed)] == [(1, "car")]


def test_lvis_has_a_synonym_twice():
    listed = [{"id": 1, "name": "aerosol_can", "synonyms": ["aerosol_can", "spray_can"]}]
    assert next(iter(Vocabulary.from_coco(listed))).synonyms == ("spray_can",)


def test_isthing_as_text_made_things_of_stuff():
    (sky,) = Vocabulary.from_coco([{"id": 1, "name": "sky", "isthing": "0"}])
    assert not sky.is_thing


def test_a_file_that_windows_wrote(tmp_path):
    path = tmp_path / "words.json"
    for encoding in ("utf-8-sig", "utf-16"):
        path.write_bytes(json.dumps({"things": ["car"]}).encode(encoding))
        assert [c.name for c in Vocabulary.from_file(path)] == ["car"]


def test_a_key_that_was_there_twice_lost_the_first(tmp_path):
    path = tmp_path / "words.yaml"
    path.write_text("things: [car]\nthings: [dog]\n")
    with pytest.raises(ValueError, match="'things' is there twice"):
        Vocabulary.from_file(path)
