"""One test for every backend: names that share words, and synonyms, get the right category."""

from collections import Counter
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from detectors import ThingDetector, ThingSettings
from detectors.load import load_thing_detector
from prompts import Category, Vocabulary
from tests.detectors.groundingdino import random_state, save_original

NAMES = ["car", "car door", "light", "traffic light", "dog", "hot dog", "red car", "fire hydrant"]
EVERYTHING = ThingSettings(
    box_threshold=0, text_threshold=0, same_category_iou=1, cross_category_iou=1, max_boxes=10_000
)
BACKENDS = ["grounding_dino", "mm_grounding_dino", "original", "owlv2", "omdet", "sam3"]


@pytest.fixture(scope="module")
def original_folder(tmp_path_factory, bert_folder):
    return save_original(tmp_path_factory.mktemp("original"), random_state(), bert_folder)


@pytest.fixture(
    scope="module",
    params=[*BACKENDS, pytest.param("package", marks=pytest.mark.groundingdino)],
)
def detector(request):
    if request.param == "package":
        found = _package_detector(request)
    else:
        found = load_thing_detector(request.getfixturevalue(f"{request.param}_folder"))
    found.settings = replace(EVERYTHING, max_boxes=found.settings.max_boxes * 100)
    if found.transform.shortest:
        found.transform = replace(found.transform, shortest=64, longest=107)
    return found


def _package_detector(request):
    if find_spec("groundingdino") is None:
        pytest.skip("groundingdino-py isn't installed: make test-groundingdino")
    from detectors.groundingdino_py import GroundingDinoPy
    from tests.detectors.test_groundingdino_py import CHANGES, SMALL, package_config

    folder = request.getfixturevalue("tmp_path_factory").mktemp("package")
    path = save_original(folder, random_state(SMALL), request.getfixturevalue("bert_folder"))
    return GroundingDinoPy.from_pretrained(path, config=package_config(folder, **CHANGES))


def picture(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (50, 80, 3), dtype=np.uint8)


def found_names(detector, vocabulary, seed=0):
    """What was found, sorted so that it can be compared: name, score, box."""
    boxes = detector.detect(picture(seed), vocabulary)
    names = [vocabulary.by_id(i).name for i in boxes.category_ids.tolist()]
    rows = [
        (round(float(s), 3), n, *np.round(b / 5).tolist())
        for n, s, b in zip(names, boxes.scores, boxes.xyxy, strict=True)
    ]
    return names, sorted(rows)


def close(one, two):
    """Alike but for rounding, which may swap neighbours in order."""
    assert len(one) == len(two)
    different = sum(row not in two for row in one)
    assert different <= 0.15 * len(one), (one[:5], two[:5])


def test_it_is_a_thing_detector(detector):
    assert isinstance(detector, ThingDetector)


def test_every_box_has_one_of_the_names_asked(detector):
    for names in (["car"], ["car door", "car"], NAMES):
        found, _ = found_names(detector, Vocabulary(names, ["road"]))
        assert found
        assert set(found) <= set(names)


def test_the_order_of_the_words_and_their_ids_dont_matter(detector):
    """Whoever mixes up spans, columns or ids gives boxes other names here."""
    _, expected = found_names(detector, Vocabulary(NAMES, ["road"]))
    backward = [Category(90 - 7 * i, name, True) for i, name in enumerate(reversed(NAMES))]
    backward.insert(3, Category(500, "road", False))
    _, rows = found_names(detector, Vocabulary.from_categories(backward))
    close(rows, expected)


def test_a_synonym_counts_for_its_category(detector):
    """A category named otherwise finds, by its synonym, what the synonym finds by itself."""
    plain = Vocabulary(["traffic light", "car door", "dog"])
    named = Vocabulary({"traffic light": ["light"], "car door": [], "dog": []})
    apart = Vocabulary(["traffic light", "light", "car door", "dog"])
    assert plain != named
    _, together = found_names(detector, named)
    _, alone = found_names(detector, apart)
    merged = sorted(
        (score, "traffic light" if name == "light" else name, *box) for score, name, *box in alone
    )
    close(together, merged)


def test_overlapping_names_are_told_apart(detector):
    """Over several pictures, a name and the name that it is part of are both given.

    Random weights may prefer one of the two everywhere, but not in every pair.
    """
    seen = []
    for pair in (["car", "car door"], ["light", "traffic light"], ["dog", "hot dog"]):
        for seed in range(6):
            names = found_names(detector, Vocabulary(pair), seed)[0]
            seen.append(Counter(names))
            if set(sum(seen[-1 - seed :], Counter())) == set(pair):
                return
    pytest.fail(f"only one name of each pair was given: {seen}")
