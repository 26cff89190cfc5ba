"""A public preset by its name, from the hub's cache, without a network: as a user has it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from benchmarks.checkpoints.compare import picture
from benchmarks.checkpoints.standin import (
    CLIPSEG,
    GROUNDING_DINO_BASE,
    OWLV2,
    SAM2,
    save,
)
from tests.panoptic.hub import put_in_cache

BASE_PLUS = next(r for r in SAM2 if r.name == "facebook/sam2.1-hiera-base-plus")


def cache(folder, *parts):
    for repository, layout in parts:
        made = save(repository, folder / "made" / repository.name, small=True, layout=layout)
        put_in_cache(folder / "hub", repository.name, made)


def panoptic(folder, *arguments):
    """The command in a process of its own, as the cache is found when packages are imported."""
    environment = os.environ | {
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_CACHE": str(folder / "hub"),
        "HF_HOME": str(folder),
    }
    command = [sys.executable, "-m", "panoptic.cli", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, cwd=folder)


@pytest.mark.slow
def test_a_picture_by_the_base_preset(tmp_path):
    """In a layout each; what each is read in is tested in test_detectors and test_sam2."""
    parts = (GROUNDING_DINO_BASE, "bin shards"), (CLIPSEG, "safetensors"), (BASE_PLUS, "bin")
    cache(tmp_path, *parts)
    Image.fromarray(picture(90, 120)).save(tmp_path / "street.png")
    words = ["--things", "car, dog", "--stuff", "road, blue sky"]
    run = panoptic(
        tmp_path, "image", "street.png", *words, "--models", "base", "--device", "cpu",
        "--box-threshold", "0", "--text-threshold", "0", "-o", "out",
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    made = json.loads((tmp_path / "out" / "panoptic.json").read_text())
    assert made["annotations"][0]["segments_info"]


@pytest.mark.slow
def test_a_preset_with_another_detector(tmp_path):
    cache(tmp_path, (OWLV2, "shards"), (CLIPSEG, "safetensors"), (BASE_PLUS, "shards"))
    Image.fromarray(np.asarray(picture(90, 120))).save(tmp_path / "street.png")
    run = panoptic(
        tmp_path, "image", "street.png", "--things", "car", "--stuff", "road",
        "--models", "base", "--detector", OWLV2.name, "--device", "cpu", "-o", "out",
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
