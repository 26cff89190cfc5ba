import numpy as np
import pytest

from detectors import ThingSettings
from detectors.base import lead
from detectors.box_words import category_scores, choose, margins_of
from prompts import Caption, Span

# "car. car door. light. traffic light. fire hydra ##nt. dog (or: hound)."
SPANS = (
    Span(1, "car", ((1,),)),
    Span(2, "car door", ((3,), (4,))),
    Span(3, "light", ((6,),)),
    Span(4, "traffic light", ((8,), (9,))),
    Span(5, "fire hydrant", ((11,), (12, 13))),
    Span(6, "dog", ((15,),)),
    Span(6, "hound", ((17,),)),
)
CAPTION = Caption("", tuple(range(20)), SPANS)
ANY = ThingSettings(box_threshold=0, text_threshold=0)


def row(**tokens):
    """Probabilities of one box: t3=0.5 for token 3; other tokens 0."""
    values = np.zeros(20, dtype=np.float32)
    for name, value in tokens.items():
        values[int(name[1:])] = value
    return values


def chosen(values, settings=ANY):
    rows, ids, scores, _ = choose(values[None], CAPTION, settings)
    return [] if not len(rows) else [int(ids[0]), pytest.approx(float(scores[0]))]


@pytest.mark.parametrize(
    ("values", "category", "score"),
    [
        # A car: the word fires alone and in "car door".
        (row(t1=0.6, t3=0.55, t4=0.1), 1, 0.6),
        # A car door: both of its words do.
        (row(t1=0.35, t3=0.5, t4=0.6), 2, 0.55),
        # A lamp: "light" is even stronger within "traffic light", but "traffic" is missing.
        (row(t6=0.5, t8=0.2, t9=0.6), 3, 0.5),
        (row(t6=0.4, t8=0.6, t9=0.5), 4, 0.55),
        # A hydrant: the piece "##nt" is weak, as pieces often are, and doesn't count against it.
        (row(t1=0.5, t11=0.6, t12=0.5, t13=0.02), 5, 0.55),
        # A synonym is as good as the name.
        (row(t1=0.3, t15=0.1, t17=0.7), 6, 0.7),
    ],
)
def test_the_category_is_the_span_that_scores_highest(values, category, score):
    assert chosen(values) == [category, score]


def test_separators_and_special_tokens_dont_count():
    strong = row(t0=0.99, t2=0.99, t19=0.99, t1=0.2, t6=0.1)
    assert chosen(strong) == [1, 0.2]


def test_every_box_has_exactly_one_category():
    probabilities = np.random.default_rng(0).random((500, 25)).astype(np.float32)
    probabilities[0] = 0  # nothing fires at all
    rows, ids, scores, _ = choose(probabilities, CAPTION, ANY)
    assert rows.tolist() == list(range(500))
    assert set(ids.tolist()) <= {1, 2, 3, 4, 5, 6}
    all_ids, all_scores, _ = category_scores(probabilities, CAPTION)
    assert all_ids.tolist() == [1, 2, 3, 4, 5, 6]
    assert (scores == all_scores.max(axis=1)).all()


def test_both_thresholds():
    values = row(t8=0.36, t9=0.2)  # traffic light: strongest word 0.36, mean 0.28
    assert chosen(values, ThingSettings()) == [4, 0.28]
    assert chosen(values, ThingSettings(box_threshold=0.37)) == []
    assert chosen(values, ThingSettings(text_threshold=0.29)) == []


def test_the_strongest_word_is_that_of_the_phrase_which_scores():
    values = row(t15=0.4, t17=0.3)
    ids, scores, strongest = category_scores(values[None], CAPTION)
    column = ids.tolist().index(6)
    assert scores[0, column] == strongest[0, column] == np.float32(0.4)


def test_the_margin_is_the_lead_over_the_next_category():
    values = row(t1=0.6, t3=0.5, t4=0.2)  # car 0.6, car door 0.35
    *_, margins = choose(values[None], CAPTION, ANY)
    assert margins == pytest.approx(lead(0.6, 0.35), rel=1e-5)
    assert lead(0.6, 0.35) == pytest.approx(0.736, abs=1e-3)
    assert np.isnan(margins_of(np.array([[0.4], [0.2]]))).all()  # nothing else was asked


def test_too_few_tokens():
    with pytest.raises(ValueError, match="T >= 20"):
        category_scores(np.zeros((3, 19)), CAPTION)
