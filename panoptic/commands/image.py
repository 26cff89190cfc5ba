"""``panoptic image``: words and pictures in, labelled pictures out."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from panoptic.commands.command import LESS_MEMORY, add
from panoptic.commands.common import changes_of_settings, load_pipeline, read_words
from panoptic.commands.named_pictures import NamedPicture, named_pictures
from panoptic.commands.options import ModelOptions, Overwrite, SettingOptions, WordOptions
from panoptic.commands.terminal import show
from panoptic.errors import no_memory
from panoptic.io.files import write_png
from panoptic.io.output_folder import OutputFolder, output_folder
from panoptic.io.progress import ProgressBar
from panoptic.show.tables import Table

if TYPE_CHECKING:
    import numpy as np

    from panoptic.io.picture_settings import PictureSettings
    from panoptic.pipeline import PanopticPipeline
    from panoptic.results.segmentation import PanopticSegmentation
    from prompts import Vocabulary

HEAD = ("picture", "pixels", "things", "stuff", "unlabelled", "seconds")
ROWS = 40
"""The most that the table at the end shows."""
HOPELESS = 8
"""So many pictures on which the models fail, before they work on a single one, are no accident."""
EPILOG = """\
Written to the output folder: overlays/NAME.png, panoptic.json and panoptic/NAME.png (COCO's
panoptic format), and with --explain explain/NAME/. The folder must be new or empty; --overwrite
puts the new results in place of those that panoptic wrote there, and leaves all else alone.
Pictures that cannot be read are named and left out; the exit code is then 1.

  panoptic image street.jpg --things "car, person" --stuff "road, sky" -o out
  panoptic image photos/*.jpg --vocabulary words.yaml --models small -o out
  panoptic image images.json --images photos/ --vocabulary words.yaml -o out

Of a COCO JSON, image ids and file names are kept, so that panoptic eval finds the truth.
"""


def register(app: typer.Typer) -> None:
    add(app, "image", run, panel="Label", epilog=EPILOG)


def run(
    given: Annotated[
        list[Path],
        Argument(metavar="PICTURE", help="Files to label, or a COCO JSON that lists some."),
    ],
    words: WordOptions,
    models: ModelOptions,
    settings: SettingOptions,
    output: Annotated[Path, Option("-o", "--output", metavar="DIR")] = Path("out"),
    overwrite: Overwrite = False,
    explain: Annotated[
        bool, Option("--explain", help="Also show step by step how each picture came about.")
    ] = False,
    batch: Annotated[int, Option(metavar="N", min=1, help="Pictures at a time.")] = 1,
    images: Annotated[
        Path | None, Option(metavar="DIR", help="Where the pictures of a COCO JSON lie.")
    ] = None,
) -> int:
    """Label pictures: overlays to look at, and COCO panoptic files."""
    vocabulary = read_words(words, models)
    named = named_pictures(given, images)
    pictures = list(named.by_path)
    if not pictures:
        raise ValueError(f"{str(given[0])!r} lists no picture")
    missing = [path for path in pictures if not path.is_file()]
    if len(missing) == len(pictures):
        folder = "is a folder; name the pictures in it, or see `panoptic dataset`"
        what = folder if missing[0].is_dir() else "is not there"
        raise ValueError(f"{str(missing[0])!r} {what}")
    changes = changes_of_settings(settings)
    rows: list[tuple[str, ...]] = []
    failed = len(named.problems)
    unlabelled: list[Exception] = []
    with (
        output_folder(output, "panoptic image", overwrite=overwrite) as out,
        _Output(out, vocabulary, explain, named.by_path) as written,
        ProgressBar("pictures", len(pictures)) as bar,
    ):
        for problem in named.problems:
            bar.say(f"panoptic image: left out: {problem}")
        pipeline = load_pipeline(models, changes)
        for paths, read, errors in _batches(pictures, batch, pipeline.settings.pictures, bar):
            for error in errors:
                failed += 1
                bar.say(f"panoptic image: left out: {error}")
            start = time.perf_counter()
            results = _segmented(pipeline, read, vocabulary)
            seconds = (time.perf_counter() - start) / max(len(results), 1)
            for path, result in zip(paths, results, strict=True):
                if isinstance(result, Exception):
                    failed += 1
                    what = f"out of memory; {LESS_MEMORY}" if no_memory(result) else repr(result)
                    bar.say(f"panoptic image: left out: {str(path)!r}: {what}")
                    unlabelled.append(result)
                    if len(unlabelled) >= HOPELESS and not rows:
                        raise _no_accident(unlabelled)
                    continue
                written.write(path, result)
                rows.append(_row(path, result, seconds))
            bar.advance(len(paths) + len(errors))
    if not rows and unlabelled:
        raise _no_accident(unlabelled)
    if not rows:
        raise ValueError(f"none of the {failed} pictures can be read")
    show(Table(HEAD, rows[:ROWS], numbers=range(1, len(HEAD))))
    if len(rows) > ROWS:
        print(f"and {len(rows) - ROWS} more")
    print(f"{len(rows)} labelled, in {output}: overlays/, panoptic.json, panoptic/")
    return 1 if failed else 0


class _Output:
    """The files of a run. Each is written whole; the JSON comes last, interrupted or not, so that
    it lists just what is there. A run without any result writes no JSON."""

    def __init__(
        self,
        folder: OutputFolder,
        vocabulary: Vocabulary,
        explain: bool,
        named: Mapping[Path, NamedPicture],
    ) -> None:
        from panoptic.formats.coco_panoptic import CocoPanopticWriter

        self.folder = folder
        self.vocabulary = vocabulary
        self.explain = explain
        self.named = named
        self.count = 0
        self.coco = CocoPanopticWriter(
            folder.root, categories=vocabulary.to_coco(), place=folder.file
        )

    def write(self, path: Path, result: PanopticSegmentation) -> None:
        picture = self.named[path]
        png = self.coco.add(result, picture.file_name, picture.image_id)
        overlay = result.overlay(colors=self.vocabulary)
        write_png(self.folder.file(f"overlays/{png.name}"), overlay)
        if self.explain:
            place = self.folder.files(f"explain/{png.stem}", "*")
            result.explain().save(place, overwrite=True)
        self.count += 1

    def __enter__(self) -> _Output:
        return self

    def __exit__(self, *_: object) -> None:
        if self.count:
            self.coco.close()


def _batches(
    paths: list[Path], size: int, settings: PictureSettings, bar: ProgressBar
) -> Iterator[tuple[list[Path], list[np.ndarray], list[Exception]]]:
    """Pictures that can be read with their paths, and the errors of the others. What there is to
    say of those read is told."""
    from panoptic.errors import ImageError
    from panoptic.io.images import read_picture

    for start in range(0, len(paths), size):
        read, errors = [], []
        for path in paths[start : start + size]:
            try:
                picture = read_picture(path, settings)
                for note in picture.notes:
                    bar.say(f"panoptic image: {note}")
                read.append((path, picture.pixels))
            except ImageError as error:
                errors.append(error)
        yield [path for path, _ in read], [picture for _, picture in read], list(errors)


def _segmented(
    pipeline: PanopticPipeline, images: list[np.ndarray], vocabulary: Vocabulary
) -> Sequence[PanopticSegmentation | Exception]:
    """One picture that the models fail on, or too many for the memory, must not fail the others."""
    try:
        return pipeline.segment_batch(images, vocabulary)
    except Exception as error:
        if len(images) == 1:
            return [error]
        return [_segmented(pipeline, [image], vocabulary)[0] for image in images]


def _no_accident(errors: list[Exception]) -> Exception:
    """What ends a run in which the models fail on everything: a word that they can't know, say."""
    if isinstance(errors[-1], ValueError) or no_memory(errors[-1]):
        return errors[-1]
    return ValueError(f"the models fail on all of the first {len(errors)} pictures: {errors[-1]!r}")


def _row(path: Path, result: PanopticSegmentation, seconds: float) -> tuple[str, ...]:
    return (
        path.name,
        f"{result.width} x {result.height}",
        str(len(result.things)),
        str(len(result.stuff)),
        f"{100 * float((result.ids == 0).mean()):.1f} %",
        f"{seconds:.1f}",
    )
