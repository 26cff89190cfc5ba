import base64
import io
import re

import numpy as np
import pytest
from PIL import Image, ImageChops

from panoptic.formats.coco_panoptic import CocoPanoptic
from panoptic.results.segment import UNKNOWN, UNKNOWN_ID, Segment
from panoptic.results.segmentation import PanopticSegmentation
from panoptic.show.drawing import behind_white, chip, place_chips, shade
from panoptic.show.overlay import ShowSettings, category_colors, overlay, segment_colors
from prompts import Vocabulary

IDS = np.zeros((40, 60), np.int32)
IDS[5:25, 5:25] = 1
IDS[5:25, 30:50] = 2
IDS[30:] = 70_000
RESULT = PanopticSegmentation.from_ids(
    IDS,
    [
        Segment(1, 1, "cat", True, 0.9, quality=0.8),
        Segment(2, 1, "cat", True, 0.8),
        Segment(70_000, 3, "grass <b>", False, 0.7),
    ],
)
IMAGE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
PLAIN = {"outlines": False, "names": False, "legend": False, "min_side": 1}


def test_segments_are_tinted_and_void_is_not():
    drawn = np.asarray(overlay(RESULT, IMAGE, thing_opacity=0.5, stuff_opacity=1.0, **PLAIN))
    shades = segment_colors(RESULT, category_colors(RESULT))
    assert np.array_equal(drawn[IDS == 0], IMAGE[IDS == 0])
    assert np.array_equal(np.unique(drawn[IDS == 70_000], axis=0), [shades[70_000]])
    for id in (1, 2):
        middle = (IMAGE[id == IDS].astype(int) + shades[id]) / 2
        assert np.abs(drawn[id == IDS] - middle).max() <= 1


def test_without_an_image_the_colours_are_drawn():
    drawn = np.asarray(overlay(RESULT, **PLAIN))
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) == 4
    known = PanopticSegmentation(RESULT.ids, RESULT.segments, image=IMAGE)
    assert overlay(known, **PLAIN) == overlay(RESULT, IMAGE, **PLAIN)
    assert known.overlay(**PLAIN) == overlay(known, **PLAIN)


def test_outlines_run_along_the_segments_alone():
    plain, outlined = (
        np.asarray(overlay(RESULT, IMAGE, **{**PLAIN, "outlines": lines})).astype(int)
        for lines in (False, True)
    )
    changed = np.abs(plain - outlined).max(axis=2) > 8
    assert not changed[IDS == 0].any()
    assert changed[5, 5:25].all()
    assert not changed[10:20, 10:20].any()


def test_things_of_a_category_differ_and_categories_keep_their_colour():
    base = category_colors(RESULT)
    shades = segment_colors(RESULT, base)
    assert shades[1] != shades[2]
    assert shades[70_000] == base[3]
    alone = PanopticSegmentation.from_ids(np.where(IDS == 2, 2, 0), [RESULT.segments[1]])
    assert category_colors(alone)[1] == base[1]
    assert len({shade((200, 40, 40), n) for n in range(6)}) == 6
    assert shade((200, 40, 40), 0) == (200, 40, 40)


def test_colours_can_be_given():
    vocabulary = Vocabulary(things=["cat", "dog"], stuff=["grass"])
    assert category_colors(RESULT, vocabulary)[3] == vocabulary.color(3)
    assert category_colors(RESULT, {3: (1, 2, 3)})[3] == (1, 2, 3)
    drawn = np.asarray(overlay(RESULT, colors={3: (1, 2, 3)}, stuff_opacity=1.0, **PLAIN))
    assert drawn[35, 30].tolist() == [1, 2, 3]


def test_unknown_segments_are_grey():
    ids = np.ones((4, 4), np.int32)
    unknown = PanopticSegmentation.from_ids(ids, [Segment(1, UNKNOWN_ID, UNKNOWN, True, 0.5)])
    red, green, blue = category_colors(unknown)[UNKNOWN_ID]
    assert red == green == blue


def test_small_pictures_are_enlarged_and_large_ones_reduced_if_asked():
    assert overlay(RESULT, IMAGE, legend=False).size == (960, 640)
    assert overlay(RESULT, IMAGE, legend=False, max_side=30).size == (30, 20)
    assert overlay(RESULT, IMAGE, legend=False, min_side=1).size == (60, 40)
    with_legend = overlay(RESULT, IMAGE)
    assert with_legend.width == 960
    assert with_legend.height > 640
    # The picture itself is the same, above the legend.
    assert with_legend.crop((0, 0, 960, 640)) == overlay(RESULT, IMAGE, legend=False)


