import pytest

from panoptic.measure.pair_categories import pair_categories
from panoptic.results.segment import NamedCategory


def listed(*names, start=1, things=True):
    return [NamedCategory(i, name, things) for i, name in enumerate(names, start=start)]


def by_name(words, truth, **options):
    pairs = pair_categories(listed(*words), truth, by_name=True, **options)
    return {i: c and c.name for i, c in pairs.meaning.items()}, pairs


COCO = [
    *listed("person", "traffic light", "potted plant"),
    *listed(
        *("tree-merged", "sky-other-merged", "wall-brick", "wall-other-merged", "door-stuff"),
        *("window-blind", "window-other", "water-other", "mirror-stuff", "paper-merged"),
        start=90,
        things=False,
    ),
]


def test_words_are_found_in_any_case_and_without_cocos_endings_and_it_is_told():
    words = ("Person", "traffic_light", "tree", "sky", "wall", "door", "window", "wall-brick")
    meaning, pairs = by_name(words, COCO)
    assert list(meaning.values()) == [
        *("person", "traffic light", "tree-merged", "sky-other-merged", "wall-other-merged"),
        *("door-stuff", "window-other", "wall-brick"),
    ]
    assert "'tree' is 'tree-merged'" in pairs.notes[0]
    assert "'Person' is 'person'" in pairs.notes[0]
    assert "wall-brick" not in pairs.notes[0]


def test_what_is_written_alike_comes_first():
    truth = listed("tree", "tree-merged", "Tree")
    assert by_name(("tree", "Tree"), truth)[0] == {1: "tree", 2: "Tree"}


def test_two_candidates_are_refused():
    with pytest.raises(ValueError, match=r"'TREE' may be 'tree' or 'Tree' .*ids 1, 2"):
        by_name(("TREE",), listed("tree", "Tree"))
    with pytest.raises(ValueError, match=r"'wall' may be 'wall-stuff' or 'wall-merged'"):
        by_name(("wall",), listed("wall-stuff", "wall-merged"))
    with pytest.raises(ValueError, match=r"'tree' and 'Tree' .* are both 'tree-merged'"):
        by_name(("tree", "Tree"), COCO)
    with pytest.raises(ValueError, match="'cat' may be 'cat' or 'cat'"):
        by_name(("cat",), listed("cat", "cat"))


def test_words_that_the_truth_lacks_are_an_error_or_ignored():
    with pytest.raises(ValueError, match=r"'unicorn', 'yeti'.*--ignore-other-words"):
        by_name(("person", "unicorn", "yeti"), COCO)
    meaning, pairs = by_name(("person", "unicorn"), COCO, ignore_other_words=True)
    assert meaning == {1: "person", 2: None}
    assert any("ignored" in note and "'unicorn'" in note for note in pairs.notes)


def test_a_category_0_is_one_like_others_and_only_unknown_is_void():
    truth = listed("wall", "door", start=0)
    meaning, pairs = by_name(("door", "wall"), truth)
    assert meaning == {1: "door", 2: "wall"}
    assert pairs.asked == {0, 1}
    unknown = [NamedCategory(0, "unknown", True), NamedCategory(1, "door", True)]
    for named in (True, False):
        pairs = pair_categories(unknown, truth, by_name=named)
        assert pairs.meaning == {0: None, 1: truth[1]}
    with pytest.raises(ValueError, match="category 0 is 'sky' in the prediction and 'wall'"):
        pair_categories(listed("sky", start=0), truth)


def test_other_kinds_and_words_not_asked_are_told():
    pairs = pair_categories(
        [NamedCategory(4, "sky", True)],
        [NamedCategory(9, "sky", False), *listed("car")],
        by_name=True,
    )
    assert not pairs.meaning[4].is_thing
    assert "'sky' is a thing in the prediction and stuff in the truth" in pairs.notes[0]
    assert "no word for 1 of the truth's 2 categories, which count as missed" in pairs.notes[1]
    assert pairs.notes[1].endswith(": 'car'")
    assert pairs.asked == {9}


def test_by_id_names_may_differ_in_case_alone():
    assert pair_categories(listed("Traffic_Light"), listed("traffic light")).notes == ()
    with pytest.raises(ValueError, match=r"2 ids differ\): evaluate by name \(--by-name"):
        pair_categories(listed("cat", "dog"), listed("dog", "cat"))
    with pytest.raises(ValueError, match="names no categories"):
        pair_categories([], COCO, by_name=True)
    assert pair_categories([], COCO).asked == {c.id for c in COCO}
