"""The site as it is built: without a warning, and without anything from elsewhere."""

import os
import re
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.panoptic.app.pages import browser_at_hand

pytest.importorskip("material", reason="no MkDocs Material: the extra 'docs'")

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


def build(out: Path, config: Path = ROOT / "mkdocs.yml") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", config, "--site-dir", out],
        cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = build(folder)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder


def test_a_page_with_links_to_nothing_ends_the_build(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/index.md").write_text(
        "# A\n\n[page](nowhere.md) [part](#nothing) [file](../panoptic/gone.py)\n"
    )
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[0]
    text = text.replace("docsite/hooks.py", str(ROOT / "docsite/hooks.py"))
    text = text.replace("\nwatch: [docsite, panoptic, benchmarks/results, notebooks]", "")
    (tmp_path / "mkdocs.yml").write_text(text)
    done = build(tmp_path / "out", tmp_path / "mkdocs.yml")
    assert done.returncode == 1
    for told in ("docs/nowhere.md", "'#nothing'", "panoptic/gone.py"):
        assert told in done.stderr


def test_every_page_is_there_with_the_tables_and_the_notebooks(site):
    pages = {path.relative_to(site).as_posix() for path in site.rglob("*.html")}
    for page in (ROOT / "docs").glob("*.md"):
        assert f"{page.stem}.html" in pages
    for table in (ROOT / "benchmarks" / "results").glob("*.md"):
        assert f"results/{table.stem}.html" in pages
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        text = (site / "notebooks" / f"{notebook.stem}.html").read_text(encoding="utf-8")
        assert len(re.findall(rf'<img [^>]*src="{notebook.stem}-pictures/', text)) >= 3


def test_nothing_is_loaded_from_elsewhere(site):
    loads = re.compile(
        r"""<(?:script|img|iframe|source|video|link(?![^>]*rel="?canonical))\b[^>]*?(?:src|href)=["']?(?:https?:)?//[^"'\s>]+""",
        re.IGNORECASE,
    )
    for path in site.rglob("*.html"):
        assert loads.findall(path.read_text(encoding="utf-8")) == [], path
    for path in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(?:https?:)?//", path.read_text(encoding="utf-8")), path


def test_a_browser_asks_for_nothing_elsewhere_and_finds_what_is_searched(site):
    asked, errors = [], []
    quiet = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    own = f"http://127.0.0.1:{server.server_address[1]}/"
    with browser_at_hand() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.on("request", lambda r: asked.append(r.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        for name in ("labels", "notebooks/explore", "api", "index"):
            page.goto(f"{own}{name}.html")
        page.click("[data-md-component=search-query]")
        page.keyboard.type("min_visible")
        page.wait_for_selector(".md-search-result__link[href*='words.html']")
        page.set_viewport_size({"width": 390, "height": 800})
        for name in ("index", "settings", "compatibility", "notebooks/image"):
            page.goto(f"{own}{name}.html")
            wide = page.evaluate("() => document.documentElement.scrollWidth")
            assert wide <= 390, name
    server.shutdown()
    server.server_close()
    assert [url for url in asked if not url.startswith((own, "data:", "blob:"))] == []
    assert errors == []


def test_the_api_has_what_import_panoptic_has(site):
    import panoptic

    text = (site / "api.html").read_text(encoding="utf-8")
    ids = {name.rpartition(".")[2] for name in re.findall(r'<h\d id="([\w.]+)"', text)}
    assert set(panoptic.__all__) - {"__version__", "errors"} <= ids
    assert {"explore", "segment", "track", "OutputError", "overlay"} <= ids
