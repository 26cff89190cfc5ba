from dataclasses import replace

import pytest
import torch

from sam2core import Sam2, load, precision
from sam2core.precision import choose_dtype, cpu_flags, has_amx, is_quick_in_bfloat16, name_of
from sam2core.weights import to_state_dict
from tests.sam2core.conftest import TINY

INTEL = "processor\t: 0\nflags\t\t: fpu avx2 avx512_bf16 amx_bf16 avx512_fp16 amx_tile amx_int8\n"
AMD = "processor\t: 0\nflags\t\t: fpu avx2 avx512f avx512_bf16\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd bf16 i8mm\n"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_a_dtype_that_is_asked_for_is_used_on_any_device(dtype):
    for device in ("cpu", "cuda:1", "mps", torch.device("cuda")):
        assert choose_dtype(device, dtype) == dtype
        assert choose_dtype(device, name_of(dtype)) == dtype
        assert choose_dtype(device, str(dtype)) == dtype


def test_auto_is_bfloat16_where_the_device_has_it_and_float32_elsewhere():
    expected = torch.bfloat16 if is_quick_in_bfloat16("cpu") else torch.float32
    assert choose_dtype("cpu") == choose_dtype("cpu", None) == choose_dtype("cpu", "auto")
    assert choose_dtype("cpu") == expected
    assert choose_dtype("mps") == torch.float32
    assert choose_dtype(["cpu", "mps"]) == torch.float32  # as suits all of them


@pytest.mark.parametrize(
    ("amx", "avx512", "small", "large"),
    [
        (True, True, torch.bfloat16, torch.bfloat16),
        (False, True, torch.float32, torch.bfloat16),
        (False, False, torch.float32, torch.float32),
    ],
)
def test_auto_on_a_processor_goes_by_its_instructions_and_the_size(
    amx, avx512, small, large, monkeypatch
):
    monkeypatch.setattr(precision, "cpu_has_amx", lambda: amx)
    monkeypatch.setattr(precision, "cpu_has_avx512_bfloat16", lambda: avx512)
    assert choose_dtype("cpu") == small
    assert choose_dtype("cpu", "auto", large=True) == large
    assert choose_dtype("cpu", "float32", large=True) == torch.float32
    assert choose_dtype(["cpu", "mps"], large=True) == torch.float32
    size = replace(TINY, embed_dim=96, memory_mlp_dim=12_000, decoder_mlp_dim=4096)
    for config, expected in ((TINY, small), (size, large)):
        weights = to_state_dict(Sam2(config), "hugging_face")
        assert load(weights, config=config).compute_dtype == expected


@pytest.mark.parametrize("dtype", [torch.float64, torch.int8, "half", "float", "", 16, bool])
def test_other_dtypes_are_refused_with_those_there_are(dtype):
    with pytest.raises(ValueError, match="dtype must be one of auto, float32, bfloat16, float16"):
        choose_dtype("cpu", dtype)


@pytest.mark.parametrize(
    ("cpuinfo", "amx"), [(INTEL, True), (AMD, False), (ARM, False), ("", False)]
)
def test_amx_is_told_from_the_flags_of_the_processor(cpuinfo, amx):
    assert has_amx(cpu_flags(cpuinfo)) is amx


def test_here_torch_and_the_kernel_agree_on_amx():
    if not cpu_flags():
        pytest.skip("no /proc/cpuinfo here")
    assert not is_quick_in_bfloat16("cpu") or has_amx(cpu_flags())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_every_gpu_is_asked_for_itself():
    for i in range(torch.cuda.device_count()):
        modern = torch.version.hip or torch.cuda.get_device_capability(i) >= (8, 0)
        expected = torch.bfloat16 if modern else torch.float32
        assert choose_dtype(f"cuda:{i}") == expected
