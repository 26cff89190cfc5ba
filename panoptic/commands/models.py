"""``panoptic models``: which models there are, where from, how large, under which licence."""

from __future__ import annotations

import typer

from panoptic.checkpoints import OTHER_DETECTORS, SAM3_NOTE, about, is_begun, is_here
from panoptic.checkpoints.needed import Part
from panoptic.commands.command import add
from panoptic.commands.terminal import show
from panoptic.presets import PRESETS
from panoptic.show.tables import Table


def register(app: typer.Typer) -> None:
    add(app, "models", run, panel="Look up")


def run() -> int:
    """List the sets of models, their sizes and licences, and what is on this machine."""
    rows, notes = [], []
    for name, preset in PRESETS.items():
        parts: dict[Part, str] = {
            "things": preset.things,
            "stuff": preset.stuff,
            "sam2": preset.sam2,
        }
        for part, source in parts.items():
            known = about(source)
            kind = "masks" if part == "sam2" else part
            size = f"{known.megabytes} MB"
            rows.append((name, kind, known.name, size, known.licence, _here(source, part)))
            notes.append(known.note)
    head = ("--models", "for", "checkpoint", "size", "licence", "here")
    show(Table(head, rows, numbers=(3,), rules=range(3, len(rows), 3)))
    print()
    for name, preset in PRESETS.items():
        print(f"{name}: {preset.about}.")
    print()
    others = [(*known, _here(known[0], "things")) for known in OTHER_DETECTORS]
    show(Table(("--detector", "what", "licence", "here"), others))
    print()
    for note in dict.fromkeys(filter(None, notes)):
        print(note)
    print(SAM3_NOTE)
    return 0


def _here(source: str, part: Part) -> str:
    if is_here(source, part):
        return "yes"
    return "in part" if is_begun(source, part) else "no"
