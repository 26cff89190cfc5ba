"""Checkpoints on this machine: found in every layout, whole or in part, damaged or not."""

import os
import shutil

import numpy as np
import pytest

from detectors.load import load_thing_detector
from panoptic import PanopticPipeline
from panoptic.checkpoints import is_begun, is_here, locate
from panoptic.presets import DEMO_WEIGHTS, PRESETS
from tests.detectors.conftest import (  # noqa: F401
    bert_folder,
    mm_grounding_dino_folder,
    omdet_folder,
    owlv2_folder,
    sam3_folder,
)
from tests.panoptic.hub import put_in_cache
from tests.sam2core.layouts import LAYOUTS, rewrite

DETECTORS = {
    "grounding_dino": "IDEA-Research/grounding-dino-tiny",
    "mm_grounding_dino": "openmmlab-community/mm_grounding_dino_tiny_o365v1_goldg_v3det",
    "owlv2": "google/owlv2-base-patch16-ensemble",
    "omdet": "omlab/omdet-turbo-swin-tiny-hf",
    "sam3": "facebook/sam3",
}
TINY = PRESETS["tiny"]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of the hub's package, and no network."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(params=DETECTORS)
def detector(request, tmp_path):
    """A detector's name on the hub, and a folder with it that may be changed."""
    folder = request.getfixturevalue(f"{request.param}_folder")
    return DETECTORS[request.param], shutil.copytree(folder, tmp_path / "published")


@pytest.fixture
def clipseg(clipseg_folder, tmp_path):
    return TINY.stuff, shutil.copytree(clipseg_folder, tmp_path / "clipseg")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_detector_is_read_in_every_layout(layout, detector, cache, words, picture):
    name, folder = detector
    before = load_thing_detector(folder).detect(picture, words)
    rewrite(folder, layout)
    assert not is_here(name)
    put_in_cache(cache, name, folder)
    assert is_here(name)
    for source in (name, str(folder)):
        found = load_thing_detector(locate({"things": source})["things"]).detect(picture, words)
        np.testing.assert_array_equal(found.xyxy, before.xyxy)
        np.testing.assert_array_equal(found.scores, before.scores)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_clipseg_is_read_in_every_layout(layout, clipseg, cache, words, picture):
    from detectors.clipseg import ClipSeg

    name, folder = clipseg
    before = ClipSeg.from_pretrained(folder).heatmaps(picture, words)
    rewrite(folder, layout)
    put_in_cache(cache, name, folder)
    assert is_here(name, "stuff")
    found = ClipSeg.from_pretrained(locate({"stuff": name})["stuff"]).heatmaps(picture, words)
    np.testing.assert_array_equal(found.probabilities, before.probabilities)


def test_a_preset_is_loaded_from_the_cache_by_its_name(cache, models_folder, words, picture):
    for name, part in (("grounding_dino", "things"), ("clipseg", "stuff"), ("sam2", "sam2")):
        put_in_cache(cache, getattr(TINY, part), models_folder / name)
    pipeline = PanopticPipeline.from_pretrained("tiny", dtype="float32")
    expected = PanopticPipeline.from_pretrained(models_folder, dtype="float32")
    expected.things.settings = pipeline.things.settings
    assert pipeline.segment(picture, words) == expected.segment(picture, words)


@pytest.mark.parametrize(
    "name", ["config.json", "model.safetensors", "processor_config.json", "tokenizer.json"]
)
def test_each_file_that_is_needed_is_missed(name, detector, cache):
    source, folder = detector
    snapshot = put_in_cache(cache, source, folder)
    if name == "processor_config.json" and not (folder / name).exists():
        name = "preprocessor_config.json"
    (snapshot / name).unlink()
    assert not is_here(source)
    assert is_begun(source)
    with pytest.raises(ValueError, match=rf"{source} is on this machine only in part .*{name}"):
        locate({"things": source})
    # A link whose blob is gone is no file either.
    (snapshot / name).symlink_to("../../blobs/none")
    assert not is_here(source)


