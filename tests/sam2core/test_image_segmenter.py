from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from sam2core import ImageSegmenter
from sam2core.errors import PromptError
from sam2core.transforms import as_rgb, to_pixels, to_prompt
from tests.sam2core.conftest import TINY, moving_square, random_model

PICTURE = moving_square(1)[0]


@pytest.fixture
def segmenter(model) -> ImageSegmenter:
    segmenter = ImageSegmenter(model)
    segmenter.set_image(PICTURE)
    return segmenter


def close(a: torch.Tensor, b: torch.Tensor) -> None:
    torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-3)


def test_encoded_pictures_are_asked_in_any_order(segmenter):
    other = PICTURE[::-1, 5:].copy()
    one, two = segmenter.encode(PICTURE), segmenter.encode(other)
    assert (one.size, two.size) == ((48, 80), (48, 75))
    answers = [segmenter.segment([[60, 30]], image=image) for image in (two, one, two)]
    assert torch.equal(answers[0].logits, answers[2].logits)
    assert torch.equal(answers[1].logits, segmenter.segment([[60, 30]]).logits)
    assert not torch.equal(answers[0].logits, answers[1].logits)
    segmenter.set_image(other)
    assert torch.equal(segmenter.segment([[60, 30]]).logits, answers[0].logits)
    assert torch.equal(segmenter.segment([[60, 30]], image=one).logits, answers[1].logits)


def test_many_prompts_in_one_call_equal_single_calls(model):
    points = [[[10, 12]], [[60, 30], [5, 5]], [[20, 40], [1, 1], [70, 8]]]
    labels = [[1], [1, 0], [1, 0, 0]]
    for per_batch in (2, 64):
        segmenter = ImageSegmenter(model, prompts_per_batch=per_batch)
        segmenter.set_image(PICTURE)
        many = segmenter.segment(points, labels, multimask=True)
        assert many.masks().shape == (3, 3, 48, 80)
        for i in range(3):
            one = segmenter.segment(points[i], labels[i], multimask=True)
            close(many.logits[i], one.logits[0])
            close(many.iou[i], one.iou[0])


def test_boxes_and_points_combine(segmenter):
    box = segmenter.segment(boxes=[4, 6, 18, 20])
    both = segmenter.segment(boxes=[4, 6, 18, 20], points=[[10, 12]])
    assert box.masks().shape == (1, 1, 48, 80)
    assert not torch.allclose(box.logits, both.logits, atol=1e-3)


def test_an_answer_can_be_refined(segmenter):
    first = segmenter.segment([[10, 12]], multimask=True).best()
    refined = segmenter.segment([[[10, 12], [50, 5]]], [[1, 0]], mask_logits=first.logits[:, 0])
    plain = segmenter.segment([[[10, 12], [50, 5]]], [[1, 0]])
    assert not torch.allclose(refined.logits, plain.logits, atol=1e-3)
    mask_only = segmenter.segment(mask_logits=first.logits[0, 0])
    assert mask_only.logits.shape == (1, 1, 16, 16)


def test_earlier_logits_are_cut_before_they_refine():
    """Refined by the answer as it is or by what Meta's predictor gives back of it: the same."""
    model = random_model(replace(TINY, mask_channels=16))  # where values of logits count
    segmenter = ImageSegmenter(model)
    segmenter.set_image(PICTURE)
    loud = segmenter.segment(points=[[10, 12]]).logits[:, 0] * 20
    assert loud.abs().max() > 40
    refined = segmenter.segment(points=[[60, 30]], mask_logits=loud)
    cut = segmenter.segment(points=[[60, 30]], mask_logits=loud.clamp(-32, 32))
    assert torch.equal(refined.logits, cut.logits)
    less = segmenter.segment(points=[[60, 30]], mask_logits=loud.clamp(-16, 16))
    assert not torch.allclose(refined.logits, less.logits, atol=1e-3)
    prompt = to_prompt(48, 80, TINY.image_size, mask_logits=[[50.0, -50.0], [31.0, 0.0]])
    assert prompt.mask_logits.tolist() == [[[[32.0, -32.0], [31.0, 0.0]]]]


def test_best_takes_the_mask_with_the_highest_estimate(segmenter):
    answer = segmenter.segment([[[10, 12]], [[60, 30]]], multimask=True)
    best = answer.best()
    for i in range(2):
        k = int(answer.iou[i].argmax())
        assert torch.equal(best.logits[i, 0], answer.logits[i, k])
        assert best.iou[i, 0] == answer.iou[i].max()


