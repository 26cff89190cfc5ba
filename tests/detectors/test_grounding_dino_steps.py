"""Grounding DINO in two steps against transformers' own forward, and its quicker variants."""

import functools
from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks.checkpoints.standin import (
    GROUNDING_DINO,
    GROUNDING_DINO_BASE,
    MM_GROUNDING_DINO,
    _build,
)
from benchmarks.groundingdino_parity import queries
from benchmarks.lib.random_weights import randomise
from detectors import Boxes
from detectors.deformable_attention import Maps, RowTable, sample_grids
from detectors.fusion_attention import fuse
from detectors.grounding_dino import GroundingDino
from detectors.grounding_dino_steps import GroundingDinoSteps
from detectors.int8_linear import Int8Linear
from detectors.load import compiles, load_thing_detector
from panoptic.dataset.fingerprint import describe
from prompts import Vocabulary
from tests.detectors.test_grounding_dino import EVERYTHING, TRICKY, noise, same

CAPTION = torch.tensor([101, 2482, 1012, 2543, 2601, 2337, 1012, 1301, 2349, 1012, 102])


@pytest.fixture(params=["grounding_dino_folder", "mm_grounding_dino_folder"])
def folder(request):
    return request.getfixturevalue(request.param)


def load(folder, **options):
    return GroundingDino.from_pretrained(folder, settings=EVERYTHING, **options)


# The maps of a picture of 800 x 1066, and odd ones.
@pytest.mark.parametrize(
    "shapes", [((100, 134), (50, 67), (25, 34), (13, 17)), ((3, 1), (1, 2), (1, 1), (4, 5))]
)
def test_places_are_looked_up_as_transformers_does(shapes):
    from transformers.models.grounding_dino.modeling_grounding_dino import (
        MultiScaleDeformableAttention,
    )

    maps, heads, points, count = Maps(shapes), 8, 4, 300
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(maps.tokens, 256, generator=generator)
    places = torch.rand(count, heads, 4, points, 2, generator=generator) * 1.6 - 0.3  # outside too
    places[0] = torch.tensor([0.0, 1.0])
    places[1] = 1e6
    weights = torch.rand(count, heads, 4, points, generator=generator)
    expected = MultiScaleDeformableAttention()(
        values.view(1, -1, heads, 32), None, list(shapes), None, places[None], weights[None], 64
    )[0]
    x, y = (places * maps.sizes(values)[:, None] - 0.5).unbind(-1)
    found = RowTable(values, maps, heads, points).sums(x, y, weights)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(sample_grids(values, maps, x, y, weights), found, atol=1e-4, rtol=0)


def test_what_is_no_number_is_looked_up_without_harm():
    maps = Maps(((2, 2),))
    place = torch.full((1, 1, 1, 1), float("nan"))
    found = RowTable(torch.ones(4, 8), maps, 1, 1).sums(place, place, torch.ones(1, 1, 1, 1))
    assert found.shape == (1, 8)


@pytest.mark.parametrize("padded", [False, True])
def test_fusion_is_transformers(padded):
    import transformers as tf
    from transformers.models.grounding_dino.modeling_grounding_dino import GroundingDinoFusionLayer

    layer = GroundingDinoFusionLayer(tf.GroundingDinoConfig()).eval()
    randomise(layer, 1)
    generator = torch.Generator().manual_seed(0)
    tokens, words = (torch.randn(2, n, 256, generator=generator) for n in (70, 9))
    padding = torch.zeros(2, 70, dtype=torch.bool)
    padding[1, 40:] = padded
    with torch.inference_mode():
        (expected, _), (expected_words, _) = layer(tokens, words, padding, torch.zeros(2, 9).bool())
        found, found_words = fuse(
            layer,
            layer.layer_norm_vision(tokens),
            layer.layer_norm_text(words),
            padding if padded else None,
        )
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    torch.testing.assert_close(found_words, expected_words, atol=1e-4, rtol=0)


@pytest.mark.parametrize("published", [GROUNDING_DINO, GROUNDING_DINO_BASE, MM_GROUNDING_DINO])
def test_published_shapes_give_transformers_numbers(published):
    """As published, with fewer of the layers that repeat, and a small BERT, which isn't ours."""
    config = published.config() | {"encoder_layers": 2, "decoder_layers": 3}
    small = {"num_hidden_layers": 1, "vocab_size": 3000}
    config["text_config"] = config.get("text_config", {}) | small
    model = _build(published, config).eval()
    randomise(model, 0)
    pixels = torch.randn(2, 3, 192, 256, generator=torch.Generator().manual_seed(0))
    mask = torch.ones(2, 192, 256, dtype=torch.int64)
    mask[1, :, 200:] = 0
    steps, count = GroundingDinoSteps(model), model.config.num_queries
    assert count == 900
    ids = CAPTION
    with torch.inference_mode():
        with queries(count) as listed:
            theirs = model(pixel_values=pixels, pixel_mask=mask, input_ids=ids.repeat(2, 1))
        scores, places = listed[0]
        # Places that rate the same but for rounding may change ranks, and become other queries.
        with queries(count, places) as listed:
            logits, boxes = steps.ask(steps.see(pixels, mask), ids)
    own_scores, _ = listed[0]
    torch.testing.assert_close(own_scores, scores, atol=2e-3 * float(scores.std()), rtol=0)
    expected = theirs.logits[..., : len(ids)]
    torch.testing.assert_close(
        logits[..., : len(ids)], expected, atol=5e-3 * float(expected.std()), rtol=0
    )
    assert torch.isinf(logits[..., len(ids) :]).all()
    torch.testing.assert_close(boxes, theirs.pred_boxes, atol=1e-3, rtol=0)


