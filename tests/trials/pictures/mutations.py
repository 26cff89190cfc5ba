"""Annotation files gone wrong in ways that tools, disks and people bring about, by a seed."""

import copy
import json
import random
from collections.abc import Iterator
from xml.etree import ElementTree

HOSTILE = (
    *(None, True, False, 0, -1, 1, 3, 0.5, -7.25, 1e9, 1e308, float("nan"), float("inf"), 2**70),
    *("", " ", "1", "-3", "car", "ball", "box", "sand", "x" * 300, "../../x", "a\\b", "\0"),
    *("\ud800", "\u202eball", [], {}, [[]], [None], [1, 2], {"": None}, [{}], "2026-13-01"),
)
_PIECES = (b"\0", b"\xff", b"{", b"}", b"[", b"]", b'"', b",", b"<", b">", b"&", b"9" * 40, b"-")


def of_bytes(data: bytes, chance: random.Random) -> bytes:
    """Bits flipped, parts lost, doubled, moved or put in, or the end missing."""
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        place = chance.randrange(len(data) + 1)
        end = min(place + chance.choice((1, 1, 4, 40)), len(data))
        match chance.randrange(6):
            case 0 if place < len(data):
                changed = data[place] ^ (1 << chance.randrange(8))
                data = data[:place] + bytes([changed]) + data[place + 1 :]
            case 1:
                data = data[:place] + data[end:]
            case 2:
                data = data[:end] + data[place:end] + data[end:]
            case 3:
                data = data[:place] + chance.choice(_PIECES) + data[place:]
            case 4:
                data = data[:place]
            case _:
                other = chance.randrange(len(data) + 1)
                data = data[:other] + data[place:end] + data[other:]
    return data


def of_json(content: object, chance: random.Random) -> object:
    """One or two values of the tree replaced, lost, doubled or called otherwise."""
    content = copy.deepcopy(content)
    for _ in range(chance.choice((1, 1, 2))):
        places = list(_places(content))
        if not places:
            break
        parent, key = chance.choice(places)
        match chance.randrange(5):
            case 0 | 1:
                parent[key] = copy.deepcopy(chance.choice(HOSTILE))
            case 2:
                del parent[key]
            case 3 if isinstance(parent, list):
                parent.insert(key, copy.deepcopy(parent[key]))
            case 3:
                parent[f"{key}s"] = parent.pop(key)
            case _:
                other, name = chance.choice(places)
                if isinstance(other, dict) or name < len(other):
                    parent[key] = copy.deepcopy(other[name]) if name in _keys(other) else None
    return content


def of_xml(text: str, chance: random.Random) -> bytes:
    """One or two attributes, texts or elements replaced, lost or doubled."""
    root = ElementTree.fromstring(text)
    for _ in range(chance.choice((1, 1, 2))):
        parents = [element for element in root.iter() if len(element)]
        parent = chance.choice(parents)
        element = chance.choice(list(parent))
        match chance.randrange(6):
            case 0 | 1 | 2 if element.attrib:
                name = chance.choice(sorted(element.attrib))
                value = chance.choice(HOSTILE)
                element.set(name, str(value).replace("\0", "").replace("\ud800", ""))
            case 3 if element.attrib:
                del element.attrib[chance.choice(sorted(element.attrib))]
            case 4:
                parent.remove(element)
            case 5:
                parent.append(copy.deepcopy(element))
            case _:
                element.text = str(chance.choice(HOSTILE)).replace("\0", "").replace("\ud800", "")
    return ElementTree.tostring(root, encoding="utf-8")


def of_file(text: str, seed: str) -> bytes:
    """A JSON or XML text gone wrong: every other time in its bytes, else in what it says."""
    chance = random.Random(seed)
    if chance.random() < 0.4:
        return of_bytes(text.encode(), chance)
    if text.startswith("<"):
        return of_xml(text, chance)
    return json.dumps(of_json(json.loads(text), chance)).encode()


def _keys(parent: dict | list) -> list:
    return list(parent) if isinstance(parent, dict) else list(range(len(parent)))


def _places(content: object) -> Iterator[tuple[dict | list, object]]:
    if isinstance(content, dict | list):
        for key in _keys(content):
            yield content, key
            yield from _places(content[key])
