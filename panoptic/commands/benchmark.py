"""``panoptic benchmark``: a public data set, from its folder to a table beside others' figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer import Argument, Option

from panoptic.commands.command import add, report
from panoptic.commands.common import changes_of_settings, settle
from panoptic.commands.options import ModelOptions, SettingOptions
from panoptic.commands.terminal import LogLines, show
from panoptic.io.progress import ProgressBar

if TYPE_CHECKING:
    from panoptic.benchmark.measured import Measured
    from panoptic.io.output_folder import OutputFolder

COMMAND = "panoptic benchmark"
RUN = "Run"
SetName = Literal["coco", "ade20k", "vipseg", "davis", "sa-v"]
PICTURES, WORDLESS = ("coco", "ade20k"), ("davis", "sa-v")
EPILOG = """\
Each set is read as it is published (docs/benchmarks.md has the layouts, the words that each is
asked with and where the figures beside ours are from):

  coco    COCO: val2017/, annotations/panoptic_val2017.json and its PNGs; PQ
  ade20k  ADEChallengeData2016: images/validation/, ade20k_panoptic_val.json
          and PNGs, or annotations/ and annotations_instance/; PQ
  vipseg  VIPSeg_720P: images/, panomasksRGB/, panoptic_gt_VIPSeg_val.json; VPQ
  davis   DAVIS 2017: JPEGImages/480p, Annotations/480p, ImageSets/; J&F
  sa-v    sav_val or sav_test: JPEGImages_24fps/, Annotations_6fps/, list; J&F

coco, ade20k and vipseg are labelled by words alone. In davis and sa-v the true masks of first
frames are given and SAM 2 follows them, without words, as in its authors' evaluation.

  panoptic benchmark ade20k --data ADEChallengeData2016 --models large -o out
  panoptic benchmark sa-v --data sav_test --models large -o out --resume
  panoptic benchmark coco --data coco --models small --limit 100 -o out

