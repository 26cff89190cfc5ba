"""``panoptic image``: words and pictures in, labelled pictures out."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from panoptic.commands.common import add_model_arguments, add_setting_arguments, load_pipeline

if TYPE_CHECKING:
    import numpy as np

    from panoptic.segmentation import PanopticSegmentation
    from prompts import Vocabulary

NAME = "image"
HELP = "label pictures: overlays to look at, and COCO panoptic files"
EPILOG = """\
Written to the output folder: overlays/NAME.png, panoptic.json and panoptic/NAME.png (COCO's
panoptic format), and with --explain explain/NAME/. Pictures that cannot be read are named and
left out; the exit code is then 1.

  panoptic image street.jpg --things "car, person" --stuff "road, sky" -o out
  panoptic image photos/*.jpg --vocabulary words.yaml --models small --device cuda -o out
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pictures", nargs="+", type=Path, metavar="PICTURE")
    words = parser.add_argument_group("words")
    words.add_argument("--things", metavar="NAMES", help='what can be counted: "car, person"')
    words.add_argument("--stuff", metavar="NAMES", help='what cannot: "road, sky"')
    words.add_argument(
        "--vocabulary",
        type=Path,
        metavar="FILE",
        help="YAML or JSON with the keys things, stuff and synonyms, or COCO categories",
    )
    parser.add_argument("-o", "--output", type=Path, default=Path("out"), metavar="DIR")
    parser.add_argument(
        "--explain", action="store_true", help="also show step by step how each picture came about"
    )
    parser.add_argument(
        "--batch", type=int, default=1, metavar="N", help="pictures at a time (default: 1)"
    )
    add_model_arguments(parser, default="tiny")
    add_setting_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    # All that can be wrong about the request is found before models are loaded.
    vocabulary = read_words(arguments)
    if arguments.models == "demo" and not (arguments.things_model or arguments.stuff_model):
        _check_demo_words(vocabulary)
    if arguments.batch < 1:
        raise ValueError(f"--batch must be 1 or more, got {arguments.batch}")
    missing = [path for path in arguments.pictures if not path.is_file()]
    if len(missing) == len(arguments.pictures):
        what = "is a folder; name the pictures in it" if missing[0].is_dir() else "is not there"
        raise ValueError(f"{str(missing[0])!r} {what}")
    arguments.output.mkdir(parents=True, exist_ok=True)
    pipeline = load_pipeline(arguments)

    from tqdm import tqdm

    rows, failed = [], 0
    with (
        _Output(arguments.output, vocabulary, arguments.explain) as output,
        tqdm(total=len(arguments.pictures), unit="picture", disable=None, leave=False) as bar,
    ):
        for paths, pictures, errors in _batches(arguments.pictures, arguments.batch):
            for error in errors:
                failed += 1
                tqdm.write(f"panoptic image: left out: {error}", file=sys.stderr)
            start = time.perf_counter()
            results = pipeline.segment_batch(pictures, vocabulary)
            seconds = (time.perf_counter() - start) / max(len(results), 1)
            for path, result in zip(paths, results, strict=True):
                output.write(path, result)
                rows.append(_row(path, result, seconds))
            bar.update(len(paths) + len(errors))
    if not rows:
        raise ValueError(f"none of the {failed} pictures can be read")
    print(_table(rows))
    print(f"{len(rows)} labelled, in {arguments.output}: overlays/, panoptic.json, panoptic/")
    return 1 if failed else 0


def read_words(arguments: argparse.Namespace) -> Vocabulary:
    from prompts import Vocabulary

    if arguments.vocabulary is not None:
        if arguments.things is not None or arguments.stuff is not None:
            raise ValueError("give the words either in a --vocabulary file or as --things, --stuff")
        return Vocabulary.from_file(arguments.vocabulary)
    if not (arguments.things or arguments.stuff):
        raise ValueError(
            'say what to look for: --things "car, person" --stuff "road, sky", or --vocabulary FILE'
        )
    for name in ("things", "stuff"):
        if ";" in (getattr(arguments, name) or ""):
            raise ValueError(f"--{name} takes names with commas between them, and no ';'")
    return Vocabulary.parse(f"{arguments.things or ''}; {arguments.stuff or ''}")


def _check_demo_words(vocabulary: Vocabulary) -> None:
    from panoptic.demo.artwork import THING_NAMES
    from panoptic.demo.textures import STUFF_NAMES

    for categories, names in ((vocabulary.things, THING_NAMES), (vocabulary.stuff, STUFF_NAMES)):
        known = {word for name in names for word in name.split()}
        for phrase in (phrase for category in categories for phrase in category.phrases):
            if not known.issuperset(phrase.split()):
                raise ValueError(
                    f"the demo models have no word for {phrase!r}; they know {', '.join(names)}. "
                    "For photographs: --models tiny, small, base or large"
                )


class _Output:
    """The files of a run. Each is written whole; the JSON comes last, interrupted or not, so that
    it lists just what is there. A run without any result writes no JSON."""

    def __init__(self, folder: Path, vocabulary: Vocabulary, explain: bool) -> None:
        from panoptic.coco import CocoPanopticWriter

        self.folder = folder
        self.vocabulary = vocabulary
        self.explain = explain
        self.count = 0
        self.coco = CocoPanopticWriter(folder, categories=vocabulary.to_coco())

    def write(self, path: Path, result: PanopticSegmentation) -> None:
        png = self.coco.add(result, path.name)
        overlays = self.folder / "overlays"
        overlays.mkdir(exist_ok=True)
        part = overlays / f"{png.name}.part"
        result.overlay(colors=self.vocabulary).save(part, format="PNG")
        part.replace(overlays / png.name)
        if self.explain:
            result.explain().save(self.folder / "explain" / png.stem)
        self.count += 1

    def __enter__(self) -> _Output:
        return self

    def __exit__(self, *_: object) -> None:
        if self.count:
            self.coco.close()
        elif not any(self.coco.png_folder.iterdir()):
            self.coco.png_folder.rmdir()


def _batches(
    paths: list[Path], size: int
) -> Iterator[tuple[list[Path], list[np.ndarray], list[Exception]]]:
    """Pictures that can be read with their paths, and the errors of the others."""
    from panoptic.images import ImageError, load_image

    for start in range(0, len(paths), size):
        read, errors = [], []
        for path in paths[start : start + size]:
            try:
                read.append((path, load_image(path)))
            except ImageError as error:
                errors.append(error)
        yield [path for path, _ in read], [picture for _, picture in read], list(errors)


def _row(path: Path, result: PanopticSegmentation, seconds: float) -> tuple[str, ...]:
    return (
        path.name,
        f"{result.width} x {result.height}",
        str(len(result.things)),
        str(len(result.stuff)),
        f"{100 * float((result.ids == 0).mean()):.1f} %",
        f"{seconds:.1f}",
    )


def _table(rows: list[tuple[str, ...]], most: int = 40) -> str:
    from panoptic.tables import table

    head = ("picture", "pixels", "things", "stuff", "unlabelled", "seconds")
    lines = table(head, rows[:most])
    return lines if len(rows) <= most else f"{lines}\nand {len(rows) - most} more"
