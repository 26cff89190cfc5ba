"""Pages that are made, or list what the code has, are in step with it."""

import re
from pathlib import Path

import pytest

from docsite import settings_page
from docsite.diagrams import BLOCK, is_of, picture_of
from docsite.pictures import COMPARISONS
from panoptic.formats import FORMATS
from panoptic.formats.video_formats import VIDEO_FORMATS
from panoptic.presets import PRESETS
from panoptic.settings.keys import keys_of
from panoptic.settings.tree import Settings
from prompts import Vocabulary

pytest.importorskip("mkdocs", reason="no MkDocs: the extra 'docs'")
from docsite.hooks import with_site_links

DOCS = Path(__file__).parents[2] / "docs"


def first_column(page: str, heading: str) -> set[str]:
    """The names in the first column of the tables below a heading."""
    text = (DOCS / page).read_text(encoding="utf-8")
    section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.M | re.S).group(1)
    return set(re.findall(r"^\| `([^`]+)` \|", section, re.M))


def test_the_settings_page_is_what_the_dataclasses_make():
    assert settings_page.PAGE.read_text(encoding="utf-8") == settings_page.page(), "make docs-pages"


def test_the_settings_page_has_every_setting_with_its_reason():
    levels = settings_page.page().partition("\n## What presets change")[0]
    rows = dict(re.findall(r"^\| `([\w.]+)` \| `[^`]*` \| [^|]+ \| (.+) \|$", levels, re.M))
    assert set(rows) == set(keys_of(Settings))
    assert all(len(reason) > 10 for reason in rows.values())


def test_every_format_is_in_the_tables():
    assert first_column("formats.md", "What they hold") == set(FORMATS)
    assert first_column("video.md", "Formats of videos") == set(VIDEO_FORMATS)


def test_every_preset_is_listed():
    text = (DOCS / "models.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+)` \| [^|]+ \| [^|]+ \| [^|]+ \|", text, re.M)) == set(PRESETS)


def test_every_page_is_in_the_navigation():
    menu = (DOCS.parent / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2]
    listed = set(re.findall(r"([\w-]+\.md)$", menu, re.M))
    assert {path.name for path in DOCS.glob("*.md")} <= listed


def test_the_words_in_a_file_are_read_as_they_stand_there(tmp_path):
    text = (DOCS / "words.md").read_text(encoding="utf-8")
    (written,) = re.findall(r"^```yaml\n(.*?)^```$", text, re.M | re.S)
    (tmp_path / "words.yaml").write_text(written, encoding="utf-8")
    words = Vocabulary.from_file(tmp_path / "words.yaml")
    assert [c.name for c in words] == ["car", "person", "bicycle", "road", "sky", "wall"]
    assert words.by_name("pickup truck").name == "car"
    assert words.by_name("bike").name == "bicycle"


def test_pictures_that_are_shown_are_those_that_are_made():
    shown = {
        name
        for page in DOCS.glob("*.md")
        for name in re.findall(r"\(pictures/([\w-]+)\.jpg\)", page.read_text(encoding="utf-8"))
    }
    made = {path.stem for path in (DOCS / "pictures").iterdir()}
    assert shown == made == {*COMPARISONS, "steps", "widget", "app-try", "app-review"}
    assert sum(path.stat().st_size for path in (DOCS / "pictures").iterdir()) < 800_000


def test_diagrams_are_drawn_of_what_is_written():
    drawn = set()
    for page in DOCS.glob("*.md"):
        for number, text in enumerate(BLOCK.findall(page.read_text(encoding="utf-8")), 1):
            path = picture_of(page.name, number)
            assert is_of(path, text), f"make docs-diagrams: {path}"
            drawn.add(path)
    assert drawn == set((DOCS / "diagrams").iterdir())


def test_links_that_lead_out_of_the_pages_stay_true(caplog):
    text = (
        "[parity](../benchmarks/results/parity.md#cases), [image](../notebooks/image.ipynb), "
        "[tracker.py](../sam2core/tracker.py), [which](../benchmarks/parity/corrected.py), "
        "[rules](rules.md), [out](https://example.org)"
    )
    assert with_site_links(text, "measured.md") == (
        "[parity](results/parity.md#cases), [image](notebooks/image.md), "
        "tracker.py, which (`benchmarks/parity/corrected.py`), "
        "[rules](rules.md), [out](https://example.org)"
    )
    assert not caplog.records
    assert with_site_links("[gone](../panoptic/gone.py)", "measured.md") == "gone"
    assert "panoptic/gone.py, which isn't there" in caplog.text


def test_a_table_of_results_links_to_pages_from_its_own_place():
    text = "[how](../../docs/performance.md), [other](parity.md)"
    assert with_site_links(text, "results/full_size.md") == (
        "[how](../performance.md), [other](parity.md)"
    )
