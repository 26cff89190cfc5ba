"""No module imports, for types or within a function either, what imports it in the end.

The one exception are doors: methods by which a result is shown or stored in one line. Each of them
is listed, and has nothing in it but the import and the call.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("panoptic", "detectors", "prompts", "sam2core")
DOORS = {
    ("panoptic.results.segmentation", "panoptic.formats.coco_panoptic"),
    ("panoptic.results.segmentation", "panoptic.show.notebook"),
    ("panoptic.results.segmentation", "panoptic.show.overlay"),
    ("panoptic.results.explanation", "panoptic.show.explanation_sheet"),
    ("panoptic.results.explanation", "panoptic.show.explanation_text"),
    ("prompts.vocabulary", "prompts.vocabulary_file"),
}

Graph = dict[str, set[str]]


def name_of(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules(root: Path = ROOT) -> dict[str, ast.Module]:
    files = (path for package in PACKAGES for path in (root / package).rglob("*.py"))
    return {name_of(path, root): ast.parse(path.read_text(encoding="utf-8")) for path in files}


def imported(node: ast.AST, known: dict[str, ast.Module]) -> Iterator[str]:
    """The modules of ours that a statement imports."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name in known)
    elif isinstance(node, ast.ImportFrom):
        assert not node.level, "imports are absolute"
        for alias in node.names:
            whole = f"{node.module}.{alias.name}"
            yield from (name for name in (whole, node.module or "") if name in known)


def graph(known: dict[str, ast.Module]) -> Graph:
    """What each module imports: ``from a.b import c`` is of c where that is a module, not of b."""
    found: Graph = {}
    for name, tree in known.items():
        found[name] = set()
        for node in ast.walk(tree):
            names = list(imported(node, known))
            deepest = {n for n in names if not any(m.startswith(n + ".") for m in names)}
            found[name] |= deepest - {name}
    return found


def cycles(edges: Graph) -> list[list[str]]:
    """Sets of modules that reach each other (Tarjan's strongly connected components)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in edges[name]:
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            at = stack.index(name)
            if len(component := stack[at:]) > 1:
                found.append(sorted(component))
            del stack[at:]

    for name in edges:
        if name not in index:
            visit(name)
    return found


def is_door(function: ast.FunctionDef) -> bool:
    """Whether a method holds nothing but words, one import and what that returns."""
    body = [
        n
        for n in function.body
        if not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))
    ]
    return (
        len(body) == 2 and isinstance(body[0], ast.ImportFrom) and isinstance(body[1], ast.Return)
    )


def test_imports_go_one_way():
    edges = graph(modules())
    closed = {name: {o for o in others if (name, o) not in DOORS} for name, others in edges.items()}
    assert cycles(closed) == []


def test_doors_are_in_use_and_are_no_rooms():
    known = modules()
    edges = graph(known)
    for name, other in DOORS:
        assert other in edges[name], f"{name} has no door to {other} any more: take it off the list"
        doors = [n for n in ast.walk(known[name]) if isinstance(n, ast.FunctionDef) and is_door(n)]
        through = {m for door in doors for m in imported(door.body[-2], known)}
        assert other in through, f"{name} imports {other} outside of a door"
        everywhere = sum(other in imported(n, known) for n in ast.walk(known[name]))
        within = sum(other in imported(door.body[-2], known) for door in doors)
        assert everywhere == within, f"{name} imports {other} outside of a door as well"


@pytest.mark.parametrize(
    "text",
    [
        "import panoptic.b",
        "from panoptic.b import x",
        "from panoptic import b",
        "def f():\n    from panoptic.b import x",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from panoptic.b import x",
    ],
)
def test_a_cycle_is_found_however_it_is_imported(text):
    known = {"panoptic": ast.parse(""), "panoptic.a": ast.parse(text)}
    known["panoptic.b"] = ast.parse("from panoptic.a import y")
    assert cycles(graph(known)) == [["panoptic.a", "panoptic.b"]]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_can_be_read_in_one_go(package):
    root = ROOT / package
    lines = {path: len(path.read_text().splitlines()) for path in root.rglob("*.py")}
    assert {str(path.relative_to(root)): n for path, n in lines.items() if n > 350} == {}
