"""The package itself: ``make test-groundingdino`` installs it beside the project and runs these."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from detectors import Boxes, ThingDetector, ThingSettings
from detectors.grounding_dino import GroundingDino
from detectors.groundingdino_layout import Sizes, entries
from detectors.image_transform import ImageTransform
from prompts import Vocabulary
from tests.detectors.groundingdino import random_state, save_original

pytestmark = [
    pytest.mark.groundingdino,
    pytest.mark.skipif(
        find_spec("groundingdino") is None,
        reason="groundingdino-py isn't installed: make test-groundingdino",
    ),
]
# The package fixes the width at 256 and the backbones at Swin-T and larger; the rest is small.
SMALL = Sizes(
    swin_dim=96,
    swin_depths=(2, 2, 6, 2),
    swin_heads=(3, 6, 12, 24),
    window=7,
    dim=256,
    levels=4,
    points=4,
    queries=30,
    encoder_layers=1,
    decoder_layers=2,
    ffn=64,
    text_dim=64,
    text_layers=1,
    text_ffn=64,
    text_words=30522,
    text_positions=512,
)
CHANGES = {"enc_layers": 1, "dec_layers": 2, "num_queries": 30, "dim_feedforward": 64}
EVERYTHING = ThingSettings(
    box_threshold=0, text_threshold=0, same_category_iou=1, cross_category_iou=1
)
TRICKY = Vocabulary(["car", "car door", "traffic light", "light", "dog", "hot dog"], ["road"])


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def same(one: Boxes, two: Boxes):
    assert one.category_ids.tolist() == two.category_ids.tolist()
    np.testing.assert_allclose(one.scores, two.scores, atol=1e-4)
    np.testing.assert_allclose(one.xyxy, two.xyxy, atol=1e-2)


def package_config(folder: Path, name="GroundingDINO_SwinT_OGC.py", **changes) -> Path:
    """One of the package's configurations with some numbers replaced."""
    lines = (Path(find_spec("groundingdino").origin).parent / "config" / name).read_text()
    for key, value in changes.items():
        lines += f"\n{key} = {value}"
    path = folder / f"changed_{name}"
    path.write_text(lines)
    return path


@pytest.fixture(scope="module")
def file(tmp_path_factory, bert_folder):
    return save_original(tmp_path_factory.mktemp("original"), random_state(SMALL), bert_folder)


@pytest.fixture(scope="module")
def detector(file):
    from detectors.groundingdino_py import GroundingDinoPy

    config = package_config(file.parent, **CHANGES)
    made = GroundingDinoPy.from_pretrained(file, settings=EVERYTHING, config=config)
    made.transform = ImageTransform(
        made.transform.mean, made.transform.std, shortest=96, longest=160
    )
    return made


@pytest.fixture(scope="module")
def transformers_detector(file, detector):
    made = GroundingDino.from_pretrained(file, settings=EVERYTHING)
    made.transform = detector.transform
    return made


def test_it_is_a_thing_detector(detector):
    assert isinstance(detector, ThingDetector)


@pytest.mark.parametrize("size", [(50, 80), (80, 30), (1, 1), (600, 5)])
def test_same_boxes_as_transformers(detector, transformers_detector, size):
    image = noise(*size)
    found = detector.detect(image, TRICKY)
    assert len(found) > 0
    assert len(set(found.category_ids.tolist())) > 1 or size == (1, 1)
    same(found, transformers_detector.detect(image, TRICKY))


def test_same_logits_for_captions_with_padding_around_images(
    detector, transformers_detector, monkeypatch
):
    # The one difference: transformers keeps coordinates 1e-5 from the image's edge before it takes
    # their logit, the authors 1e-3. It matters to boxes at the edge, and to queries from padding.
    logit = torch.special.logit
    monkeypatch.setattr(torch.special, "logit", lambda x, eps: logit(x, eps=1e-3))
    pixels = torch.randn((2, 3, 96, 160), generator=torch.Generator().manual_seed(0))
    mask = torch.ones((2, 96, 160), dtype=torch.int64)
    mask[1, :, 100:] = 0
    for vocabulary in (TRICKY, Vocabulary(["dog"]), Vocabulary(["tricycle", "fire hydrant"])):
        (caption,) = detector.captions(vocabulary)
        ids = torch.tensor(caption.token_ids).repeat(2, 1)
        with torch.inference_mode():
            one, two = (
                d.model(pixel_values=pixels, pixel_mask=mask, input_ids=ids)
                for d in (detector, transformers_detector)
            )
        count = ids.shape[1]
        assert two.logits[..., :count].std() > 1
        torch.testing.assert_close(
            one.logits[..., :count], two.logits[..., :count], atol=1e-3, rtol=0
        )
        torch.testing.assert_close(one.pred_boxes, two.pred_boxes, atol=1e-5, rtol=0)


def test_several_captions_and_batches(detector, transformers_detector):
    images = [noise(50, 80, 1), noise(50, 80, 2), noise(80, 50, 3)]
    runs = []
    hook = detector.model.model.backbone[0].register_forward_hook(lambda *_: runs.append(1))
    for one in (detector, transformers_detector):
        one.settings = ThingSettings(0, 0, 1, 1, names_per_caption=2)
    try:
        assert len(detector.captions(TRICKY)) == 3
        found = detector.detect_batch(images, TRICKY)
        assert len(runs) == 2  # one for each size of image
        for boxes, image in zip(found, images, strict=True):
            same(boxes, transformers_detector.detect(image, TRICKY))
    finally:
        hook.remove()
        for one in (detector, transformers_detector):
            one.settings = EVERYTHING


@pytest.mark.parametrize(
    ("name", "text_dim"), [("GroundingDINO_SwinT_OGC.py", 768), ("GroundingDINO_SwinB_cfg.py", 64)]
)
def test_our_table_is_the_packages_at_the_published_sizes(name, text_dim, tmp_path):
    """Names and shapes of all tensors, with half the layers, which repeat."""
    from transformers import BertConfig

    from detectors.groundingdino_bridge import build

    text = BertConfig(hidden_size=text_dim, num_hidden_layers=2, num_attention_heads=1)
    config = package_config(tmp_path, name, enc_layers=2, dec_layers=2)
    state = build(config, text).model.state_dict()
    sizes = Sizes.of(state, name)
    assert sizes.window == (7 if "SwinT" in name else 12)
    ours = {entry.source: entry.shape for entry in entries(sizes)}
    for ignored in ("relative_position_index", "bert.pooler", "transformer.decoder.bbox_embed"):
        state = {n: t for n, t in state.items() if ignored not in n}
    assert {n: tuple(t.shape) for n, t in state.items()} == ours


def test_a_configuration_that_doesnt_fit(file, tmp_path):
    from detectors.groundingdino_py import GroundingDinoPy

    with pytest.raises(ValueError, match="doesn't fit the configuration"):
        GroundingDinoPy.from_pretrained(file, config=package_config(tmp_path, dec_layers=1))


def test_other_checkpoints_are_refused(grounding_dino_folder):
    from detectors.groundingdino_py import GroundingDinoPy

    with pytest.raises(ValueError, match=r"end in \.pth"):
        GroundingDinoPy.from_pretrained(grounding_dino_folder)


def test_the_package_is_left_as_it_was(detector):
    from groundingdino.models.GroundingDINO import bertwarper, groundingdino
    from groundingdino.util import get_tokenlizer

    assert groundingdino.BertModelWarper is bertwarper.BertModelWarper
    assert get_tokenlizer.get_tokenlizer.__module__ == get_tokenlizer.__name__
