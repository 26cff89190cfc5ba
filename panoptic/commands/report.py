"""``panoptic report``: one page about a labelled data set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from panoptic.commands.command import add
from panoptic.commands.terminal import LogLines
from panoptic.io.progress import ProgressBar

EPILOG = """\
The page is one file that needs no other and no network: counts of every category, histograms of
scores and qualities, the worst labels first with their overlays, and what is broken and why. It
can be written while the labelling goes on. Labels and pictures that can't be shown are named; the
exit code is then 1.

  panoptic report out
  panoptic report out -o page.html --worst 100
"""


def register(app: typer.Typer) -> None:
    add(app, "report", run, panel="Use", epilog=EPILOG)


def run(
    dataset: Annotated[Path, Argument(metavar="OUT", help="What panoptic dataset wrote.")],
    output: Annotated[
        Path | None,
        Option("-o", "--output", metavar="FILE", help="The page; OUT/report.html if not given."),
    ] = None,
    worst: Annotated[int, Option(metavar="N", min=0, help="Overlays of so many.")] = 24,
    pictures: Annotated[
        Path | None,
        Option(metavar="DIR", help="Where the pictures are now, if they were moved."),
    ] = None,
) -> int:
    """Show what is in a labelled data set, and what to look at first, on one HTML page."""
    from panoptic.dataset.html_report import ReportSettings, write_report
    from panoptic.dataset.store import DatasetStore

    with (
        DatasetStore.open(dataset, pictures) as store,
        ProgressBar("steps") as bar,
        LogLines("panoptic report", "panoptic.dataset", bar) as lines,
    ):
        settings = ReportSettings(worst=worst)
        path = write_report(store, output, settings, progress=bar.update)
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
    return 1 if lines.warnings else 0