def test_nothing_in_the_cache_is_not_a_part(cache):
    assert not is_here(TINY.sam2, "sam2")
    assert not is_begun(TINY.sam2, "sam2")
    assert not is_begun("no name at all")
    with pytest.raises(ValueError, match=rf"{TINY.things}, .* are not on this machine") as error:
        locate({"things": TINY.things, "stuff": TINY.stuff, "sam2": TINY.sam2})
    assert len(str(error.value).splitlines()) == 1


def test_shards_that_are_missing_are_named(clipseg, cache):
    name, folder = clipseg
    rewrite(folder, "sharded")
    snapshot = put_in_cache(cache, name, folder)
    first, *_ = sorted(path.name for path in snapshot.glob("*-of-*"))
    (snapshot / first).unlink()
    with pytest.raises(ValueError, match=rf"only in part \({first} is missing\)"):
        locate({"stuff": name})


def damaged(content, kind):
    return {
        "cut off": content[: len(content) // 2],
        "empty": b"",
        "pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
        "page": b"<html>Sign in</html>",
    }[kind]


@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin", "tokenizer.json"])
@pytest.mark.parametrize("kind", ["cut off", "empty", "pointer", "page"])
def test_damage_is_named_with_what_to_delete(kind, file, detector, cache):
    name, folder = detector
    if file == "pytorch_model.bin":
        rewrite(folder, "bin")
    link = put_in_cache(cache, name, folder) / file
    blob = link.resolve()
    whole = blob.read_bytes()
    blob.write_bytes(damaged(whole, kind))
    with pytest.raises(ValueError, match="can't be read") as error:
        locate({"things": name})
    message = str(error.value)
    assert message.startswith(f"{blob}: can't be read (it is ")
    assert f"Delete it and {link} (or run `hf cache rm model/{name}`)" in message
    # Of those files, what is said to be deleted is enough.
    blob.unlink()
    link.unlink()
    assert not is_here(name)
    put_in_cache(cache, name, folder)
    assert is_here(name)


def test_a_damaged_file_of_authors(cache, bert_folder, tmp_path):  # noqa: F811
    from tests.detectors.groundingdino import random_state, save_original

    path = save_original(tmp_path, random_state(), bert_folder)
    assert locate({"things": str(path)}) == {"things": str(path)}
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=rf"{path.name}: can't be read \(it is cut off"):
        locate({"things": str(path)})


def test_a_file_of_authors_without_words_says_what_helps(cache, bert_folder, tmp_path):  # noqa: F811
    from tests.detectors.groundingdino import random_state, save_original

    path = save_original(tmp_path, random_state(), bert_folder)
    (tmp_path / "vocab.txt").unlink()
    with pytest.raises(ValueError, match=r"the tokenizer bert-base-uncased is not on .*vocab.txt"):
        locate({"things": str(path)})


def test_a_damaged_demo_model_is_to_be_installed_again(tmp_path, monkeypatch):
    place = shutil.copytree(DEMO_WEIGHTS, tmp_path / "weights")
    monkeypatch.setattr("panoptic.checkpoints.paths.DEMO_WEIGHTS", place)
    for name, part in (("grounding_dino", "things"), ("clipseg", "stuff"), ("sam2", "sam2")):
        path = place / name / "model.safetensors"
        path.write_bytes(path.read_bytes()[:1000])
        with pytest.raises(ValueError, match=r"It is part of this package: install") as error:
            locate({part: str(place / name)})
        assert str(error.value).startswith(f"{path}: can't be read (it is cut off")


def test_a_folder_of_ones_own_that_lacks_something(detector):
    _, folder = detector
    os.unlink(folder / "tokenizer.json")
    with pytest.raises(ValueError, match=rf"{folder}: tokenizer.json or .* is missing beside"):
        locate({"things": str(folder)})


def test_a_path_that_is_not_there():
    with pytest.raises(ValueError, match="there is no such checkpoint on this machine"):
        locate({"things": "/no/such/folder"})
    with pytest.raises(ValueError, match="there is no such checkpoint on this machine"):
        locate({"things": "./folder"})
