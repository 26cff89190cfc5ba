"""The app as a browser shows it: ``python -m docsite.app_pictures``."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from docsite.browser import chromium
from docsite.pictures import FOLDER, SIZE
from panoptic import PanopticPipeline, Vocabulary
from panoptic.demo.artwork import load_artwork
from panoptic.demo.scenes import HELD_OUT_WORLD, World

THINGS = "book, car, cat, chicken, guitar, hamburger, horse, octopus, rabbit, soccer ball"
STUFF = "brick, dirt, grass, road, sand, sky, snow, water"
SCENES = 10


def main(folder: Path = FOLDER) -> None:
    """Labels scenes and takes a picture of each tab."""
    with tempfile.TemporaryDirectory() as place:
        # By relative names, as the page shows where it was started.
        os.chdir(place)
        world = World(load_artwork(), seed=HELD_OUT_WORLD)
        Path("photos").mkdir()
        for number in range(SCENES):
            scene = world.scene(number, size=SIZE, things=(3, 5))
            Image.fromarray(scene.image).save(f"photos/scene-{number}.png")
        pipeline = PanopticPipeline.from_pretrained("demo")
        words = Vocabulary.parse(f"{THINGS}; {STUFF}")
        pipeline.label_dataset("photos", words, "out", progress=False)
        with running() as address, chromium() as browser:
            page = browser.new_page(viewport={"width": 1240, "height": 760})
            page.goto(f"{address}#try")
            page.wait_for_selector("#try-segments li[data-id]")
            page.screenshot(path=folder / "app-try.jpg", quality=80, type="jpeg")
            page.goto(f"{address}#review")
            page.reload()
            page.wait_for_selector("#review-segments li[data-id]")
            page.keyboard.press("Tab")
            page.wait_for_timeout(500)  # until the chosen segment is drawn
            page.screenshot(path=folder / "app-review.jpg", quality=80, type="jpeg")


@contextmanager
def running() -> Iterator[str]:
    """The app on the data set, and its address."""
    command = [sys.executable, "-m", "panoptic.cli", "app", "out", "--models", "demo"]
    words = ["--things", THINGS, "--stuff", STUFF, "--no-browser"]
    with subprocess.Popen([*command, *words], stdout=subprocess.PIPE, text=True) as app:
        try:
            assert app.stdout is not None
            yield app.stdout.readline().removeprefix("panoptic app: ").strip()
        finally:
            app.terminate()


if __name__ == "__main__":
    main()
