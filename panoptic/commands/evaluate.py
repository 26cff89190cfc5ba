"""``panoptic eval``: measures of results on disk, pictures or videos, against their truth."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from panoptic.video.layouts import LAYOUTS

if TYPE_CHECKING:
    from panoptic.evaluate import PanopticReport
    from panoptic.video.evaluate import VideoReport

Progress = Callable[[int, int], None]

NAME = "eval"
HELP = "panoptic quality of results on disk; of videos VPQ, STQ, J&F and id switches"
EPILOG = """\
Pictures: the PNGs are looked for in the folder named like the JSON, beside it. Numbers are those
of COCO's panopticapi.

  panoptic eval out/panoptic.json annotations/panoptic_val2017.json --by-name

Videos: folders in the layout of a data set, numbers as its own evaluation counts them.

  vipseg              pred.json, pan_pred/   against  panoptic_gt_VIPSeg_val.json, panomasksRGB/
  davis               SEQUENCE/00000.png     against  Annotations/480p/, ImageSets/2017/val.txt
  davis-unsupervised  likewise               against  Annotations_unsupervised/480p/
  sa-v                VIDEO/OBJECT/00000.png against  Annotations_6fps/, sav_val.txt
                      or masklet files VIDEO_*.json on both sides

  panoptic eval out/ VIPSeg/VIPSeg_720P --layout vipseg --by-name
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("prediction", type=Path, help="JSON or folder of the prediction")
    parser.add_argument("truth", type=Path, help="JSON or folder of the ground truth")
    parser.add_argument(
        "--layout",
        choices=("coco", *LAYOUTS),
        default="coco",
        help="coco: panoptic pictures (default); the others: videos, see below",
    )
    parser.add_argument(
        "--by-name",
        action="store_true",
        help="categories go by name instead of by id, as with words of one's own",
    )
    parser.add_argument("--prediction-folder", type=Path, metavar="DIR", help="PNGs, if elsewhere")
    parser.add_argument("--truth-folder", type=Path, metavar="DIR", help="PNGs, if elsewhere")
    parser.add_argument("--subset", default="val", help="of DAVIS: its ImageSets list (val)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there too")


def run(arguments: argparse.Namespace) -> int:
    from tqdm import tqdm

    pictures = arguments.layout == "coco"
    with tqdm(unit="image" if pictures else "video", disable=None, leave=False) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        if pictures:
            of_pictures = _evaluate_pictures(arguments, progress)
            counted, numbers = f"{of_pictures.images} images", of_pictures.to_dict()
            table = of_pictures.table()
        else:
            of_videos = _evaluate_videos(arguments, progress)
            counted = f"{of_videos.videos} videos, {of_videos.frames} frames"
            table, numbers = of_videos.table(), of_videos.to_dict()
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")
    print(counted)
    print(table)
    return 0


def _evaluate_pictures(arguments: argparse.Namespace, progress: Progress) -> PanopticReport:
    from panoptic.evaluate import evaluate_coco

    return evaluate_coco(
        arguments.prediction,
        arguments.truth,
        prediction_folder=arguments.prediction_folder,
        truth_folder=arguments.truth_folder,
        by_name=arguments.by_name,
        progress=progress,
    )


def _evaluate_videos(arguments: argparse.Namespace, progress: Progress) -> VideoReport:
    from panoptic.video.folders import evaluate_folders

    if arguments.prediction_folder or arguments.truth_folder:
        raise ValueError("--prediction-folder and --truth-folder belong to the layout coco")
    if arguments.by_name and arguments.layout != "vipseg":
        raise ValueError(f"the layout {arguments.layout} has no categories that could go by name")
    return evaluate_folders(
        arguments.prediction,
        arguments.truth,
        arguments.layout,
        subset=arguments.subset,
        by_name=arguments.by_name,
        progress=progress,
    )
