"""``panoptic eval``: measures of results on disk, pictures or videos, against their truth."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from typer import Argument, Option

from panoptic.commands.command import add
from panoptic.commands.terminal import show
from panoptic.io.files import write_text

if TYPE_CHECKING:
    from panoptic.measure.evaluate_pictures import PanopticReport
    from panoptic.measure.video_report import VideoReport

Layout = Literal["coco", "vipseg", "davis", "davis-unsupervised", "sa-v"]
EPILOG = """\
Pictures: the PNGs are looked for in the folder named like the JSON, beside it. Numbers are those
of COCO's panopticapi.

  panoptic eval out/panoptic.json annotations/panoptic_val2017.json --by-name

Videos: folders in the layout of a data set, numbers as its own evaluation counts them.

  vipseg  pred.json, pan_pred/ against panoptic_gt_VIPSeg_val.json and
          panomasksRGB/
  davis   SEQUENCE/00000.png against Annotations/480p/, ImageSets/2017/val.txt
  davis-unsupervised  likewise, against Annotations_unsupervised/480p/
  sa-v    VIDEO/OBJECT/00000.png against Annotations_6fps/, sav_val.txt;
          or masklet files VIDEO_*.json on both sides

  panoptic eval out/ VIPSeg/VIPSeg_720P --layout vipseg --by-name
"""


@dataclass(frozen=True)
class Comparison:
    """What is compared, and how it lies on disk."""

    prediction: Annotated[Path, Argument(help="JSON or folder of the prediction.")]
    truth: Annotated[Path, Argument(help="JSON or folder of the ground truth.")]
    layout: Annotated[
        Layout,
        Option(
            metavar="NAME",
            help="coco: panoptic pictures; vipseg, davis, davis-unsupervised, sa-v: videos, "
            "see below.",
        ),
    ] = "coco"
    by_name: Annotated[
        bool,
        Option("--by-name", help="Categories go by name, not id, as with words of one's own."),
    ] = False
    prediction_folder: Annotated[Path | None, Option(metavar="DIR", help="PNGs, if elsewhere.")] = (
        None
    )
    truth_folder: Annotated[Path | None, Option(metavar="DIR", help="PNGs, if elsewhere.")] = None
    subset: Annotated[str, Option(metavar="NAME", help="Of DAVIS: its ImageSets list.")] = "val"


def register(app: typer.Typer) -> None:
    add(app, "eval", run, panel="Measure", epilog=EPILOG)


def run(
    compared: Comparison,
    numbers: Annotated[
        Path | None, Option("--json", metavar="FILE", help="Write the numbers there too.")
    ] = None,
) -> int:
    """Measure results on disk: panoptic quality; of videos VPQ, STQ, J&F and id switches."""
    report: PanopticReport | VideoReport
    if compared.layout == "coco":
        report = _evaluate_pictures(compared)
        counted = f"{report.images} images"
    else:
        report = _evaluate_videos(compared)
        counted = f"{report.videos} videos, {report.frames} frames"
    if numbers is not None:
        write_text(numbers, json.dumps(report.to_dict(), indent=1) + "\n")
    print(counted)
    show(*report.tables())
    return 0


def _evaluate_pictures(compared: Comparison) -> PanopticReport:
    from panoptic.measure.evaluate_pictures import evaluate_coco

    return evaluate_coco(
        compared.prediction,
        compared.truth,
        prediction_folder=compared.prediction_folder,
        truth_folder=compared.truth_folder,
        by_name=compared.by_name,
    )


def _evaluate_videos(compared: Comparison) -> VideoReport:
    from panoptic.measure.evaluate_folders import evaluate_folders

    if compared.prediction_folder or compared.truth_folder:
        raise ValueError("--prediction-folder and --truth-folder belong to the layout coco")
    if compared.by_name and compared.layout != "vipseg":
        raise ValueError(f"the layout {compared.layout} has no categories that could go by name")
    return evaluate_folders(
        compared.prediction,
        compared.truth,
        compared.layout,
        subset=compared.subset,
        by_name=compared.by_name,
    )
