import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from detectors import Boxes, ThingDetector, ThingSettings
from detectors.base import lead
from detectors.grounding_dino import GroundingDino
from prompts import Vocabulary

EVERYTHING = ThingSettings(
    box_threshold=0, text_threshold=0, same_category_iou=1, cross_category_iou=1
)
TRICKY = Vocabulary(["car", "car door", "traffic light", "light", "dog", "hot dog"], ["road"])


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture(params=["grounding_dino_folder", "mm_grounding_dino_folder"])
def detector(request):
    folder = request.getfixturevalue(request.param)
    return GroundingDino.from_pretrained(folder, settings=EVERYTHING)


def same(one: Boxes, two: Boxes, atol=1e-4):
    assert one.category_ids.tolist() == two.category_ids.tolist()
    np.testing.assert_allclose(one.scores, two.scores, atol=atol)
    np.testing.assert_allclose(one.xyxy, two.xyxy, atol=100 * atol)


def test_it_is_a_thing_detector(detector):
    assert isinstance(detector, ThingDetector)


def test_equals_transformers_with_its_own_spans(detector):
    """Their processor and model, and their label maps for the spans: as independent as can be."""
    from transformers.models.grounding_dino.image_processing_pil_grounding_dino import (
        GroundingDinoImageProcessorPil,
    )
    from transformers.models.grounding_dino.modeling_grounding_dino import build_label_maps

    image = noise(50, 80)
    processor = GroundingDinoImageProcessorPil(size={"shortest_edge": 64, "longest_edge": 107})
    inputs = dict(processor(images=image, return_tensors="pt"))
    text = "car. car door. traffic light. light. dog. hot dog."
    inputs |= detector.tokenizer(text, return_tensors="pt")
    with torch.inference_mode():
        output = detector.model(**inputs)
    (maps,) = build_label_maps(output.logits, inputs["input_ids"])
    spans = maps.numpy()
    spans = spans[spans.any(axis=1)].astype(float)
    assert len(spans) == 6
    scores = output.logits.sigmoid().numpy()[0] @ spans.T / spans.sum(axis=1)
    order = np.argsort(-scores.max(axis=1), kind="stable")
    cx, cy, w, h = (output.pred_boxes[0].numpy() * [80, 50, 80, 50])[order].T
    xyxy = np.stack([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], axis=1)
    expected = Boxes(xyxy, scores.argmax(axis=1)[order] + 1, scores.max(axis=1)[order])
    found = detector.detect(image, TRICKY)
    assert len(found) == 20
    assert len(set(found.category_ids.tolist())) > 1
    same(found, expected.clipped(50, 80))
    best, second = np.sort(scores[order], axis=1)[:, :-3:-1].T
    np.testing.assert_allclose(found.margins, lead(best, second), atol=1e-3)
    np.testing.assert_allclose(found.confidences, lead(best, 0.35), atol=1e-3)  # its own level


def test_every_box_has_a_category_of_the_things(detector):
    for names in (["car"], ["car door", "car"], ["light", "traffic light", "hot red traffic dog"]):
        vocabulary = Vocabulary(names, ["road"])
        found = detector.detect(noise(40, 40), vocabulary)
        assert len(found) == 20
        assert all(vocabulary.by_id(i).is_thing for i in found.category_ids.tolist())
        assert (found.xyxy >= 0).all()
        assert (found.xyxy <= 40).all()


def test_thresholds_and_order(detector):
    every = detector.detect(noise(50, 80), TRICKY)
    assert (np.diff(every.scores) <= 0).all()
    level = float(np.median(every.scores))
    detector.settings = replace(EVERYTHING, box_threshold=level, text_threshold=level)
    some = detector.detect(noise(50, 80), TRICKY)
    assert 0 < len(some) < len(every)
    same(some, every[every.scores >= level])
    detector.settings = replace(EVERYTHING, max_boxes=2)
    same(detector.detect(noise(50, 80), TRICKY), every[:2])


def test_several_captions_are_as_several_calls_but_the_backbone_runs_once(detector):
    image = noise(50, 80)
    runs = []
    backbone = detector.model.model.backbone
    hook = backbone.conv_encoder.register_forward_hook(lambda *_: runs.append(1))
    detector.settings = replace(EVERYTHING, names_per_caption=2, max_boxes=1000)
    assert len(detector.captions(TRICKY)) == 3
    together = detector.detect(image, TRICKY)
    assert len(runs) == 1
    detector.detect(image, TRICKY)
    assert len(runs) == 2  # nothing is kept for the next picture
    hook.remove()
    categories = TRICKY.things
    parts = [
        detector.detect(image, Vocabulary.from_categories(categories[i : i + 2])) for i in (0, 2, 4)
    ]
    assert [len(p) for p in parts] == [20, 20, 20]
    same(together, Boxes.concatenate(parts).sorted())


