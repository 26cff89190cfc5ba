import json
from dataclasses import replace

import numpy as np
import pytest

from panoptic.compose.quality import SIGNALS, Evidence, LogisticScore, QualityModel, roc_auc
from panoptic.presets import DEMO_WEIGHTS
from panoptic.results.masks import box_agreement, mask_agreement, mask_stability


def test_the_formula():
    zero = dict.fromkeys(SIGNALS, 0.0)
    score = LogisticScore({**zero, "confidence": 2.0}, {**zero, "confidence": np.log(3)}, bias=0.5)
    # log-odds of 0.9 are log 9: 0.5 + 2 (log 9 - log 3) = 0.5 + 2 log 3
    assert score(Evidence(confidence=0.9)) == pytest.approx(1 / (1 + np.exp(-0.5) / 9))
    assert score(Evidence()) == pytest.approx(1 / (1 + np.exp(-0.5)))


NOT_OF_STUFF = {"confidence", "size"}
FOLLOWED = {"looked", "found"}
OF_MASKS = {"stability", "predicted_iou"}


def both_models():
    own = json.loads((DEMO_WEIGHTS / "quality.json").read_text())
    return {"packaged": QualityModel(), "demo": QualityModel.from_dict(own)}


@pytest.mark.parametrize("weights", ["packaged", "demo"])
def test_more_of_any_signal_is_better_and_unknown_is_between(weights):
    of_pictures = set(SIGNALS) - FOLLOWED
    for kind, signals in (
        ("things", of_pictures),
        ("stuff", of_pictures - NOT_OF_STUFF),
        ("followed_things", FOLLOWED | OF_MASKS),
        ("followed_stuff", FOLLOWED | OF_MASKS),
    ):
        score = getattr(both_models()[weights], kind)
        assert set(score.weights) <= signals
        for signal in score.weights:
            low, high = (score(Evidence(**{signal: value})) for value in (0.01, 0.99))
            assert 0 < low < score(Evidence()) < high < 1, (kind, signal)


def test_every_signal_counts_for_something():
    """None is collected that no score looks at."""
    counted = {
        signal
        for model in both_models().values()
        for score in (model.things, model.stuff, model.followed_things, model.followed_stuff)
        for signal, weight in score.weights.items()
        if weight > 0.05
    }
    assert counted == set(SIGNALS)


def test_a_sign_against_is_left_out():
    rng = np.random.default_rng(0)
    good = rng.random(500) < 0.5
    stable = np.clip(0.6 + 0.2 * good + rng.normal(0, 0.1, 500), 0.02, 0.98)
    against = np.clip(0.6 - 0.2 * good + rng.normal(0, 0.1, 500), 0.02, 0.98)
    evidence = [Evidence(stability=a, visible=b) for a, b in zip(stable, against, strict=True)]
    score = LogisticScore.fit(evidence, good)
    assert set(score.weights) == {"stability"}
    assert score == LogisticScore.fit([Evidence(stability=a) for a in stable], good)


def test_what_counts_more_moves_the_score():
    evidence = [Evidence(stability=0.5)] * 4
    once = LogisticScore.fit(evidence, [True, True, True, False])
    assert once(evidence[0]) == pytest.approx(0.75)
    much = LogisticScore.fit(evidence, [True, True, True, False], [1, 1, 1, 9])
    assert much(evidence[0]) == pytest.approx(0.25)


def test_certainty_is_not_endless():
    best = QualityModel()(Evidence(**dict.fromkeys(SIGNALS, 1.0)), True)
    worst = QualityModel()(Evidence(**dict.fromkeys(SIGNALS, 0.0)), True)
    assert 0 < worst < 0.05
    assert 0.95 < best < 1


def simulated(n, seed):
    """Segments whose chance to be good follows known weights on three signals."""
    rng = np.random.default_rng(seed)
    odds = rng.normal([1.0, 1.5, 0.5], [1.0, 0.7, 1.2], (n, 3))
    values = 1 / (1 + np.exp(-odds))
    logit = 1.5 * (odds[:, 0] - 1.0) + 0.8 * (odds[:, 1] - 1.5) - 0.2
    good = rng.random(n) < 1 / (1 + np.exp(-logit))
    evidence = [
        Evidence(predicted_iou=a, confidence=b, stability=c if rng.random() < 0.7 else None)
        for a, b, c in values
    ]
    return evidence, good


def test_fitting_finds_the_weights_that_made_the_data():
    evidence, good = simulated(4000, 0)
    score = LogisticScore.fit(evidence, good)
    assert score.weights["predicted_iou"] == pytest.approx(1.5, abs=0.15)
    assert score.weights["confidence"] == pytest.approx(0.8, abs=0.15)
    assert score.weights["stability"] == pytest.approx(0.0, abs=0.1)
    assert "visible" not in score.weights  # never known
    assert score.bias == pytest.approx(-0.2, abs=0.15)


