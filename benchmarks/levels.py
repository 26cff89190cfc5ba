"""How soon the overlay follows a level in the tab *Try*: ``python -m benchmarks.levels``.

The demo models label a scene of 640 x 480 with the words of the demo world, and each of the main
levels goes through some values: once in Python (``Explorer.trace`` and what the page is sent, in
seconds of the processor), and once as a slider in a real browser, from its move to the drawn
overlay, by the clock. Without a browser (``apt-get install chromium``) only the first is measured.

Exits with 1 where a level takes more than 150 ms at the median, in the browser by the clock, else
in Python. By the clock, others at work on the machine count: the table says how busy it was.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.lib.frame import Benchmark, Bound, Outcome
from panoptic.demo.artwork import load_artwork
from panoptic.demo.scenes import HELD_OUT_WORLD, World, demo_vocabulary
from panoptic.explore import Explorer
from panoptic.pipeline import PanopticPipeline

MOST = 0.150
SCENE = (480, 640)
TOKEN = "benchmarks-levels"
VALUES = {
    "detector.box_threshold": (0.1, 0.15, 0.25, 0.3, 0.35),
    "detector.text_threshold": (0.1, 0.15, 0.25, 0.3, 0.35),
    "regions.background": (0.15, 0.2, 0.3, 0.4, 0.5),
    "regions.min_area": (0.01, 0.02, 0.03, 0.04, 0.05),
    "stuff_masks.min_agreement": (0.1, 0.2, 0.4, 0.5, 0.6),
    "merge.min_visible": (0.2, 0.3, 0.4, 0.5, 0.8),
    "merge.min_stuff_area": (0.01, 0.02, 0.03, 0.04, 0.05),
    "merge.inside_share": (0.2, 0.3, 0.4, 0.6, 0.7),
}
Times = dict[str, list[float]]


def computing(pipeline: PanopticPipeline, picture: np.ndarray, count: int) -> Times:
    """Processor seconds of every level, up to the JSON that the page is sent."""
    from panoptic.app.drawn import label_of

    vocabulary = demo_vocabulary()
    explorer = Explorer(pipeline, picture)
    explorer.trace(vocabulary)
    found: Times = {}
    for key, values in VALUES.items():
        found[key] = []
        for value in values[:count]:
            start = time.process_time()
            result = explorer.trace(vocabulary, {key: value}).result
            json.dumps(label_of(result, vocabulary))
            found[key].append(time.process_time() - start)
    return found


def in_the_browser(address: str, browser: str, count: int) -> Times:
    """Seconds from a slider's move to the drawn overlay."""
    from playwright.sync_api import sync_playwright

    alone = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    found: Times = {}
    with sync_playwright() as playwright:
        page = playwright.chromium.launch(executable_path=browser, args=alone).new_page()
        page.goto(f"{address}#try")
        page.wait_for_selector("#try[data-shown='{}']", timeout=120_000)
        for key, values in VALUES.items():
            found[key] = []
            for value in values[:count]:
                page.eval_on_selector(
                    f"[data-level='{key}']",
                    "(e, v) => { e.value = v; e.dispatchEvent(new Event('input')); }", value,
                )  # fmt: skip
                shown = json.dumps({key: value}, separators=(",", ":"))
                page.wait_for_selector(f"#try[data-shown='{shown}']")
                found[key].append(float(page.get_attribute("#try-time", "data-ms") or "nan") / 1e3)
            page.click("#try-reset")
            page.wait_for_selector("#try[data-shown='{}']")
    return found


@contextmanager
def app(pipeline: PanopticPipeline, folder: Path) -> Iterator[str]:
    """The app on a folder of pictures; gives its address."""
    import uvicorn

    from panoptic.app.given import Given
    from panoptic.app.models import Choice, Models
    from panoptic.app.server import build, listen
    from panoptic.app.workbench import Workbench

    models = Models([Choice("demo", lambda: pipeline, ("--models", "demo"))])
    bench = Workbench(Given(str(folder), folder / "out"), models, demo_vocabulary())
    listening = listen(0)
    server = uvicorn.Server(uvicorn.Config(build(bench, TOKEN), log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/{TOKEN}/"
    finally:
        server.should_exit = True
        thread.join()


def measure(arguments: argparse.Namespace) -> Outcome:
    count = arguments.values
    picture = World(load_artwork(), seed=HELD_OUT_WORLD).scene(0, SCENE).image
    pipeline = PanopticPipeline.from_pretrained("demo")
    times: dict[str, Times] = {"computing": computing(pipeline, picture, count)}
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser and find_spec("playwright") and find_spec("uvicorn"):
        with tempfile.TemporaryDirectory() as temporary:
            Image.fromarray(picture).save(Path(temporary) / "scene.png")
            with app(pipeline, Path(temporary)) as address:
                times["in the browser"] = in_the_browser(address, browser, count)
    last = list(times)[-1]
    medians = {key: float(np.median(found)) for key, found in times[last].items()}
    slowest = max(medians, key=lambda key: medians[key])
    return Outcome(
        {"machine": arguments.machine, **times},
        table(times),
        f"the overlay follows a level in {np.median(list(medians.values())) * 1e3:.0f} ms "
        f"({last}), the slowest, {slowest}, in {medians[slowest] * 1e3:.0f} ms",
        [Bound(f"{slowest}, seconds {last}", medians[slowest], most=MOST)],
    )


def table(times: Mapping[str, Times]) -> str:
    head = "".join(f" {name}, median (most), ms |" for name in times)
    lines = [f"| level |{head}", "|---|" + "---|" * len(times)]
    for key in VALUES:
        cells = "".join(
            f" {np.median(found[key]) * 1e3:.0f} ({max(found[key]) * 1e3:.0f}) |"
            for found in times.values()
        )
        lines.append(f"| `{key}` |{cells}")
    return "\n".join(lines)


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--values", type=int, default=5, help="of each level (default: 5)")


BENCHMARK: Any = Benchmark(
    "benchmarks.levels",
    __doc__,
    measure,
    options,
    quick={"values": 2},
    quick_means="two values of each level",
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.run())
