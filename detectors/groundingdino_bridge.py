"""Everything that lets the package ``groundingdino-py`` run on today's torch and transformers.

The package (0.4.0, the newest) was written for transformers 4. What is in the way, and what is
done about it here, all in one place:

- It pins supervision 0.6.0, which it doesn't need: install it with ``--no-deps`` (see the extra
  ``[groundingdino]`` in pyproject.toml for what it does need).
- Its ``BertModelWarper`` takes methods of BERT apart that transformers 5 no longer has
  (``get_head_mask``, ``get_extended_attention_mask``, ``invert_attention_mask``). BERT itself
  accepts the mask that the wrapper was there for, so a BERT that hands it on takes its place.
- It downloads BERT's weights to overwrite them with the checkpoint's; here BERT is built from its
  configuration alone.
- It reads captions with a tokenizer of its own; here it is given token ids, so that they are
  those that the category spans were worked out with.
- Its compiled operator ``_C`` isn't built: 0.4.0 computes deformable attention in plain PyTorch,
  on a CPU and a GPU alike. Older versions fail at import, and say so here.
- It checkpoints activations in inference too (two switches in its configuration): turned off.
- torchvision, which it imports, registers shapes of operators that its compiled library defines.
  Where that library can't load (a CUDA build of torchvision beside a CPU build of torch), the
  import fails for operators that aren't needed; they are declared beforehand.

The replacements hold while a model is built, and are taken back then.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from types import MethodType, SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

INSTALL = (
    "it isn't needed for .pth checkpoints, which detectors.grounding_dino reads too; to have it, "
    "pip install 'panoptic-anything[groundingdino]' "
    "&& pip install --no-deps groundingdino-py==0.4.0"
)
_ONE_AT_A_TIME = Lock()  # the package's Swin writes each picture's size into its blocks
_DECLARED: list[torch.library.Library] = []  # a declaration ends with its library


def declare_torchvision_operators() -> None:
    """Declare torchvision's operators where its compiled library can't load.

    To be called before anything imports torchvision, transformers included. Does nothing where
    torchvision is missing, or whole.
    """
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None or _DECLARED:
        return
    try:
        for library in Path(spec.origin).parent.glob("_C*.so"):
            torch.ops.load_library(str(library))
    except OSError:
        _DECLARED.append(torch.library.Library("torchvision", "FRAGMENT"))
        for name in ("nms", "qnms"):
            _DECLARED[0].define(
                f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            )


class TokenIds:
    """In the place of the package's tokenizer: captions are token ids already."""

    def convert_tokens_to_ids(self, tokens: Sequence[str]) -> list[int]:
        return [{"[CLS]": 101, "[SEP]": 102, ".": 1012, "?": 1029}[token] for token in tokens]

    def __call__(self, captions: Tensor, **_: Any) -> Any:
        from transformers import BatchEncoding

        return BatchEncoding(
            {
                "input_ids": captions,
                "token_type_ids": torch.zeros_like(captions),
                "attention_mask": torch.ones_like(captions),
            }
        )


class PackageModel(nn.Module):
    """The package's model with the inputs, outputs and attributes of transformers' class."""

    def __init__(self, model: nn.Module, text_config: Any) -> None:
        super().__init__()
        self.model = model
        self.config = SimpleNamespace(
            num_feature_levels=model.num_feature_levels,
            num_queries=model.num_queries,
            max_text_len=model.max_text_len,
            text_config=text_config,
        )

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    def forward(self, pixel_values: Tensor, pixel_mask: Tensor, input_ids: Tensor) -> Any:
        from groundingdino.util.misc import NestedTensor

        samples = NestedTensor(pixel_values, pixel_mask == 0)  # theirs is True at the padding
        with _ONE_AT_A_TIME, _deprecations_ignored():
            output = self.model(samples, captions=input_ids)
        return SimpleNamespace(logits=output["pred_logits"], pred_boxes=output["pred_boxes"])


class PackageSteps:
    """The package's model in the two steps that ``GroundingDino`` asks for.

    It has one ``forward``, which takes no features: its backbone is made to remember those of the
    picture that is being asked about.
    """

    def __init__(self, model: PackageModel) -> None:
        self.model = model
        backbone: Any = model.model.backbone
        backbone.forward = MethodType(_remembering, backbone)

    def see(self, pixels: Tensor, mask: Tensor, padded: bool = True) -> _Seen:
        return _Seen(pixels, mask)

    def ask(self, seen: _Seen, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and boxes of all queries for a caption (T,) of token ids."""
        before = _SEEN.set(seen)
        try:
            output = self.model(seen.pixels, seen.mask, ids.repeat(len(seen.pixels), 1))
        finally:
            _SEEN.reset(before)
        return output.logits, output.pred_boxes


@dataclass
class _Seen:
    """Pictures, and their features once somebody asked for them."""

    pixels: Tensor
    mask: Tensor
    features: tuple[list[Any], list[Any]] | None = None


_SEEN: ContextVar[_Seen | None] = ContextVar("seen_by_groundingdino_py", default=None)


def _remembering(backbone: nn.Module, image: Any) -> tuple[list[Any], list[Any]]:
    """The backbone's ``forward``: of the picture that is asked about, in this thread, it computes
    the features once."""
    compute = type(backbone).forward
    seen = _SEEN.get()
    if seen is None or image.tensors is not seen.pixels:
        return compute(backbone, image)
    if seen.features is None:
        seen.features = compute(backbone, image)
    features, positions = seen.features
    return list(features), list(positions)  # the model appends to them


def build(config_file: Path, text_config: Any) -> PackageModel:
    """The package's model after one of its configuration files, with random weights.

    ``text_config`` is BERT's. Configuration files are Python and are run: take them from where
    you would take code. Raises ``ImportError`` that says what to install.
    """
    declare_torchvision_operators()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of timm, about its own module names
            from groundingdino.models import build_model
            from groundingdino.util.slconfig import SLConfig
    except (ImportError, RuntimeError) as error:
        raise ImportError(f"groundingdino-py can't be imported ({error}); {INSTALL}") from error
    arguments = SLConfig.fromfile(str(config_file))
    arguments.use_checkpoint = arguments.use_transformer_ckpt = False
    with _replaced(text_config), _deprecations_ignored():
        return PackageModel(build_model(arguments), text_config).eval()


@contextmanager
def _deprecations_ignored() -> Iterator[None]:
    """Old spellings of torch.meshgrid and autocast, both without effect."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, message=".*meshgrid.*")
        warnings.filterwarnings("ignore", category=FutureWarning, message=".*autocast.*")
        yield


@contextmanager
def _replaced(text_config: Any) -> Iterator[None]:
    """Within the block, the package builds its text side from what is here."""
    from groundingdino.models.GroundingDINO import groundingdino as module
    from groundingdino.util import get_tokenlizer
    from transformers import BertModel

    class Bert(BertModel):
        """BERT for a mask (B, T, T) of which token sees which, as the package makes it."""

        def forward(self, input_ids: Tensor, attention_mask: Tensor, **others: Any) -> Any:
            return super().forward(input_ids, attention_mask[:, None], **others)

    places = (
        (get_tokenlizer, "get_tokenlizer", lambda _: TokenIds()),
        (get_tokenlizer, "get_pretrained_language_model", lambda _: Bert(text_config)),
        (module, "BertModelWarper", lambda bert_model: bert_model),
    )
    before = [getattr(place, name) for place, name, _ in places]
    try:
        for place, name, replacement in places:
            setattr(place, name, replacement)
        yield
    finally:
        for (place, name, _), original in zip(places, before, strict=True):
            setattr(place, name, original)
