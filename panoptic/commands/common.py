"""What the shared options stand for: the words asked for, and the pipeline."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from panoptic.commands.options import ModelOptions, SettingOptions, WordOptions

if TYPE_CHECKING:
    from panoptic.pipeline import PanopticPipeline
    from prompts import Vocabulary


def read_words(words: WordOptions, models: ModelOptions | None = None) -> Vocabulary:
    """The vocabulary asked for; with ``models``, checked for words that these cannot know.

    Raises ``ValueError``.
    """
    from prompts import Vocabulary
    from prompts.vocabulary_file import read_with_notes

    if words.vocabulary is not None:
        if words.things is not None or words.stuff is not None:
            raise ValueError("give the words either in a --vocabulary file or as --things, --stuff")
        vocabulary, notes = read_with_notes(Path(words.vocabulary))
        for note in notes:
            print(f"panoptic: {words.vocabulary}: {note}", file=sys.stderr)
    else:
        if not (words.things or words.stuff):
            raise ValueError(
                'say what to look for: --things "car, person" --stuff "road, sky", '
                "or --vocabulary FILE"
            )
        for name in ("things", "stuff"):
            if ";" in (getattr(words, name) or ""):
                raise ValueError(f"--{name} takes names with commas between them, and no ';'")
        vocabulary = Vocabulary.parse(f"{words.things or ''}; {words.stuff or ''}")
    if models is not None:
        check_demo_words(vocabulary, models)
    return vocabulary


def check_demo_words(vocabulary: Vocabulary, models: ModelOptions) -> None:
    """Raises ``ValueError`` for words that the demo models, if these are asked for, can't know."""
    if models.models != "demo" or models.things_model or models.stuff_model:
        return
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


def settle(models: ModelOptions) -> ModelOptions:
    """The options with the device and the dtype that come out of what they leave open."""
    from panoptic.devices import choose_device
    from panoptic.presets import find_preset, is_large
    from sam2core.precision import choose_dtype, name_of

    device = choose_device(models.device)
    parts = {"things": models.things_model, "stuff": models.stuff_model, "sam2": models.sam2}
    large = is_large(find_preset(models.models, **parts))
    dtype = name_of(choose_dtype(device, models.dtype, large))
    return replace(models, device=device, dtype=dtype)  # type: ignore[arg-type]


def layers_of_settings(
    options: SettingOptions, more: Mapping[str, Any] | None = None
) -> list[tuple[str, Mapping[str, Any]]]:
    """What --settings, --set and the short forms ask for, as layers for
    ``panoptic.settings.tree.resolve``.

    ``more`` are a command's own short forms by key; those that are None aren't given. Raises
    ``ValueError`` for a file that can't be read, and for a key that is given twice.
    """
    from panoptic.settings.yaml_files import read_changes, read_value

    given = options.short_forms()
    given |= {key: value for key, value in (more or {}).items() if value is not None}
    for text in options.set_keys or ():
        key, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not key:
            raise ValueError(f"--set takes KEY=VALUE, such as video.cut_ratio=4, got {text!r}")
        if key in given:
            raise ValueError(f"{key} is given twice on the command line")
        given[key] = read_value(value)
    layers: list[tuple[str, Mapping[str, Any]]] = [("command line", given)]
    if options.settings_file is not None:
        layers.insert(0, (str(options.settings_file), read_changes(options.settings_file)))
    return layers


def changes_of_settings(
    options: SettingOptions, more: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The same as one mapping, all of it looked at: ``ValueError`` says where what is from."""
    from panoptic.settings.keys import checked
    from panoptic.settings.tree import Settings, resolve

    layers = layers_of_settings(options, more)
    resolve(layers)
    changes: dict[str, Any] = {}
    for source, given in layers:
        changes |= checked(Settings, given, source)
    return dict(sorted(changes.items()))


def load_pipeline(
    models: ModelOptions, changes: Mapping[str, Any] | None = None
) -> PanopticPipeline:
    """The pipeline that the options ask for, with changes to the settings that suit its models.

    On which device and in which dtype it computes is told on stderr, if that is a terminal.
    """
    from panoptic.commands.recipe import recipe_for
    from panoptic.devices import in_words

    settled = recipe_for(settle(models), changes)
    if sys.stderr.isatty():
        print(f"panoptic: {in_words([str(settled.device)], settled.dtype)}", file=sys.stderr)
    return settled()  # type: ignore[return-value]
