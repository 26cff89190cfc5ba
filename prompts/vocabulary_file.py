"""Vocabularies from files: our own YAML and JSON, and the class lists of other tools."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from prompts.class_lists import (
    ClassList,
    from_coco,
    from_cvat,
    from_label_studio,
    from_lines,
    from_yolo,
    looks_like_cvat,
)
from prompts.json_stream import JsonListMissing, JsonStreamError, array_of
from prompts.text_files import codec_of
from prompts.vocabulary import Category, Vocabulary
from prompts.yaml_text import load_yaml, pairs_once

_KEYS = {"things", "stuff", "synonyms"}
_MAX_BYTES = 16 << 20
"""Of a file without COCO's categories. LVIS's 1203 with their definitions take half a megabyte."""
_KINDS = (
    "a YAML or JSON file with the keys 'things' and 'stuff', COCO categories, a YOLO data.yaml, "
    "labels of CVAT (JSON) or Label Studio (XML), or a .txt or .names with a name a line"
)
_TOO_LARGE = f"expected {_KINDS}, got more than {_MAX_BYTES >> 20} MiB without them"


def read_vocabulary(path: Path) -> Vocabulary:
    """See ``Vocabulary.from_file``."""
    vocabulary, notes = read_with_notes(path)
    for note in notes:
        warnings.warn(f"{path}: {note}", stacklevel=3)
    return vocabulary


def read_with_notes(path: Path) -> tuple[Vocabulary, tuple[str, ...]]:
    """The vocabulary, and what a user should know of how the file was taken.

    Every ``ValueError`` names the file.
    """
    if not path.is_file():
        raise ValueError(f"expected a vocabulary file ({_KINDS}), but there is none at {path}")
    try:
        found = _read(path)
        return Vocabulary.from_categories(found.categories), found.notes
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _read(path: Path) -> ClassList:
    with path.open("rb") as stream:
        start = _text(stream.read(4096), whole=False).lstrip()
        suffix = path.suffix.lower()
        if start.startswith("<"):
            return from_label_studio(_rest(stream))
        if suffix in (".txt", ".names"):
            return from_lines(_text(_rest(stream)).splitlines())
        if start[:1] in ("{", "[") or suffix == ".json":
            found = _json(stream, strict=suffix == ".json")
            if found is not None:
                return found
        return _content(load_yaml(_text(_rest(stream))))


def _json(stream: BinaryIO, *, strict: bool) -> ClassList | None:
    """Of JSON; None where it is none after all, but YAML that begins like it."""
    stream.seek(0)
    start = stream.read(4)
    stream.seek(0)
    # An annotation file may be large: only its categories are held, and reading ends with them.
    text = io.TextIOWrapper(stream, encoding=codec_of(start))
    try:
        if _first(text) == "{" and (found := _categories(text)) is not None:
            return from_coco(found)
        text.seek(0)
        return _content(json.loads(_whole(text), object_pairs_hook=pairs_once))
    except (json.JSONDecodeError, JsonStreamError) as error:
        if strict:
            raise ValueError(f"damaged JSON: {error}") from error
        return None
    except UnicodeDecodeError as error:
        raise ValueError(_not_text(error)) from error
    except RecursionError as error:
        raise ValueError("its values are nested too deeply") from error
    finally:
        text.detach()


def _categories(text: TextIO) -> list[Any] | None:
    try:
        return list(array_of(text, "categories"))
    except JsonListMissing:
        return None


def _content(content: Any) -> ClassList:
    if isinstance(content, list):
        return from_cvat(content) if looks_like_cvat(content) else from_coco(content)
    if not isinstance(content, Mapping):
        raise ValueError(f"expected {_KINDS}, got {type(content).__name__}")
    keys = {key.lower() if isinstance(key, str) else key: key for key in content}
    if len(keys) < len(content):
        raise ValueError("a key is there twice, in capitals and not")
    if "categories" in keys:
        return from_coco(content[keys["categories"]])
    if "names" in keys and not _KEYS & set(keys):
        return from_yolo(content[keys["names"]], content.get("nc"))
    if unknown := sorted(map(str, set(keys) - _KEYS)):
        raise ValueError(
            f"unknown key {str(keys.get(unknown[0], unknown[0]))!r}; expected "
            f"{', '.join(sorted(_KEYS))}"
        )
    vocabulary = Vocabulary(
        things=_names(content.get(keys.get("things")), "things"),
        stuff=_names(content.get(keys.get("stuff")), "stuff"),
    )
    synonyms = _names(content.get(keys.get("synonyms")), "synonyms")
    return ClassList(_with_synonyms(vocabulary, synonyms))


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


def _with_synonyms(vocabulary: Vocabulary, synonyms: dict[str, list[str]]) -> tuple[Category, ...]:
    extra = {vocabulary.by_name(name).id: tuple(words) for name, words in synonyms.items()}
    return tuple(
        Category(c.id, c.name, c.is_thing, c.synonyms + extra.get(c.id, ())) for c in vocabulary
    )


# -- the text of a file ------------------------------------------------------------------------


def _rest(stream: BinaryIO) -> bytes:
    """All of a file, from its beginning."""
    stream.seek(0)
    data = stream.read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise ValueError(_TOO_LARGE)
    return data


def _whole(text: TextIO) -> str:
    content = text.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise ValueError(_TOO_LARGE)
    return content


def _first(text: TextIO) -> str:
    """The first character that is no space, and back to the beginning."""
    start = text.read(4096).lstrip()[:1]
    text.seek(0)
    return start


def _text(data: bytes, *, whole: bool = True) -> str:
    try:
        return data.decode(codec_of(data[:4]), "strict" if whole else "ignore")
    except UnicodeDecodeError as error:
        raise ValueError(_not_text(error)) from error


def _not_text(error: UnicodeDecodeError) -> str:
    return f"it is not text in UTF-8: {error}; save it in UTF-8"
