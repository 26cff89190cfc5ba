"""Reviews by keys lose no verdict when the app is killed: ``python -m benchmarks.reviews``.

Demo scenes are labelled by the demo models, and reviewed in a real browser by the keys A and R
alone, until each has a verdict. At random the app is killed by SIGKILL just after a key was
pressed, and started again at the same address. What is in the manifest in the end must be what was
pressed.

It takes a browser (``apt-get install chromium``) and playwright. Results go to
``benchmarks/results/reviews.json`` and ``.md``. Exits with 1 where a verdict is lost, or another.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.lib.app_process import find_browser, launch, running
from benchmarks.lib.artwork import QUICK_MEANS, artwork
from benchmarks.lib.frame import Benchmark, Bound, NotMeasured, Outcome
from panoptic.dataset.resumable_labelling import label_dataset
from panoptic.dataset.store import DatasetStore
from panoptic.demo.artwork import load_artwork
from panoptic.demo.scenes import HELD_OUT_WORLD, World
from panoptic.pipeline import PanopticPipeline
from prompts import Vocabulary

SIZE = (96, 128)
WORDS = Vocabulary(things=["cat", "car", "tree"], stuff=["sky", "grass", "water"])
WAITS = (0, 2, 5, 10, 20)
"""Milliseconds between a key and the kill: before the verdict is sent, and after."""
VERDICTS = {"a": "accept", "r": "reject"}
_NEXT = "(k) => document.getElementById('review').dataset.key !== k"


@dataclass
class Review:
    """What was pressed, by label, and how long each key took until the next label was shown."""

    given: dict[str, str] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    """Of keys after which the app wasn't killed."""
    kills: int = 0
    lost: list[str] = field(default_factory=list)
    """Labels whose verdict in the manifest is none, or another one."""


def review_by_keys(browser: Any, out: Path, kills: int, seed: int = 0) -> Review:
    """Judges every label of a data set in ``out``, over so many kills."""
    done, rng = Review(), random.Random(seed)
    with DatasetStore.open(out) as store:
        count = len(store)
    deadly = set(rng.sample(range(count - 1), kills))
    with running(out) as app:
        page = browser.new_page()
        page.goto(app.address)
        for number in range(count):
            page.wait_for_selector("#review[data-key]")
            shown, key = page.get_attribute("#review", "data-key"), rng.choice("ar")
            done.given[shown] = VERDICTS[key]
            start = time.perf_counter()
            page.keyboard.press(key)
            if number in deadly:
                page.wait_for_timeout(rng.choice(WAITS))
                app.kill()
                app.start()
                done.kills += 1
            if number < count - 1:
                page.wait_for_function(_NEXT, arg=shown)
            if number not in deadly:
                done.seconds.append(time.perf_counter() - start)
        page.wait_for_function("() => document.getElementById('saved').dataset.waiting === '0'")
        page.close()
    done.lost = lost_of(out, done.given)
    return done


def lost_of(out: Path, given: dict[str, str]) -> list[str]:
    """The labels of a data set that haven't the verdicts that were given."""
    with DatasetStore.open(out) as store:
        found = {item.key: item.verdict for item in store.items()}
    return sorted(key for key in found.keys() | given.keys() if found.get(key) != given.get(key))


def make_dataset(folder: Path, count: int, quick: bool) -> Path:
    """So many scenes, labelled."""
    world = World(load_artwork(artwork(quick)["seen"]), seed=HELD_OUT_WORLD)
    (folder / "in").mkdir()
    for number in range(count):
        scene = world.scene(np.random.default_rng((7, number)), SIZE)
        Image.fromarray(scene.image).save(folder / f"in/scene-{number:03}.png")
    pipeline = PanopticPipeline.from_pretrained("demo")
    label_dataset(pipeline, folder / "in", WORDS, folder / "out", progress=False)
    return folder / "out"


def measure(arguments: argparse.Namespace) -> Outcome:
    path = find_browser()
    if path is None or not find_spec("playwright"):
        raise NotMeasured("it takes a browser and playwright: apt-get install chromium, extra test")
    if not 0 <= arguments.kills < arguments.reviews:
        raise NotMeasured("there must be more reviews than kills")
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        out = make_dataset(Path(temporary), arguments.reviews, arguments.quick)
        browser = launch(playwright, path)
        done = review_by_keys(browser, out, arguments.kills, arguments.seed)
        browser.close()
    median, late = (1e3 * float(np.quantile(done.seconds, q)) for q in (0.5, 0.95))
    text = (
        "| reviews | kills | verdicts lost | from a key to the next label, median (95 %) |\n"
        "|---|---|---|---|\n"
        f"| {len(done.given)} | {done.kills} | {len(done.lost)} | {median:.0f} ms ({late:.0f}) |"
    )
    return Outcome(
        {"reviews": len(done.given), "kills": done.kills, "lost": done.lost,
         "seconds": done.seconds},
        text,
        f"{len(done.given)} reviews over {done.kills} kills",
        [
            Bound("verdicts lost", len(done.lost), most=0),
            Bound("reviews", len(done.given), least=arguments.reviews),
            Bound("kills", done.kills, least=arguments.kills),
        ],
    )  # fmt: skip


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reviews", type=int, default=200, help="(default: 200)")
    parser.add_argument("--kills", type=int, default=20, help="(default: 20)")
    parser.add_argument("--seed", type=int, default=0, help="of keys and kills (default: 0)")


BENCHMARK = Benchmark(
    "benchmarks.reviews",
    __doc__,
    measure,
    options,
    quick={"reviews": 20, "kills": 4},
    quick_means=f"20 reviews and 4 kills; {QUICK_MEANS}",
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.run())
