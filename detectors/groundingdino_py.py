"""Grounding DINO through the package ``groundingdino-py``, the authors' own code.

transformers' class gives the same boxes (``python -m benchmarks.groundingdino_parity``) and reads
the same checkpoints, so this is for those who want the package itself. What makes it run is in
``detectors.groundingdino_bridge``.
"""

from __future__ import annotations

from pathlib import Path

import torch

from detectors.base import ThingSettings
from detectors.grounding_dino import GroundingDino
from detectors.groundingdino_bridge import (
    INSTALL,
    PackageSteps,
    build,
    declare_torchvision_operators,
)
from detectors.groundingdino_layout import Sizes
from detectors.groundingdino_weights import IGNORED, check, find_checkpoint, read_checkpoint
from detectors.image_transform import ImageTransform
from detectors.pretrained import find_tokenizer

# Of the package's two configurations, by the width of the backbone.
_CONFIGS = {96: "GroundingDINO_SwinT_OGC.py", 128: "GroundingDINO_SwinB_cfg.py"}


class GroundingDinoPy(GroundingDino):
    """As ``GroundingDino``, category by token span included, with the package's model."""

    _steps_of = PackageSteps

    @classmethod
    def from_pretrained(
        cls,
        source: str | Path,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
        settings: ThingSettings | None = None,
        *,
        config: str | Path | None = None,
        tokenizer: str | Path | None = None,
        quantise: bool = False,
        compile: bool = False,
    ) -> GroundingDinoPy:
        """Load a ``.pth`` checkpoint: a path, ``owner/name/file.pth`` on the hub, or a bare name
        that the authors publish (``groundingdino_swint_ogc.pth``).

        ``config`` is one of the package's configuration files, which are Python and are run; by
        default the one of the checkpoint's backbone that comes with the package. ``tokenizer`` is
        a folder or hub name, by default as for ``GroundingDino``. Raises ``ValueError`` for what
        isn't such a checkpoint, ``ImportError`` without the package. The package's model is
        computed as it is: ``ValueError`` for ``quantise`` and ``compile``.
        """
        if quantise or compile:
            raise ValueError(
                "groundingdino-py's model is computed as it is; for 8 bits and torch.compile, name "
                "the checkpoint without 'groundingdino-py:'"
            )
        path = find_checkpoint(source)
        if path is None:
            raise ValueError(
                f"groundingdino-py reads checkpoints that end in .pth, not {source}; use the "
                "backend of transformers for folders and the hub's own checkpoints"
            )
        declare_torchvision_operators()
        state = check(read_checkpoint(path), str(path))
        sizes = Sizes.of(state, str(path))
        model = build(Path(config) if config else _config_file(sizes), sizes.config().text_config)
        fits = {name: tuple(tensor.shape) for name, tensor in model.model.state_dict().items()}
        wrong = [n for n, tensor in state.items() if n in fits and fits[n] != tuple(tensor.shape)]
        wrong += [n for n in fits if n not in state and not IGNORED.fullmatch(n)]
        if wrong:
            raise ValueError(
                f"{path} doesn't fit the configuration {config or _config_file(sizes)}: "
                f"{len(wrong)} tensors differ, {sorted(wrong)[:3]} for the first"
            )
        model.model.load_state_dict(state, strict=False)
        words = find_tokenizer(tokenizer, path.parent)
        return cls(model.to(device), words, ImageTransform.grounding_dino(), settings, dtype)


def _config_file(sizes: Sizes) -> Path:
    from importlib.util import find_spec

    name = _CONFIGS.get(sizes.swin_dim)
    if name is None:
        raise ValueError(
            f"the checkpoint's backbone is {sizes.swin_dim} wide, while the package has "
            f"configurations for {sorted(_CONFIGS)}; give its configuration file (config=)"
        )
    spec = find_spec("groundingdino")
    if spec is None or spec.origin is None:
        raise ImportError(f"groundingdino-py isn't installed; {INSTALL}")
    return Path(spec.origin).parent / "config" / name
