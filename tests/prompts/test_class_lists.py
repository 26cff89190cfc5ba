"""Class lists as other tools write them: their own texts, cut short."""

import json

import pytest

from prompts import Vocabulary

ROBOFLOW = """{"info": {"year": "2024", "description": "Exported from roboflow.com"},
"licenses": [{"id": 1, "url": "", "name": "CC BY 4.0"}],
"categories": [{"id": 0, "name": "%s", "supercategory": "none"},
 {"id": 1, "name": "bishop", "supercategory": "%s"},
 {"id": 2, "name": "king", "supercategory": "%s"}],
"images": [], "annotations": []}"""
LVIS = [
    {
        "frequency": "c",
        "synset": "aerosol.n.02",
        "image_count": 64,
        "instance_count": 109,
        "synonyms": ["aerosol_can", "spray_can"],
        "def": "a dispenser that holds a substance under pressure",
        "id": 1,
        "name": "aerosol_can",
    },
    {
        "frequency": "f",
        "synset": "air_conditioner.n.01",
        "synonyms": ["air_conditioner"],
        "id": 2,
        "name": "air_conditioner",
    },
    {"synset": "can.n.01", "synonyms": ["can", "tin_can", "Spray_Can"], "id": 3, "name": "can"},
    {"synset": "tin.n.02", "synonyms": ["tin", "can"], "id": 4, "name": "tin"},
]
YOLO = """# Ultralytics
path: ../datasets/coco8
train: images/train
val: images/val
test:
names:
  0: person
  1: bicycle
download: https://example.org/coco8.zip
"""
YOLO_OF_ROBOFLOW = """train: ../train/images
val: ../valid/images
nc: 2
names: ['bishop', "king"]
roboflow:
  workspace: chess
  version: 3
"""
CVAT = """[
  {"name": "car", "id": 27, "color": "#ff6037", "type": "any",
   "attributes": [{"id": 1, "name": "parked", "input_type": "checkbox", "mutable": true,
                   "values": ["false"], "default_value": "false"}]},
  {"name": "road", "id": 31, "color": "#3d3df5", "type": "mask", "attributes": []},
  {"name": "blurred", "id": 32, "color": "#111111", "type": "tag", "attributes": []}
]"""
LABEL_STUDIO = """<View>
  <Image name="image" value="$image" zoom="true"/>
  <BrushLabels name="brush" toName="image">
    <Label value="Airplane" background="rgba(255, 0, 0, 0.7)"/>
    <Label value="Car" background="#0000ff" hotkey="2"/>
  </BrushLabels>
  <RectangleLabels name="box" toName="image"><Label value="Car"/></RectangleLabels>
  <Choices name="weather" toName="image"><Choice value="sunny"/></Choices>
</View>
"""


def read(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.warns(UserWarning, match=name) as caught:
        vocabulary = Vocabulary.from_file(path)
    return [(c.id, c.name) for c in vocabulary], " | ".join(str(w.message) for w in caught)


def test_the_project_of_roboflow_is_no_class(tmp_path):
    for project in ("chess-pieces", "king"):
        words, notes = read(tmp_path, "coco.json", ROBOFLOW % ((project,) * 3))
        assert words == [(1, "bishop"), (2, "king")]
        assert f"left out class 0, '{project}'" in notes


def test_ids_from_0_are_raised(tmp_path):
    listed = [{"id": 0, "name": "road", "isthing": "0"}, {"id": "1", "name": "car", "isthing": "1"}]
    words, notes = read(tmp_path, "coco.json", json.dumps({"categories": listed}))
    assert words == [(2, "car"), (1, "road")]
    assert "all are raised by one" in notes
    assert "things" not in notes


@pytest.mark.parametrize("said", [0, False, "0", "false", "False", 0.0])
def test_ways_to_say_stuff(said):
    if isinstance(said, float):
        with pytest.raises(ValueError, match="must be 0 or 1, got"):
            Vocabulary.from_coco([{"id": 1, "name": "sky", "isthing": said}])
    else:
        (sky,) = Vocabulary.from_coco([{"id": 1, "name": "sky", "isthing": said}])
        assert not sky.is_thing


def test_our_own_unknown_is_no_word():
    listed = [{"id": 0, "name": "unknown", "isthing": 0}, {"id": 7, "name": "sky", "isthing": 0}]
    assert [c.id for c in Vocabulary.from_coco(listed)] == [7]


def test_lvis(tmp_path):
    words, notes = read(tmp_path, "lvis_v1_val.json", json.dumps({"categories": LVIS}))
    assert words == [(1, "aerosol_can"), (2, "air_conditioner"), (3, "can"), (4, "tin")]
    with pytest.warns(UserWarning, match="of more than one class are not asked for"):
        vocabulary = Vocabulary.from_coco(LVIS)
    assert [c.synonyms for c in vocabulary] == [(), (), ("tin_can",), ()]
    assert "spray_can" in notes.lower()
    assert vocabulary.by_name("can").id == 3


@pytest.mark.parametrize("text", [YOLO, YOLO.replace("\n", "\r\n")])
def test_yolo(tmp_path, text):
    words, notes = read(tmp_path, "data.yaml", text)
    assert words == [(1, "person"), (2, "bicycle")]
    assert "all 2 classes are taken as things" in notes
    assert read(tmp_path, "data.yml", YOLO_OF_ROBOFLOW)[0] == [(1, "bishop"), (2, "king")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("names: [a, b]\nnc: 3", "'nc' says 3 classes, but 'names' has 2"),
        ("names: {0: a, 2: b}", r"number the classes from 0 on, got \[0, 2\]"),
        ("names: {a: 0}", "must map numbers to names, got the key 'a'"),
        ("names: []", "must be a list of names"),
        ("names: [1, b]", "in quotes"),
        ("names: [a, a]", "'a' occurs twice"),
        ("names: [a]\nthings: [b]", "unknown key 'names'"),
    ],
)
def test_wrong_yolo(tmp_path, text, message):
    path = tmp_path / "data.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        Vocabulary.from_file(path)


