"""What ``import panoptic`` gives: every name is there, and every signature says what it takes."""

import importlib
import inspect
import logging

import pytest
import torch

import panoptic
from panoptic import PanopticPipeline
from panoptic.commands.options import ModelOptions
from panoptic.presets import DEFAULT_MODELS, PRESETS

PACKAGES = ("panoptic", "prompts", "detectors", "sam2core")


def signatures(package):
    """Functions of a package's ``__all__``, and constructors and methods of its classes."""
    for name in importlib.import_module(package).__all__:
        found = getattr(importlib.import_module(package), name)
        if inspect.isclass(found):
            for base in found.__mro__:
                if base.__module__.split(".")[0] not in PACKAGES:
                    continue
                made = {} if getattr(base, "_is_protocol", False) else {"__init__"}
                for member, value in vars(base).items():
                    function = inspect.unwrap(getattr(value, "__func__", value))
                    if inspect.isfunction(function) and (member in made or member[0] != "_"):
                        yield f"{package}.{name}.{member}", inspect.signature(function)
        elif inspect.isfunction(found):
            yield f"{package}.{name}", inspect.signature(inspect.unwrap(found))


@pytest.mark.parametrize("package", PACKAGES)
def test_every_parameter_is_named_and_typed(package):
    checked = 0
    for name, signature in signatures(package):
        for parameter in signature.parameters.values():
            assert parameter.kind is not parameter.VAR_KEYWORD, f"{name}(**{parameter.name})"
            if parameter.name not in ("self", "cls"):
                assert parameter.annotation is not parameter.empty, f"{name}({parameter.name})"
        if not name.endswith("__init__"):
            assert signature.return_annotation is not signature.empty, name
        checked += 1
    assert checked > 10


def test_what_a_user_needs_is_there():
    needed = {
        *("PanopticPipeline", "Vocabulary", "Category", "label_dataset", "track", "export"),
        *("PanopticSegmentation", "Segment", "PanopticFrame", "Explanation", "load_image"),
        *("evaluate", "evaluate_video", "DatasetStore", "ExportSettings", "Settings"),
        *("VideoSettings", "DatasetSettings", "errors", "__version__"),
    }
    assert needed <= set(panoptic.__all__) <= set(dir(panoptic))
    assert all(getattr(panoptic, name) is not None for name in panoptic.__all__)
    assert issubclass(panoptic.errors.ImageError, ValueError)
    with pytest.raises(AttributeError, match="no attribute 'segment_anything'"):
        _ = panoptic.segment_anything


def test_without_a_name_python_and_the_command_line_take_the_same_models(models_folder, caplog):
    parts = {"things": "grounding_dino", "stuff": "clipseg", "sam2": "sam2"}
    paths = {part: str(models_folder / folder) for part, folder in parts.items()}
    with caplog.at_level(logging.WARNING, "panoptic"):
        pipeline = PanopticPipeline.from_pretrained(**paths)
    assert pipeline.loaded_with["source"] == DEFAULT_MODELS == ModelOptions().models
    assert [r.getMessage() for r in caplog.records if r.name == "panoptic"] == [
        f'no models are named: using "{DEFAULT_MODELS}"; others: {", ".join(PRESETS)}'
    ]
    caplog.clear()
    PanopticPipeline.from_pretrained(models_folder)
    assert not [r for r in caplog.records if r.name == "panoptic"]


def test_quantised_from_the_command_line_as_in_python(models_folder):
    from detectors.int8_linear import Int8Linear
    from panoptic.commands.recipe import recipe_for

    options = ModelOptions(models=str(models_folder), device="cpu", quantise=True)
    for pipeline in (
        recipe_for(options)(),
        PanopticPipeline.from_pretrained(models_folder, quantise=True),
    ):
        assert any(isinstance(part, Int8Linear) for part in pipeline.things.model.modules())
        assert pipeline.loaded_with["quantise"] is True
        assert pipeline.loaded_with["compile"] is False


@pytest.mark.parametrize("device", ["gpu", "cuda:99", torch.device("cuda:99")])
def test_a_device_that_is_not_there_is_refused_with_those_that_are(device):
    with pytest.raises(ValueError, match=rf"there is no device '{device}'; there are .*cpu"):
        PanopticPipeline.from_pretrained("demo", device=device)


def test_one_switch_compiles_what_can_be_and_says_so(models_folder, caplog):
    from panoptic.commands.recipe import recipe_for

    options = ModelOptions(models=str(models_folder), device="cpu", compile=True)
    pipeline = recipe_for(options)()
    assert "Grounding DINO and SAM 2 will be compiled when first used" in caplog.text
    assert pipeline.loaded_with["compile"] is True
    assert pipeline.segmenter.model.memory_attention.compiled
    assert "see" in vars(pipeline.things._steps)
    plain = PanopticPipeline.from_pretrained(models_folder)
    assert not plain.segmenter.model.memory_attention.compiled
    assert "see" not in vars(plain.things._steps)
