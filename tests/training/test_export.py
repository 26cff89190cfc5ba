"""What a training exports loads through plain transformers, offline, and answers."""

import numpy as np
import pytest
import torch
from transformers import (
    AutoModelForZeroShotObjectDetection,
    AutoProcessor,
    CLIPSegForImageSegmentation,
)

from training.clipseg import ClipSegTask
from training.grounding_dino import GroundingDinoTask
from training.grounding_dino_model import encode_prompts

THINGS = ["cat", "hot dog", "car"]
STUFF = ["sky", "road"]
IMAGE = np.random.default_rng(0).integers(0, 255, (120, 200, 3), dtype=np.uint8)


@pytest.fixture(autouse=True)
def _offline(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def test_grounding_dino_comes_back_with_its_processor(tmp_path):
    task = GroundingDinoTask(None, THINGS)
    torch.manual_seed(0)
    model = task.build().eval()
    task.export(model, tmp_path)
    loaded = AutoModelForZeroShotObjectDetection.from_pretrained(tmp_path).float().eval()
    processor = AutoProcessor.from_pretrained(tmp_path)
    inputs = processor(images=IMAGE, text=[THINGS], return_tensors="pt")
    ours, mask, _ = encode_prompts(task.tokenizer, [THINGS])
    assert torch.equal(inputs["input_ids"], ours)
    with torch.no_grad():
        theirs = loaded(**inputs)
        before = model(pixel_values=inputs["pixel_values"], input_ids=ours, attention_mask=mask)
    assert torch.allclose(theirs.pred_boxes, before.pred_boxes, atol=0.02)
    result = processor.post_process_grounded_object_detection(
        theirs, inputs["input_ids"], threshold=0.0, text_threshold=0.0, target_sizes=[(120, 200)]
    )[0]
    assert len(result["boxes"]) == 40


def test_a_prompt_maps_each_phrase_to_its_own_tokens():
    task = GroundingDinoTask(None, THINGS)
    ids, mask, tokens = encode_prompts(task.tokenizer, [["hot dog", "cat"], ["car"]])
    words = task.tokenizer.convert_ids_to_tokens(ids[0].tolist())
    assert words == ["[CLS]", "hot", "dog", ".", "cat", ".", "[SEP]"]
    assert tokens[0].tolist() == [[0, 1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 1, 0, 0]]
    assert tokens[1].tolist() == [[0, 1, 0, 0, 0, 0, 0]]
    assert mask.sum(1).tolist() == [7, 4]


def test_words_that_are_not_known_become_the_unknown_token():
    dino, clipseg = GroundingDinoTask(None, THINGS).tokenizer, ClipSegTask(None, THINGS, STUFF)
    assert dino("Cat . zebra .").input_ids == [101, dino.vocab["cat"], 1012, 100, 1012, 102]
    assert clipseg.tokenizer(["Sky"]).input_ids[0][1] == clipseg.tokenizer.vocab["sky"]
    assert clipseg.tokenizer(["zebra"]).input_ids == [[1, 2, 3]]


def test_clipseg_comes_back_with_its_processor(tmp_path):
    task = ClipSegTask(None, THINGS, STUFF)
    torch.manual_seed(0)
    model = task.build().eval()
    task.export(model, tmp_path)
    loaded = CLIPSegForImageSegmentation.from_pretrained(tmp_path).float().eval()
    processor = AutoProcessor.from_pretrained(tmp_path)
    inputs = processor(text=["sky", "zebra"], images=[IMAGE] * 2, padding=True, return_tensors="pt")
    with torch.no_grad():
        theirs, before = loaded(**inputs).logits, model(**inputs).logits
    assert theirs.shape == (2, 192, 192)
    assert torch.allclose(theirs, before, atol=0.05)
