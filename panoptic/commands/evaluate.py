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
from panoptic.errors import OutputError
from panoptic.io.files import read_json, write_text

if TYPE_CHECKING:
    from panoptic.measure.evaluate_pictures import PanopticReport
    from panoptic.measure.video_report import VideoReport

Layout = Literal["coco", "vipseg", "davis", "davis-unsupervised", "sa-v", "sa-v-unsupervised"]
_OF_NUMBERS = ({"images", "all", "per_class"}, {"videos", "frames", "jf"})
"""By these a file of numbers is known."""
EPILOG = """\
Pictures: a JSON, its PNGs in the folder named like it beside it; or the folder that panoptic image
or panoptic export wrote, whose splits count as one. Numbers are those of COCO's panopticapi.

  panoptic eval out annotations/panoptic_val2017.json --by-name
  panoptic eval export/coco_panoptic truth.json --by-name --ignore-other-words

Which picture is which follows from image ids, where file names agree, else from file names; which
was used is told. By name, a word is the truth's that is written alike, case, "_" and "-" aside,
or that differs by COCO's endings: tree is tree-merged. What was taken for what is told.

Videos: folders in the layout of a data set, numbers as its own evaluation counts them, on the
frames that the truth has.

  vipseg  pred.json, pan_pred/ against panoptic_gt_VIPSeg_val.json and
          panomasksRGB/
  davis   SEQUENCE/00000.png against Annotations/480p/, ImageSets/2017/val.txt
  davis-unsupervised  likewise, against Annotations_unsupervised/480p/
  sa-v    VIDEO/OBJECT/00000.png or masklet files VIDEO_*.json, against
          Annotations_6fps/, sav_val.txt, or masklet files
  sa-v-unsupervised   likewise, whatever ids the objects were given

davis and sa-v take the prediction's ids for the truth's. What panoptic video found has ids of its
own: that is for the unsupervised ones.

  panoptic eval out VIPSeg/VIPSeg_720P --layout vipseg --by-name
  panoptic eval out DAVIS --layout davis-unsupervised
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
            help="coco: panoptic pictures; vipseg, davis, davis-unsupervised, sa-v, "
            "sa-v-unsupervised: videos, see below.",
        ),
    ] = "coco"
    by_name: Annotated[
        bool,
        Option("--by-name", help="Categories go by name, not id, as with words of one's own."),
    ] = False
    ignore_other_words: Annotated[
        bool,
        Option("--ignore-other-words", help="Leave out segments of words that the truth lacks."),
    ] = False
    only_asked: Annotated[
        bool,
        Option(
            "--only-asked",
            help="Of the truth, count those categories alone that the prediction has a word for.",
        ),
    ] = False
    images: Annotated[
        Literal["auto", "id", "name"],
        Option(metavar="HOW", help="coco: pair pictures by id or by (file) name; auto: see below."),
    ] = "auto"
    skip_missing: Annotated[
        bool,
        Option("--skip-missing", help="Leave out pictures and videos without a prediction."),
    ] = False
    prediction_folder: Annotated[Path | None, Option(metavar="DIR", help="PNGs, if elsewhere.")] = (
        None
    )
    truth_folder: Annotated[Path | None, Option(metavar="DIR", help="PNGs, if elsewhere.")] = None
    subset: Annotated[
        str, Option(metavar="NAME", help="Of DAVIS (its ImageSets list) or VIPSeg (its JSON).")
    ] = "val"


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
    if numbers is not None:
        _check_free(numbers)
    for side in (compared.prediction, compared.truth):
        if not side.exists():
            raise ValueError(f"{str(side)!r} is not there: expected a JSON or a folder of labels")
    if compared.layout == "coco":
        report = _evaluate_pictures(compared)
        counted = f"{report.images} images, paired by {report.paired_by}"
    else:
        report = _evaluate_videos(compared)
        counted = f"{report.videos} videos, {report.frames} frames"
    if numbers is not None:
        write_text(numbers, json.dumps(report.to_dict(), indent=1) + "\n")
    print(counted)
    for note in report.notes:
        print(note)
    show(*report.tables())
    return 0


def _check_free(path: Path) -> None:
    """Numbers take the place of earlier numbers alone, never of the labels that are measured."""
    if not path.exists() or (path.is_file() and not path.stat().st_size):
        return
    try:
        known = set(read_json(path)) if path.is_file() else set()
    except (OSError, ValueError, TypeError):
        known = set()
    if not any(keys <= known for keys in _OF_NUMBERS) or "annotations" in known:
        what = "a folder" if path.is_dir() else "there, and holds no numbers of an evaluation"
        raise OutputError(f"{str(path)!r} is {what}: give the numbers another name (--json FILE)")


def _evaluate_pictures(compared: Comparison) -> PanopticReport:
    from panoptic.measure.evaluate_coco import evaluate_coco

    return evaluate_coco(
        compared.prediction,
        compared.truth,
        prediction_folder=compared.prediction_folder,
        truth_folder=compared.truth_folder,
        by_name=compared.by_name,
        images=compared.images,
        ignore_other_words=compared.ignore_other_words,
        only_asked=compared.only_asked,
        skip_missing=compared.skip_missing,
    )


def _evaluate_videos(compared: Comparison) -> VideoReport:
    from panoptic.measure.evaluate_folders import evaluate_folders

    if compared.prediction_folder or compared.truth_folder:
        raise ValueError("--prediction-folder and --truth-folder belong to the layout coco")
    if compared.images != "auto":
        raise ValueError("--images belongs to the layout coco: frames of videos go by their names")
    words = ("by_name", "ignore_other_words", "only_asked")
    asked = [f"--{name.replace('_', '-')}" for name in words if getattr(compared, name)]
    if asked and compared.layout != "vipseg":
        raise ValueError(
            f"the layout {compared.layout} has no categories: {' and '.join(asked)} can't be meant"
        )
    return evaluate_folders(
        compared.prediction,
        compared.truth,
        compared.layout,
        subset=compared.subset,
        by_name=compared.by_name,
        ignore_other_words=compared.ignore_other_words,
        only_asked=compared.only_asked,
        skip_missing=compared.skip_missing,
    )
