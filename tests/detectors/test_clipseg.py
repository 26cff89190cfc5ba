from dataclasses import replace

import numpy as np
import pytest
import torch

from detectors import StuffDetector
from detectors.clipseg import ClipSeg, StuffSettings
from prompts import Vocabulary

STUFF = Vocabulary(["car"], ["road", "blue sky", "grass"])


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture
def detector(clipseg_folder):
    return ClipSeg.from_pretrained(clipseg_folder)


def theirs(folder, image, texts):
    """transformers' model and processor, one word at a time: probabilities (K, 64, 64)."""
    from transformers import AutoTokenizer, CLIPSegForImageSegmentation
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    model = CLIPSegForImageSegmentation.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    pixels = ViTImageProcessorPil.from_pretrained(folder)(images=image, return_tensors="pt")
    with torch.inference_mode():
        logits = [
            model(**tokenizer(text, return_tensors="pt"), **pixels).logits.view(64, 64)
            for text in texts
        ]
    return torch.stack(logits).sigmoid().numpy()


def test_it_is_a_stuff_detector(detector):
    assert isinstance(detector, StuffDetector)


def test_equals_transformers_word_by_word(detector, clipseg_folder):
    image = noise(64, 64)
    maps = detector.heatmaps(image, STUFF)
    assert maps.category_ids.tolist() == [2, 3, 4]
    expected = theirs(clipseg_folder, image, ["road", "blue sky", "grass"])
    assert expected.std() > 0.005
    np.testing.assert_allclose(maps.probabilities, expected, atol=1e-5)
    wide = noise(100, 30)
    small = theirs(clipseg_folder, wide, ["road"])
    maps = detector.heatmaps(wide, Vocabulary(stuff=["road"]))
    assert maps.probabilities.shape == (1, 100, 30)
    assert maps.probabilities.mean() == pytest.approx(small.mean(), abs=0.02)


def test_words_in_several_passes_give_the_same(detector):
    image = noise(64, 64)
    whole = detector.heatmaps(image, STUFF).probabilities
    detector.settings = StuffSettings(words_per_pass=2)
    np.testing.assert_allclose(detector.heatmaps(image, STUFF).probabilities, whole, atol=1e-5)


def count_runs(module):
    runs = []
    module.register_forward_hook(lambda *_: runs.append(1))
    return runs


def test_each_tower_runs_once(detector):
    vision = count_runs(detector.model.clip.vision_model)
    text = count_runs(detector.model.clip.text_model)
    for seed in range(3):
        detector.heatmaps(noise(64, 64, seed), STUFF)
    assert (len(vision), len(text)) == (3, 1)
    detector.heatmaps(noise(64, 64), Vocabulary(stuff=["road", "grass"]))
    assert (len(vision), len(text)) == (4, 2)
    detector.heatmaps_batch([noise(64, 64), noise(20, 30)], Vocabulary(stuff=["road", "grass"]))
    assert (len(vision), len(text)) == (5, 2)


def test_synonyms_give_the_likeliest_at_each_pixel(detector):
    image = noise(64, 64)
    apart = detector.heatmaps(image, STUFF).probabilities
    joined = detector.heatmaps(image, Vocabulary(stuff={"road": ["grass"], "blue sky": []}))
    assert joined.category_ids.tolist() == [1, 2]
    assert (apart[0] > apart[2]).any()
    assert (apart[0] < apart[2]).any()
    np.testing.assert_allclose(
        joined.probabilities, np.stack([apart[[0, 2]].max(axis=0), apart[1]]), atol=1e-5
    )


def test_a_template_is_put_around_words(detector, clipseg_folder):
    image = noise(64, 64)
    plain = detector.heatmaps(image, STUFF).probabilities
    detector.settings = StuffSettings(template="a photo of a {}")
    maps = detector.heatmaps(image, Vocabulary(stuff=["road"]))
    expected = theirs(clipseg_folder, image, ["a photo of a road"])
    np.testing.assert_allclose(maps.probabilities, expected, atol=1e-5)
    assert np.abs(maps.probabilities[0] - plain[0]).max() > 1e-3
    detector.settings = replace(detector.settings, template="{}")
    np.testing.assert_allclose(detector.heatmaps(image, STUFF).probabilities, plain, atol=1e-6)


