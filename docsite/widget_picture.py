"""The widget as a browser shows it: ``python -m docsite.widget_picture``."""

from __future__ import annotations

import io
import sys
from pathlib import Path

from PIL import Image

from docsite.browser import chromium
from docsite.pictures import FOLDER, SIZE
from docsite.widget_host import show
from panoptic import PanopticPipeline, Vocabulary
from panoptic.demo.artwork import load_artwork
from panoptic.demo.scenes import HELD_OUT_WORLD, World

WORDS = Vocabulary(["banana", "car", "cat", "fish", "rabbit"], ["grass", "road", "water"])


def main(path: Path = FOLDER / "widget.jpg", width: int = 1000) -> None:
    """Writes the picture."""
    scene = World(load_artwork(), seed=HELD_OUT_WORLD).scene(9, size=SIZE, things=(3, 5))
    widget = PanopticPipeline.from_pretrained("demo").explore(scene.image, WORDS)
    with chromium() as browser:
        page = browser.new_page(viewport={"width": width, "height": 200})
        show(page, widget)
        page.wait_for_selector(".segments li[data-id]")
        page.hover(".segments li >> nth=0")
        shot = page.screenshot(full_page=True)
    Image.open(io.BytesIO(shot)).convert("RGB").save(path, quality=85)
    print(path)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]), *map(int, sys.argv[2:]))
