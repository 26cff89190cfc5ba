import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import sam2core
from sam2core import Sam2, Sam2Config
from sam2core.errors import WeightsError
from sam2core.weights import from_state_dict, to_state_dict
from tests.sam2core.conftest import TINY, random_model

DATA = Path(__file__).parent / "data"
PUBLIC = [(s, v) for s in ("tiny", "small", "base_plus", "large") for v in ("2.0", "2.1")]


def meta_shapes(size: str, version: str) -> dict[str, list[int]]:
    """Names and shapes in Meta's checkpoint, recorded from the package ``sam2`` 1.1.0."""
    with gzip.open(DATA / "meta_checkpoints.json.gz", "rt") as file:
        return json.load(file)[f"{size}-{version}"]


def zeros(shapes: dict[str, list[int]]) -> dict[str, torch.Tensor]:
    # Expanded from one number: of the real size, but without its memory.
    return {name: torch.zeros(()).expand(shape) for name, shape in shapes.items()}


@pytest.mark.parametrize(("size", "version"), PUBLIC)
def test_every_public_checkpoint_of_meta_loads_at_its_real_size(size, version):
    shapes = meta_shapes(size, version)
    model = from_state_dict(zeros(shapes))
    assert model.config == Sam2Config.preset(size, version)
    written = to_state_dict(model, "meta")
    assert {name: list(t.shape) for name, t in written.items()} == shapes


@pytest.mark.parametrize(("size", "version"), PUBLIC)
def test_every_public_checkpoint_of_hugging_face_loads_at_its_real_size(size, version):
    from transformers import Sam2VideoConfig, Sam2VideoModel

    content = sam2core.config_file.to_hugging_face(Sam2Config.preset(size, version))
    content = {k: v for k, v in content.items() if k not in ("architectures", "model_type")}
    with torch.device("meta"):
        reference = Sam2VideoModel(Sam2VideoConfig(**content))
    shapes = {name: list(t.shape) for name, t in reference.state_dict().items()}
    model = from_state_dict(zeros(shapes))
    assert model.config == Sam2Config.preset(size, version)
    # And back: what we write has exactly the names and shapes that transformers expects.
    written = to_state_dict(model, "hugging_face")
    assert {name: list(t.shape) for name, t in written.items()} == shapes


def test_a_real_size_pt_file_gives_its_tensors_back(tmp_path):
    state = {n: torch.randn(s) for n, s in meta_shapes("tiny", "2.1").items()}
    torch.save({"model": state}, tmp_path / "sam2.1_hiera_tiny.pt")
    model = sam2core.load(tmp_path / "sam2.1_hiera_tiny.pt")
    assert model.config == Sam2Config.preset("tiny")
    assert not model.training
    again = to_state_dict(model, "meta")
    assert all(torch.equal(again[n].flatten(), t.flatten()) for n, t in state.items())


def test_a_hugging_face_folder_gives_the_same_model_back(tmp_path):
    model = random_model()
    sam2core.save(model, tmp_path / "out")
    again = sam2core.load(tmp_path / "out")
    assert again.config == TINY
    for name, tensor in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor), name


