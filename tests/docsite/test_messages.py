"""Every message that is explained is one that the code has."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from panoptic_anything import PACKAGES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
EXPLAINED = [text for _, text in re.findall(r"^### (`+)(.+)\1$", PAGE, re.MULTILINE)]


def texts(tree: ast.AST) -> Iterator[str]:
    """The strings of a module but for docstrings, with … for whatever stands in braces."""
    told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if id(node) in told:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            parts = (v.value if isinstance(v, ast.Constant) else "…" for v in node.values)
            yield "".join(parts)


@pytest.fixture(scope="module")
def said() -> list[str]:
    paths = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    paths.append(ROOT / "panoptic_anything.py")
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in paths)
    return [re.sub("…+", "…", " ".join(text.split())) for tree in trees for text in texts(tree)]


def test_there_are_messages_and_each_once():
    assert len(EXPLAINED) > 30
    assert len(set(EXPLAINED)) == len(EXPLAINED)


@pytest.mark.parametrize("message", EXPLAINED)
def test_a_message_is_one_of_the_code(message, said):
    assert any(message.rstrip("…") in text for text in said), message


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ('raise ValueError(f"got {a}{b}, " f"not {c!r}")', "got …, not …"),
        ('tell("nothing " "here")', "nothing here"),
        ('def f():\n    "Says nothing here."\n    return "nothing here"', "nothing here"),
    ],
)
def test_texts_are_found_as_they_are_written(source, message):
    found = [re.sub("…+", "…", text) for text in texts(ast.parse(source))]
    assert message in found
