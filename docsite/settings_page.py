"""docs/settings.md, made from the dataclasses: ``python -m docsite.settings_page``.

A test compares the page with what this would write.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from panoptic.presets import PRESETS
from panoptic.settings.keys import in_words, keys_of, reasons_of
from panoptic.settings.tree import Settings
from panoptic.settings.yaml_files import value_text

PAGE = Path(__file__).parents[1] / "docs" / "settings.md"
_HEAD = """\
# Settings

<!-- Made by `make docs-pages` from the dataclasses (docsite/settings_page.py); don't edit. -->

Every level and switch, with its default, what it means and why it is what it is. They are given

- on the command line: `--set merge.min_stuff_area=0.01`, as often as needed, for pictures, videos
  and data sets alike, or all together from a YAML file, `--settings mine.yaml`;
- in Python: `PanopticPipeline.from_pretrained("small", settings={"merge.min_stuff_area": 0.01})`,
  with a whole `Settings`, or the path of a YAML file.

`panoptic settings` prints the values that hold, and where each is from: the default, the preset
(`--models`), another detector (`--detector`), a file, or the command line, of which the later goes
before the earlier. `panoptic settings --yaml > mine.yaml` writes a file to be edited. A key that
isn't there, a value of another type or out of range is refused, by name.
"""


def page() -> str:
    """The page as it should be."""
    parts = [_HEAD]
    alone = []
    reasons, keys = reasons_of(Settings), keys_of(Settings)
    defaults = Settings().values()
    for field in fields(Settings):
        if not is_dataclass(getattr(Settings(), field.name)):
            alone.append(field.name)
            continue
        of_group = [name for name in keys if name.startswith(f"{field.name}.")]
        parts.append(f"## {field.name}\n\n{_text(reasons.get(field.name, ''))}\n")
        parts.append(_table(of_group, defaults))
    parts.insert(1, "## Outside of groups\n\n" + _table(alone, defaults))
    parts.append(_presets(defaults))
    return "\n".join(parts)


def _table(names: list[str], defaults: dict[str, Any]) -> str:
    keys = keys_of(Settings)
    rows = [
        f"| `{name}` | `{value_text(defaults[name])}` | {_text(in_words(keys[name].kind))} "
        f"| {_text(keys[name].reason)} |"
        for name in names
    ]
    return "\n".join(["| setting | default | takes | |", "|---|---|---|---|", *rows, ""])


def _presets(defaults: dict[str, Any]) -> str:
    rows = [
        f"| `{name}` | `{key}` | `{value_text(defaults[key])}` | `{value_text(value)}` |"
        for name, preset in PRESETS.items()
        for key, value in preset.levels.items()
    ]
    return "\n".join(
        [
            "## What presets change",
            "",
            "Models that were trained otherwise need levels of their own; other detectors bring "
            "theirs\nwhen they are loaded.",
            "",
            "| preset | setting | default | there |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )


def _text(words: str) -> str:
    """Words of a docstring in a cell of a Markdown table."""
    return words.replace("``", "`").replace("|", "\\|")


def main() -> None:
    """Writes the page."""
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)


if __name__ == "__main__":
    main()
