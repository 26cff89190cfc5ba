import json

import pytest

from prompts import Category, UnknownCategory, Vocabulary
from prompts.palette import natural_color, palette


def test_ids_are_given_in_order_things_first():
    vocabulary = Vocabulary(things=["car", "person"], stuff=["road"])
    assert [(c.id, c.name, c.is_thing) for c in vocabulary] == [
        (1, "car", True),
        (2, "person", True),
        (3, "road", False),
    ]
    assert [c.name for c in vocabulary.things] == ["car", "person"]
    assert [c.name for c in vocabulary.stuff] == ["road"]
    assert len(vocabulary) == 3


def test_a_mapping_gives_synonyms():
    vocabulary = Vocabulary(things={"car": ["automobile", "sedan"], "bus": []}, stuff=["road"])
    assert vocabulary.by_id(1) == Category(1, "car", True, ("automobile", "sedan"))
    assert vocabulary.by_name("Sedan").name == "car"
    assert vocabulary.by_name("bus").synonyms == ()


@pytest.mark.parametrize(
    ("text", "things", "stuff"),
    [
        ("car, person; road, sky", ["car", "person"], ["road", "sky"]),
        (" traffic  light ,car ", ["traffic light", "car"], []),
        ("; road", [], ["road"]),
        ("car;", ["car"], []),
    ],
)
def test_parse(text, things, stuff):
    assert Vocabulary.parse(text) == Vocabulary(things, stuff)


@pytest.mark.parametrize("text", ["", " ; ", "car; road; sky", "car, , person", "car,", "a.; road"])
def test_parse_rejects(text):
    with pytest.raises(ValueError, match=r"expected|empty|separates"):
        Vocabulary.parse(text)


@pytest.mark.parametrize(
    ("things", "stuff", "message"),
    [
        (["car", "Car"], [], "occurs twice"),
        ({"car": ["sedan"], "sedan": []}, [], "occurs twice"),
        ({"car": ["vehicle"], "bus": ["vehicle"]}, [], "occurs twice"),
        ({"car": ["CAR"]}, [], "its own name"),
        (["traffic_light", "traffic light"], [], "occurs twice"),
        (["grass"], ["grass"], "both a thing .* and stuff"),
        ({"car": []}, {"road": ["car"]}, "both a thing .'car'. and stuff .'road'."),
        ([""], [], "empty"),
        (["-"], [], "empty"),
        ({"car": [" "]}, [], "a synonym of 'car' is empty"),
        (["car . person ."], [], "'.', which separates"),
        (["car; road"], [], "';', which separates"),
        (["what?"], [], "separates"),
        (["new\x00line"], [], "separates"),
        ([True], [], "in quotes"),
        ("car", [], "write ..car.."),
        ({"car": "sedan"}, [], "must be a list, got the string 'sedan'"),
    ],
)
def test_wrong_names_are_refused(things, stuff, message):
    with pytest.raises(ValueError, match=message):
        Vocabulary(things, stuff)


def test_look_ups_that_fail_say_what_there_is():
    vocabulary = Vocabulary(["car"], ["road"])
    with pytest.raises(UnknownCategory, match="no category is called 'bus'; names are: car, road"):
        vocabulary.by_name("bus")
    with pytest.raises(ValueError, match=r"no category has id 3; ids are \[1, 2\]"):
        vocabulary.by_id(3)
    assert "Car" in vocabulary
    assert 2 in vocabulary
    assert "bus" not in vocabulary


def test_yaml_and_json_files(tmp_path):
    expected = Vocabulary({"car": ["automobile", "sedan"], "bus": ["coach"]}, ["road"])
    yaml_file = tmp_path / "words.yaml"
    yaml_file.write_text(
        "things: [car, {bus: [coach]}]\nstuff:\n  - road\nsynonyms: {car: [automobile, sedan]}\n"
    )
    assert Vocabulary.from_file(yaml_file) == expected
    json_file = tmp_path / "words.json"
    content = {"things": {"car": ["automobile", "sedan"], "bus": ["coach"]}, "stuff": ["road"]}
    json_file.write_text(json.dumps(content, indent="\t"))
    assert Vocabulary.from_file(str(json_file)) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("things: [yes, car]", "in quotes"),
        ("things: car", "must be a list"),
        ("thing: [car]", "unknown key 'thing'"),
        ("things: [car, car]", "twice"),
        ("things: [[car]]", "a list inside"),
        ("things: [car]\nsynonyms: {bus: [coach]}", "no category is called 'bus'"),
        ("things: [car]\nsynonyms: {car: coach}", "must be a list"),
        ("things: [car]\nthings: [bus]", "'things' is there twice"),
        ("things: [car]\nThings: [bus]", "twice, in capitals and not"),
        ("just text", "expected a YAML or JSON file with the keys"),
        ("things: [car", "it is not YAML"),
    ],
)
def test_wrong_files_are_refused_by_name(tmp_path, text, message):
    path = tmp_path / "words.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as error:
        Vocabulary.from_file(path)
    assert "words.yaml" in str(error.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(ValueError, match="there is none at"):
        Vocabulary.from_file(tmp_path / "no.yaml")


COCO = [
    {"id": 90, "name": "toothbrush", "isthing": 1, "supercategory": "indoor"},
    {"id": 187, "name": "sky-other-merged", "isthing": 0, "color": [1, 2, 3]},
    {"id": 112, "name": "door-stuff", "isthing": 0},
    {"id": 1, "name": "person"},
]


def test_coco_categories_keep_their_ids_and_go_round(tmp_path):
    vocabulary = Vocabulary.from_coco(COCO)
    assert [(c.id, c.is_thing) for c in vocabulary] == [
        (90, True),
        (1, True),
        (187, False),
        (112, False),
    ]
    assert vocabulary.by_id(187).name == "sky-other-merged"
    assert Vocabulary.from_coco(vocabulary.to_coco()) == vocabulary
    path = tmp_path / "coco.json"
    path.write_text(json.dumps({"categories": COCO}))
    assert Vocabulary.from_file(path) == vocabulary
    path.write_text(json.dumps(COCO))
    assert Vocabulary.from_file(path) == vocabulary


def test_to_coco_has_what_the_format_asks_for():
    vocabulary = Vocabulary({"car": ["sedan"]}, ["road"])
    first, second = vocabulary.to_coco()
    assert first == {
        "id": 1,
        "name": "car",
        "isthing": 1,
        "supercategory": "car",
        "color": list(vocabulary.color(1)),
        "synonyms": ["sedan"],
    }
    assert second["isthing"] == 0
    assert json.loads(json.dumps(first)) == first


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"name": "car"}, "at least 'id' and 'name'"),
        ({"id": -1, "name": "car"}, "whole number"),
        ({"id": "one", "name": "car"}, "whole number"),
        ({"id": 1.5, "name": "car"}, "whole number"),
        ({"id": True, "name": "car"}, "whole number"),
        (
            {"id": 1, "name": "car", "isthing": "maybe"},
            "'isthing' of category 'car' must be 0 or 1",
        ),
        ({"id": 1, "name": "car", "isthing": 2}, "must be 0 or 1"),
        ({"id": 1, "name": "car", "isthing": None}, "must be 0 or 1"),
        ({"id": 1, "name": "car", "synonyms": "auto"}, "must be a list"),
        ("car", "at least 'id' and 'name'"),
    ],
)
def test_wrong_coco_categories(entry, message):
    with pytest.raises(ValueError, match=message):
        Vocabulary.from_coco([entry])


