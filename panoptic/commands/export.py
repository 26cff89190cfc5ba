"""``panoptic export``: a labelled data set in the formats of other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from typer import Argument, Option

from panoptic.commands.command import add
from panoptic.formats import FORMATS
from panoptic.io.progress import ProgressBar

EPILOG = """\
Each format gets a folder, OUT/export/FORMAT unless --to says otherwise, with its splits; it
appears when it is whole, and takes the place of an earlier export. What was rejected in review is
left out, corrections are in place of the first labels.

  panoptic export out --format coco_panoptic --format yolo_seg
  panoptic export out --format cvat_images --min-quality 0.5 --parts things

Formats:

"""


def register(app: typer.Typer) -> None:
    width = max(map(len, FORMATS))
    listed = "\n".join(f"  {f.name:{width}}  {f.about}" for f in FORMATS.values())
    add(app, "export", run, panel="Use", epilog=EPILOG + listed)


def run(
    dataset: Annotated[Path, Argument(metavar="OUT", help="What panoptic dataset wrote.")],
    formats: Annotated[
        list[str], Option("--format", metavar="NAME", help="See below; repeatable.")
    ],
    to: Annotated[
        Path | None, Option("--to", metavar="DIR", help="Where to; OUT/export if not given.")
    ] = None,
    parts: Annotated[
        Literal["all", "things", "stuff"], Option(metavar="PARTS", help="all, things or stuff.")
    ] = "all",
    min_quality: Annotated[
        float,
        Option(metavar="Q", min=0, max=1, help="Leave out pictures that nobody accepted below."),
    ] = 0.0,
    min_segment_quality: Annotated[
        float, Option(metavar="Q", min=0, max=1, help="Make segments below this void.")
    ] = 0.0,
    pictures: Annotated[
        Literal["copy", "link"],
        Option(metavar="HOW", help="copy pictures, or link them where the disk can."),
    ] = "copy",
) -> int:
    """Write a labelled data set in the formats of other tools."""
    from panoptic.dataset.export import ExportSettings, export
    from panoptic.dataset.store import DatasetStore
    from panoptic.formats.exporter import Selection

    settings = ExportSettings(Selection(parts, min_segment_quality), min_quality, pictures)
    with DatasetStore.open(dataset) as store, ProgressBar("items", len(store)) as bar:
        made = export(
            *(store.items(), store.vocabulary, to or dataset / "export", formats, settings),
            progress=bar.update,
        )
    for format in made:
        splits = ", ".join(f"{n} {split}" for split, n in sorted(format.items.items()))
        left_out = f"; {format.left_out} left out, see export.json" if format.left_out else ""
        print(f"{format.format}: {splits or 'nothing'}{left_out}; in {format.folder}")
        if format.first_reason:
            bar.say(f"panoptic export: {format.format} has no {format.first_reason}")
    return 1 if any(format.first_reason for format in made) else 0
