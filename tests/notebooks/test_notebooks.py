"""Every notebook runs from top to bottom, on the demo models and without a network, and is stored
with what it shows."""

import ast
import copy
import json
import re

import nbformat
import pytest

from docsite.notebooks import FOLDER, MOST_BYTES, executed, kinds, marks, out_of_step

NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
# A machine's paths, times of day, durations, addresses in memory.
PRIVATE = re.compile(
    r"/(?:tmp|home|root|Users|usr|opt|var)/|[A-Z]:\\\\|0x[0-9a-f]{6}"
    r"|\d\d:\d\d|\b\d+(?:\.\d+)? (?:s|ms|seconds)\b"
)


def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(notebook):
    return [cell for cell, _ in marks(notebook)]


def pictures(notebook):
    return [
        o
        for cell in code_cells(notebook)
        for o in cell.outputs
        if "image/jpeg" in o.get("data", {})
    ]


def test_there_are_notebooks():
    assert {"explore.ipynb", "image.ipynb"} <= {path.name for path in NOTEBOOKS}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebooks_define_no_functions(path):
    for cell in code_cells(read(path)):
        for node in ast.walk(ast.parse(cell.source)):
            assert not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda), cell.source


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_what_is_stored_is_of_this_code(path):
    notebook = read(path)
    assert out_of_step(notebook) == [], "make notebooks"
    numbers = [cell.execution_count for cell in code_cells(notebook)]
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_what_is_stored_is_small_and_can_be_seen_anywhere(path):
    assert path.stat().st_size <= MOST_BYTES
    notebook = read(path)
    assert len(pictures(notebook)) >= 3
    assert {"image/jpeg", "text/plain"} >= {
        kind
        for cell in code_cells(notebook)
        for output in cell.outputs
        for kind in output.get("data", {})
    }


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_what_is_stored_tells_nothing_of_a_machine(path):
    notebook = read(path)
    for cell in code_cells(notebook):
        for output in cell.outputs:
            assert output.output_type != "error"
            text = output.get("text", "") + output.get("data", {}).get("text/plain", "")
            assert not PRIVATE.search(text), text
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.language_info == {"name": "python"}


def test_changed_code_is_noticed_with_all_that_follows_from_it():
    notebook = read(FOLDER / "image.ipynb")
    cells = code_cells(notebook)
    cells[3].source += "\nprint(1)"
    assert out_of_step(notebook) == [cell.id for cell in cells[3:]]
    notebook = read(FOLDER / "image.ipynb")
    del notebook.cells[notebook.cells.index(code_cells(notebook)[1])]
    assert out_of_step(notebook)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebooks_run_and_show_what_is_stored(path, tmp_path):
    stored = read(path)
    found = executed(copy.deepcopy(stored), tmp_path)
    assert kinds(found) == kinds(stored)
    assert len(pictures(found)) >= 3
    assert json.dumps(found.metadata) == json.dumps(stored.metadata)
