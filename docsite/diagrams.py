"""Diagrams of the pages, drawn once: ``make docs-diagrams``.

They stand in the pages as text for Mermaid, which forges draw. The site loads nothing from outside,
and Mermaid is three megabytes: so each is drawn here, in a headless Chromium, and committed with a
hash of its text, by which the build tells whether it is still in step.
"""

from __future__ import annotations

import hashlib
import re
import sys
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
BLOCK = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SETTINGS = {
    "startOnLoad": False,
    "theme": "neutral",
    "htmlLabels": False,  # letters are text, not a page within the picture
    "fontFamily": "sans-serif",
    "deterministicIds": True,
    "state": {"nodeSpacing": 110, "rankSpacing": 90},  # so that words don't cover each other
}


def picture_of(page: str, number: int) -> Path:
    """The picture of a page's diagram, counted from 1 on."""
    stem = page.removesuffix(".md").replace("/", "-")
    return DOCS / "diagrams" / f"{stem}-{number}.svg"


def is_of(path: Path, text: str) -> bool:
    """Whether a picture was drawn of this text."""
    return path.is_file() and _mark(text) in path.read_text(encoding="utf-8")


def main(mermaid: Path) -> None:
    """Draws all diagrams of ``docs/`` anew by ``mermaid``, the file mermaid.min.js."""
    from docsite.browser import chromium

    with chromium() as browser:
        page = browser.new_page()
        page.set_content("<!doctype html><body></body>")
        page.add_script_tag(path=mermaid)
        page.evaluate("(settings) => mermaid.initialize(settings)", _SETTINGS)
        for source in sorted(DOCS.rglob("*.md")):
            name = source.relative_to(DOCS).as_posix()
            for number, text in enumerate(BLOCK.findall(source.read_text(encoding="utf-8")), 1):
                path = picture_of(name, number)
                drawn = page.evaluate(
                    "async ([id, text]) => (await mermaid.render(id, text)).svg", [path.stem, text]
                )
                path.write_text(f"{drawn}\n{_mark(text)}\n", encoding="utf-8")
                print(path)


def _mark(text: str) -> str:
    return f"<!-- of {hashlib.sha256(text.encode()).hexdigest()[:16]} -->"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
