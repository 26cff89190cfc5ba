"""``panoptic dataset``: a folder (or list, or shards) of pictures and videos in, a data set out."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from typer import Argument, Option

from panoptic.commands.command import add, report
from panoptic.commands.common import changes_of_settings, read_words
from panoptic.commands.options import ModelOptions, SettingOptions, WordOptions
from panoptic.commands.terminal import LogLines
from panoptic.io.progress import ProgressBar

if TYPE_CHECKING:
    from panoptic.dataset.resumable_labelling import DatasetRun

RUN = "Run"
SHOWN = 20
EPILOG = """\
SOURCE is a folder with all below it, a picture or video, a pattern, a text list (.txt, a path or
URL a line), a COCO JSON (its pictures beside it, or in --images), tar shards, a column of a
Hugging Face data set, or a URL that fsspec can read.

  panoptic dataset photos/ --things "car, person" --stuff "road, sky" -o out
  panoptic dataset "photos/**/*.jpg" --vocabulary words.yaml -o out
  panoptic dataset instances_val2017.json --images val2017/ ... -o out
  panoptic dataset "shards/train-{000..012}.tar" ... -o out
  panoptic dataset "datasets://beans?column=image&split=test" ... -o out

The output folder must be new or empty, or a data set of the same source. Every label is on disk
as soon as it is made, in out/labels and out/videos; the same command goes on where a run stopped,
whatever stopped it, also within a video. Broken items are recorded with the reason, and the
exit code is then 1. Formats for other tools: --format, or panoptic export at any time.
"""


def register(app: typer.Typer) -> None:
    add(app, "dataset", run, panel="Label", epilog=EPILOG)


def run(
    source: Annotated[str, Argument(metavar="SOURCE", help="What to label, see below.")],
    words: WordOptions,
    models: ModelOptions,
    settings: SettingOptions,
    output: Annotated[Path, Option("-o", "--output", metavar="DIR")],
    images: Annotated[
        Path | None, Option(metavar="DIR", help="Where the pictures of a COCO JSON lie.")
    ] = None,
    formats: Annotated[
        list[str] | None,
        Option("--format", metavar="NAME", help="Export to this format at the end; repeatable."),
    ] = None,
    redo: Annotated[
        bool,
        Option(
            "--redo/--resume",
            help="Label anew what was labelled with other words, models or settings; what a "
            "person accepted or corrected stays. Without it such a folder is refused.",
            rich_help_panel=RUN,
        ),
    ] = False,
    max_errors: Annotated[
        int | None,
        Option(metavar="N", min=0, help="End when more items are broken.", rich_help_panel=RUN),
    ] = None,
    engine: Annotated[
        Literal["local", "ray"] | None,
        Option(
            metavar="NAME", help="local (the default), or ray for a cluster.", rich_help_panel=RUN
        ),
    ] = None,
    workers: Annotated[
        int | None,
        Option(
            metavar="N",
            min=1,
            help="Processes with models of their own, on the GPUs in turn or on the --device that "
            "is named (1).",
            rich_help_panel=RUN,
        ),
    ] = None,
    batch: Annotated[
        int | None,
        Option(
            metavar="N",
            min=1,
            help="Pictures that go through the models together (4).",
            rich_help_panel=RUN,
        ),
    ] = None,
) -> int:
    """Label a whole data set: resumable, with every label kept as soon as it is made."""
    from panoptic.commands.recipe import recipe_for
    from panoptic.dataset.export import check_export
    from panoptic.dataset.resumable_labelling import label_dataset
    from panoptic.io.sources import open_source
    from panoptic.io.sources.emptiness import check_not_empty
    from panoptic.settings.tree import Settings

    # All that can be wrong about the request is found before models are loaded.
    vocabulary = read_words(words, models)
    if formats:
        check_export(vocabulary, output / "export", formats)
    opened = open_source(source, images)
    short = {"batch": batch, "workers": workers, "engine": engine, "max_errors": max_errors}
    changes = changes_of_settings(
        settings, {f"dataset.{name}": v for name, v in {**short, "redo": redo or None}.items()}
    )
    how = Settings().changed(changes).dataset
    check_not_empty(opened)
    recipe = recipe_for(models, changes)
    with ProgressBar("items") as bar, _Lines("panoptic dataset", "panoptic.dataset", bar):
        result = label_dataset(
            recipe, source, vocabulary, output, images=images, settings=how, progress=bar.update
        )
    print(_summary(result))
    if result.interrupted:
        print("stopped; the same command goes on from here")
        return 130
    failed = _export(result, formats) if formats else 0
    return 1 if result.failed or result.counts.failed else failed


def _export(result: DatasetRun, formats: list[str]) -> int:
    """In the place of what an earlier run of the same command exported; the exit code."""
    from panoptic.commands.export import tell_exported
    from panoptic.dataset.export import export
    from panoptic.dataset.splits import SplitShares
    from panoptic.errors import NothingExported

    with (
        result.open() as store,
        ProgressBar("items", len(store)) as bar,
        LogLines("panoptic dataset", "panoptic.dataset", bar),
    ):
        try:
            made = export(
                *(store.items(), store.vocabulary, result.out / "export", formats),
                overwrite=True,
                progress=bar.update,
            )
        except NothingExported as error:  # the labels are good all the same
            report("panoptic dataset", error)
            return 1
    return tell_exported(made, SplitShares())


class _Lines(LogLines):
    """Every broken item is named; of choices in reading, which may be one a picture, the first."""

    _noted = 0

    def text(self, record: logging.LogRecord) -> str | None:
        if hasattr(record, "note"):
            self._noted += 1
            if self._noted == SHOWN + 1:
                return "more pictures are read with a choice like these"
            if self._noted > SHOWN:
                return None
        return record.getMessage()


def _summary(result: DatasetRun) -> str:
    rate = result.labelled / result.seconds if result.seconds else 0.0
    text = f"{result.labelled} labelled in {result.seconds:.0f} s ({rate:.2f} a second)"
    if result.counts.done != result.labelled:
        text += f", {result.counts.done} in all"
    if result.counts.failed:
        text += f"; {result.counts.failed} left out as broken"
    if result.counts.gone:
        text += f"; {result.counts.gone} never labelled and no longer in the source"
    return f"{text}; in {result.out}"