def test_enlarged_segments_keep_their_places():
    drawn = np.asarray(
        overlay(RESULT, thing_opacity=1.0, stuff_opacity=1.0, **{**PLAIN, "min_side": 240})
    )
    shades = segment_colors(RESULT, category_colors(RESULT))
    for id, y, x in ((1, 15, 15), (2, 15, 40), (70_000, 35, 30)):
        assert tuple(drawn[4 * y, 4 * x].tolist()) == shades[id]
    share = (drawn == shades[1]).all(axis=2).mean()
    assert share == pytest.approx((IDS == 1).mean(), abs=0.005)


def test_names_are_written_on_every_segment():
    options = {"outlines": False, "legend": False, "min_side": 600}
    bare, named = (overlay(RESULT, IMAGE, names=names, **options) for names in (False, True))
    changed = np.asarray(ImageChops.difference(bare, named)).max(axis=2) > 0
    for s in RESULT.segments:
        x0, y0, x1, y1 = (10 * v for v in s.box)
        assert changed[y0:y1, x0:x1].any()
    scored = overlay(RESULT, IMAGE, scores=True, **options)
    assert scored != named


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (200, 8000), (3, 2)])
def test_any_shape_can_be_drawn(shape):
    ids = np.ones(shape, np.int32)
    result = PanopticSegmentation.from_ids(ids, [Segment(1, 1, "cat", True, 1.0)])
    drawn = overlay(result, np.zeros((*shape, 3), np.uint8))
    assert drawn.width >= shape[1]


def test_nothing_found_leaves_the_picture_as_it_is():
    empty = PanopticSegmentation.empty(40, 60)
    assert np.array_equal(overlay(empty, IMAGE, min_side=1), IMAGE)


def test_other_scripts_can_be_written():
    for text in ("Kätzchen", "кошка", "猫"):
        assert np.asarray(chip(text, (10, 20, 200), 20)).shape[0] == 29


def test_wrong_images_and_settings_are_refused():
    with pytest.raises(ValueError, match="the image has 40 x 60 pixels, the result 60 x 40"):
        overlay(RESULT, IMAGE.transpose(1, 0, 2))
    with pytest.raises(ValueError, match="stuff_opacity"):
        ShowSettings(stuff_opacity=2)
    with pytest.raises(ValueError, match="max_side"):
        ShowSettings(max_side=0)


def contrast_with_white(color):
    linear = [
        v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4
        for v in (c / 255 for c in color)
    ]
    return 1.05 / (0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05)


def test_white_letters_can_be_read_on_any_colour():
    for color in ((255, 255, 0), (255, 255, 255), (0, 255, 255), (250, 130, 40)):
        assert contrast_with_white(behind_white(color)) >= 4.5
    dark = (30, 20, 90)
    assert np.abs(np.subtract(behind_white(dark), dark)).max() <= 1


def test_chips_do_not_cover_each_other():
    here, there = (50.0, 50.0), (20.0, 90.0)
    wanted = [((40, 20), [here]), ((40, 20), [here, there]), ((40, 20), [here, there])]
    first, second, third = place_chips(wanted, (100, 100))
    assert first == (30, 40, 70, 60)
    assert second == (0, 80, 40, 100)  # moved into the picture
    assert third is None


def test_notebooks_get_a_picture_and_a_table():
    picture = Image.open(io.BytesIO(RESULT._repr_png_()))
    assert picture.width == 960
    page = RESULT._repr_html_()
    source = re.search(r"data:image/png;base64,([^\"]+)", page).group(1)
    assert Image.open(io.BytesIO(base64.b64decode(source))).size == (960, 640)
    assert "grass &lt;b&gt;" in page
    assert "<b>" not in page
    assert [c for c in re.findall(r"<td>([^<]*)</td>", page) if c.endswith("%")] == [
        "16.7 %",
        "16.7 %",
        "25.0 %",
    ]
    assert "<td>0.80</td><td>16.7 %</td>" in page


def test_long_tables_are_cut():
    ids = np.arange(1, 61, dtype=np.int32).reshape(6, 10)
    many = PanopticSegmentation.from_ids(
        ids, [Segment(i, 1, "ant", True, 1.0) for i in range(1, 61)]
    )
    page = many._repr_html_()
    assert page.count("<td>ant</td>") == 40
    assert "and 20 more" in page


def test_real_pictures_are_drawn_the_same_twice(coco_sample):
    data = CocoPanoptic.open(coco_sample / "panoptic_examples.json")
    image = coco_sample / "input_images" / data.images[439180]["file_name"]
    drawn = data.load(439180).overlay(image, scores=True)
    assert drawn == data.load(439180).overlay(image, scores=True)
    assert drawn.size[0] == 960
