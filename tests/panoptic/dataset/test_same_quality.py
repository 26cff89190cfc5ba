"""A labelled data set is as good as what the Python interface gives for the same pictures."""

import pytest
from PIL import Image

from panoptic import PanopticPipeline
from panoptic.demo.artwork import load_artwork
from panoptic.demo.scenes import HELD_OUT_WORLD, World, demo_vocabulary
from panoptic.measure.evaluate_pictures import evaluate
from panoptic.settings.dataset import DatasetSettings


def test_the_panoptic_quality_is_that_of_the_interface(tmp_path):
    world = World(load_artwork(("twemoji",)), seed=HELD_OUT_WORLD)
    scenes = [world.scene(i, (128, 160) if i % 2 else (160, 128)) for i in range(6)]
    (tmp_path / "in").mkdir()
    for i, scene in enumerate(scenes):
        Image.fromarray(scene.image).save(tmp_path / "in" / f"{i}.png")
    pipeline = PanopticPipeline.from_pretrained("demo", dtype="float32")
    words = demo_vocabulary()
    run = pipeline.label_dataset(
        tmp_path / "in", words, tmp_path / "out", settings=DatasetSettings(batch=3)
    )
    with run.open() as store:
        labelled = [item.load() for item in sorted(store.items(), key=lambda item: item.key)]
    single = [pipeline.segment(scene.image, words) for scene in scenes]
    truth = [scene.truth for scene in scenes]
    found, expected = (evaluate(each, truth, words) for each in (labelled, single))
    assert found.all.pq == pytest.approx(expected.all.pq, abs=0.005)
    assert found.stuff.pq > 0.5
    for one, other in zip(labelled, single, strict=True):
        # Batched arithmetic may round a pixel on an edge to the other side.
        assert (one.ids == other.ids).mean() > 0.999
