"""Which models count as large, and what that means for the precision that nobody asked for."""

import pytest
import torch

from panoptic import PanopticPipeline
from panoptic.commands.common import settle
from panoptic.commands.options import ModelOptions
from panoptic.dataset.worker_recipe import PipelineRecipe
from panoptic.presets import PRESETS, find_preset, is_large
from sam2core import precision


@pytest.fixture
def folder(tmp_path):
    """Three checkpoints, of which one has 64 MiB of weights (a file with nothing in it)."""
    for name, megabytes in (("grounding_dino", 64), ("clipseg", 1), ("sam2", 1)):
        (tmp_path / name).mkdir()
        with (tmp_path / name / "model.safetensors").open("wb") as file:
            file.truncate(megabytes << 20)
    return tmp_path


@pytest.fixture
def only_avx512(monkeypatch):
    """A processor with bfloat16 in AVX-512 and no AMX."""
    monkeypatch.setattr(precision, "cpu_has_amx", lambda: False)
    monkeypatch.setattr(precision, "cpu_has_avx512_bfloat16", lambda: True)


def test_published_models_are_large_and_those_of_the_demo_are_not():
    assert [name for name, preset in PRESETS.items() if not is_large(preset)] == ["demo"]
    assert is_large(find_preset("demo", sam2="facebook/sam2.1-hiera-tiny"))


def test_a_folder_goes_by_its_weights(folder):
    assert is_large(find_preset(folder))
    (folder / "grounding_dino" / "model.safetensors").unlink()
    (folder / "grounding_dino" / "vocabulary.json").write_bytes(bytes(64 << 20))
    assert not is_large(find_preset(folder))


def test_all_who_choose_a_precision_choose_the_same(folder, only_avx512):
    for models, dtype in ((folder, "bfloat16"), ("demo", "float32")):
        assert settle(ModelOptions(models=str(models), device="cpu")).dtype == dtype
        assert PipelineRecipe({"source": str(models)}).settled(["cpu"]).dtype == dtype
    asked = ModelOptions(models=str(folder), device="cpu", dtype="float32")
    assert settle(asked).dtype == "float32"
    pipeline = PanopticPipeline.from_pretrained("demo")
    assert pipeline.loaded_with["dtype"] == torch.float32
