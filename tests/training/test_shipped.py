"""The weights in the package: small, loadable by plain transformers, and able to find words."""

import json
from pathlib import Path

import pytest
import torch
from transformers import (
    AutoModelForZeroShotObjectDetection,
    AutoProcessor,
    CLIPSegForImageSegmentation,
)

import panoptic.demo
import training
from panoptic.demo.artwork import THING_NAMES
from panoptic.demo.textures import STUFF_NAMES
from training.detection_metrics import average_precision, detect, prompts_for
from training.log import read_log
from training.scenes import SceneSource
from training.stuff_metrics import stuff_iou

LEAST_AP50 = 0.8

WEIGHTS = Path(panoptic.demo.__file__).parent / "weights"
RUNS = Path(training.__file__).parent / "runs"


def scenes_of(side, count):
    """Scenes of the one vendor that every installation has, with textures of an unseen world."""
    source = SceneSource.held_out(side, ("twemoji",))
    return [source.draw(seed) for seed in range(count)]


@pytest.fixture(autouse=True)
def _offline(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.mark.parametrize(("name", "limit"), [("grounding_dino", 6e6), ("clipseg", 4e6)])
def test_weights_are_small_and_in_half_precision(name, limit):
    file = WEIGHTS / name / "model.safetensors"
    assert file.stat().st_size <= limit
    header_size = int.from_bytes(file.read_bytes()[:8], "little")
    header = json.loads(file.read_bytes()[8 : 8 + header_size])
    kinds = {entry["dtype"] for key, entry in header.items() if key != "__metadata__"}
    assert kinds <= {"F16", "I64"}


@pytest.mark.parametrize("name", ["grounding_dino", "clipseg"])
def test_the_run_that_made_them_is_kept(name):
    lines = read_log(RUNS / name / "log.jsonl")
    losses = [line["loss"] for line in lines if "loss" in line]
    assert losses[-1] < 0.6 * losses[0]
    assert (RUNS / name / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_grounding_dino_finds_things_by_their_words():
    model = AutoModelForZeroShotObjectDetection.from_pretrained(WEIGHTS / "grounding_dino")
    processor = AutoProcessor.from_pretrained(WEIGHTS / "grounding_dino")
    side = processor.image_processor.size["height"]
    scenes = scenes_of(side, 24)
    prompts = prompts_for(scenes, THING_NAMES, 12, seed=0)
    found = detect(model.float().eval(), processor.tokenizer, scenes, prompts, torch.device("cpu"))
    assert average_precision(found, scenes).by_word > LEAST_AP50


def test_clipseg_tells_stuff_apart_by_its_words():
    model = CLIPSegForImageSegmentation.from_pretrained(WEIGHTS / "clipseg").float().eval()
    processor = AutoProcessor.from_pretrained(WEIGHTS / "clipseg")
    scenes = scenes_of(192, 12)
    found = []
    for scene in scenes:
        inputs = processor(
            text=list(STUFF_NAMES),
            images=[scene.image] * len(STUFF_NAMES),
            padding=True,
            return_tensors="pt",
        )
        with torch.no_grad():
            found.append(model(**inputs).logits.argmax(0).numpy())
    assert stuff_iou(found, scenes, STUFF_NAMES).accuracy > 0.85
