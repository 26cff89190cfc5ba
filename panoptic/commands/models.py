"""``panoptic models``: which models there are, where from, how large, under which licence."""

from __future__ import annotations

import argparse

from panoptic.checkpoints import OTHER_DETECTORS, about, is_here
from panoptic.presets import PRESETS

NAME = "models"
HELP = "list the sets of models, their sizes and licences, and what is on this machine"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    pass


def run(arguments: argparse.Namespace) -> int:
    from panoptic.tables import table

    rows, notes = [], []
    for name, preset in PRESETS.items():
        parts = {"things": preset.things, "stuff": preset.stuff, "masks": preset.sam2}
        for kind, source in parts.items():
            known = about(source)
            first = name if kind == "things" else ""
            here = "yes" if is_here(source) else "no"
            size = f"{known.megabytes} MB"
            rows.append((first, kind, known.name, size, known.licence, here))
            notes.append(known.note)
    print(table(("--models", "for", "checkpoint", "size", "licence", "here"), rows), end="\n\n")
    for name, preset in PRESETS.items():
        print(f"{name}: {preset.about}.")
    print()
    for note in dict.fromkeys(filter(None, notes)):
        print(note)
    print(OTHER_DETECTORS)
    return 0