def test_stability_is_the_iou_of_two_cuts(segmenter):
    from dataclasses import replace

    answer = segmenter.segment([[10, 12]])
    logits = torch.tensor([[2.0, 0.5], [-0.5, -2.0]])[None, None]
    assert replace(answer, logits=logits).stability(1.0).item() == pytest.approx(1 / 3)
    assert replace(answer, logits=logits - 9).stability(1.0).item() == 0.0


def test_pictures_of_every_kind_are_taken(segmenter, tmp_path):
    expected = to_pixels(PICTURE, 64)
    Image.fromarray(PICTURE).save(tmp_path / "a.png")
    for picture in (PICTURE, Image.fromarray(PICTURE), tmp_path / "a.png", str(tmp_path / "a.png")):
        assert torch.equal(to_pixels(as_rgb(picture), 64), expected)
    assert as_rgb(PICTURE[..., 0]).shape == (48, 80, 3)
    alpha = np.dstack([PICTURE, np.full((48, 80), 255, np.uint8)])
    alpha[0, 0, 3] = 0  # what lies under it is not to be seen
    for given in (alpha, Image.fromarray(alpha)):
        assert np.array_equal(as_rgb(given)[1:], PICTURE[1:])
        assert as_rgb(given)[0, 0].tolist() == [255, 255, 255]
    deep = Image.fromarray(np.full((4, 4), 40_000, np.uint16))
    with pytest.raises(ValueError, match=r"more than 8 bits.*panoptic\.load_image"):
        as_rgb(deep)
    grey = Image.fromarray(PICTURE).convert("L")
    assert as_rgb(grey).shape == (48, 80, 3)


def test_exif_rotation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    Image.fromarray(PICTURE).save(tmp_path / "turned.png", exif=exif)
    assert np.array_equal(as_rgb(tmp_path / "turned.png"), np.rot90(PICTURE, -1))


def test_a_picture_of_one_pixel(model):
    segmenter = ImageSegmenter(model)
    segmenter.set_image(np.zeros((1, 1, 3), np.uint8))
    assert segmenter.segment([[0, 0]]).masks().shape == (1, 1, 1, 1)


def test_coordinates_scale_with_the_picture():
    prompt = to_prompt(48, 80, 64, points=[[40, 24]], boxes=[-5, 0, 40, 99])
    assert prompt.points.tolist() == [[[0, 0], [32, 64], [32, 32]]]
    assert prompt.labels.tolist() == [[2, 3, 1]]


def test_wrong_prompts_are_clear_errors(segmenter, model):
    with pytest.raises(PromptError, match="none was given"):
        segmenter.segment()
    with pytest.raises(PromptError, match="none was given"):
        segmenter.segment(points=[])
    with pytest.raises(PromptError, match=r"picture of 80 x 48 pixels, as \(x, y\)"):
        segmenter.segment([[200, 10]])
    with pytest.raises(PromptError, match="not padding"):
        segmenter.segment([[1, 1]], [-1])
    with pytest.raises(PromptError, match="every point needs one label"):
        segmenter.segment([[1, 1]], [1, 0])
    with pytest.raises(PromptError, match="labels must be 1"):
        segmenter.segment([[1, 1]], [2])
    with pytest.raises(PromptError, match="without points"):
        segmenter.segment(labels=[1], boxes=[0, 0, 4, 4])
    with pytest.raises(PromptError, match="x1 < x2"):
        segmenter.segment(boxes=[30, 30, 10, 40])
    with pytest.raises(PromptError, match="meet the picture"):
        segmenter.segment(boxes=[100, 100, 120, 120])
    with pytest.raises(PromptError, match="x1 < x2"):
        segmenter.segment(boxes=[float("nan"), 0, 10, 40])
    with pytest.raises(PromptError, match="agree in number"):
        segmenter.segment([[[1, 1]], [[2, 2]]], boxes=[0, 0, 4, 4])
    with pytest.raises(ValueError, match="set_image"):
        ImageSegmenter(model).segment([[1, 1]])


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((4, 4, 3)),
        np.zeros((4, 4, 2), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((2, 4, 4, 3), np.uint8),
    ],
)
def test_what_is_no_picture_is_a_clear_error(model, picture):
    with pytest.raises(ValueError, match="a picture must"):
        ImageSegmenter(model).set_image(picture)


def test_unreadable_files_are_clear_errors(model, tmp_path):
    (tmp_path / "a.png").write_bytes(b"not a picture")
    with pytest.raises(ValueError, match="can't be read as a picture"):
        ImageSegmenter(model).set_image(tmp_path / "a.png")
    with pytest.raises(ValueError, match="no such picture"):
        ImageSegmenter(model).set_image(tmp_path / "b.png")