def test_transformers_reads_what_we_write(tmp_path):
    from transformers import Sam2VideoModel

    # That implementation fixes the width of memories at 64.
    sam2core.save(random_model(replace(TINY, memory_dim=64)), tmp_path)
    reference, info = Sam2VideoModel.from_pretrained(tmp_path, output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    pixels = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        theirs = reference.get_image_embeddings(pixels)[-1]
        model = sam2core.load(tmp_path, dtype=torch.float32)
        ours = model.recall(model.encode_image(pixels)).features
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def test_whoever_reads_the_config_reads_the_weights(tmp_path):
    sam2core.save(random_model(), tmp_path)
    modes = {path.stat().st_mode for path in tmp_path.iterdir()}
    assert len(modes) == 1


def test_half_precision_files_load_as_float32(tmp_path):
    sam2core.save(random_model(), tmp_path, dtype=torch.float16)
    model = sam2core.load(tmp_path)
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_all_problems_are_listed_at_once():
    state = to_state_dict(random_model(), "hugging_face")
    del state["no_object_pointer"]
    state["mask_decoder.extra.weight"] = torch.zeros(3)
    state["mask_downsample.bias"] = torch.zeros(7)
    with pytest.raises(WeightsError) as error:
        from_state_dict(state, TINY)
    message = str(error.value)
    assert "missing (1): no_object_pointer" in message
    assert "unexpected (1): mask_decoder.extra.weight" in message
    assert "wrong shape (1): mask_downsample.bias: expected (1,), found (7,)" in message


def test_two_different_position_matrices_are_refused():
    state = to_state_dict(random_model(), "hugging_face")
    state["prompt_encoder.shared_embedding.positional_embedding"] += 1
    with pytest.raises(WeightsError, match="share one matrix"):
        from_state_dict(state, TINY)


@pytest.mark.parametrize("name", ["model.safetensors", "model.pt"])
def test_a_truncated_file_is_an_error_that_says_so(tmp_path, name):
    model = random_model()
    if name.endswith(".pt"):
        torch.save({"model": to_state_dict(model, "meta")}, tmp_path / name)
    else:
        sam2core.save(model, tmp_path)
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(WeightsError, match=r"can't be read .* cut off"):
        sam2core.load(path)


def test_foreign_files_are_errors(tmp_path):
    (tmp_path / "page.pt").write_text("<html>not found</html>")
    with pytest.raises(WeightsError, match="can't be read"):
        sam2core.load(tmp_path / "page.pt")
    torch.save({"conv1.weight": torch.zeros(1)}, tmp_path / "resnet.pt")
    with pytest.raises(WeightsError, match="not a checkpoint of SAM 2"):
        sam2core.load(tmp_path / "resnet.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(WeightsError, match="found list"):
        sam2core.load(tmp_path / "list.pt")
    with pytest.raises(WeightsError, match="no such file or folder"):
        sam2core.load(tmp_path / "nowhere.pt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(WeightsError, match="expected a folder with"):
        sam2core.load(tmp_path / "empty")


def test_pickles_that_run_code_are_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "pwned",))

    torch.save({"model": Evil()}, tmp_path / "evil.pt")
    with pytest.raises(WeightsError, match="can't be read"):
        sam2core.load(tmp_path / "evil.pt")
    assert not (tmp_path / "pwned").exists()


def test_an_unreachable_hub_is_a_clear_error(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsError, match="not to be had from the Hugging Face hub"):
        sam2core.load("facebook/sam2.1-hiera-nonexistent")


def test_the_hub_cache_is_used_offline(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    root = tmp_path / "models--owner--sam2-tiny"
    sam2core.save(random_model(), root / "snapshots" / "abc")
    (root / "refs").mkdir()
    (root / "refs" / "main").write_text("abc")
    import huggingface_hub

    real = huggingface_hub.hf_hub_download
    monkeypatch.setattr(
        huggingface_hub,
        "hf_hub_download",
        lambda *a, **k: real(*a, **k, cache_dir=str(tmp_path)),
    )
    assert isinstance(sam2core.load("owner/sam2-tiny"), Sam2)


def test_dtype_sets_what_is_computed_in_and_not_the_weights(tmp_path):
    sam2core.save(random_model(), tmp_path)
    model = sam2core.load(tmp_path, dtype=torch.bfloat16)
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    pixels = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    exact = sam2core.load(tmp_path, dtype="float32").encode_image(pixels).features
    rough = model.encode_image(pixels).features
    assert rough.dtype == torch.bfloat16
    error = (rough.float() - exact).std() / exact.std()
    assert 1e-4 < error < 0.05
    with pytest.raises(ValueError, match="dtype must be"):
        sam2core.load(tmp_path, dtype=torch.float64)
