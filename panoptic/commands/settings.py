"""``panoptic settings``: every level and switch, its value and where that is from."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Argument, Option

from panoptic.commands.command import add
from panoptic.commands.common import layers_of_settings
from panoptic.commands.options import ModelOptions, SettingOptions
from panoptic.commands.terminal import show
from panoptic.show.tables import Table

if TYPE_CHECKING:
    from panoptic.presets import Preset

EPILOG = """\
A value is the default, or that of the preset (--models), of another detector (--detector), of a
file (--settings), or of the command line (--set, or an option such as --box-threshold); what is
named later here goes before what is named earlier.

  panoptic settings                       all of them
  panoptic settings video                 those of a group, with what they mean
  panoptic settings --models demo --set video.detect_every=0.5
  panoptic settings --yaml > mine.yaml    to be edited, and given with --settings mine.yaml
"""


def register(app: typer.Typer) -> None:
    add(app, "settings", run, panel="Look up", epilog=EPILOG)


def run(
    models: ModelOptions,
    settings: SettingOptions,
    name: Annotated[str | None, Argument(metavar="NAME", help="A key, or a group of them.")] = None,
    as_yaml: Annotated[
        bool, Option("--yaml", help="Print a file for --settings, with the reasons.")
    ] = False,
) -> int:
    """List all settings: their values, and where each is from."""
    from panoptic.presets import find_preset
    from panoptic.settings.keys import checked, in_words, keys_of
    from panoptic.settings.tree import Settings, resolve
    from panoptic.settings.yaml_files import to_yaml, value_text

    preset = find_preset(
        models.models, things=models.things_model, stuff=models.stuff_model, sam2=models.sam2
    )
    note, levels = _levels(preset, models)
    resolved = resolve([*levels, *layers_of_settings(settings)])
    if as_yaml:
        if name is not None:
            raise ValueError("--yaml prints all settings: leave the name out")
        print(to_yaml(resolved.settings), end="")
        return 0
    keys = keys_of(Settings)
    asked = [key for key in keys if name is None or key == name or key.startswith(f"{name}.")]
    if not asked:
        checked(Settings, {str(name): None}, "NAME")  # names what is near
    values = resolved.settings.values()
    rows = [(key, value_text(values[key]), resolved.origin[key]) for key in asked]
    show(Table(("setting", "value", "from"), rows))
    if name is not None:
        for key in asked:
            print(f"\n{key}: {in_words(keys[key].kind)}")
            print(textwrap.indent(textwrap.fill(keys[key].reason, 92), "  "))
    if note:
        print(note)
    return 0


def _levels(
    preset: Preset, models: ModelOptions
) -> tuple[str, list[tuple[str, Mapping[str, Any]]]]:
    """What suits the models, by what is on this machine of them; a note where that is not all."""
    from detectors.base import ThingSettings
    from detectors.load import PACKAGE, default_settings
    from panoptic.checkpoints import is_here, locate
    from panoptic.presets import PRESETS, levels_of

    package = PACKAGE if preset.things.startswith(PACKAGE) else ""
    source = preset.things.removeprefix(PACKAGE)
    if models.things_model is None and models.models in PRESETS:
        return "", levels_of(preset, ThingSettings(), models.models)
    if is_here(source, "things"):
        own = default_settings(package + locate({"things": source})["things"])
        return "", levels_of(preset, own, models.models)
    note = f"{preset.things} is not on this machine; what levels it brings of its own is seen then"
    return note, levels_of(preset, ThingSettings(), models.models)