def test_an_id_given_twice():
    with pytest.raises(ValueError, match="id 1 is given to 'a' and to 'b'"):
        Vocabulary.from_coco([{"id": 1, "name": "a", "isthing": 1}, {"id": 1, "name": "b"}])


def test_phrases_are_what_is_seen():
    category = Category(1, "Sky-other-merged", False, ("blue_sky",))
    assert category.phrases == ("sky", "blue sky")
    assert Category(1, "door-stuff", False).phrases == ("door",)
    assert Category(1, "T-shirt", True).phrases == ("t-shirt",)
    assert Category(1, "other", False).phrases == ("other",)


def test_equal_words_make_equal_vocabularies():
    one, two = Vocabulary(["car"], ["road"]), Vocabulary.parse("car; road")
    assert one == two
    assert hash(one) == hash(two)
    assert one != Vocabulary(["road"], ["car"])
    assert {one: 1}[two] == 1
    assert repr(one) == "Vocabulary(things=['car'], stuff=['road'])"
    named = Vocabulary({"car": ["sedan"]}, ["road"])
    assert eval(repr(named)) == named


def test_colours_are_stable_and_distinct():
    small, large = Vocabulary(["car", "bus"]), Vocabulary(["car", "bus", "dog"], ["sky"])
    assert small.color(2) == large.color(2)
    colors = palette([(i, i % 3 > 0) for i in range(1, 3001)])
    assert len(set(colors.values())) == 3000
    assert not {(0, 0, 0), (255, 255, 255)} & set(colors.values())
    assert all(0 <= channel <= 255 for color in colors.values() for channel in color)


def test_the_first_dozen_colours_are_far_apart():
    colors = list(palette([(i, i <= 8) for i in range(1, 13)]).values())
    nearest = min(
        sum(abs(a - b) for a, b in zip(one, two, strict=True))
        for i, one in enumerate(colors)
        for two in colors[:i]
    )
    assert nearest > 40


def hue_name(color):
    red, green, blue = color
    if max(color) - min(color) < 25:
        return "grey"
    return {red: "red", green: "green", blue: "blue"}[max(color)]


def test_stuff_has_the_colour_that_it_has_in_nature():
    words = Vocabulary.parse("; sky, green grass, water, roads, brick wall, snow, sea, trees")
    assert [hue_name(words.color(c.id)) for c in words] == [
        *("blue", "green", "blue", "grey", "red", "grey", "blue", "green")
    ]
    assert words.color(1) == Vocabulary(stuff=["car", "sky"]).color(2), "whatever the id"
    coco = {"id": 187, "name": "sky-other-merged", "isthing": 0}
    assert Vocabulary.from_coco([coco]).color(187) == natural_color("sky")
    assert natural_color("brick wall") == natural_color("brick") != natural_color("wall")
    assert natural_color("grasshopper") is natural_color("") is None
    no_nature = Vocabulary(stuff=["banner"])
    assert no_nature.color(1) == palette([(1, False)])[1]
    things = Vocabulary(things=["tree"])
    assert things.color(1) == palette([(1, True)])[1], "things are vivid"


def test_kinds_of_one_stuff_share_the_hue_and_not_the_colour():
    names = [f"grass {i}" for i in range(5)] + ["tall grass", "dry grass", "more grass", "lawn"]
    words = Vocabulary(stuff=names)
    colors = [words.color(c.id) for c in words]
    assert len(set(colors)) == len(names)
    assert [hue_name(color) for color in colors[:7]] == ["green"] * 7
    assert colors[:3] == [Vocabulary(stuff=names[:3]).color(i) for i in (1, 2, 3)]


def test_natural_colours_can_be_told_apart():
    from panoptic.demo.textures import STUFF_NAMES

    colors = [natural_color(name) for name in STUFF_NAMES]
    assert None not in colors
    nearest = min(
        sum(abs(a - b) for a, b in zip(one, two, strict=True))
        for i, one in enumerate(colors)
        for two in colors[:i]
    )
    assert nearest > 60
