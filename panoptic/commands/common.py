"""What the shared options stand for: the words asked for, and the pipeline."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from panoptic.commands.options import ModelOptions, SettingOptions, WordOptions

if TYPE_CHECKING:
    from panoptic.pipeline import PanopticPipeline
    from prompts import Vocabulary


def read_words(words: WordOptions, models: ModelOptions | None = None) -> Vocabulary:
    """The vocabulary asked for; with ``models``, checked for words that these cannot know.

    Raises ``ValueError``.
    """
    from prompts import Vocabulary

    if words.vocabulary is not None:
        if words.things is not None or words.stuff is not None:
            raise ValueError("give the words either in a --vocabulary file or as --things, --stuff")
        vocabulary = Vocabulary.from_file(words.vocabulary)
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
    if (
        models is not None
        and models.models == "demo"
        and not (models.things_model or models.stuff_model)
    ):
        _check_demo_words(vocabulary)
    return vocabulary


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


def settle(models: ModelOptions) -> ModelOptions:
    """The options with the device and the dtype that come out of what they leave open."""
    from panoptic.devices import choose_device
    from sam2core.precision import choose_dtype, name_of

    device = choose_device(models.device)
    dtype = name_of(choose_dtype(device, models.dtype))
    return replace(models, device=device, dtype=dtype)  # type: ignore[arg-type]


def load_pipeline(models: ModelOptions, settings: SettingOptions | None = None) -> PanopticPipeline:
    """The pipeline that the options ask for; options that aren't given leave its settings.

    On which device and in which dtype it computes is told on stderr, if that is a terminal.
    """
    from panoptic.commands.recipe import recipe_for
    from panoptic.devices import in_words

    settled = recipe_for(settle(models), settings)
    if sys.stderr.isatty():
        print(f"panoptic: {in_words([str(settled.device)], settled.dtype)}", file=sys.stderr)
    return settled()  # type: ignore[return-value]
