"""The app as a browser shows it: ``python -m docsite.app_pictures``."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from PIL import Image

from benchmarks.lib.app_process import running
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
        asked = ("--models", "demo", "--things", THINGS, "--stuff", STUFF)
        with running("out", *asked) as app, chromium() as browser:
            page = browser.new_page(viewport={"width": 1240, "height": 760})
            page.goto(f"{app.address}#try")
            page.wait_for_selector("#try-segments li[data-id]")
            page.screenshot(path=folder / "app-try.jpg", quality=80, type="jpeg")
            page.goto(f"{app.address}#review")
            page.reload()
            page.wait_for_selector("#review-segments li[data-id]")
            page.keyboard.press("Tab")
            page.wait_for_timeout(500)  # until the chosen segment is drawn
            page.screenshot(path=folder / "app-review.jpg", quality=80, type="jpeg")


if __name__ == "__main__":
    main()
