"""Settings as YAML: read as changes, written with the reason of each value above it."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from panoptic.settings.keys import reasons_of

_WIDTH = 100


def read_changes(path: str | Path) -> Mapping[str, Any]:
    """What a YAML file asks for: groups with keys in them, or keys with dots.

    ``ValueError`` if it isn't there or isn't such a file; its keys are looked at by
    ``panoptic.settings.keys.checked``.
    """
    from prompts.text_files import read_text  # here, as the package brings numpy
    from prompts.yaml_text import load_yaml

    path = Path(path)
    if not path.is_file():
        raise ValueError(f"expected a settings file (YAML), but there is none at {path}")
    try:
        content = load_yaml(read_text(path))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if content is None:
        return {}
    if not isinstance(content, Mapping):
        raise ValueError(
            f"{path}: expected settings, such as 'seed: 1', got {type(content).__name__}"
        )
    return content


def read_value(text: str) -> Any:
    """A value as YAML has it: 0.5, 3, true, null, text. ``ValueError`` if it is none."""
    from prompts.yaml_text import load_yaml

    try:
        return load_yaml(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is not a value: {error}") from error


def to_yaml(settings: Any) -> str:
    """All settings of a tree as YAML, each below what it means and why it is what it is."""
    return "\n".join(_lines(settings, "")).lstrip("\n") + "\n"


def value_text(value: Any) -> str:
    """A value as it stands in the file."""
    import yaml

    return yaml.safe_dump(value, allow_unicode=True, width=10**6).removesuffix("...\n").rstrip("\n")


def _lines(settings: Any, indent: str) -> list[str]:
    lines: list[str] = []
    kind: Any = type(settings)
    reasons = reasons_of(kind)
    for field in fields(settings):
        value = getattr(settings, field.name)
        reason = reasons.get(field.name, "")
        if not indent:
            lines.append("")
        width = _WIDTH - len(indent) - 2
        lines += [f"{indent}# {line}" for line in textwrap.wrap(reason, width)]
        if is_dataclass(value):
            lines += [f"{indent}{field.name}:", *_lines(value, indent + "  ")]
        else:
            lines.append(f"{indent}{field.name}: {value_text(value)}")
    return lines
