"""SAM 2 as transformers writes it, read here: the same function, or refused."""

from __future__ import annotations

import json

import pytest
import torch

import sam2core
from benchmarks.checkpoints import compare
from benchmarks.checkpoints.standin import SAM2, SAM2_IMAGES, Repository, save
from sam2core import Sam2Config, VideoTracker
from sam2core.config_file import from_hugging_face
from sam2core.errors import WeightsError
from sam2core.weights import to_state_dict
from tests.panoptic.hub import put_in_cache

BASE_PLUS = next(r for r in SAM2 if r.name == "facebook/sam2.1-hiera-base-plus")


def assert_equal(differences, bound=1e-4):
    assert differences
    for found in differences:
        assert found.largest <= bound, found
        assert found.iou is None or found.iou >= 0.999, found


@pytest.mark.parametrize("repository", [*SAM2, SAM2_IMAGES], ids=lambda r: r.name)
def test_the_published_files_give_transformers_masks(repository, tmp_path):
    assert_equal(compare.sam2(save(repository, tmp_path, small=True)))


@pytest.mark.parametrize("repository", SAM2, ids=lambda r: r.name)
def test_the_published_configuration_is_the_preset(repository):
    """Which is written down here a second time, from Meta's own files."""
    expected = Sam2Config.preset(
        repository.name.split("hiera-")[1].replace("-", "_"),
        "2.1" if "sam2.1" in repository.name else "2.0",
    )
    assert from_hugging_face(repository.config()) == expected


def test_another_number_of_heads_gives_other_masks(tmp_path):
    """All shapes agree, so only the numbers can tell."""
    folder = save(BASE_PLUS, tmp_path, small=True)
    path = folder / "config.json"
    content = json.loads(path.read_text())
    hiera = content["vision_config"]["backbone_config"]
    pixels = torch.rand(1, 3, 128, 128)
    with torch.inference_mode():
        right = sam2core.load(folder).encode_image(pixels).features
        hiera["num_attention_heads_per_stage"] = [1, 2, 4, 8]
        path.write_text(json.dumps(content))
        wrong = sam2core.load(folder).encode_image(pixels).features
    assert (right - wrong).abs().max() > 0.05 * right.std()


@pytest.mark.parametrize("layout", ["safetensors", "shards", "bin", "bin shards"])
def test_weights_come_in_several_files(layout, tmp_path):
    expected = to_state_dict(
        sam2core.load(save(BASE_PLUS, tmp_path / "one", small=True)), "hugging_face"
    )
    folder = save(BASE_PLUS, tmp_path / "other", small=True, layout=layout)
    found = to_state_dict(sam2core.load(folder), "hugging_face")
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in found)


def test_by_its_name_from_the_hubs_cache(tmp_path, monkeypatch):
    folder = save(BASE_PLUS, tmp_path / "made", small=True, layout="shards")
    put_in_cache(tmp_path / "hub", BASE_PLUS.name, folder)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert sam2core.load(BASE_PLUS.name).config.num_heads == 2


def test_a_model_for_images_follows_nothing(tmp_path):
    model = sam2core.load(save(SAM2_IMAGES, tmp_path, small=True))
    with pytest.raises(ValueError, match=r"no memory.*sam2_video"):
        VideoTracker(model)


def test_an_image_models_configuration_beside_a_whole_models_weights(tmp_path):
    folder = save(BASE_PLUS, tmp_path, small=True)
    content = Repository(SAM2_IMAGES.name, "Sam2Model").config()
    small = json.loads((folder / "config.json").read_text())
    for part in ("vision_config", "prompt_encoder_config"):
        content[part] = small[part]
    (folder / "config.json").write_text(json.dumps(content))
    assert sam2core.load(folder).config.tracks


CHANGES = {
    "a field that nobody knows": ("", "memory_attention_sparse", True),
    "an inner field that nobody knows": ("mask_decoder_config", "num_extra_tokens", 2),
    "another scale into memory": ("", "sigmoid_scale_for_mem_enc", 10.0),
    "another activation": ("mask_decoder_config", "hidden_act", "relu"),
    "another threshold": ("mask_decoder_config", "dynamic_multimask_stability_thresh", 0.9),
    "heads that don't double": (
        "vision_config.backbone_config",
        "num_attention_heads_per_stage",
        [2, 4, 4, 8],
    ),
    "another stride": ("vision_config.backbone_config", "query_stride", [4, 4]),
    "two sizes": ("prompt_encoder_config", "image_size", 512),
    "other rotary angles": ("", "memory_attention_rope_theta", 100),
    "a limit on prompted memories": ("", "max_cond_frame_num", 4),
    "half of 2.1": ("", "enable_occlusion_spatial_embedding", False),
    "no mapping": ("", "vision_config", 7),
    "words for numbers": ("vision_config", "fpn_hidden_size", "wide"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_isnt_understood_is_refused(change):
    place, key, value = CHANGES[change]
    content = BASE_PLUS.config()
    inner = content
    for part in filter(None, place.split(".")):
        inner = inner[part]
    inner[key] = value
    with pytest.raises(WeightsError, match=r"somewhere/config\.json") as raised:
        from_hugging_face(content, "somewhere/config.json")
    if change != "words for numbers":
        assert key in str(raised.value)


def test_what_is_absent_has_transformers_default():
    """Not one that follows from other fields: that is how a wrong number of heads was read."""
    content = BASE_PLUS.config()
    del content["vision_config"]["backbone_config"]["num_attention_heads_per_stage"]
    assert from_hugging_face(content).num_heads == 1


PROCESSORS = {
    "another mean": ("preprocessor_config.json", "image_mean", [0.5, 0.5, 0.5]),
    "no rescaling": ("preprocessor_config.json", "do_rescale", False),
    "another size": ("video_preprocessor_config.json", "size", {"height": 512, "width": 512}),
    "another filter": ("preprocessor_config.json", "resample", 3),
    "something new": ("preprocessor_config.json", "do_sharpen", True),
    "another square": ("processor_config.json", "target_size", 512),
}


@pytest.mark.parametrize("change", PROCESSORS)
def test_pictures_that_would_be_seen_otherwise_are_refused(change, tmp_path):
    folder = save(BASE_PLUS, tmp_path, small=True)
    name, key, value = PROCESSORS[change]
    fields = json.loads((folder / name).read_text())
    fields[key] = value
    (folder / name).write_text(json.dumps(fields))
    with pytest.raises(WeightsError, match=f"{name}.*{key}"):
        sam2core.load(folder)


def test_weights_and_configuration_of_different_versions(tmp_path):
    folder = save(BASE_PLUS, tmp_path, small=True)
    path = folder / "config.json"
    content = json.loads(path.read_text())
    content["enable_occlusion_spatial_embedding"] = False
    content["enable_temporal_pos_encoding_for_object_pointers"] = False
    path.write_text(json.dumps(content))
    with pytest.raises(WeightsError, match=r"SAM 2\.0.*SAM 2\.1"):
        sam2core.load(folder)
