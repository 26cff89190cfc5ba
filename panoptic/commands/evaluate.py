"""``panoptic eval``: panoptic quality of COCO panoptic files."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

NAME = "eval"
HELP = "panoptic quality (PQ, SQ, RQ) of a COCO panoptic prediction"
EPILOG = """\
The PNGs are looked for in the folder named like the JSON, beside it. Numbers are those of COCO's
panopticapi.

  panoptic eval out/panoptic.json annotations/panoptic_val2017.json --by-name
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("prediction", type=Path, help="JSON of the prediction")
    parser.add_argument("truth", type=Path, help="JSON of the ground truth")
    parser.add_argument(
        "--by-name",
        action="store_true",
        help="categories go by name instead of by id, as with words of one's own",
    )
    parser.add_argument("--prediction-folder", type=Path, metavar="DIR", help="PNGs, if elsewhere")
    parser.add_argument("--truth-folder", type=Path, metavar="DIR", help="PNGs, if elsewhere")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there too")


def run(arguments: argparse.Namespace) -> int:
    from tqdm import tqdm

    from panoptic.evaluate import evaluate_coco

    with tqdm(unit="image", disable=None, leave=False) as bar:

        def progress(done: int, images: int) -> None:
            bar.total = images
            bar.update(done - bar.n)

        report = evaluate_coco(
            arguments.prediction,
            arguments.truth,
            prediction_folder=arguments.prediction_folder,
            truth_folder=arguments.truth_folder,
            by_name=arguments.by_name,
            progress=progress,
        )
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(report.to_dict(), indent=1) + "\n", encoding="utf-8")
    print(f"{report.images} images")
    print(report)
    return 0
