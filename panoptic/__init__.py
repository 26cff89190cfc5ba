"""Zero-shot panoptic labelling of images and video.

What a user needs is here, the rest in the packages below. Names are imported when they are first
used, so that ``import panoptic`` is quick. What it does see to is that no package of another
distribution is in the way of ours, see ``panoptic_anything``.

Part of panoptic-anything.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from panoptic_anything import __version__, check

if TYPE_CHECKING:
    from panoptic import errors
    from panoptic.dataset.export import ExportSettings, export
    from panoptic.dataset.resumable_labelling import DatasetRun, label_dataset
    from panoptic.dataset.splits import SplitShares
    from panoptic.dataset.store import DatasetStore
    from panoptic.io.images import load_image
    from panoptic.measure.evaluate_coco import evaluate_coco
    from panoptic.measure.evaluate_folders import evaluate_folders
    from panoptic.measure.evaluate_pictures import PanopticReport, evaluate
    from panoptic.measure.evaluate_video import evaluate_video
    from panoptic.measure.video_report import VideoReport
    from panoptic.pipeline import PanopticPipeline
    from panoptic.results.explanation import Explanation
    from panoptic.results.frame import PanopticFrame
    from panoptic.results.last_names import with_last_names
    from panoptic.results.segment import Segment
    from panoptic.results.segmentation import PanopticSegmentation
    from panoptic.settings.dataset import DatasetSettings
    from panoptic.settings.tree import Settings
    from panoptic.settings.video import VideoSettings
    from panoptic.video.file_session import FileSession
    from panoptic.video.session import VideoSession
    from panoptic.video.track import track
    from prompts import Category, Vocabulary

_HOME = {
    "Category": "prompts",
    "DatasetRun": "panoptic.dataset.resumable_labelling",
    "DatasetSettings": "panoptic.settings.dataset",
    "DatasetStore": "panoptic.dataset.store",
    "Explanation": "panoptic.results.explanation",
    "ExportSettings": "panoptic.dataset.export",
    "FileSession": "panoptic.video.file_session",
    "PanopticFrame": "panoptic.results.frame",
    "PanopticPipeline": "panoptic.pipeline",
    "PanopticReport": "panoptic.measure.evaluate_pictures",
    "PanopticSegmentation": "panoptic.results.segmentation",
    "Segment": "panoptic.results.segment",
    "Settings": "panoptic.settings.tree",
    "SplitShares": "panoptic.dataset.splits",
    "VideoReport": "panoptic.measure.video_report",
    "VideoSession": "panoptic.video.session",
    "VideoSettings": "panoptic.settings.video",
    "Vocabulary": "prompts",
    "evaluate": "panoptic.measure.evaluate_pictures",
    "evaluate_coco": "panoptic.measure.evaluate_coco",
    "evaluate_folders": "panoptic.measure.evaluate_folders",
    "evaluate_video": "panoptic.measure.evaluate_video",
    "export": "panoptic.dataset.export",
    "label_dataset": "panoptic.dataset.resumable_labelling",
    "load_image": "panoptic.io.images",
    "track": "panoptic.video.track",
    "with_last_names": "panoptic.results.last_names",
}
__all__ = [
    "Category",
    "DatasetRun",
    "DatasetSettings",
    "DatasetStore",
    "Explanation",
    "ExportSettings",
    "FileSession",
    "PanopticFrame",
    "PanopticPipeline",
    "PanopticReport",
    "PanopticSegmentation",
    "Segment",
    "Settings",
    "SplitShares",
    "VideoReport",
    "VideoSession",
    "VideoSettings",
    "Vocabulary",
    "__version__",
    "errors",
    "evaluate",
    "evaluate_coco",
    "evaluate_folders",
    "evaluate_video",
    "export",
    "label_dataset",
    "load_image",
    "track",
    "with_last_names",
]

check()


def __getattr__(name: str) -> Any:
    if name == "errors":
        return import_module("panoptic.errors")
    if name not in _HOME:
        raise AttributeError(f"module 'panoptic' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
