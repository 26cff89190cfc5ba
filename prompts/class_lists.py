"""The class lists of other tools, as categories.

COCO and what is like it (LVIS, Roboflow), YOLO's ``data.yaml``, lines of text as LabelMe and
Darknet have them, the label settings of CVAT and of Label Studio. But for COCO's ``isthing``, none
of them says what is stuff: all is taken as things then, and a note says so.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from prompts.category import Category, clean_name, to_phrase

_LABEL_STUDIO = (
    "BrushLabels", "PolygonLabels", "RectangleLabels", "EllipseLabels", "KeyPointLabels",
    "VectorLabels", "BitmaskLabels", "VideoRectangle", "Labels",
)  # fmt: skip
_IS_THING = {0: False, 1: True, "0": False, "1": True, "false": False, "true": True}
_UNKNOWN = (0, "unknown")
"""What our own files call pixels that no word was found for."""
_NO_CLASS = ("__ignore__", "_background_")
"""What LabelMe's own lists begin with."""


_NUMBERED = re.compile(r"\d+[\s:.,;]+\S")
_HIGHEST_ID = 2**31 - 1
"""What the files that we write can hold."""


@dataclass(frozen=True)
class ClassList:
    """Categories as a file lists them, and what a user should know of how they were taken."""

    categories: tuple[Category, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Row:
    """An entry of COCO as it was read, before ids are raised and synonyms sorted out."""

    id: int
    name: str
    is_thing: bool
    synonyms: tuple[str, ...]
    parent: Any


def from_coco(entries: Any) -> ClassList:
    """COCO's categories, ``{"id": 1, "name": "person", "isthing": 1}``, with their ids.

    - Where ``isthing`` is missing (detection files), a category is a thing.
    - Ids from 0 on are all raised by one: 0 means "unknown" in our files (which is no word to ask).
    - Roboflow's class 0, which is the project's name and has no objects, is left out.
    - LVIS lists a name among its own synonyms, and some words with several classes: the word stays
      with the class that it is the name of, and with none if it is only a synonym of several.
    """
    if not isinstance(entries, list):
        raise ValueError(f"'categories' must be a list, got {type(entries).__name__}")
    if not entries:
        raise ValueError("the list of categories is empty")
    rows = [row for row in map(_coco_row, entries) if (row.id, row.name) != _UNKNOWN]
    notes: list[str] = []
    if (project := _roboflow_project(rows)) is not None:
        rows.remove(project)
        notes.append(
            f"left out class 0, {project.name!r}: Roboflow's name for the project, not a class"
        )
    if any(row.id == 0 for row in rows):
        notes.append("ids begin with 0, which means unknown here: all are raised by one")
        rows = [replace(row, id=row.id + 1) for row in rows]
    synonyms, clashing = _own_synonyms(rows)
    if clashing:
        notes.append(f"synonyms of more than one class are not asked for: {', '.join(clashing)}")
    found = tuple(
        Category(row.id, row.name, row.is_thing, words)
        for row, words in zip(rows, synonyms, strict=True)
    )
    untold = [str(entry["name"]) for entry in entries if "isthing" not in entry]
    if len(untold) == len(entries):
        notes.append(_all_things(len(found), "no category has 'isthing'"))
    elif untold:
        notes.append(f"taken as things, as 'isthing' is missing there: {', '.join(untold)}")
    return ClassList(found, tuple(notes))


def from_yolo(names: Any, count: Any = None) -> ClassList:
    """``names`` of a ``data.yaml``, a list or ``{0: name}``, and its ``nc``. Ids are YOLO's + 1."""
    if isinstance(names, Mapping):
        if wrong := [key for key in names if isinstance(key, bool) or not isinstance(key, int)]:
            raise ValueError(f"'names' must map numbers to names, got the key {wrong[0]!r}")
        if sorted(names) != list(range(len(names))):
            raise ValueError(f"'names' must number the classes from 0 on, got {sorted(names)}")
        names = [names[number] for number in range(len(names))]
    if not isinstance(names, list) or not names:
        raise ValueError(f"'names' must be a list of names, or numbers to names, got {names!r}")
    if count is not None and count != len(names):
        raise ValueError(f"'nc' says {count!r} classes, but 'names' has {len(names)}")
    return _things(names, "YOLO's list has no stuff")


def from_lines(lines: Iterable[str]) -> ClassList:
    """A name a line, as in Darknet's ``classes.txt`` and LabelMe's ``labels.txt``."""
    names = [line.strip() for line in lines if line.strip()]
    _only_names(names)
    left_out = [name for name in names if name in _NO_CLASS]
    listed = _things(
        [name for name in names if name not in _NO_CLASS], "a list of lines has no stuff"
    )
    if left_out:
        note = f"left out {', '.join(left_out)}, which LabelMe doesn't take for classes"
        return ClassList(listed.categories, (note, *listed.notes))
    return listed


def _only_names(lines: Sequence[str]) -> None:
    """Raises ``ValueError`` for lines that hold more than a name: all of it would be asked for."""
    if len(lines) == 1 and "," in lines[0]:
        raise ValueError(f"expected a name a line, got one line with commas: {lines[0]!r:.80}")
    if note := next((line for line in lines if line.startswith("#")), None):
        raise ValueError(f"a line is a name, and {note!r:.80} reads like a remark; leave it out")
    if len(lines) > 1 and all(_NUMBERED.match(line) for line in lines):
        raise ValueError(f"its lines are numbered, such as {lines[0]!r:.80}: leave the numbers out")


def looks_like_cvat(entries: Sequence[Any]) -> bool:
    """Whether this list is that of CVAT's label constructor ("Raw") rather than COCO's."""
    return all(isinstance(e, Mapping) and "name" in e for e in entries) and any(
        "attributes" in e or "id" not in e for e in entries
    )


def from_cvat(entries: Sequence[Mapping[str, Any]]) -> ClassList:
    """The labels of a CVAT project; its own numbers are of a server, ids are given in order."""
    tags = [entry["name"] for entry in entries if entry.get("type") == "tag"]
    listed = _things(
        [entry["name"] for entry in entries if entry.get("type") != "tag"],
        "CVAT's labels don't say what is stuff",
    )
    if tags:
        note = f"left out {', '.join(map(str, tags))}: tags are of a picture, not of pixels"
        return ClassList(listed.categories, (note, *listed.notes))
    return listed


def from_label_studio(data: bytes) -> ClassList:
    """The labels of all controls of a labelling configuration that mark places in pictures."""
    from defusedxml import DefusedXmlException, ElementTree

    try:
        root = ElementTree.fromstring(data)
    except (ElementTree.ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise ValueError(f"damaged XML: {str(error) or type(error).__name__}") from error
    names: dict[str, None] = {}
    for control in root.iter():
        if control.tag in _LABEL_STUDIO:
            for label in control.iter("Label"):
                if not (name := label.get("value")):
                    raise ValueError(f"a <Label> of <{control.tag}> has no value")
                names[name] = None
    if not names:
        raise ValueError(
            f"expected a labelling configuration of Label Studio, with <{_LABEL_STUDIO[0]}> or the "
            f"like, got <{root.tag}> without one"
        )
    return _things(list(names), "Label Studio's labels don't say what is stuff")


def _coco_row(entry: Any) -> _Row:
    if not isinstance(entry, Mapping) or "id" not in entry or "name" not in entry:
        raise ValueError(f"a COCO category needs at least 'id' and 'name', got {entry!r}")
    name, given = entry["name"], entry["id"]
    number = int(given) if isinstance(given, str) and given.isascii() and given.isdigit() else given
    if isinstance(number, bool) or not isinstance(number, int) or number < 0:
        raise ValueError(f"the id of category {name!r} must be a whole number, got {given!r}")
    if number >= _HIGHEST_ID:
        raise ValueError(f"the id of category {name!r} must be below {_HIGHEST_ID:,}, got {given}")
    said = entry.get("isthing", 1)
    key = said.strip().lower() if isinstance(said, str) else said
    if not isinstance(key, int | str) or key not in _IS_THING:
        raise ValueError(f"'isthing' of category {name!r} must be 0 or 1, got {said!r}")
    words = entry.get("synonyms") or ()
    if not isinstance(words, list | tuple):
        raise ValueError(f"the synonyms of {name!r} must be a list, got {words!r}")
    synonyms = tuple(clean_name(word, name) for word in words)
    return _Row(number, clean_name(name), _IS_THING[key], synonyms, entry.get("supercategory"))


def _roboflow_project(rows: list[_Row]) -> _Row | None:
    """Class 0 that is of no kind itself, while all others are of its kind."""
    first = next((row for row in rows if row.id == 0), None)
    if first is None or first.parent != "none" or len(rows) < 2:
        return None
    return first if all(row.parent == first.name for row in rows if row is not first) else None


def _own_synonyms(rows: list[_Row]) -> tuple[list[tuple[str, ...]], list[str]]:
    """The synonyms of each row that are its alone, each once; and those of several rows."""
    names = {to_phrase(row.name) for row in rows}
    distinct = [{to_phrase(word): word for word in reversed(row.synonyms)} for row in rows]
    count = Counter(phrase for words in distinct for phrase in words)
    kept, clashing = [], {}
    for row, words in zip(rows, distinct, strict=True):
        own = []
        for word in row.synonyms:
            phrase = to_phrase(word)
            if words.get(phrase) is not word or phrase == to_phrase(row.name):
                continue
            if count[phrase] > 1 or phrase in names:
                clashing[phrase] = word
            else:
                own.append(word)
        kept.append(tuple(own))
    return kept, list(clashing.values())


def _things(names: Sequence[Any], why: str) -> ClassList:
    if not names:
        raise ValueError("it lists no class")
    found = tuple(Category(i, name, True) for i, name in enumerate(names, start=1))
    return ClassList(found, (_all_things(len(found), why),))


def _all_things(count: int, why: str) -> str:
    return (
        f"all {count} classes are taken as things, as {why}; for stuff, write a YAML file with "
        "'things' and 'stuff'"
    )
