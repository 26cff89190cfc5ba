"""Zero-shot panoptic labelling of images and video.

Names are imported when they are first used, so that ``import panoptic`` is quick. What it does see
to is that no package of another distribution is in the way of ours, see ``panoptic_anything``.

Part of panoptic-anything.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from panoptic_anything import __version__, check

if TYPE_CHECKING:
    from panoptic.pipeline import PanopticPipeline
    from panoptic.results.frame import PanopticFrame
    from panoptic.results.segment import Segment
    from panoptic.results.segmentation import PanopticSegmentation
    from panoptic.settings.image import PipelineSettings
    from panoptic.settings.video import VideoSettings
    from prompts import Category, Vocabulary

_HOME = {
    "Category": "prompts",
    "PanopticFrame": "panoptic.results.frame",
    "PanopticPipeline": "panoptic.pipeline",
    "PanopticSegmentation": "panoptic.results.segmentation",
    "PipelineSettings": "panoptic.settings.image",
    "Segment": "panoptic.results.segment",
    "VideoSettings": "panoptic.settings.video",
    "Vocabulary": "prompts",
}
__all__ = [
    "Category",
    "PanopticFrame",
    "PanopticPipeline",
    "PanopticSegmentation",
    "PipelineSettings",
    "Segment",
    "VideoSettings",
    "Vocabulary",
    "__version__",
]

check()


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'panoptic' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
