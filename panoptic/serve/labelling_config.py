"""What a Label Studio project asks for: words, and the kind of region for each.

Read from its labelling configuration (https://labelstud.io/guide/setup). Answered are the labels of
``BrushLabels``, ``PolygonLabels`` and ``RectangleLabels`` on an ``Image``; a label that several of
them have is answered once, by the first of these kinds. Two attributes are ours, which Label Studio
keeps and ignores:

- ``stuff="true"``, on a ``Label`` or on a whole control: it isn't countable (road, sky). Labels
  that the server was started with as stuff are stuff, too; all others are things.
- ``predicted_values="sedan, taxi"``, on a ``Label``: other words for it, as the backends of Label
  Studio's makers have it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from defusedxml import DefusedXmlException, ElementTree

from panoptic.serve.refusals import Refused
from prompts import Category, Vocabulary
from prompts.category import to_phrase

KINDS = {"BrushLabels": "brush", "PolygonLabels": "polygon", "RectangleLabels": "rectangle"}
"""Controls that are answered, the most exact first."""
_FLAGS = {"true": True, "1": True, "false": False, "0": False}
_HELP = (
    '<Image name="image" value="$image"/> and <BrushLabels name="segments" toName="image"> with a '
    '<Label value="..."/> for each word'
)


@dataclass(frozen=True)
class Control:
    """What regions of a kind are called in results: from which tag, of which picture."""

    kind: str
    name: str
    image: str


@dataclass(frozen=True)
class Asked:
    """What a configuration asks for. ``controls`` and ``labels`` go by the category's id: who draws
    it, and what results call it. ``field`` is where a task has its picture."""

    vocabulary: Vocabulary
    controls: dict[int, Control]
    labels: dict[int, str]
    field: str


def read_config(text: Any, stuff: Collection[str] = ()) -> Asked:
    """Reads a labelling configuration. ``stuff`` are words that are stuff wherever nothing else is
    said. ``Refused`` (422) for one that can't be answered, with what to change."""
    root = _parsed(text)
    images = {e.get("name"): e for e in root.iter("Image")}
    uncountable = {to_phrase(name) for name in stuff}
    words: dict[str, tuple[bool, tuple[str, ...], Control, str]] = {}
    for control, element in _controls(root, images):
        for label in element.iter("Label"):
            name = (label.get("value") or "").strip()
            if not name or name.startswith("$"):
                raise Refused(
                    422, f"<{element.tag} name={control.name!r}>: a label needs a value; labels "
                    "that come from a task's data can't be answered"
                )  # fmt: skip
            said = _flag(label, _flag(element, None))
            is_stuff = to_phrase(name) in uncountable if said is None else said
            others = tuple(
                w.strip() for w in label.get("predicted_values", "").split(",") if w.strip()
            )
            if name not in words:
                words[name] = is_stuff, others, control, label.get("alias") or name
            elif words[name][0] != is_stuff:
                raise Refused(
                    422, f"the label {name!r} is stuff in one place and a thing elsewhere"
                )
    if not words:
        raise Refused(
            422,
            "the labelling configuration has no labels that can be answered; expected are "
            f"{_HELP} (PolygonLabels and RectangleLabels do as well)",
        )
    ordered = sorted(words.items(), key=lambda item: item[1][0])
    categories = [
        Category(i, name, not is_stuff, others)
        for i, (name, (is_stuff, others, _, _)) in enumerate(ordered, 1)
    ]
    controls = {i: control for i, (_, (_, _, control, _)) in enumerate(ordered, 1)}
    labels = {i: label for i, (_, (_, _, _, label)) in enumerate(ordered, 1)}
    return Asked(Vocabulary.from_categories(categories), controls, labels, _field(images, controls))


def _parsed(text: Any) -> Any:
    if not isinstance(text, str) or not text.strip():
        raise Refused(422, f"expected a labelling configuration (XML) as text; such as {_HELP}")
    try:
        return ElementTree.fromstring(text.strip())
    except (ElementTree.ParseError, DefusedXmlException, ValueError) as error:
        reason = str(error) or type(error).__name__
        raise Refused(422, f"the labelling configuration is no XML: {reason}") from error


def _controls(root: Any, images: dict[Any, Any]) -> Iterator[tuple[Control, Any]]:
    for tag, kind in KINDS.items():
        for element in root.iter(tag):
            name, targets = element.get("name"), (element.get("toName") or "").split(",")
            found = [target.strip() for target in targets if target.strip() in images]
            if name and found:
                yield Control(kind, name, found[0]), element


def _flag(element: Any, otherwise: bool | None) -> bool | None:
    given = element.get("stuff")
    if given is None:
        return otherwise
    if given.strip().lower() not in _FLAGS:
        raise Refused(422, f"<{element.tag}>: stuff is {given!r}: expected true or false")
    return _FLAGS[given.strip().lower()]


def _field(images: dict[Any, Any], controls: dict[int, Control]) -> str:
    """The name in ``value="$name"``; all controls must be of one picture."""
    asked = sorted({control.image for control in controls.values()})
    if len(asked) > 1:
        raise Refused(422, f"labels are of several pictures ({', '.join(asked)}): expected of one")
    image = images[asked[0]]
    value = image.get("value") or ""
    if image.get("valueList") or not value.startswith("$") or len(value) < 2:
        raise Refused(
            422, f'<Image name="{asked[0]}"> has the value {value!r}: expected one picture, such '
            'as value="$image"'
        )  # fmt: skip
    return str(value[1:])