def test_a_large_vocabulary_is_split_at_the_models_limit(detector):
    names = [f"{a} {b}" for a in ("red", "blue", "hot") for b in ("car", "dog", "light", "door")]
    vocabulary = Vocabulary([*names, *[f"{n} photo" for n in names]])
    written = detector.captions(vocabulary)
    assert len(written) == 2
    assert all(len(c.token_ids) <= 64 for c in written)
    assert len(detector.detect(noise(30, 30), vocabulary)) == 40


def test_a_batch_gives_what_single_images_give(detector):
    images = [noise(50, 80, 1), noise(64, 30, 2), noise(50, 80, 3), noise(100, 160, 4)]
    batch = detector.detect_batch(images, TRICKY)
    assert len(batch) == 4
    for image, found in zip(images, batch, strict=True):
        same(found, detector.detect(image, TRICKY))
    assert detector.detect_batch([], TRICKY) == []


def test_same_input_same_bytes(detector):
    one, two = (detector.detect(noise(50, 80), TRICKY) for _ in range(2))
    assert one.xyxy.tobytes() == two.xyxy.tobytes()
    assert one.scores.tobytes() == two.scores.tobytes()


@pytest.mark.parametrize("size", [(1, 1), (3, 7), (4000, 3), (2, 900), (300, 20)])
def test_odd_sizes(detector, size):
    found = detector.detect(noise(*size), TRICKY)
    assert len(found) > 0
    assert (found.xyxy <= np.array([size[1], size[0]] * 2)).all()


def test_nothing_asked_finds_nothing(detector):
    found = detector.detect_batch([noise(30, 30)] * 2, Vocabulary(stuff=["road"]))
    assert [len(boxes) for boxes in found] == [0, 0]


def test_unknown_words_are_an_error(detector):
    with pytest.raises(ValueError, match="no word for 'zeppelin'"):
        detector.detect(noise(30, 30), Vocabulary(["car", "zeppelin"]))


def test_wrong_images_are_an_error(detector):
    with pytest.raises(ValueError, match="expected an RGB image"):
        detector.detect(noise(30, 30)[..., 0], TRICKY)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_near(detector, dtype):
    exact = detector.detect(noise(50, 80), Vocabulary(["car"]))
    detector.dtype = dtype
    near = detector.detect(noise(50, 80), Vocabulary(["car"]))
    # The median, as rounding may put another query among the twenty.
    assert np.median(np.abs(near.scores - exact.scores)) < 0.01
    assert {p.dtype for p in detector.model.parameters()} == {torch.float32}


def test_numbers_that_arent_finite_are_an_error(detector):
    with torch.no_grad():
        detector.model.model.level_embed.fill_(torch.nan)
    with pytest.raises(RuntimeError, match="aren't finite"):
        detector.detect(noise(30, 30), TRICKY)


def test_a_checkpoint_of_another_architecture(clipseg_folder):
    with pytest.raises(ValueError, match=r"grounding-dino or mm-grounding-dino, .* 'clipseg'"):
        GroundingDino.from_pretrained(clipseg_folder)


def test_a_checkpoint_that_lacks_weights(grounding_dino_folder, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "damaged"
    shutil.copytree(grounding_dino_folder, folder)
    weights = load_file(folder / "model.safetensors")
    del weights["model.text_projection.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"lacks 1 weights, model.text_projection.weight"):
        GroundingDino.from_pretrained(folder)


def test_a_tokenizer_with_another_dictionary(grounding_dino_folder, detector):
    from transformers import BertTokenizer

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "car"]
    other = BertTokenizer(vocab={word: i for i, word in enumerate(words)})
    with pytest.raises(ValueError, match=r"'\[CLS\]' is token 101, this tokenizer has it at 2"):
        GroundingDino(detector.model, other, detector.transform)


def test_weights_in_half_precision_are_loaded_as_float32(grounding_dino_folder, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "half"
    shutil.copytree(grounding_dino_folder, folder)
    weights = {k: v.half() for k, v in load_file(folder / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"dtype": "float16"}))
    detector = GroundingDino.from_pretrained(folder)
    assert {p.dtype for p in detector.model.parameters()} == {torch.float32}
