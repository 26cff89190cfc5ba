"""OWLv2 and OmDet-Turbo with random weights, against transformers' own way of using them."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from detectors import Boxes, ThingSettings
from detectors.base import lead
from detectors.zero_shot import ZeroShotDetector
from prompts import Vocabulary

EVERYTHING = ThingSettings(
    box_threshold=0, text_threshold=0, same_category_iou=1, cross_category_iou=1, max_boxes=1000
)
NAMES = ["car", "car door", "dog", "traffic light"]  # in alphabetical order
WORDS = Vocabulary(NAMES, ["road"])


def noise(height, width, seed=0):
    """Coarse colours: of fine noise, resizing leaves grey."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    return coarse.repeat(8, 0).repeat(8, 1)[:height, :width]


@pytest.fixture(params=["owlv2", "omdet"])
def detector(request):
    folder = request.getfixturevalue(f"{request.param}_folder")
    return ZeroShotDetector.from_pretrained(folder, settings=EVERYTHING)


def same(one: Boxes, two: Boxes, atol=1e-5):
    assert one.category_ids.tolist() == two.category_ids.tolist()
    np.testing.assert_allclose(one.scores, two.scores, atol=atol)
    np.testing.assert_allclose(one.xyxy, two.xyxy, atol=1000 * atol)


def expected_boxes(scores, labels, xyxy, height, width):
    ids = np.array([category.id for category in WORDS.things])[labels.numpy()]
    return Boxes(xyxy.numpy(), ids, scores.numpy()).clipped(height, width).sorted()


@torch.inference_mode()
def test_owlv2_equals_transformers(owlv2_folder):
    """Their processor for pixels and boxes, their words as their tokenizer has them."""
    from transformers.models.owlv2.image_processing_pil_owlv2 import Owlv2ImageProcessorPil

    detector = ZeroShotDetector.from_pretrained(owlv2_folder, settings=EVERYTHING)
    image = noise(56, 80)
    square = np.zeros((80, 80, 3), np.uint8)
    square[:56] = image
    processor = Owlv2ImageProcessorPil(size={"height": 64, "width": 64})
    theirs = processor(images=image, return_tensors="pt")["pixel_values"]
    ours = detector.transform(square)[None]
    assert (theirs - ours).abs().mean() < 0.1 * theirs.std()  # they blur otherwise
    texts = [f"a photo of a {name}" for name in NAMES]
    tokens = detector.tokenizer(texts, padding="max_length", max_length=12, return_tensors="pt")
    text = {key: tokens[key] for key in ("input_ids", "attention_mask")}
    output = detector.model(pixel_values=ours, **text)
    (found,) = processor.post_process_object_detection(
        output, threshold=0, target_sizes=torch.tensor([[56, 80]])
    )
    assert len(set(found["labels"].tolist())) > 1
    same(
        detector.detect(image, WORDS),
        expected_boxes(found["scores"], found["labels"], found["boxes"], 56, 80),
    )


@torch.inference_mode()
def test_omdet_equals_transformers(omdet_folder):
    """Their model with what their processor gives it, which itself needs torchvision."""
    detector = ZeroShotDetector.from_pretrained(omdet_folder, settings=EVERYTHING)
    image = noise(56, 80)

    def tokens(texts):
        long = {"padding": "max_length", "max_length": 12, "truncation": True}
        return detector.tokenizer(texts, return_tensors="pt", **long)

    names, task = tokens(NAMES), tokens([f"Detect {', '.join(NAMES)}."])
    output = detector.model(
        pixel_values=detector.transform(image)[None],
        classes_input_ids=names["input_ids"],
        classes_attention_mask=names["attention_mask"],
        tasks_input_ids=task["input_ids"],
        tasks_attention_mask=task["attention_mask"],
        classes_structure=torch.tensor([len(NAMES)]),
    )
    scores, labels = output.decoder_class_logits[0].sigmoid().max(dim=-1)
    cx, cy, w, h = output.decoder_coord_logits[0].unbind(-1)
    xyxy = torch.stack([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], dim=-1)
    xyxy = xyxy * torch.tensor([80, 56, 80, 56])
    same(detector.detect(image, WORDS), expected_boxes(scores, labels, xyxy, 56, 80))


@pytest.mark.parametrize("size", [(40, 80), (80, 40)])
def test_owlv2_sees_a_square_with_black_on_the_right_or_below(owlv2_folder, size):
    detector = ZeroShotDetector.from_pretrained(owlv2_folder, settings=EVERYTHING)
    image = noise(*size)
    square = np.zeros((80, 80, 3), np.uint8)
    square[: size[0], : size[1]] = image
    found = detector.detect(image, WORDS)
    same(found, detector.detect(square, WORDS).clipped(*size))
    assert 0 < len(found) < len(detector.detect(square, WORDS))


def test_levels_and_order(detector):
    every = detector.detect(noise(56, 80), WORDS)
    assert len(every) > 5
    assert (np.diff(every.scores) <= 0).all()
    level = float(np.median(every.scores))
    detector.settings = replace(EVERYTHING, box_threshold=level, text_threshold=1.0)
    some = detector.detect(noise(56, 80), WORDS)
    assert 0 < len(some) < len(every)
    same(some, every[every.scores >= level])
    detector.settings = replace(EVERYTHING, max_boxes=2)
    same(detector.detect(noise(56, 80), WORDS), every[:2])