def test_what_the_picture_decides_is_computed_once_for_all_captions(folder):
    detector = load(folder)
    detector.settings = replace(EVERYTHING, names_per_caption=1, max_boxes=1000)
    assert len(detector.captions(TRICKY)) == 6
    model = detector.model.model
    runs = []
    parts = [*model.input_proj_vision, model.encoder.layers[0].fusion_layer.layer_norm_vision]
    for part in (*parts, model.backbone.position_embedding):
        part.register_forward_hook(lambda part, *_: runs.append(part))
    detector.detect(noise(50, 80), TRICKY)
    assert all(runs.count(part) == 1 for part in parts)
    assert runs.count(model.backbone.position_embedding) == model.config.num_feature_levels


def test_bfloat16_finds_about_the_same(folder):
    exact, found = (load(folder, dtype=d).detect(noise(50, 80), TRICKY) for d in DTYPES)
    assert exact.scores.tobytes() != found.scores.tobytes()
    assert len(found) == len(exact) == 20
    assert np.abs(np.sort(found.scores) - np.sort(exact.scores)).max() < 0.05


DTYPES = (torch.float32, torch.bfloat16)


def test_8_bit_layers_are_near():
    layer = torch.nn.Linear(96, 40)
    with torch.no_grad():
        layer.weight[3] = 0  # a channel without a scale
    x = torch.randn(3, 700, 96, generator=torch.Generator().manual_seed(0))
    x[0, 0] = 0
    x[0, 1] *= 1000  # a row's scale is its own
    whole, expected = Int8Linear(layer)(x), layer(x)
    assert whole.shape == expected.shape
    error = (whole - expected).abs().amax(dim=-1)
    assert error[0, 0] == 0
    assert error[1:].max() < 0.03
    assert 0 < error[0, 2:].max() < 0.03
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(Int8Linear(layer)(x), whole)


def test_quantised_it_finds_about_the_same_and_says_what_it_is(folder):
    exact, quantised = load(folder), load(folder, quantise=True)
    layers = [m for m in quantised.model.modules() if isinstance(m, Int8Linear)]
    assert len(layers) > 20
    attention = quantised.model.model.encoder.layers[0].deformable_layer.self_attn
    assert isinstance(attention.value_proj, Int8Linear)
    assert not isinstance(attention.sampling_offsets, Int8Linear)
    one, two = (d.detect(noise(50, 80), TRICKY) for d in (exact, quantised))
    assert isinstance(two, Boxes)
    assert len(two) == 20
    assert one.scores.tobytes() != two.scores.tobytes()
    assert np.abs(np.sort(one.scores) - np.sort(two.scores)).max() < 0.1
    digests = {
        describe(_Parts(detector))["things"]["weights"] for detector in (exact, quantised, exact)
    }
    assert len(digests) == 2  # so that a data set isn't gone on with by other models


class _Parts:
    """As much of a pipeline as is needed to describe one part of it."""

    def __init__(self, things):
        from panoptic.compose.quality import QualityModel
        from panoptic.settings.tree import Settings

        self.things, self.stuff, self.segmenter = things, None, None
        self.settings, self.quality = Settings(), QualityModel()


def test_quantise_and_compile_are_refused_where_they_do_nothing(
    grounding_dino_folder, owlv2_folder
):
    with pytest.raises(ValueError, match=r"8 bits .* are for CPUs"):
        load(grounding_dino_folder, device="cuda", quantise=True)
    for option in ("quantise", "compile"):
        with pytest.raises(ValueError, match=f"for Grounding DINO.*leave {option} out"):
            load_thing_detector(owlv2_folder, **{option: True})
        with pytest.raises(ValueError, match="computed as it is"):
            load_thing_detector("groundingdino-py:some.pth", **{option: True})
    assert compiles(grounding_dino_folder)
    assert compiles("some.pth")
    assert not compiles(owlv2_folder)
    assert not compiles("groundingdino-py:some.pth")


def test_compiled_it_is_one_graph_for_all_captions(grounding_dino_folder, monkeypatch):
    """By Dynamo alone: what it captures is what any backend gets; Inductor takes minutes."""
    graphs = []

    def backend(graph, _):
        graphs.append(graph)
        return graph.forward

    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=backend))
    plain, compiled = load(grounding_dino_folder), load(grounding_dino_folder, compile=True)
    for words in (TRICKY, Vocabulary(["car", "hot dog"])):
        same(plain.detect(noise(50, 80), words), compiled.detect(noise(50, 80), words))
    assert len(graphs) == 2  # one to see, one to ask