The table is benchmark.md and benchmark.json in DIR, with the predictions in the set's own format.
After a kill, --resume goes on, and with all labelled it evaluates again.
"""


@dataclass(frozen=True)
class RunOptions:
    """How much, and how."""

    limit: Annotated[
        int | None,
        Option(
            metavar="N",
            min=1,
            help="Only the first N pictures or clips; the table says so.",
            rich_help_panel=RUN,
        ),
    ] = None
    resume: Annotated[
        bool,
        Option("--resume", help="Go on in DIR: what is done there stays.", rich_help_panel=RUN),
    ] = False
    workers: Annotated[
        int | None,
        Option(
            metavar="N",
            min=1,
            help="coco, ade20k: processes with models of their own, on the GPUs in turn (1).",
            rich_help_panel=RUN,
        ),
    ] = None
    batch: Annotated[
        int | None,
        Option(
            metavar="N",
            min=1,
            help="coco, ade20k: pictures that go through the models together (4).",
            rich_help_panel=RUN,
        ),
    ] = None


def register(app: typer.Typer) -> None:
    add(app, "benchmark", run, panel="Measure", epilog=EPILOG)


def run(
    name: Annotated[SetName, Argument(metavar="SET", help="coco, ade20k, vipseg, davis or sa-v.")],
    data: Annotated[Path, Option("--data", metavar="FOLDER", help="The set as published.")],
    models: ModelOptions,
    settings: SettingOptions,
    options: RunOptions,
    output: Annotated[Path, Option("-o", "--output", metavar="DIR")],
) -> int:
    """Measure on a public data set, and write a table beside published figures."""
    from panoptic.benchmark.pictures import Unfinished
    from panoptic.benchmark.published import PUBLISHED
    from panoptic.benchmark.table import MARKDOWN, as_table, write_table
    from panoptic.io.output_folder import output_folder

    changes = _changes(name, models, settings, options)
    benchmark = _Benchmark(name, data, models, changes, options)
    published = PUBLISHED[benchmark.key]
    folder = output_folder(output, COMMAND, resume=options.resume)
    with (
        folder as out,
        ProgressBar("items") as bar,
        LogLines(COMMAND, "panoptic.dataset", bar),
    ):
        try:
            measured = benchmark.measure(out, bar)
        except Unfinished as error:
            report(COMMAND, error)
            return 130 if error.interrupted else 1
        write_table(out, published, measured, benchmark.facts())
    show(as_table(published, measured))
    print(f"{output / MARKDOWN}: the whole table")
    return 0


def _changes(
    name: str, models: ModelOptions, settings: SettingOptions, options: RunOptions
) -> dict[str, Any]:
    """The settings that are asked for. Raises ``ValueError`` for what the set has no use for."""
    more = {"dataset.batch": options.batch, "dataset.workers": options.workers}
    changes = changes_of_settings(settings, more)
    asked = [f"--{n}" for n in ("workers", "batch") if getattr(options, n) is not None]
    if name not in PICTURES and asked:
        raise ValueError(f"{' and '.join(asked)}: only coco and ade20k have pictures to share out")
    if name in WORDLESS:
        others = {"--detector": models.things_model, "--stuff-model": models.stuff_model}
        asked = [option for option, value in others.items() if value is not None]
        asked += sorted(changes)
        if asked:
            raise ValueError(
                f"{name} is SAM 2 alone, as its authors evaluate it: {', '.join(asked)} can't be "
                "meant"
            )
    if changes.get("fill_unknown"):
        raise ValueError("segments without a word have no category in the set: no fill_unknown")
    return changes


class _Benchmark:
    """One set with the models that are asked for; the layout is looked at first."""

    def __init__(
        self,
        name: SetName,
        data: Path,
        models: ModelOptions,
        changes: Mapping[str, Any],
        options: RunOptions,
    ) -> None:
        from panoptic.benchmark import layouts
        from panoptic.devices import choose_devices
        from panoptic.presets import find_preset
        from panoptic.settings.tree import Settings

        find = {
            "coco": layouts.find_coco,
            "ade20k": layouts.find_ade20k,
            "vipseg": layouts.find_vipseg,
            "davis": layouts.find_davis,
            "sa-v": layouts.find_sav,
        }
        self.name, self.changes, self.limit = name, changes, options.limit
        self.found = find[name](data)
        self.key = f"sa-v {getattr(self.found, 'subset', '')}" if name == "sa-v" else name
        self.how = Settings().changed(changes).dataset
        self.devices = choose_devices(models.device, self.how.workers)
        settled = settle(models)
        # Several workers take the GPUs in turn, unless one was named.
        self.models = replace(settled, device=models.device) if self.how.workers > 1 else settled
        self.preset = find_preset(
            models.models, things=models.things_model, stuff=models.stuff_model, sam2=models.sam2
        )

    def measure(self, out: OutputFolder, bar: ProgressBar) -> Measured:
        from panoptic.benchmark.request import check_request

        check_request(out, self._asked())
        return self._masklets(out, bar) if self.name in WORDLESS else self._by_words(out, bar)

    def _by_words(self, out: OutputFolder, bar: ProgressBar) -> Measured:
        from panoptic.benchmark.ade20k import panoptic_truth
        from panoptic.benchmark.layouts import AdeParts, Clips
        from panoptic.benchmark.panoptic_clips import run_panoptic_clips
        from panoptic.benchmark.pictures import run_pictures
        from panoptic.benchmark.words import SetWords
        from panoptic.commands.common import load_pipeline
        from panoptic.commands.recipe import recipe_for

        words = SetWords.of(self.name)
        if isinstance(self.found, Clips):
            pipeline = load_pipeline(self.models, self.changes)
            return run_panoptic_clips(self.found, words, pipeline, out, self.limit, bar.update)
        found = self.found
        if isinstance(found, AdeParts):
            found = panoptic_truth(found, words, out, self.limit, bar.update)
        recipe = recipe_for(self.models, self.changes)
        return run_pictures(found, words, recipe, out, self.how, self.limit, bar.update)

    def _masklets(self, out: OutputFolder, bar: ProgressBar) -> Measured:
        import sam2core
        from panoptic.benchmark.layouts import Clips
        from panoptic.benchmark.masklets import DavisMasks, MaskletSet, SavMasks, run_masklets
        from panoptic.checkpoints import locate
        from panoptic.commands.options import quiet

        assert isinstance(self.found, Clips)
        kind = DavisMasks if self.name == "davis" else SavMasks
        masks: MaskletSet = kind(self.found)
        quiet()
        path = locate({"sam2": self.preset.sam2})["sam2"]
        model = sam2core.load(path, device=self.models.device or "cpu", dtype=self.models.dtype)
        return run_masklets(masks, self.found.root, model, out, self.limit, bar.update)

    def _asked(self) -> dict[str, str]:
        """What decides the outcome: neither the device does, nor how the work is shared out."""
        from panoptic_anything import __version__

        return {
            **{"set": self.key, "version": __version__, "dtype": self.models.dtype},
            **self._parts(),
            "settings": _listed(self.changes),
        }

    def facts(self) -> dict[str, str]:
        """What was run, for the table."""
        from panoptic.devices import in_words
        from panoptic_anything import __version__

        words = (
            {} if self.name in WORDLESS else {"words": f"panoptic/benchmark/words/{self.name}.yaml"}
        )
        return {
            **{"version": __version__, "models": self.models.models},
            **self._parts(),
            "device": in_words(self.devices, self.models.dtype) + _gpus(self.devices),
            **words,
            "settings changed": _listed(self.changes) or "none",
        }

    def _parts(self) -> dict[str, str]:
        parts = {"detector": self.preset.things, "stuff": self.preset.stuff}
        return {**(parts if self.name not in WORDLESS else {}), "SAM 2": self.preset.sam2}


def _listed(changes: Mapping[str, Any]) -> str:
    return ", ".join(f"{k}={v}" for k, v in sorted(changes.items()) if not k.startswith("dataset."))


def _gpus(devices: Sequence[str]) -> str:
    """What the GPUs among them are called, as seconds mean little without."""
    import torch

    names = [torch.cuda.get_device_name(d) for d in devices if d.startswith("cuda")]
    return f" ({', '.join(dict.fromkeys(names))})" if names else ""
