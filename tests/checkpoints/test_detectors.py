"""Detectors as transformers writes them, read here: the same outputs, or refused."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec

import pytest
import torch
from safetensors.torch import load_file, save_file

from benchmarks.checkpoints import compare
from benchmarks.checkpoints.sizes import use_transformers_swin
from benchmarks.checkpoints.standin import (
    CLIPSEG,
    DETECTORS,
    GROUNDING_DINO,
    MM_GROUNDING_DINO,
    OMDET,
    OWLV2,
    clip_tokenizer,
    save,
)
from detectors.clipseg import ClipSeg
from detectors.image_transform import ImageTransform
from detectors.load import load_thing_detector

SIZES = [(150, 200), (300, 131)]


def folder_of(repository, folder, **options):
    # transformers' own backbone, as its conversion script can write: timm is tested apart.
    change = use_transformers_swin if repository is OMDET else None
    return save(repository, folder, small=True, change=change, **options)


@pytest.mark.parametrize("repository", DETECTORS, ids=lambda r: r.name)
def test_the_published_files_give_transformers_outputs(repository, tmp_path):
    folder = folder_of(repository, tmp_path)
    for size in SIZES:
        for found in compare.detector(folder, compare.picture(*size)):
            assert found.largest <= 1e-4, found


@pytest.mark.parametrize("layout", ["shards", "bin", "bin shards"])
@pytest.mark.parametrize("repository", [GROUNDING_DINO, CLIPSEG, OWLV2], ids=lambda r: r.name)
def test_weights_come_in_several_files(repository, layout, tmp_path):
    folder = folder_of(repository, tmp_path, layout=layout)
    for found in compare.detector(folder, compare.picture(*SIZES[0])):
        assert found.largest <= 1e-4, found


def test_omdet_tells_two_pictures_apart(tmp_path):
    """Its means are in 0 to 255: scaled to 0 to 1, every picture is the same grey."""
    detector = load_thing_detector(folder_of(OMDET, tmp_path))
    one, other = (detector.transform(compare.picture(90, 120, seed)) for seed in (0, 1))
    assert (one - other).abs().mean() > 0.5
    assert one.std() > 0.5


@pytest.mark.skipif(find_spec("timm") is not None, reason="timm is here")
def test_a_backbone_of_timm_says_what_is_missing(tmp_path):
    content = json.loads((OMDET.folder / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(content))
    save_file({"a": torch.zeros(1)}, tmp_path / "model.safetensors")
    shutil.copy(OMDET.folder / "preprocessor_config.json", tmp_path)
    clip_tokenizer().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"package timm: .*panoptic-anything\[omdet\]"):
        load_thing_detector(tmp_path)


def test_layers_of_mm_grounding_dino_have_heads_of_their_own(tmp_path):
    """Its published configuration says nothing of heads; transformers then takes the first's."""
    folder = folder_of(MM_GROUNDING_DINO, tmp_path)
    assert "decoder_bbox_embed_share" not in json.loads((folder / "config.json").read_text())
    stored = load_file(folder / "model.safetensors")
    model = load_thing_detector(folder).model
    for layer in (1, 2):
        name = f"model.decoder.bbox_embed.{layer}.layers.0.weight"
        assert torch.equal(model.state_dict()[name], stored[name])
        assert torch.equal(model.bbox_embed[layer].layers[0].weight, stored[name])


def test_heads_that_the_configuration_shares_against_the_weights(tmp_path):
    folder = folder_of(MM_GROUNDING_DINO, tmp_path, layout="shards")
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"decoder_bbox_embed_share": True}))
    with pytest.raises(ValueError, match=r"decoder_bbox_embed_share in its config.json"):
        load_thing_detector(folder)


@pytest.mark.parametrize("repository", [GROUNDING_DINO, OWLV2, CLIPSEG], ids=lambda r: r.name)
def test_weights_that_the_model_has_no_place_for(repository, tmp_path):
    folder = folder_of(repository, tmp_path)
    path = folder / "model.safetensors"
    save_file(load_file(path) | {"extra.head.weight": torch.zeros(3)}, path, {"format": "pt"})
    load = ClipSeg.from_pretrained if repository is CLIPSEG else load_thing_detector
    with pytest.raises(ValueError, match=r"no place for, extra\.head\.weight"):
        load(folder)


def test_buffers_that_older_versions_stored_are_no_matter(tmp_path):
    folder = folder_of(CLIPSEG, tmp_path)
    path = folder / "model.safetensors"
    old = {"clip.text_model.embeddings.position_ids": torch.arange(77)[None]}
    save_file(load_file(path) | old, path, {"format": "pt"})
    ClipSeg.from_pretrained(folder)


OLD_CLIPSEG = {
    "do_normalize": True,
    "do_resize": True,
    "feature_extractor_type": "ViTFeatureExtractor",
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
    "resample": 2,
    "size": 352,
}
"""As versions of transformers of 2022 wrote it."""


def test_a_processor_file_of_2022(tmp_path):
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(OLD_CLIPSEG))
    (tmp_path / "config.json").write_text(json.dumps(CLIPSEG.config()))
    transform = ImageTransform.from_pretrained(str(tmp_path))
    expected = json.loads((CLIPSEG.folder / "preprocessor_config.json").read_text())
    assert transform == ImageTransform.from_fields(expected)
    assert transform.height == 352


FIELDS = {
    "image_processor_type": "ViTImageProcessor",
    "size": {"height": 20, "width": 30},
    "image_mean": [0.5, 0.4, 0.3],
    "image_std": [0.2, 0.2, 0.1],
}
HONOURED = {
    "as they are": {},
    "no rescaling": {"do_rescale": False},
    "another factor": {"rescale_factor": 1 / 127.5},
    "no normalising": {"do_normalize": False},
    "no resizing": {"do_resize": False},
    "bicubic": {"resample": 3},
    "the short side": {"size": {"shortest_edge": 25}, "default_to_square": False},
}


@pytest.mark.parametrize("change", HONOURED)
def test_every_field_of_a_processor_file_counts(change, tmp_path):
    """The whole class of mistake: each field against transformers' own processor."""
    from transformers import AutoImageProcessor

    kind = "ViTImageProcessor" if change != "the short side" else "CLIPImageProcessor"
    fields = FIELDS | {"image_processor_type": kind} | HONOURED[change]
    if kind == "CLIPImageProcessor":
        fields |= {"do_center_crop": False}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(fields))
    image = compare.picture(40, 50)
    theirs = AutoImageProcessor.from_pretrained(tmp_path, backend="pil")
    expected = theirs(images=image, return_tensors="pt")["pixel_values"][0]
    found = ImageTransform.from_pretrained(str(tmp_path))(image)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-5)
    if change != "as they are":
        plain = ImageTransform.from_fields(FIELDS)(image)
        assert plain.shape != found.shape or not torch.allclose(plain, found, atol=1e-2)


REFUSED = {
    "do_center_crop": {"do_center_crop": True},
    "max_height": {"size": {"max_height": 3, "max_width": 4}},
    "pad_size": {"pad_size": {"height": 3, "width": 3}},
    "do_sharpen": {"do_sharpen": True},
    "PixtralImageProcessor": {"image_processor_type": "PixtralImageProcessor"},
    "three colours": {"image_mean": [0.1, 0.2]},
}
"""By what the refusal names."""


@pytest.mark.parametrize("named", REFUSED)
def test_what_a_processor_file_asks_in_vain_is_refused(named):
    with pytest.raises(ValueError, match=named):
        ImageTransform.from_fields(FIELDS | REFUSED[named], "somewhere")