def test_lines(tmp_path):
    words, notes = read(tmp_path, "classes.txt", "\ufeffcar\r\ntraffic light \r\n\r\n")
    assert words == [(1, "car"), (2, "traffic light")]
    words, notes = read(tmp_path, "labels.txt", "__ignore__\n_background_\ncar\n")
    assert words == [(1, "car")]
    assert "left out __ignore__, _background_" in notes
    assert read(tmp_path, "wide.txt", "car\nbus\n".encode("utf-16"))[0] == [(1, "car"), (2, "bus")]


def test_cvat(tmp_path):
    words, notes = read(tmp_path, "labels.json", CVAT)
    assert words == [(1, "car"), (2, "road")]
    assert "left out blurred: tags are of a picture" in notes
    assert read(tmp_path, "raw.json", '[{"name": "car"}]')[0] == [(1, "car")]


def test_label_studio(tmp_path):
    for number, encoding in enumerate(("utf-8", "utf-8-sig")):
        words, notes = read(tmp_path, f"{number}.xml", LABEL_STUDIO.encode(encoding))
        assert words == [(1, "Airplane"), (2, "Car")]
        assert "don't say what is stuff" in notes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<View><Image/></View>", "expected a labelling configuration"),
        ("<View><BrushLabels><Label/></BrushLabels></View>", "a <Label> of <BrushLabels> has no"),
        ("<View>", "damaged XML"),
        ('<!DOCTYPE v [<!ENTITY e "x">]><View><Label value="&e;"/></View>', "damaged XML"),
    ],
)
def test_wrong_label_studio(tmp_path, text, message):
    path = tmp_path / "config.xml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        Vocabulary.from_file(path)


def test_reading_ends_with_the_categories_of_a_large_file(tmp_path):
    # What comes after them isn't even looked at, or this would be damaged.
    path = tmp_path / "instances.json"
    head = '{"images": [{"id": 1, "name": "categories"}], "categories": '
    listed = json.dumps([{"id": 1, "name": "car", "isthing": 1}])
    path.write_text(head + listed + ', "annotations": [' + "7, " * (6 << 20))
    assert [c.name for c in Vocabulary.from_file(path)] == ["car"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"categories": [{"id": 1, "na', "damaged JSON"),
        ('{"categories": {"1": "car"}}', "'categories' must be a list"),
        ('{"categories": []}', "is empty"),
        ('{"images": []}', "unknown key 'images'"),
        ('{"things": ["car"], "things": ["bus"]}', "'things' is there twice"),
        ("", "damaged JSON"),
        ("7", "expected a YAML or JSON file"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_wrong_json(tmp_path, text, message):
    path = tmp_path / "words.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as error:
        Vocabulary.from_file(path)
    assert "words.json" in str(error.value)