def test_a_fitted_score_is_a_probability_on_new_data():
    score = LogisticScore.fit(*simulated(3000, 1))
    evidence, good = simulated(3000, 2)
    predicted = np.array([score(e) for e in evidence])
    for low in (0.0, 0.25, 0.5, 0.75):
        chosen = (predicted >= low) & (predicted < low + 0.25)
        assert good[chosen].mean() == pytest.approx(predicted[chosen].mean(), abs=0.06)
    assert roc_auc(predicted, good) > 0.8


def test_separable_data_give_finite_weights():
    evidence = [Evidence(confidence=v) for v in (0.1, 0.2, 0.8, 0.9)]
    score = LogisticScore.fit(evidence, [False, False, True, True])
    assert 0 < score.weights["confidence"] < 10


def test_things_and_stuff_are_fitted_apart_and_saved():
    evidence, good = simulated(400, 3)
    is_thing = [i % 2 == 0 for i in range(400)]
    model = QualityModel.fit(evidence, is_thing, good)
    assert model.things == LogisticScore.fit(evidence[::2], good[::2])
    assert model.stuff == LogisticScore.fit(evidence[1::2], good[1::2])
    again = QualityModel.from_dict(json.loads(json.dumps(model.to_dict())))
    assert again == model
    assert again(evidence[0], True) == model(evidence[0], True) == model.things(evidence[0])


def test_what_is_followed_has_scores_of_its_own():
    evidence, good = simulated(400, 4)
    in_video = [replace(e, looked=0.5, found=e.confidence) for e in evidence]
    is_thing = [True] * 200 + [False] * 200
    model = QualityModel.fit(in_video, is_thing, good)
    assert model.followed_things == LogisticScore.fit(in_video[:200], good[:200])
    assert model.followed_stuff == LogisticScore.fit(in_video[200:], good[200:])
    assert (model.things, model.stuff) == (QualityModel().things, QualityModel().stuff)
    assert model(in_video[0], True) == model.followed_things(in_video[0])
    assert model(in_video[0], False) == model.followed_stuff(in_video[0])
    assert model(evidence[0], True) == model.things(evidence[0])
    both = QualityModel.fit(evidence + in_video, is_thing * 2, [*good, *good])
    assert both.followed_things == model.followed_things
    assert both.things == LogisticScore.fit(evidence[:200], good[:200])


def test_scores_of_a_file_that_has_none_of_videos_are_the_packaged_ones():
    own = QualityModel.fit(*(lambda e, g: (e, [True, False] * 200, g))(*simulated(400, 5)))
    kinds = {kind: score for kind, score in own.to_dict().items() if "followed" not in kind}
    model = QualityModel.from_dict(kinds)
    assert model == own
    assert model.followed_things == QualityModel().followed_things
    with pytest.raises(ValueError, match=r"expected quality scores of some of .* got \['cats'\]"):
        QualityModel.from_dict({"cats": kinds["things"]})


def test_what_cannot_be_fitted_is_refused():
    with pytest.raises(ValueError, match="good and bad"):
        LogisticScore.fit([Evidence(confidence=0.5)] * 2, [True, True])
    with pytest.raises(ValueError, match="3 segments"):
        LogisticScore.fit([Evidence()] * 3, [True, False])
    for weights, centres in (({"detector": 1.0}, {"detector": 1.0}), ({"margin": 1.0}, {})):
        with pytest.raises(ValueError, match=r"signals .* --fit makes both"):
            LogisticScore(weights, centres)
    with pytest.raises(ValueError, match="'margin' must be in"):
        Evidence(margin=1.2)


def test_stability_compares_a_raised_and_a_lowered_cut():
    logits = np.array([[-2.0, -0.5, 0.5, 2.0], [-2.0, -2.0, 2.0, 2.0]])
    assert mask_stability(logits) == 3 / 5
    assert mask_stability(logits, threshold=0.5, offset=0.75) == 3 / 4
    assert mask_stability(np.full((2, 2), -9.0)) == 0.0


def test_agreement_of_masks_and_boxes():
    mask = np.array([[0, 1, 1, 0], [0, 1, 0, 0]], bool)
    assert mask_agreement(mask, np.array([[1, 1, 0, 0], [1, 1, 0, 0]], bool)) == 2 / 5
    assert mask_agreement(mask & False, mask & False) == 0.0
    assert box_agreement(mask, (1, 0, 3, 2)) == 1.0
    assert box_agreement(mask, (0, 0, 2, 2)) == 2 / 6
    assert box_agreement(mask, (3, 0, 4, 2)) == 0.0
    assert box_agreement(mask & False, (0, 0, 2, 2)) == 0.0


def test_area_under_the_curve():
    assert roc_auc([0.1, 0.4, 0.35, 0.8], [False, False, True, True]) == 0.75
    assert roc_auc([0.5, 0.5], [True, False]) == 0.5
    assert roc_auc([1, 2, 3], [False, True, True]) == 1.0
    assert np.isnan(roc_auc([1, 2], [True, True]))
