"""Each detector end to end: a tiny random checkpoint in the hub's format, without a network."""

import json
import socket
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from detectors.grounding_dino import GroundingDino
from detectors.sam3 import Sam3
from detectors.zero_shot import ZeroShotDetector
from panoptic import PanopticPipeline, Vocabulary
from panoptic.cli import main
from panoptic.formats.coco_panoptic import CocoPanoptic
from panoptic.presets import PRESETS, Preset
from tests.detectors.conftest import (  # noqa: F401
    bert_folder,
    mm_grounding_dino_folder,
    omdet_folder,
    owlv2_folder,
    sam3_folder,
)
from tests.detectors.groundingdino import random_state, save_original
from tests.panoptic.hub import put_in_cache

CLASSES = {
    "mm_grounding_dino": GroundingDino,
    "original": GroundingDino,
    "owlv2": ZeroShotDetector,
    "omdet": ZeroShotDetector,
    "sam3": Sam3,
}
# Everything a random model says is taken, and nothing is taken out again for being too small.
LOW = {"box_threshold": 0.05, "text_threshold": 0.05, "max_boxes": 6}
LENIENT = {"merge": {"min_visible": 0.0}}


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def connect(self, address):
        raise AssertionError(f"a connection to {address}")

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.fixture(scope="session")
def original_folder(tmp_path_factory, bert_folder):  # noqa: F811
    return save_original(tmp_path_factory.mktemp("original"), random_state(), bert_folder)


@pytest.fixture(params=CLASSES)
def backend(request):
    """Its name, and where its checkpoint is."""
    return request.param, str(request.getfixturevalue(f"{request.param}_folder"))


@pytest.fixture
def sam3(models_folder, sam3_folder):  # noqa: F811
    pipeline = PanopticPipeline.from_pretrained(
        models_folder, things=str(sam3_folder), settings=LENIENT
    )
    pipeline.things.settings = replace(pipeline.things.settings, **LOW)
    return pipeline


def test_boxes_become_things_on_the_map(backend, models_folder, words, picture):
    name, source = backend
    pipeline = PanopticPipeline.from_pretrained(models_folder, things=source, settings=LENIENT)
    assert type(pipeline.things) is CLASSES[name]
    pipeline.things.settings = replace(pipeline.things.settings, **LOW)
    if pipeline.things.transform.shortest:  # an original checkpoint says 800
        small = replace(pipeline.things.transform, shortest=64, longest=107)
        pipeline.things.transform = small
    trace = pipeline.trace(picture, words)
    found = pipeline.things.detect(picture, words)
    assert 0 < len(found) <= 6
    np.testing.assert_array_equal(trace.boxes.xyxy, found.xyxy)
    assert trace.boxes.category_ids.tolist() == found.category_ids.tolist()
    assert trace.result.ids.shape == picture.shape[:2]
    assert trace.result.things
    scores = {float(score) for score in found.scores}
    asked = {category.name for category in words.things}
    for thing in trace.result.things:
        assert thing.category in asked
        assert thing.score in scores
        assert (trace.result.ids == thing.id).sum() == thing.area > 0
    assert {s.category for s in trace.result.stuff} <= {c.name for c in words.stuff}
    assert pipeline.segment(picture, words) == trace.result


def test_the_command_takes_each_as_detector(backend, models_folder, picture, tmp_path, capsys):
    name, source = backend
    Image.fromarray(picture).save(tmp_path / "street.png")
    words = ["--things", "car, car door, dog", "--stuff", "road"]
    levels = ["--box-threshold", "0.05", "--text-threshold", "0.05", "--max-boxes", "6"]
    models = ["--models", str(models_folder), "--detector", source, "--device", "cpu"]
    out = tmp_path / "out"
    given = ["image", str(tmp_path / "street.png"), *words, *levels, *models]
    explain = ["--explain"] if name in ("owlv2", "sam3") else []  # a sheet takes seconds
    assert main([*given, *explain, "-o", str(out)]) == 0, capsys.readouterr().err
    assert "street.png" in capsys.readouterr().out
    result = CocoPanoptic.open(out / "panoptic.json").load(1)
    assert (result.height, result.width) == picture.shape[:2]
    assert {s.category for s in result} <= {"car", "car door", "dog", "road"}
    assert result.things
    assert (out / "explain" / "street" / "sheet.png").is_file() == bool(explain)


def test_the_levels_are_the_detectors_own(models_folder, owlv2_folder, sam3_folder):  # noqa: F811
    """Those of the preset are Grounding DINO's, and mean something else here."""
    for folder, level in ((owlv2_folder, 0.1), (sam3_folder, 0.5)):
        pipeline = PanopticPipeline.from_pretrained(models_folder, things=str(folder))
        assert pipeline.things.settings.box_threshold == level


