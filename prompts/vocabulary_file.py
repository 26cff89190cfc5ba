"""Vocabularies from YAML and JSON files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prompts.vocabulary import Category, Vocabulary

_KEYS = {"things", "stuff", "synonyms"}


def read_vocabulary(path: Path) -> Vocabulary:
    """See ``Vocabulary.from_file``. Every ``ValueError`` names the file."""
    import yaml

    if not path.is_file():
        raise ValueError(f"expected a vocabulary file (YAML or JSON), but there is none at {path}")
    try:
        # JSON is read by the same parser: it is a subset of YAML, but for tabs between tokens.
        content = yaml.safe_load(path.read_text(encoding="utf-8").replace("\t", "  "))
        return _vocabulary(content)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is neither YAML nor JSON: {error}") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _vocabulary(content: Any) -> Vocabulary:
    if isinstance(content, list):
        return Vocabulary.from_coco(content)
    if not isinstance(content, Mapping):
        raise ValueError(
            "expected the keys 'things' and 'stuff' with lists of names, or a COCO list of "
            f"categories, got {type(content).__name__}"
        )
    if "categories" in content:
        return Vocabulary.from_coco(content["categories"])
    if unknown := sorted(map(str, set(content) - _KEYS)):
        raise ValueError(f"unknown key {unknown[0]!r}; expected {', '.join(sorted(_KEYS))}")
    vocabulary = Vocabulary(
        things=_names(content.get("things"), "things"),
        stuff=_names(content.get("stuff"), "stuff"),
    )
    return _with_synonyms(vocabulary, _names(content.get("synonyms"), "synonyms"))


def _names(section: Any, role: str) -> dict[str, list[str]]:
    """Names to synonyms, of a list (whose items may be ``{name: synonyms}``) or a mapping."""
    if section is None:
        return {}
    if isinstance(section, Mapping):
        return _mapping(section, role)
    if not isinstance(section, list):
        raise ValueError(f"'{role}' must be a list of names or a mapping, got {section!r}")
    names: dict[str, list[str]] = {}
    for item in section:
        if isinstance(item, list):
            raise ValueError(f"'{role}' must be a list of names, got a list inside it: {item}")
        entry = _mapping(item, role) if isinstance(item, Mapping) else {item: []}
        if twice := [name for name in entry if name in names]:
            raise ValueError(f"{twice[0]!r} occurs twice in '{role}'")
        names |= entry
    return names


def _mapping(section: Mapping[Any, Any], role: str) -> dict[str, list[str]]:
    for name, synonyms in section.items():
        if synonyms is not None and not isinstance(synonyms, list):
            raise ValueError(f"the synonyms of {name!r} in '{role}' must be a list: [{synonyms}]")
    return {name: list(synonyms or ()) for name, synonyms in section.items()}


def _with_synonyms(vocabulary: Vocabulary, synonyms: dict[str, list[str]]) -> Vocabulary:
    extra = {vocabulary.by_name(name).id: tuple(words) for name, words in synonyms.items()}
    return Vocabulary.from_categories(
        Category(c.id, c.name, c.is_thing, c.synonyms + extra.get(c.id, ())) for c in vocabulary
    )
