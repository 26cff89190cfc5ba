import numpy as np
import pytest
import torch

from detectors.image_transform import ImageTransform, pad_to_tokens

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def noise(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def dino_processor():
    from transformers.models.grounding_dino import image_processing_pil_grounding_dino as module

    return module.GroundingDinoImageProcessorPil()


def test_equals_transformers_with_proportions_kept(dino_processor):
    transform = ImageTransform.from_fields(dino_processor.to_dict())
    assert (transform.shortest, transform.longest) == (800, 1333)
    for size in [(120, 160), (300, 100), (7, 40)]:
        theirs = dino_processor(images=noise(*size), return_tensors="pt")["pixel_values"][0]
        torch.testing.assert_close(transform(noise(*size)), theirs, rtol=0, atol=1e-6)


def test_equals_transformers_stretched():
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    processor = ViTImageProcessorPil(size=352, image_mean=MEAN, image_std=STD)
    transform = ImageTransform.from_fields(processor.to_dict())
    theirs = processor(images=noise(100, 230), return_tensors="pt")["pixel_values"][0]
    torch.testing.assert_close(transform(noise(100, 230)), theirs, rtol=0, atol=1e-6)


def test_sizes_equal_those_of_transformers():
    from transformers.image_transforms import get_size_with_aspect_ratio

    transform = ImageTransform(MEAN, STD, shortest=800, longest=1333)
    for height, width in np.random.default_rng(0).integers(1, 3000, (3000, 2)).tolist():
        assert transform.size(height, width) == get_size_with_aspect_ratio(
            (height, width), 800, 1333
        )


def test_three_rows_are_no_channels():
    """transformers takes the first axis for the colours here."""
    image = noise(3, 8)
    transform = ImageTransform(MEAN, STD, height=3, width=8)
    expected = (image / 255 - np.array(MEAN)) / np.array(STD)
    np.testing.assert_allclose(transform(image).permute(1, 2, 0), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [(1, 1, (800, 800)), (200, 8000, (33, 1320)), (8000, 2, (1333, 1)), (1, 90_000, (1, 1333))],
)
def test_odd_sizes(height, width, expected):
    transform = ImageTransform(MEAN, STD, shortest=800, longest=1333)
    size = transform.size(height, width)
    assert size == pytest.approx(expected, abs=15)
    assert min(size) >= 1
    assert max(size) <= 1333


def test_padding_until_there_are_enough_places():
    pixels = torch.ones(3, 5, 160)
    same, mask = pad_to_tokens(pixels, 30, (8, 16, 32))
    assert same.shape == (3, 5, 160)
    assert mask.all()
    padded, mask = pad_to_tokens(pixels, 60, (8, 16, 32))
    height, width = padded.shape[1:]
    assert sum(-(-height // s) * -(-width // s) for s in (8, 16, 32)) >= 60
    assert mask.sum() == 5 * 160
    assert mask[:5].all()
    assert padded.sum() == pixels.sum()


def test_a_size_is_needed():
    with pytest.raises(ValueError, match="expected height and width"):
        ImageTransform(MEAN, STD, height=3)
