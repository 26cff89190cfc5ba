"""One detector in several threads: every call gets what it would have got alone."""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from detectors import ThingSettings
from detectors.clipseg import ClipSeg
from detectors.grounding_dino import GroundingDino
from detectors.sam3 import Sam3
from detectors.zero_shot import ZeroShotDetector
from prompts import Vocabulary

THREADS = 8
EVERYTHING = ThingSettings(
    box_threshold=0,
    text_threshold=0,
    same_category_iou=1,
    cross_category_iou=1,
    names_per_caption=2,
)
NAMES = ["car", "car door", "dog", "hot dog", "traffic light", "fire hydrant", "blue road", "photo"]


@pytest.fixture(autouse=True)
def _hasty():
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def noise(height, width, seed):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    return coarse.repeat(8, 0).repeat(8, 1)[:height, :width]


def questions(count):
    """Pictures of two sizes with one to four names each, every question another one."""
    rng = np.random.default_rng(0)
    sizes = ((50, 80), (64, 64))
    for i in range(count):
        names = [str(name) for name in rng.permutation(NAMES)[: 1 + i % 4]]
        yield noise(*sizes[i % 2], seed=i), names


def at_once(ask, asked):
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(ask, asked))


def things(detector):
    def ask(question):
        image, names = question
        boxes = detector.detect(image, Vocabulary(things=names))
        return boxes.xyxy, boxes.category_ids, boxes.scores

    return ask


def stuff(detector):
    def ask(question):
        image, names = question
        heatmaps = detector.heatmaps(image, Vocabulary(stuff=names))
        return heatmaps.probabilities, heatmaps.category_ids

    return ask


@pytest.mark.parametrize(
    ("folder", "load", "kind"),
    [
        ("grounding_dino_folder", GroundingDino, things),
        ("owlv2_folder", ZeroShotDetector, things),
        ("omdet_folder", ZeroShotDetector, things),
        ("sam3_folder", Sam3, things),
        ("clipseg_folder", ClipSeg, stuff),
    ],
)
def test_threads_get_what_each_would_get_alone(request, folder, load, kind):
    detector = load.from_pretrained(request.getfixturevalue(folder))
    if kind is things:
        detector.settings = EVERYTHING
    for cache in ("language_cache_class", "language_cache_prompt"):  # OmDet-Turbo's
        if hasattr(detector.model, cache):
            getattr(detector.model, cache).capacity = 3  # always full, as with many words
    ask, asked = kind(detector), list(questions(20))
    alone = [ask(question) for question in asked]
    together = at_once(ask, asked)
    for got, expected in zip(together, alone, strict=True):
        for array, other in zip(got, expected, strict=True):
            assert array.shape == other.shape
            np.testing.assert_allclose(array, other, atol=1e-4)


def test_the_backbone_runs_once_for_each_picture_in_every_thread(grounding_dino_folder):
    detector = GroundingDino.from_pretrained(grounding_dino_folder, settings=EVERYTHING)
    runs = []
    encoder = detector.model.model.backbone.conv_encoder
    encoder.register_forward_hook(lambda *_: runs.append(1))
    at_once(things(detector), [(image, NAMES) for image, _ in questions(12)])
    assert len(runs) == 12


def test_a_model_that_remembers_words_is_asked_by_one_thread_at_a_time(omdet_folder):
    detector = ZeroShotDetector.from_pretrained(omdet_folder, settings=EVERYTHING)
    inside, most = [], []

    def enter(*_):
        inside.append(1)
        most.append(len(inside))

    detector.model.register_forward_pre_hook(enter)
    detector.model.register_forward_hook(lambda *_: inside.pop() and None)
    at_once(things(detector), list(questions(16)))
    assert len(most) == 16
    assert max(most) == 1
