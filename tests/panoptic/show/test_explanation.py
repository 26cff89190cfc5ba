import pickle

import numpy as np
import pytest
from PIL import Image

from panoptic import PanopticSegmentation, Vocabulary
from panoptic.show.explanation_sheet import panels


@pytest.fixture
def trace(tiny, words, picture):
    return tiny.trace(picture, words)


def test_every_step_is_told(trace):
    text = str(trace.explain())
    for heading in ("1. Boxes", "2. Heatmaps", "3. Regions", "4. Result"):
        assert heading in text
    lines = text.splitlines()
    for box, score in zip(trace.boxes.xyxy, trace.boxes.scores, strict=True):
        place = " ".join(f"{v:.0f}" for v in box)
        assert any(place in line and f"{score:.2f}" in line for line in lines)
    for word in trace.vocabulary.stuff:
        assert word.name in text
    for number, (region, fate) in enumerate(
        zip(trace.regions, trace.report.fates[len(trace.boxes) :], strict=True), start=1
    ):
        name = trace.vocabulary.by_id(region.category_id).name
        rows = [
            x
            for x in lines
            if x.split()[:2] == [str(number), name] and ("SAM 2's" in x or "heat alone" in x)
        ]
        assert len(rows) == 1
        assert rows[0].endswith(f"segment {fate.segment_id}" if fate.segment_id else fate.reason)


def test_words_without_a_box_and_losers_are_named(trace):
    text = trace.explain().text()
    found = set(trace.boxes.category_ids.tolist())
    missed = [c.name for c in trace.vocabulary.things if c.id not in found]
    assert missed
    assert f"No box above the detector's thresholds: {', '.join(missed)}." in text
    lost = [f.reason for f in trace.report.fates if f.segment_id is None]
    assert lost
    assert all(reason in text for reason in lost)


def test_masks_and_regions_are_those_of_the_trace(trace):
    steps = trace.explain()
    for kept, logits in zip(steps.thing_masks, trace.thing_masks.logits[:, 0], strict=True):
        assert np.array_equal(kept.mask(), logits.numpy() > 0)
    assert len(steps.regions) == len(trace.stuff_masks)
    for number, region in enumerate(trace.regions, start=1):
        assert np.array_equal(steps.region_of == number, region.mask)
    assert np.array_equal(steps.covered, trace.covered)
    for number, points in enumerate(steps.points, start=1):
        xs, ys = (points * trace.covered.shape[::-1]).astype(int).T
        assert (steps.region_of[ys, xs] == number).all()
    assert len(steps.points) == len(steps.regions) > 0


def test_results_carry_a_small_explanation(tiny, words, picture):
    result = tiny.segment(picture, words)
    assert str(result.explain()) == str(tiny.trace(picture, words).explain())
    assert "explanation" not in repr(result)
    large = np.asarray(Image.fromarray(picture).resize((1200, 900)))
    trace = tiny.trace(large, words)
    without_picture = pickle.dumps(trace.explain()), pickle.dumps(trace)
    own = trace.result.ids.nbytes + large.nbytes  # the result's own, which is shared
    assert len(without_picture[0]) - own < (len(without_picture[1]) - own) / 5


def test_results_without_an_explanation_say_so(tiny, words, picture, tmp_path):
    result = tiny.segment(picture, words)
    loaded = PanopticSegmentation.load(result.save(tmp_path))
    assert loaded == result  # the explanation doesn't count
    with pytest.raises(ValueError, match=r"PanopticPipeline\.segment"):
        loaded.explain()


def test_panels_are_all_of_one_size_and_show_what_they_should(trace):
    found = panels(trace.explain(), side=240)
    assert found[0].name == "picture"
    assert {p.picture.size for p in found} == {(240, 180)}
    pixels = {p.name: np.asarray(p.picture).astype(int) for p in found}
    # A box is drawn in its word's colour, and only there.
    box = trace.boxes.xyxy[0] * 2
    color = trace.vocabulary.color(int(trace.boxes.category_ids[0]))
    x, y = int(box[0]), int((box[1] + box[3]) / 2)
    near = pixels["boxes"][max(y - 3, 0) : y + 4, max(x - 3, 0) : x + 4].reshape(-1, 3)
    assert (np.abs(near - color).sum(1) < 12).any()
    # What a thing covers is hatched on the map of regions.
    covered = np.kron(trace.covered, np.ones((2, 2), bool))
    white = (pixels["regions"] == 245).all(2)
    assert 0.2 < white[covered].mean() < 0.6
    assert white[~covered].mean() < 0.05


def test_saved_steps(trace, tmp_path):
    folder = trace.save(tmp_path / "steps")
    names = sorted(path.name for path in folder.iterdir())
    assert names == sorted(
        [
            *("1-picture.png", "2-boxes.png", "3-thing-masks.png", "4-heatmaps.png"),
            *("5-regions.png", "6-points.png", "7-stuff-masks.png", "8-merge.png"),
            *("explain.txt", "sheet.png"),
        ]
    )
    assert (folder / "explain.txt").read_text() == trace.explain().text() + "\n"
    assert trace.explain()._repr_png_()[:8] == b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (300, 2)])
@pytest.mark.parametrize("text", ["car", "; road", "car; road, sky"])
def test_odd_shapes_and_vocabularies_can_be_explained(tiny, size, text):
    image = np.random.default_rng(3).integers(0, 256, (*size, 3), dtype=np.uint8)
    steps = tiny.segment(image, Vocabulary.parse(text)).explain()
    assert steps.sheet().width > 1000
    assert "4. Result" in steps.text()
