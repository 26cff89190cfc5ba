"""Which detector a checkpoint is given to."""

import json
from importlib.util import find_spec

import pytest
import torch

from detectors import ThingSettings
from detectors.grounding_dino import GroundingDino
from detectors.load import default_settings, load_thing_detector
from detectors.sam3 import Sam3
from detectors.zero_shot import ZeroShotDetector
from tests.detectors.groundingdino import random_state, save_original

LEVELS = ThingSettings(box_threshold=0.11, text_threshold=0.12)


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("grounding_dino", GroundingDino),
        ("mm_grounding_dino", GroundingDino),
        ("owlv2", ZeroShotDetector),
        ("omdet", ZeroShotDetector),
        ("sam3", Sam3),
    ],
)
def test_the_configuration_says_which(folder, kind, request):
    path = request.getfixturevalue(f"{folder}_folder")
    found = load_thing_detector(str(path), "cpu", torch.bfloat16, LEVELS)
    assert type(found) is kind
    assert found.dtype == torch.bfloat16
    assert found.device.type == "cpu"
    assert found.settings == LEVELS
    asked_nothing = load_thing_detector(path)
    assert asked_nothing.dtype == torch.float32
    assert asked_nothing.settings == default_settings(path)


def test_files_of_the_authors_by_their_name(tmp_path, bert_folder):
    path = save_original(tmp_path, random_state(), bert_folder)
    for source in (path, str(path)):
        found = load_thing_detector(source, settings=LEVELS)
        assert type(found) is GroundingDino
        assert found.settings is LEVELS
        assert found.tokenizer.convert_tokens_to_ids("zebra") == 29145


@pytest.mark.skipif(find_spec("groundingdino") is not None, reason="the package is installed")
def test_the_package_is_asked_for_by_a_prefix_and_missed_in_words(tmp_path, bert_folder):
    path = save_original(tmp_path, random_state(), bert_folder)
    # Its configurations fit the published backbones alone, and are looked for first.
    with pytest.raises(ValueError, match=r"16 wide, .* configurations for \[96, 128\]"):
        load_thing_detector(f"groundingdino-py:{path}")
    from detectors.groundingdino_bridge import build

    with pytest.raises(ImportError, match="pip install --no-deps groundingdino-py"):
        build(tmp_path / "config.py", None)


def test_the_package_reads_pth_files_alone(grounding_dino_folder):
    with pytest.raises(ValueError, match=r"end in \.pth"):
        load_thing_detector(f"groundingdino-py:{grounding_dino_folder}")


def test_other_models_are_refused(tmp_path, clipseg_folder):
    with pytest.raises(
        ValueError, match=r"is a 'clipseg'; detectors of things are grounding-dino, .*owlv2, .*sam3"
    ):
        load_thing_detector(clipseg_folder)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "resnet"}))
    with pytest.raises(ValueError, match="'resnet'"):
        load_thing_detector(tmp_path)
