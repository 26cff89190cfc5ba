"""``panoptic export``: a labelled data set in the formats of other tools."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from typer import Argument, Option

from panoptic.commands.command import add
from panoptic.commands.options import Overwrite
from panoptic.commands.terminal import LogLines
from panoptic.formats import FORMATS
from panoptic.io.progress import ProgressBar

if TYPE_CHECKING:
    from panoptic.dataset.export import Exported
    from panoptic.dataset.splits import SplitShares

EPILOG = """\
Each format gets a folder, OUT/export/FORMAT unless --to says otherwise, with its splits; it
appears when it is whole and not empty. With --overwrite it then takes the place of an earlier
export; what others put into that stays. What was rejected in review is left out, corrections are in
place of the first labels. What can't be exported is named; the exit code is then 1.

  panoptic export out --format coco_panoptic --format yolo_seg
  panoptic export out --format cvat_images --min-quality 0.5 --parts things
  panoptic export out --format yolo_seg --split train=0.7,val=0.3 --overwrite
  panoptic export out --format labelme --pictures /new/place/of/the/pictures

Splits follow from the content of a picture, so they stay when others come. A split that would get
nothing gets a picture of another, if there is one to spare.

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
    overwrite: Overwrite = False,
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
    split: Annotated[
        str, Option(metavar="SHARES", help="How much train, val and test get, such as train=1.")
    ] = "train=0.8,val=0.1,test=0.1",
    pictures: Annotated[
        Path | None,
        Option(metavar="DIR", help="Where the pictures are now, if they were moved."),
    ] = None,
    link: Annotated[
        bool, Option("--link", help="Link pictures instead of copying, where the disk can.")
    ] = False,
) -> int:
    """Write a labelled data set in the formats of other tools."""
    from panoptic.dataset.export import ExportSettings, check_export, export
    from panoptic.dataset.splits import SplitShares
    from panoptic.dataset.store import DatasetStore
    from panoptic.formats.exporter import Selection

    settings = ExportSettings(
        Selection(parts, min_segment_quality), min_quality, "link" if link else "copy"
    )
    shares = SplitShares.parse(split)
    folder = to or dataset / "export"
    with DatasetStore.open(dataset, pictures) as store:
        check_export(store.vocabulary, folder, formats, settings)
        with (
            ProgressBar("items", len(store)) as bar,
            LogLines("panoptic export", "panoptic.dataset", bar),
        ):
            made = export(
                store.items(store.splits(shares, min_quality)),
                *(store.vocabulary, folder, formats, settings),
                overwrite=overwrite,
                progress=bar.update,
            )
    return tell_exported(made, shares)


def tell_exported(made: Sequence[Exported], shares: SplitShares) -> int:
    """A line a format, and what splits it has not; the exit code."""
    for format in made:
        if not format.total:
            print(f"{format.format}: nothing, so it isn't written; {format.left_out} left out")
            continue
        splits = ", ".join(f"{n} {split}" for split, n in sorted(format.items.items()))
        left_out = f"; {format.left_out} left out, see export.json" if format.left_out else ""
        print(f"{format.format}: {splits}{left_out}; in {format.folder}")
        if missing := [split for split in shares.asked if not format.items.get(split)]:
            print(
                f"{format.format} has nothing for {' and '.join(missing)}: {format.total} items "
                f"({format.left_out} left out; copies of one picture count once) are too few for "
                f"{len(shares.asked)} splits"
            )
    return 1 if any(format.failed for format in made) else 0