def test_the_levels_are_those_of_transformers_unless_others_are_given(owlv2_folder, omdet_folder):
    for folder, level in ((owlv2_folder, 0.1), (omdet_folder, 0.3)):
        assert ZeroShotDetector.from_pretrained(folder).settings.box_threshold == level
        other = ZeroShotDetector.from_pretrained(folder, settings=EVERYTHING)
        assert other.settings is EVERYTHING
        found = other.detect(noise(56, 80), WORDS)
        assert len(found) > 5
        np.testing.assert_allclose(found.confidences, lead(found.scores, level), atol=1e-5)
        assert ((found.margins >= 0.5) & (found.margins < 1)).all()
        alone = other.detect(noise(56, 80), Vocabulary([NAMES[0]]))
        assert np.isnan(alone.margins).all()


def test_boxes_that_overlap_give_way(detector):
    detector.settings = replace(EVERYTHING, same_category_iou=0.3, cross_category_iou=0.3)
    found = detector.detect(noise(56, 80), WORDS).xyxy
    assert len(found) > 0
    sides = np.minimum(found[:, None, 2:], found[None, :, 2:])
    sides = (sides - np.maximum(found[:, None, :2], found[None, :, :2])).clip(0)
    shared, areas = sides.prod(axis=-1), np.prod(found[:, 2:] - found[:, :2], axis=-1)
    iou = shared / (areas[:, None] + areas[None] - shared) - np.eye(len(found))
    assert iou.max() <= 0.31


def test_a_batch_gives_what_single_images_give_and_runs_a_few_at_a_time(detector):
    images = [noise(30 + 7 * i, 60, i) for i in range(10)]
    runs = []
    hook = detector.model.register_forward_hook(lambda *_: runs.append(1))
    batch = detector.detect_batch(images, WORDS)
    assert len(runs) == 2
    hook.remove()
    assert len(batch) == 10
    for image, found in zip(images[::3], batch[::3], strict=True):
        same(found, detector.detect(image, WORDS), atol=1e-4)
    assert detector.detect_batch([], WORDS) == []


def test_same_input_same_bytes(detector):
    one, two = (detector.detect(noise(56, 80), WORDS) for _ in range(2))
    assert one.xyxy.tobytes() == two.xyxy.tobytes()
    assert one.scores.tobytes() == two.scores.tobytes()


@pytest.mark.parametrize("size", [(1, 1), (3, 7), (1000, 3), (2, 900)])
def test_odd_sizes(detector, size):
    found = detector.detect(noise(*size), WORDS)
    assert (found.xyxy[:, 2:] <= np.array([size[1], size[0]])).all()
    assert (found.xyxy[:, :2] >= 0).all()


def test_nothing_asked_finds_nothing(detector):
    found = detector.detect_batch([noise(30, 30)] * 2, Vocabulary(stuff=["road"]))
    assert [len(boxes) for boxes in found] == [0, 0]


def test_names_that_the_model_would_cut_off_are_an_error(detector):
    long = "red " * 12 + "car"
    with pytest.raises(ValueError, match=r"red car' takes \d\d tokens, .* reads 12"):
        detector.detect(noise(30, 30), Vocabulary(["dog", long]))


def test_there_may_be_more_names_than_the_task_sentence_has_room_for(detector):
    names = [f"{a} {b}" for a in ("red", "blue", "hot") for b in ("car", "dog", "light", "door")]
    found = detector.detect(noise(56, 80), Vocabulary(names))
    assert len(found) > 0


def test_wrong_images_are_an_error(detector):
    with pytest.raises(ValueError, match="expected an RGB image"):
        detector.detect(noise(30, 30)[..., 0], WORDS)


@pytest.mark.parametrize("dtype", [torch.bfloat16])
def test_half_precision_is_near(detector, dtype):
    exact = detector.detect(noise(56, 80), Vocabulary(["car"]))
    detector.dtype = dtype
    near = detector.detect(noise(56, 80), Vocabulary(["car"]))
    assert not np.array_equal(near.scores, exact.scores)
    count = min(len(near), len(exact))
    assert np.median(np.abs(near.scores[:count] - exact.scores[:count])) < 0.03
    assert {p.dtype for p in detector.model.parameters()} == {torch.float32}


def test_numbers_that_arent_finite_are_an_error(detector):
    with torch.no_grad():
        for weight in detector.model.parameters():
            weight.fill_(torch.nan)
    with pytest.raises(RuntimeError, match="aren't finite"):
        detector.detect(noise(30, 30), WORDS)


def test_a_checkpoint_of_another_architecture(grounding_dino_folder):
    with pytest.raises(ValueError, match=r"owlv2 or omdet-turbo, .* 'grounding-dino'"):
        ZeroShotDetector.from_pretrained(grounding_dino_folder)


def test_a_checkpoint_that_lacks_weights(owlv2_folder, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "damaged"
    shutil.copytree(owlv2_folder, folder)
    weights = load_file(folder / "model.safetensors")
    del weights["class_head.dense0.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"lacks 1 weights, class_head\.dense0\.weight"):
        ZeroShotDetector.from_pretrained(folder)
