"""What a checkpoint's processor files say of pictures, held against what sam2core does.

transformers keeps that in ``preprocessor_config.json`` (and ``video_preprocessor_config.json``),
from its version 5 on inside ``processor_config.json``. SAM 2 has one way of looking at pictures
(:mod:`sam2core.transforms`); files that ask for another are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sam2core.config import Sam2Config
from sam2core.config_reader import Fields, refuse_if_wrong
from sam2core.errors import WeightsError
from sam2core.transforms import MEAN, STD
from sam2core.weight_files import DamagedFileError, read_fields

_FILES = ("preprocessor_config.json", "video_preprocessor_config.json", "processor_config.json")
_BILINEAR = 2
# Names, and how a library hands its pictures over: nothing of a picture's content.
_SKIPPED = (
    *("image_processor_type", "video_processor_type", "feature_extractor_type"),
    *("processor_class", "data_format", "input_data_format", "return_tensors", "device"),
    *("disable_grouping", "default_to_square", "image_seq_length", "num_frames", "fps"),
    *("return_metadata", "video_metadata", "crop_size", "pad_size", "size_divisor"),
    *("_valid_processor_keys", "point_pad_value"),
)


def check_processor(folder: Path, config: Sam2Config) -> None:
    """Hold the processor files of a folder, where there are any, against the model's function.

    Raises :class:`WeightsError` that names the file, the field and both values.
    """
    for name in _FILES:
        path = folder / name
        if not path.is_file():
            continue
        try:
            content = read_fields(path)
        except DamagedFileError as error:
            raise WeightsError(str(error)) from error
        problems: list[str] = []
        _check(content, config, problems)
        refuse_if_wrong(str(path), problems)


def _check(content: Any, config: Sam2Config, problems: list[str]) -> None:
    whole = Fields(content, "", problems)
    inner = [whole.inner(key) for key in ("image_processor", "video_processor")]
    for fields in (whole, *inner):
        _check_pictures(fields, config)
    whole.require(target_size=config.image_size)
    for fields in (whole, *inner):
        fields.skip(_SKIPPED)
        fields.end()


def _check_pictures(fields: Fields, config: Sam2Config) -> None:
    fields.require(do_resize=True, do_rescale=True, do_normalize=True, do_convert_rgb=True)
    fields.require(do_center_crop=False, do_pad=False, do_sample_frames=False)
    fields.require(image_mean=MEAN, image_std=STD, resample=_BILINEAR)
    scale = fields.read("rescale_factor", 1 / 255)
    if not isinstance(scale, float) or abs(scale * 255 - 1) > 1e-6:
        fields.problems.append(
            f"{fields.path('rescale_factor')} is {scale}, but only 1/255 is supported"
        )
    for name, side in (("size", config.image_size), ("mask_size", config.mask_size)):
        found = fields.read(name)
        if isinstance(found, Mapping):
            found = {key: value for key, value in found.items() if value is not None}
        if found not in (None, side, {"height": side, "width": side}):
            fields.problems.append(
                f"{fields.path(name)} is {found}, but the model sees {side} x {side}"
            )
