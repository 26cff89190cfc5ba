"""Settings by name: the fields of a tree of dataclasses as keys with dots, and changes to them."""

from __future__ import annotations

import ast
import difflib
import inspect
import math
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache
from itertools import pairwise
from types import MappingProxyType, NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

Tree = TypeVar("Tree")


@dataclass(frozen=True)
class Key:
    """One setting: ``name`` is its path in the tree, such as "video.cut_ratio"; ``kind`` its type;
    ``reason`` what it means, in which unit, and why its default is what it is."""

    name: str
    kind: Any
    reason: str


@cache
def keys_of(tree: type) -> Mapping[str, Key]:
    """All settings of a tree by their keys, in the order in which they stand there."""
    kinds, reasons = get_type_hints(tree), reasons_of(tree)
    found: dict[str, Key] = {}
    for field in fields(tree):
        kind, name = kinds[field.name], field.name
        if is_dataclass(kind):
            below = keys_of(kind)  # type: ignore[arg-type]
            found |= {f"{name}.{k}": replace(key, name=f"{name}.{k}") for k, key in below.items()}
        else:
            found[name] = Key(name, kind, reasons.get(name, ""))
    return MappingProxyType(found)


@cache
def reasons_of(tree: type) -> Mapping[str, str]:
    """What stands below each field of a dataclass in its source, on one line."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(tree))).body
    found = {}
    for node, after in pairwise(getattr(body, "body", [])):
        match node, after:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                found[name] = " ".join(text.split())
    return MappingProxyType(found)


def values_of(settings: Any) -> dict[str, Any]:
    """The value of every key."""
    found: dict[str, Any] = {}
    for field in fields(settings):
        value = getattr(settings, field.name)
        if is_dataclass(value):
            found |= {f"{field.name}.{k}": v for k, v in values_of(value).items()}
        else:
            found[field.name] = value
    return found


def checked(tree: type, changes: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Changes by their keys, each known and of the right type.

    They may come nested, with dots, or as the dataclass of a group. ``source`` says in errors
    where they are from. ``ValueError`` for a key that isn't there, and names those that are near.
    """
    keys = keys_of(tree)
    found: dict[str, Any] = {}
    for name, value in _flat(changes, source):
        if name in keys:
            if name in found:
                raise ValueError(f"{source}: {name} is given twice")
            found[name] = _as_kind(keys[name], value, source)
            continue
        group = [key for key in keys if key.startswith(f"{name}.")]
        if group and value is None:
            continue  # a group of which all is left out
        if group:
            some = ", ".join(group[:3])
            raise ValueError(
                f"{source}: {name} is a group of settings ({some}, ...), got {value!r} for it"
            )
        raise ValueError(f"{source}: there is no setting {name!r}; {_near(name, keys)}")
    return found


def changed(settings: Tree, changes: Mapping[str, Any], source: str) -> Tree:
    """The settings with changes as :func:`checked` takes them. ``ValueError`` as there, and for
    values that are out of range."""
    return _replaced(settings, checked(type(settings), changes, source), "", source)


def _replaced(settings: Any, changes: Mapping[str, Any], before: str, source: str) -> Any:
    own: dict[str, Any] = {}
    below: dict[str, dict[str, Any]] = {}
    for name, value in changes.items():
        head, _, rest = name.partition(".")
        if rest:
            below.setdefault(head, {})[rest] = value
        else:
            own[head] = value
    for head, part in below.items():
        own[head] = _replaced(getattr(settings, head), part, f"{before}{head}.", source)
    try:
        return replace(settings, **own)
    except ValueError as error:
        text = str(error)
        where = before if text.split(" ")[0] in own else f"{before[:-1]}: " if before else ""
        raise ValueError(f"{source}: {where}{text}") from error


def _flat(changes: Mapping[str, Any], source: str, before: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in changes.items():
        if not isinstance(name, str):
            raise ValueError(f"{source}: expected the name of a setting, got {name!r}")
        if is_dataclass(value) and not isinstance(value, type):
            value = values_of(value)
        if isinstance(value, Mapping):
            found += _flat(value, source, f"{before}{name}.")
        else:
            found.append((before + name, value))
    return found


def _near(name: str, keys: Mapping[str, Key]) -> str:
    """What may have been meant, by the whole key or by its last part."""
    last = name.rpartition(".")[2]
    same = [key for key in keys if key.rpartition(".")[2] == last]
    parts = {key.rpartition(".")[2]: key for key in keys}
    alike = [parts[part] for part in difflib.get_close_matches(last, parts, 3, 0.7)]
    groups = [key.partition(".")[0] for key in keys if "." in key]
    names = [*dict.fromkeys(groups), *keys]
    near = dict.fromkeys([*same, *difflib.get_close_matches(name, names, 3, 0.7), *alike])
    if near:
        return f"near it are {', '.join(list(near)[:4])}"
    return "`panoptic settings` lists all"


def _as_kind(key: Key, value: Any, source: str) -> Any:
    kind = key.kind
    if get_origin(kind) in (Union, UnionType):
        if value is None:
            return None
        (kind,) = (each for each in get_args(kind) if each is not NoneType)
    if get_origin(kind) is Literal:
        if value in get_args(kind):
            return value
    elif kind is float:
        number = _number(value)
        if number is not None and math.isfinite(number):
            return number
    elif isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
        return value
    raise ValueError(f"{source}: {key.name} must be {in_words(key.kind)}, got {value!r}")


def _number(value: Any) -> float | None:
    """YAML takes numbers such as 1e-3, without a point, for text."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def in_words(kind: Any) -> str:
    """A type of a setting as one says it."""
    if get_origin(kind) in (Union, UnionType):
        (rest,) = (each for each in get_args(kind) if each is not NoneType)
        return f"{in_words(rest)} or null"
    if get_origin(kind) is Literal:
        return f"one of {', '.join(map(str, get_args(kind)))}"
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
    return words[kind]
