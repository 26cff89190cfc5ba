"""SAM 3 with random weights, against transformers' model used by hand."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from detectors import Boxes, ThingDetector, ThingMasks, ThingSegmenter, ThingSettings
from detectors.base import lead
from detectors.sam3 import Sam3
from prompts import Vocabulary

EVERYTHING = ThingSettings(
    box_threshold=0, text_threshold=0, same_category_iou=1, cross_category_iou=1, max_boxes=1000
)
NAMES = ["car", "car door", "traffic light"]
WORDS = Vocabulary(NAMES, ["road"])


def noise(height, width, seed=0):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    return coarse.repeat(8, 0).repeat(8, 1)[:height, :width]


@pytest.fixture
def detector(sam3_folder):
    return Sam3.from_pretrained(sam3_folder, settings=EVERYTHING)


def same(one: ThingMasks, two: ThingMasks, atol=1e-4):
    assert one.boxes.category_ids.tolist() == two.boxes.category_ids.tolist()
    np.testing.assert_allclose(one.boxes.scores, two.boxes.scores, atol=atol)
    np.testing.assert_allclose(one.boxes.xyxy, two.boxes.xyxy, atol=100 * atol)
    np.testing.assert_allclose(one.logits, two.logits, atol=100 * atol)


@torch.inference_mode()
def by_hand(detector, image, names=NAMES):
    """Each name by itself, pixels and words straight into the model; the surest first."""
    from PIL import Image

    height, width = image.shape[:2]
    resized = Image.fromarray(image).resize((56, 56), Image.Resampling.BILINEAR)
    pixels = torch.tensor(np.asarray(resized)).permute(2, 0, 1)[None] / 127.5 - 1
    boxes, masks = [], []
    for i, name in enumerate(names):
        tokens = detector.tokenizer(name, padding="max_length", max_length=12, return_tensors="pt")
        output = detector.model(
            pixel_values=pixels,
            input_ids=tokens["input_ids"],
            attention_mask=tokens["attention_mask"],
        )
        scores = output.pred_logits[0].sigmoid() * output.presence_logits[0].sigmoid()
        xyxy = output.pred_boxes[0].clamp(0, 1).numpy() * [width, height, width, height]
        whole = (xyxy[:, 2:] > xyxy[:, :2]).all(axis=1)
        found = Boxes(xyxy[whole], np.full(whole.sum(), WORDS.things[i].id), scores.numpy()[whole])
        boxes.append(found)
        masks.append(output.pred_masks[0].numpy()[whole])
    together = Boxes.concatenate(boxes)
    order = np.argsort(-together.scores, kind="stable")
    return ThingMasks(together[order], np.concatenate(masks)[order])


def test_it_is_a_detector_and_a_segmenter(detector):
    assert isinstance(detector, ThingDetector)
    assert isinstance(detector, ThingSegmenter)


def test_equals_transformers(detector):
    image = noise(56, 80)
    expected = by_hand(detector, image)
    assert len(expected) > 5
    assert len(set(expected.boxes.category_ids.tolist())) == 3
    (found,) = detector.segment_batch([image], WORDS)
    same(found, expected)
    assert found.logits.std() > 0.1


def test_detect_gives_the_boxes_of_the_masks(detector):
    images = [noise(56, 80, 1), noise(40, 40, 2)]
    segmented = detector.segment_batch(images, WORDS)
    for image, masks, boxes in zip(
        images, segmented, detector.detect_batch(images, WORDS), strict=True
    ):
        for other in (boxes, detector.detect(image, WORDS)):
            np.testing.assert_array_equal(other.xyxy, masks.boxes.xyxy)
            np.testing.assert_array_equal(other.category_ids, masks.boxes.category_ids)
        # Each name is asked by itself, so that a box has no runner-up.
        assert np.isnan(masks.boxes.margins).all()
        np.testing.assert_allclose(
            masks.boxes.confidences, lead(masks.boxes.scores, 0.5), atol=1e-5
        )


def test_an_image_is_encoded_once_and_a_name_once_for_all_images(detector):
    seen, read = [], []
    hooks = [
        detector.model.vision_encoder.register_forward_hook(lambda *_: seen.append(1)),
        detector.model.text_encoder.register_forward_hook(lambda *_: read.append(1)),
    ]
    named = Vocabulary({"car": ["red car"], "dog": []}, ["road"])
    together = detector.segment_batch([noise(56, 80, 1), noise(30, 40, 2)], named)
    assert (len(seen), len(read)) == (2, 3)
    for hook in hooks:
        hook.remove()
    for i, size in ((0, (56, 80)), (1, (30, 40))):
        same(together[i], detector.segment_batch([noise(*size, i + 1)], named)[0])


def test_levels_take_boxes_with_their_masks(detector):
    image = noise(56, 80)
    (every,) = detector.segment_batch([image], WORDS)
    level = float(np.median(every.boxes.scores))
    detector.settings = replace(EVERYTHING, box_threshold=level, text_threshold=1.0)
    (some,) = detector.segment_batch([image], WORDS)
    kept = every.boxes.scores >= level
    assert 0 < kept.sum() < len(every)
    same(some, ThingMasks(every.boxes[kept], every.logits[kept]))
    detector.settings = replace(EVERYTHING, max_boxes=2)
    same(detector.segment_batch([image], WORDS)[0], ThingMasks(every.boxes[:2], every.logits[:2]))


def test_a_thing_found_under_two_names_keeps_the_surer(detector):
    image = noise(56, 80)
    twice = Vocabulary(["car", "red car"])
    (every,) = detector.segment_batch([image], twice)
    detector.settings = replace(EVERYTHING, cross_category_iou=0.5)
    (left,) = detector.segment_batch([image], twice)
    assert 0 < len(left) < len(every)
    assert left.boxes.scores[0] == every.boxes.scores[0]


def test_the_level_is_metas_own(sam3_folder):
    assert Sam3.from_pretrained(sam3_folder).settings.box_threshold == 0.5


def test_nothing_found_and_nothing_asked(detector):
    images = [noise(30, 30)] * 2
    for found in detector.segment_batch(images, Vocabulary(stuff=["road"])):
        assert len(found) == 0
    detector.settings = replace(EVERYTHING, box_threshold=1.0)
    for found in detector.segment_batch(images, WORDS):
        assert len(found) == 0
        assert found.logits.ndim == 3
    assert detector.segment_batch([], WORDS) == []


def test_same_input_same_bytes(detector):
    one, two = (detector.segment_batch([noise(56, 80)], WORDS)[0] for _ in range(2))
    assert one.logits.tobytes() == two.logits.tobytes()
    assert one.boxes.scores.tobytes() == two.boxes.scores.tobytes()


@pytest.mark.parametrize("size", [(1, 1), (3, 7), (1000, 3), (2, 900)])
def test_odd_sizes(detector, size):
    (found,) = detector.segment_batch([noise(*size)], WORDS)
    assert len(found) > 0
    assert (found.boxes.xyxy >= 0).all()
    assert (found.boxes.xyxy[:, 2:] <= np.array([size[1], size[0]])).all()


def test_names_and_images_that_it_cant_read(detector):
    with pytest.raises(ValueError, match=r"takes 15 tokens, but SAM 3 reads 12"):
        detector.detect(noise(30, 30), Vocabulary(["red " * 12 + "car"]))
    with pytest.raises(ValueError, match="expected an RGB image"):
        detector.segment_batch([noise(30, 30)[..., 0]], WORDS)


def test_half_precision_is_near(detector):
    (exact,) = detector.segment_batch([noise(56, 80)], WORDS)
    detector.dtype = torch.bfloat16
    (near,) = detector.segment_batch([noise(56, 80)], WORDS)
    assert near.logits.dtype == np.float32
    count = min(len(near), len(exact))
    assert not np.array_equal(near.boxes.scores, exact.boxes.scores)
    difference = near.boxes.scores[:count] - exact.boxes.scores[:count]
    assert np.median(np.abs(difference)) < 0.03


def test_numbers_that_arent_finite_are_an_error(detector):
    with torch.no_grad():
        detector.model.text_projection.bias.fill_(torch.nan)
    with pytest.raises(RuntimeError, match="aren't finite"):
        detector.detect(noise(30, 30), WORDS)


def test_a_checkpoint_of_another_architecture(owlv2_folder):
    with pytest.raises(ValueError, match=r"sam3 or sam3_video, .* 'owlv2'"):
        Sam3.from_pretrained(owlv2_folder)


def test_the_published_checkpoint_holds_the_detector_beside_a_tracker(
    detector, sam3_folder, tmp_path
):
    """facebook/sam3 is of the video model, in which the image model is a part."""
    from safetensors.torch import load_file, save_file

    weights = load_file(sam3_folder / "model.safetensors")
    weights = {f"detector_model.{name}": tensor for name, tensor in weights.items()}
    weights["tracker_model.memory_temporal_positional_encoding"] = torch.zeros(7, 1, 1, 4)
    weights["tracker_neck.fpn_layers.0.proj1.bias"] = torch.zeros(4)
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((sam3_folder / "config.json").read_text())
    whole = {"model_type": "sam3_video", "detector_config": config}
    (tmp_path / "config.json").write_text(json.dumps(whole))
    detector.tokenizer.save_pretrained(tmp_path)
    shutil.copy(sam3_folder / "preprocessor_config.json", tmp_path)
    found = Sam3.from_pretrained(tmp_path, settings=EVERYTHING)
    assert found.transform == detector.transform
    image = noise(56, 80)
    same(found.segment_batch([image], WORDS)[0], detector.segment_batch([image], WORDS)[0])
