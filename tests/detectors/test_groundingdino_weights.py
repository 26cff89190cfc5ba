import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from detectors import ThingSettings
from detectors.grounding_dino import GroundingDino
from detectors.groundingdino_layout import Sizes, entries
from detectors.groundingdino_weights import check, convert, find_checkpoint, read_checkpoint
from prompts import Vocabulary
from tests.detectors.groundingdino import TINY, random_state, save_original

EVERYTHING = ThingSettings(
    box_threshold=0, text_threshold=0, same_category_iou=1, cross_category_iou=1
)


@pytest.fixture(scope="module")
def state():
    return random_state()


@pytest.fixture(scope="module")
def file(tmp_path_factory, state, bert_folder):
    return save_original(tmp_path_factory.mktemp("original"), state, bert_folder)


@pytest.fixture(scope="module")
def detector(file):
    return GroundingDino.from_pretrained(file, settings=EVERYTHING)


def test_sizes_are_read_off_the_shapes(state):
    assert Sizes.of(state, "it") == TINY


def test_every_tensor_lands_under_its_name_on_the_hub(detector, state, tmp_path):
    detector.model.save_pretrained(tmp_path)
    saved = load_file(tmp_path / "model.safetensors")
    found = 0
    for entry in entries(TINY):
        for name, part in zip(
            entry.targets, state[entry.source].chunk(len(entry.targets)), strict=True
        ):
            if name in saved:  # a shared box head is written once
                torch.testing.assert_close(saved[name], part, rtol=0, atol=0)
                found += 1
            else:
                assert name.startswith("bbox_embed.1")
    unread = {name for name in saved if ".layernorm." in name}  # Swin's last norm, never used
    assert found == len(saved) - len(unread)


def test_query_key_and_value_come_apart_in_order(detector, state):
    attention = detector.model.model.decoder.layers[1].encoder_attn_text
    stacked = state["transformer.decoder.layers.1.ca_text.in_proj_weight"]
    torch.testing.assert_close(attention.query.weight, stacked[:32])
    torch.testing.assert_close(attention.key.weight, stacked[32:64])
    torch.testing.assert_close(attention.value.weight, stacked[64:])
    fused = detector.model.model.encoder.layers[0].fusion_layer
    source = "transformer.encoder.fusion_layers.0"
    torch.testing.assert_close(fused.vision_param, state[f"{source}.gamma_v"])
    values = state[f"{source}.attn.values_l_proj.weight"]
    torch.testing.assert_close(fused.attn.values_text_proj.weight, values)


def test_an_original_checkpoint_detects_with_berts_own_words(detector, tmp_path):
    vocabulary = Vocabulary(["car", "fire hydrant", "tricycle"], ["road"])
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    detector.transform = type(detector.transform)(
        detector.transform.mean, detector.transform.std, shortest=64, longest=107
    )
    found = detector.detect(image, vocabulary)
    assert len(found) == 20
    assert all(vocabulary.by_id(i).is_thing for i in found.category_ids.tolist())
    # The same through a folder in the hub's format.
    detector.model.save_pretrained(tmp_path)
    detector.tokenizer.save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(
        '{"image_processor_type": "GroundingDinoImageProcessor", '
        '"size": {"shortest_edge": 64, "longest_edge": 107}}'
    )
    again = GroundingDino.from_pretrained(tmp_path, settings=EVERYTHING).detect(image, vocabulary)
    assert again.category_ids.tolist() == found.category_ids.tolist()
    np.testing.assert_array_equal(again.xyxy, found.xyxy)


def test_images_are_resized_to_800_pixels_and_at_most_1333(file):
    transform = GroundingDino.from_pretrained(file).transform
    assert transform.size(480, 640) == (800, 1066)
    assert transform.size(400, 1600) == (333, 1333)


def test_box_heads_of_their_own(bert_folder, tmp_path):
    state = random_state(shared_box_head=False)
    detector = GroundingDino.from_pretrained(save_original(tmp_path, state, bert_folder))
    assert not detector.model.config.decoder_bbox_embed_share
    for heads in (detector.model.bbox_embed, detector.model.model.decoder.bbox_embed):
        for i in (0, 1):
            torch.testing.assert_close(
                heads[i].layers[2].weight, state[f"bbox_embed.{i}.layers.2.weight"]
            )


def test_every_difference_is_named(state):
    broken = dict(state)
    del broken["feat_map.bias"]
    del broken["transformer.encoder.fusion_layers.0.gamma_v"]
    broken["backbone.0.norm4.weight"] = torch.zeros(3)
    broken["bbox_embed.1.layers.2.bias"] = torch.zeros(5)
    with pytest.raises(ValueError, match="does not fit") as error:
        convert(broken, "broken.pth")
    text = str(error.value)
    assert "missing (2): feat_map.bias; transformer.encoder.fusion_layers.0.gamma_v" in text
    assert "unexpected (1): backbone.0.norm4.weight" in text
    assert "wrong shape (1): bbox_embed.1.layers.2.bias: expected (4,), got (5,)" in text


def test_a_checkpoint_of_something_else():
    with pytest.raises(ValueError, match=r"not an original checkpoint of Grounding.*layers"):
        check({"image_encoder.trunk.pos_embed": torch.zeros(2)}, "sam2.pt")


@pytest.mark.parametrize("kind", ["cut off", "pointer", "empty", "objects", "list"])
def test_files_that_arent_checkpoints(kind, file, tmp_path):
    path = tmp_path / "bad.pth"
    if kind == "cut off":
        path.write_bytes(file.read_bytes()[:100_000])
    elif kind == "pointer":
        path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n")
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "objects":
        path.write_bytes(pickle.dumps({"model": TINY}))
    else:
        torch.save([torch.zeros(2)], path)
    with pytest.raises(ValueError, match=r"bad\.pth: (can't be read|expected names and tensors)"):
        read_checkpoint(path)


def test_names_of_checkpoints(file, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert find_checkpoint("IDEA-Research/grounding-dino-tiny") is None
    assert find_checkpoint(file) == file
    with pytest.raises(ValueError, match=r"ShilongLiu/GroundingDINO/groundingdino_swint_ogc\.pth"):
        find_checkpoint("groundingdino_swint_ogc.pth")
    with pytest.raises(ValueError, match=r"as someone/somewhere/their\.pth"):
        find_checkpoint("someone/somewhere/their.pth")
    with pytest.raises(ValueError, match="no file"):
        find_checkpoint("a/folder/that/is/not/there.pth")


def test_no_tokenizer_to_be_had(state, bert_folder, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    path = save_original(tmp_path, state, bert_folder)
    (tmp_path / "vocab.txt").unlink()
    with pytest.raises(ValueError, match="beside the checkpoint"):
        GroundingDino.from_pretrained(path, tokenizer=tmp_path / "nowhere")
    found = GroundingDino.from_pretrained(path, tokenizer=bert_folder)
    assert found.tokenizer.convert_tokens_to_ids("zebra") == 29145
