"""``panoptic app``: a page on this machine to try words, review labels and correct them."""

from __future__ import annotations

import re
import secrets
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Argument, Option

from panoptic.commands.command import add
from panoptic.commands.common import changes_of_settings, load_pipeline, read_words
from panoptic.commands.options import ModelOptions, SettingOptions, WordOptions, quiet
from panoptic.presets import PRESETS

if TYPE_CHECKING:
    from panoptic.app.models import Choice

EPILOG = """\
GIVEN is a data set that panoptic dataset wrote, to be reviewed and corrected; or pictures and
videos to try words on, whatever panoptic dataset takes: a folder, a picture, a video, a pattern, a
list. Without it, the page asks for a picture.

  panoptic app out                                  # review what was labelled
  panoptic app photos/ --things car --stuff road    # try words, then label the folder into out/
  panoptic app drive.mp4 --vocabulary words.yaml -o drive

The page is at an address of this machine alone, which is printed. Nothing is loaded from
elsewhere. Every decision is in the data set as soon as it is made; Ctrl-C ends the app, and what
is being labelled goes on.
"""


def register(app: typer.Typer) -> None:
    add(app, "app", run, panel="Use", epilog=EPILOG)


def run(
    words: WordOptions,
    models: ModelOptions,
    settings: SettingOptions,
    given: Annotated[
        str | None, Argument(metavar="[GIVEN]", help="A data set, pictures or a video.")
    ] = None,
    output: Annotated[
        Path, Option("-o", "--output", metavar="DIR", help="Where labels of pictures go to.")
    ] = Path("out"),
    truth: Annotated[
        Path | None,
        Option(metavar="FILE", help="COCO panoptic ground truth, for the tab Sheets."),
    ] = None,
    port: Annotated[int, Option(metavar="N", min=0, max=65535, help="0 takes a free one.")] = 0,
    token: Annotated[
        str | None,
        Option(
            metavar="TEXT",
            help="The secret part of the address; with it and --port an open page goes on when "
            "the app is started again. Made anew if not given.",
        ),
    ] = None,
    browser: Annotated[
        bool, Option("--browser/--no-browser", help="Open the page in the browser.")
    ] = True,
) -> int:
    """Try words and levels on pictures, review labels and correct them, on a page."""
    token = secrets.token_urlsafe(24) if token is None else _checked(token)
    try:
        from panoptic.app.server import serve
        from panoptic.web.listening import listen
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in ("starlette", "uvicorn"):
            raise
        raise ModuleNotFoundError(
            f"the app needs {error.name}: pip install 'panoptic-anything[app]'"
        ) from error
    from panoptic.app.given import Given
    from panoptic.app.models import Models
    from panoptic.app.workbench import Workbench

    asked = words.things or words.stuff or words.vocabulary
    vocabulary = read_words(words, models) if asked else None
    changes = changes_of_settings(settings)
    bench = Workbench(
        Given(given, output), Models(_choices(models, changes)), vocabulary, changes, truth
    )
    listening = listen(port)
    address = f"http://127.0.0.1:{listening.getsockname()[1]}/{token}/"
    print(f"panoptic app: {address}", flush=True)
    if browser and sys.stdout.isatty():
        import webbrowser

        webbrowser.open(address)
    try:
        serve(bench, token, listening)
    finally:
        bench.close()
    return 0


def _checked(token: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{16,}", token):
        raise ValueError(
            "--token takes 16 or more letters, digits, - and _: whoever knows it may change your "
            "labels"
        )
    return token


def _choices(models: ModelOptions, changes: dict[str, Any]) -> list[Choice]:
    """The models that were asked for, then the other presets."""
    from panoptic.app.models import Choice
    from panoptic.checkpoints import is_here

    def choice(options: ModelOptions) -> Choice:
        return Choice(
            options.models, partial(_load, options, changes), _as_options(options),
            partial(_all_here, options),
        )  # fmt: skip

    def _all_here(options: ModelOptions) -> bool:
        preset = PRESETS.get(options.models)
        if preset is None:
            return True
        return (
            is_here(preset.things, "things")
            and is_here(preset.stuff, "stuff")
            and is_here(preset.sam2, "sam2")
        )

    others = [
        replace(models, models=name, things_model=None, stuff_model=None, sam2=None)
        for name in PRESETS
        if name != models.models
    ]
    return [choice(each) for each in (models, *others)]


def _load(options: ModelOptions, changes: dict[str, Any]) -> Any:
    quiet()
    return load_pipeline(options, changes)


def _as_options(models: ModelOptions) -> tuple[str, ...]:
    named = {
        "--models": models.models,
        "--detector": models.things_model,
        "--stuff-model": models.stuff_model,
        "--sam2": models.sam2,
        "--device": models.device,
        "--dtype": None if models.dtype == "auto" else models.dtype,
    }
    return tuple(part for option, value in named.items() if value for part in (option, value))
