"""MkDocs' hooks: tables and notebooks become pages, links that lead out of ``docs/`` stay true.

The pages of ``docs/`` are read in the repository as well, so they link to files there. On the site
a link to a benchmark's table or to a notebook leads to its page; any other file is named. Every
such file must be there: a warning, which ends ``make check``, says which isn't.
"""

from __future__ import annotations

import logging
import posixpath
import re
from pathlib import Path

import nbformat
from mkdocs.structure.files import File
from nbconvert import MarkdownExporter

from docsite.diagrams import BLOCK, is_of, picture_of

ROOT = Path(__file__).parents[1]
RESULTS, NOTEBOOKS = "benchmarks/results", "notebooks"
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\((?!https?:|#|mailto:)([^)\s#]+)(#[^)\s]*)?\)")
log = logging.getLogger("mkdocs.hooks.docsite")


def on_files(files, config):
    """The tables of benchmarks, and the notebooks with their pictures."""
    for path in sorted((ROOT / RESULTS).glob("*.md")):
        text = path.read_text(encoding="utf-8")
        files.append(File.generated(config, f"results/{path.name}", content=text))
    for path in sorted((ROOT / NOTEBOOKS).glob("*.ipynb")):
        text, pictures = notebook_page(path)
        files.append(File.generated(config, f"notebooks/{path.stem}.md", content=text))
        for name, data in pictures.items():
            files.append(File.generated(config, f"notebooks/{name}", content=data))
    return files


def on_page_markdown(markdown, page, config, files):
    """Diagrams as pictures, and links as the site has them."""
    return with_site_links(with_diagrams(markdown, page.file.src_uri), page.file.src_uri)


def on_page_content(html, page, config, files):
    """Docstrings name others as Sphinx has it, :class:`X`; here the name alone is left."""
    return re.sub(r":(?:class|func|meth|mod|attr|data):(?=<code>)", "", html)


def notebook_page(path: Path) -> tuple[str, dict[str, bytes]]:
    """A notebook as Markdown, and its pictures by name."""
    exporter = MarkdownExporter()
    resources = {"output_files_dir": f"{path.stem}-pictures", "unique_key": path.stem}
    text, resources = exporter.from_notebook_node(nbformat.read(path, 4), resources)
    return text, resources["outputs"]


def with_diagrams(markdown: str, page: str) -> str:
    """Each diagram replaced by the picture that was made of it, as nothing is loaded to draw it."""
    number = 0

    def drawn(block: re.Match[str]) -> str:
        nonlocal number
        number += 1
        path = picture_of(page, number)
        if not is_of(path, block[1]):
            log.warning("%s: diagram %d isn't in step: make docs-diagrams", page, number)
        up = "../" * page.count("/")
        return f"![State diagram]({up}diagrams/{path.name})" + "{ .diagram }"

    return BLOCK.sub(drawn, markdown)


def with_site_links(markdown: str, page: str) -> str:
    """Links as they are on the site, of a page in ``docs/`` or one that :func:`on_files` adds."""
    source = source_of(page)

    def rewritten(link: re.Match[str]) -> str:
        text, target, anchor = link[1], link[2], link[3] or ""
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        if not (ROOT / path).exists():
            log.warning("%s links to %s, which isn't there", source, path)
            return text
        address = address_of(path)
        if address is None:
            return text if path.endswith(text.strip("`")) else f"{text} (`{path}`)"
        return f"[{text}]({posixpath.relpath(address, posixpath.dirname(page) or '.')}{anchor})"

    return LINK.sub(rewritten, markdown)


def source_of(page: str) -> str:
    """The file in the repository that a page of the site is made of."""
    folder, _, name = page.rpartition("/")
    if folder == "results":
        return f"{RESULTS}/{name}"
    if folder == "notebooks":
        return f"{NOTEBOOKS}/{name.removesuffix('.md')}.ipynb"
    return f"docs/{page}"


def address_of(path: str) -> str | None:
    """Where a file of the repository is on the site; None if it isn't there."""
    folder, name = posixpath.split(path)
    if folder == RESULTS and name.endswith(".md"):
        return f"results/{name}"
    if folder == NOTEBOOKS and name.endswith(".ipynb"):
        return f"notebooks/{name.removesuffix('.ipynb')}.md"
    return path.removeprefix("docs/") if path.startswith("docs/") else None
