"""Notebooks with their outputs: ``python -m docsite.notebooks [NAME ...]``, or ``make notebooks``.

Each runs in an empty folder, and its outputs are made small: pictures become JPEGs, and what nobody
sees without a kernel (pages within the page, widgets' ids, warnings, addresses in memory) is left
out. A code cell then carries a hash of its code and all code before it, by which a test tells
whether its output is still of that code.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from PIL import Image

FOLDER = Path(__file__).parents[1] / "notebooks"
MARK = "made_of"
MOST_BYTES = 300_000
"""Of a notebook with its outputs."""
_MOST_PIXELS, _QUALITY = 360_000, 72
_PICTURES = ("image/png", "image/jpeg")
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def executed(notebook: Any, folder: Path) -> Any:
    """The notebook run from top to bottom in a folder, with small outputs and marks."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    kept = dict(notebook.metadata)
    client = NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    client.execute()
    notebook.metadata = nbformat.from_dict(kept)
    for number, (cell, mark) in enumerate(marks(notebook), 1):
        outputs = (small(output, folder) for output in joined(cell.outputs))
        cell.outputs = [output for output in outputs if output is not None]
        cell.execution_count = number
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = number
        cell.metadata = nbformat.from_dict({MARK: mark})
    return notebook


def marks(notebook: Any) -> Iterator[tuple[Any, str]]:
    """Every code cell, with a hash of its code and all code before it."""
    so_far = hashlib.sha256()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            so_far.update(cell.source.encode() + b"\0")
            yield cell, so_far.hexdigest()[:16]


def out_of_step(notebook: Any) -> list[str]:
    """The code cells, by their ids, whose output is of other code."""
    return [cell.id for cell, mark in marks(notebook) if cell.metadata.get(MARK) != mark]


def joined(outputs: list[Any]) -> list[Any]:
    """Outputs without warnings, and with what was printed in one piece."""
    kept: list[Any] = []
    for output in outputs:
        if output.output_type == "stream" and output.name == "stderr":
            continue
        if kept and output.output_type == kept[-1].output_type == "stream":
            kept[-1].text += output.text
        else:
            kept.append(output)
    return kept


def small(output: Any, folder: Path) -> Any:
    """An output as it is kept; None where nothing of it is. Paths are told from ``folder`` on."""
    if output.output_type == "stream":
        output.text = output.text.replace(f"{folder}{os.sep}", "")
        return output
    data = output.data
    picture = next((data[kind] for kind in _PICTURES if kind in data), None)
    if picture is not None:
        kept = {"image/jpeg": as_jpeg(base64.b64decode(picture))}
    elif set(data) == {"text/plain"}:
        kept = {"text/plain": _ADDRESS.sub("", data["text/plain"])}
    else:
        return None
    return nbformat.v4.new_output(output.output_type, data=kept)


def as_jpeg(data: bytes) -> str:
    """A picture as a JPEG that a web page is not too narrow for, as base64."""
    picture = Image.open(io.BytesIO(data)).convert("RGB")
    scale = min(1.0, (_MOST_PIXELS / (picture.width * picture.height)) ** 0.5)
    if scale < 1:
        size = round(picture.width * scale), round(picture.height * scale)
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=_QUALITY, optimize=True)
    return base64.b64encode(stream.getvalue()).decode()


def kinds(notebook: Any) -> dict[str, list[str]]:
    """By cell, of which kind its outputs are."""
    return {
        cell.id: [
            "printed" if output.output_type == "stream" else ", ".join(sorted(output.data))
            for output in cell.outputs
        ]
        for cell, _ in marks(notebook)
    }


def main(names: list[str]) -> None:
    """Runs notebooks, all if none is named, and writes them with their outputs."""
    for path in sorted(FOLDER.glob("*.ipynb")):
        if names and path.stem not in names:
            continue
        with tempfile.TemporaryDirectory() as folder:
            notebook = executed(nbformat.read(path, as_version=4), Path(folder))
        text = nbformat.writes(notebook) + "\n"
        if len(text.encode()) > MOST_BYTES:
            raise ValueError(f"{path}: {len(text.encode())} bytes, more than {MOST_BYTES}")
        path.write_text(text, encoding="utf-8")
        print(path, len(text.encode()))


if __name__ == "__main__":
    main(sys.argv[1:])