def test_a_batch_gives_what_single_images_give(detector):
    images = [noise(64, 64, 1), noise(30, 90, 2), noise(200, 70, 3)]
    for image, maps in zip(images, detector.heatmaps_batch(images, STUFF), strict=True):
        single = detector.heatmaps(image, STUFF)
        assert maps.probabilities.shape == (3, *image.shape[:2])
        np.testing.assert_allclose(maps.probabilities, single.probabilities, atol=1e-5)
    assert detector.heatmaps_batch([], STUFF) == []


def test_same_input_same_bytes_whatever_came_before(detector):
    image = noise(50, 70)
    first = detector.heatmaps(image, STUFF).probabilities
    detector.heatmaps(image, Vocabulary(stuff=["grass"]))
    assert detector.heatmaps(image, STUFF).probabilities.tobytes() == first.tobytes()


@pytest.mark.parametrize("size", [(1, 1), (3, 9), (800, 2), (2, 800)])
def test_odd_sizes(detector, size):
    maps = detector.heatmaps(noise(*size), STUFF)
    assert maps.probabilities.shape == (3, *size)


def test_shrinking_averages(detector, clipseg_folder):
    image = np.full((2, 2, 3), 200, np.uint8)
    full = theirs(clipseg_folder, image, ["road"])[0]
    logits = np.log(full / (1 - full))
    small = detector.heatmaps(image, Vocabulary(stuff=["road"])).probabilities[0]
    quarters = 1 / (1 + np.exp(-logits.reshape(2, 32, 2, 32).mean(axis=(1, 3))))
    np.testing.assert_allclose(small, quarters, atol=0.1)


def test_nothing_asked_gives_no_heatmaps(detector):
    maps = detector.heatmaps(noise(20, 30), Vocabulary(["car"]))
    assert maps.probabilities.shape == (0, 20, 30)


def test_unknown_and_long_words_are_an_error(detector):
    with pytest.raises(ValueError, match="no word for 'lava'"):
        detector.heatmaps(noise(20, 30), Vocabulary(stuff=["road", "lava"]))
    with pytest.raises(ValueError, match="too long for CLIPSeg, which reads 12 tokens"):
        detector.heatmaps(noise(20, 30), Vocabulary(stuff=["red " * 12]))


def test_half_precision_is_near(detector):
    exact = detector.heatmaps(noise(64, 64), STUFF).probabilities
    half = ClipSeg(detector.model, detector.tokenizer, detector.transform, dtype=torch.bfloat16)
    near = half.heatmaps(noise(64, 64), STUFF).probabilities
    assert 0 < np.abs(near - exact).max() < 0.05
    half.dtype = torch.float32
    np.testing.assert_allclose(half.heatmaps(noise(64, 64), STUFF).probabilities, exact, atol=1e-6)


def test_a_checkpoint_of_another_architecture(grounding_dino_folder):
    with pytest.raises(ValueError, match=r"a checkpoint of clipseg, but .* 'grounding-dino'"):
        ClipSeg.from_pretrained(grounding_dino_folder)


def test_settings_are_checked():
    with pytest.raises(ValueError, match=r"contain \{\} once"):
        StuffSettings(template="a photo")
    with pytest.raises(ValueError, match="words_per_pass"):
        StuffSettings(words_per_pass=0)


def test_heatmaps_of_another_size_see_the_image_as_it_is(detector):
    """The image isn't made smaller first: it would be blurred twice."""
    image, seen = noise(180, 240), []
    hook = detector.model.clip.vision_model.register_forward_pre_hook(
        lambda _, given: seen.append(given[0][0].clone())
    )
    (small,) = detector.heatmaps_batch([image], STUFF, [(90, 120)])
    hook.remove()
    assert small.probabilities.shape[1:] == (90, 120)
    assert torch.equal(seen[0], detector.transform(image))
