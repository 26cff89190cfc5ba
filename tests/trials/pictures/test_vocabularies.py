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


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("car, person, road\n", "one line with commas"),
        ("# my classes\ncar\n", "reads like a remark"),
        ("0 car\n1 person\n", "lines are numbered"),
        ("0: car\n1: person\n", "lines are numbered"),
    ],
)
def test_lines_with_more_than_a_name_were_asked_for_as_they_stand(tmp_path, text, said):
    path = tmp_path / "classes.txt"
    path.write_text(text)
    with pytest.raises(ValueError, match=said):
        Vocabulary.from_file(path)
    path.write_text("car\n2 pence\n")
    assert [c.name for c in Vocabulary.from_file(path)] == ["car", "2 pence"]


def test_the_names_that_darknet_and_cvat_write_were_refused(tmp_path):
    path = tmp_path / "obj.names"
    path.write_text("car\nperson\n")
    assert [c.name for c in Vocabulary.from_file(path)] == ["car", "person"]


def test_a_category_without_isthing_among_others_became_a_thing_without_a_word(tmp_path):
    path = tmp_path / "c.json"
    listed = [{"id": 1, "name": "car", "isthing": 1}, {"id": 2, "name": "sky"}]
    path.write_text(json.dumps({"categories": listed}))
    with pytest.warns(UserWarning, match="'isthing' is missing there: sky"):
        Vocabulary.from_file(path)


def test_an_id_that_no_file_holds_was_taken():
    with pytest.raises(ValueError, match="must be below 2,147,483,647"):
        Vocabulary.from_coco([{"id": 10**30, "name": "car"}])