def test_a_preset_may_have_any_of_them(
    models_folder,
    owlv2_folder,  # noqa: F811
    monkeypatch,
    words,
    picture,
):
    parts = (str(owlv2_folder), str(models_folder / "clipseg"), str(models_folder / "sam2"))
    monkeypatch.setitem(PRESETS, "owl", Preset(*parts))
    pipeline = PanopticPipeline.from_pretrained("owl")
    assert type(pipeline.things) is ZeroShotDetector
    found = pipeline.things.detect(picture, words)
    assert len(pipeline.trace(picture, words).boxes) == len(found) > 0


def test_sam3s_masks_are_the_ones_that_are_merged(sam3, picture):
    words = Vocabulary(["car", "dog"])
    (found,) = sam3.things.segment_batch([picture], words)
    asked = []
    encode = sam3.segmenter.model.encode_image
    sam3.segmenter.model.encode_image = lambda *a: asked.append(1) or encode(*a)
    trace = sam3.trace(picture, words)
    assert not asked  # SAM 2 isn't needed without stuff
    assert len(trace.candidates) == len(found) > 1
    for candidate, logits, score, category_id in zip(
        trace.candidates, found.logits, found.boxes.scores, found.boxes.category_ids, strict=True
    ):
        np.testing.assert_array_equal(candidate.mask_logits, logits)
        assert candidate.score == pytest.approx(float(score))
        assert candidate.category.id == category_id
        assert candidate.evidence.predicted_iou is None  # SAM 3 gives no such estimate


def test_a_single_mask_of_sam3_is_its_segment_to_the_pixel(sam3, picture):
    """Alone on the map, nothing contests it; what is cleaned up is turned off."""
    sam3.things.settings = replace(sam3.things.settings, max_boxes=1)
    off = {"min_fragment": 0, "seam": 0}
    sam3.settings = sam3.settings.changed({"merge": off})
    words = Vocabulary(["car", "dog"])
    (found,) = sam3.things.segment_batch([picture], words)
    result = sam3.segment(picture, words)
    height, width = picture.shape[:2]
    whole = Image.fromarray(found.logits[0]).resize((width, height), Image.Resampling.BILINEAR)
    expected = np.asarray(whole) > 0
    assert 0 < expected.sum() < expected.size
    (thing,) = result.things
    assert thing.category_id == found.boxes.category_ids[0]
    different = (result.ids == thing.id) != expected
    assert different.mean() < 0.01  # of pixels on the edge, by the other's rounding


def test_stuff_stays_out_of_sam3s_masks(sam3, words, picture):
    sam3.things.settings = replace(sam3.things.settings, max_boxes=2)
    trace = sam3.trace(picture, words)
    inside = np.zeros(trace.covered.shape, bool)
    for mask in replace(trace.thing_masks, size=trace.covered.shape):
        inside |= mask[0]
    assert 0 < inside.sum() < inside.size
    np.testing.assert_array_equal(trace.covered, inside)
    assert trace.regions
    for region in trace.regions:
        assert not (region.mask & inside).any()


def test_checkpoints_of_other_models_are_refused_in_words(models_folder, tmp_path, capsys):
    config = {"model_type": "bert"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=r"is a 'bert'; detectors of things are grounding-dino"):
        PanopticPipeline.from_pretrained(models_folder, things=str(tmp_path))
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    given = ["image", str(tmp_path / "a.png"), "--things", "car", "-o", str(tmp_path / "out")]
    models = ["--models", str(models_folder), "--detector", str(tmp_path)]
    assert main([*given, *models]) == 2
    assert "'bert'" in capsys.readouterr().err


def test_models_are_listed_with_their_licences(capsys):
    assert main(["models"]) == 0
    printed = capsys.readouterr().out
    for name, licence in (
        ("groundingdino_swint_ogc.pth", "Apache-2.0"),
        ("mm_grounding_dino_tiny", "Apache-2.0"),
        ("google/owlv2-base", "Apache-2.0"),
        ("omlab/omdet-turbo", "Apache-2.0"),
        ("facebook/sam3", "SAM License, gated"),
    ):
        (row,) = [line for line in printed.splitlines() if name in line]
        assert licence in row
        assert row.endswith("no")
    assert "weights are gated, under Meta's own SAM License" in printed


def test_authors_files_in_the_hubs_cache_are_found(tmp_path, monkeypatch, bert_folder):  # noqa: F811
    from panoptic.checkpoints import is_here

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    names = ("own.pth", "ShilongLiu/GroundingDINO/own.pth", "someone/else/own.pth")
    assert [is_here(name) for name in names] == [False, False, False]
    cached = tmp_path / "models--ShilongLiu--GroundingDINO"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text("a" * 40)
    (cached / "snapshots" / ("a" * 40)).mkdir(parents=True)
    (cached / "snapshots" / ("a" * 40) / "own.pth").write_bytes(b"")
    assert not is_here("own.pth")  # it needs BERT's words, which it comes without
    put_in_cache(tmp_path, "bert-base-uncased", bert_folder)
    assert [is_here(name) for name in names] == [True, True, False]
    assert not is_here("one/two/three/own.pth")
