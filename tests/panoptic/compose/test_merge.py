import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from panoptic.compose.candidates import Candidate
from panoptic.compose.cleanup import drop_fragments, fill_gaps
from panoptic.compose.merge import explain_merge, merge
from panoptic.compose.quality import Evidence, QualityModel
from panoptic.results.explanation import Fate
from panoptic.results.masks import resize_window
from panoptic.settings.compose import MergeSettings
from prompts import Category

CAT, DOG, TIE = (Category(i, n, True) for i, n in ((1, "cat"), (2, "dog"), (3, "tie")))
GRASS, SKY = Category(7, "grass", False), Category(8, "sky", False)

# Without any repairs, so that the contest alone decides.
BARE = MergeSettings(
    min_visible=0.0,
    min_stuff_area=0.0,
    min_unknown_area=0.0,
    inside_share=0.0,
    min_fragment=0.0,
    seam=0.0,
)


def candidate(rows, category, score=0.9, high=4.0, **evidence):
    """Digits of ``rows`` are logits; a dot is outside, # is ``high``."""
    logits = [[-4.0 if c == "." else high if c == "#" else float(c) for c in row] for row in rows]
    return Candidate(np.array(logits, np.float32), category, score, Evidence(**evidence))


def boxed(size, box, category, score=0.9, logit=4.0):
    logits = np.full(size, -4.0, np.float32)
    x0, y0, x1, y1 = box
    logits[y0:y1, x0:x1] = logit
    return Candidate(logits, category, score)


def names(result):
    """The map as rows of the first letters of the categories."""
    letters = {s.id: s.category[0] for s in result} | {0: "."}
    return ["".join(letters[i] for i in row) for row in result.ids.tolist()]


def test_contested_pixels_go_by_score_and_logit():
    # Equal scores: the higher logit wins. Where logits are equal, the higher score does.
    cat = candidate(["3311", "3311"], CAT, 0.8)
    dog = candidate(["1133", "1133"], DOG, 0.8)
    assert names(merge([cat, dog], (2, 4), BARE)) == ["ccdd", "ccdd"]
    dog = candidate(["####", "...."], DOG, 0.8)
    cat = candidate(["####", "####"], CAT, 0.7)
    assert names(merge([cat, dog], (2, 4), BARE)) == ["dddd", "cccc"]


def test_among_things_a_surer_word_outweighs_a_surer_mask():
    cat, dog = candidate(["11"], CAT, 0.9), candidate(["33"], DOG, 0.3)
    assert names(merge([cat, dog], (1, 2), BARE)) == ["cc"]
    dog = candidate(["33"], DOG, 0.85)
    assert names(merge([cat, dog], (1, 2), BARE)) == ["dd"]


def test_no_order_of_the_candidates_changes_the_result():
    rng = np.random.default_rng(0)
    candidates = [
        Candidate(rng.normal(0, 3, (16, 16)).astype(np.float32), category, score)
        for category, score in zip(
            (CAT, CAT, DOG, GRASS, GRASS, SKY), (0.5, 0.5, 0.9, 0.4, 0.6, 0.5), strict=True
        )
    ]
    unknown = [Candidate(rng.normal(0, 3, (16, 16)), None, 0.5) for _ in range(2)]
    first = merge(candidates, (24, 20), unknown=unknown)
    for order in itertools.islice(itertools.permutations(range(6)), 0, 720, 37):
        assert merge([candidates[i] for i in order], (24, 20), unknown=unknown[::-1]) == first


def test_a_covered_thing_leaves_map_and_list():
    cat = candidate(["####", "####"], CAT, 0.9)
    dog = candidate([".##.", "...."], DOG, 0.5)
    result = merge([dog, cat], (2, 4), BARE)
    assert [(s.id, s.category) for s in result] == [(1, "cat")]
    assert set(np.unique(result.ids)) == {1}


def test_a_duplicate_leaves_and_its_pixels_go_to_the_original():
    # The two outlines differ: the duplicate would keep a rim of its own.
    cat = candidate(["###.", "###.", "###."], CAT, 0.9)
    again = candidate(["####", "####", "####"], CAT, 0.6)
    settings = replace(BARE, min_visible=0.4)
    assert names(merge([cat, again], (3, 4), settings)) == ["ccc.", "ccc.", "ccc."]
    # A third that reaches the rim too inherits it from the one that left.
    third = candidate(["...#", "...#", "...."], DOG, 0.3)
    assert names(merge([cat, again, third], (3, 4), settings)) == ["cccd", "cccd", "ccc."]


def test_of_mutual_duplicates_one_stays_whole():
    logits = np.random.default_rng(1).uniform(1, 6, (3, 8, 8)).astype(np.float32)
    settings = replace(BARE, min_visible=0.5)
    result = merge([Candidate(one, CAT, 0.7) for one in logits], (8, 8), settings)
    assert [(s.category, s.area) for s in result] == [("cat", 64)]


@pytest.mark.parametrize("score", [0.9, 0.35, 0.15, 0.0])
def test_things_come_before_stuff_whatever_their_scores(score):
    cat = candidate([".11.", ".11."], CAT, score)
    grass = candidate(["9999", "9999"], GRASS, 1.0)
    assert names(merge([grass, cat], (2, 4), BARE)) == ["gccg", "gccg"]


def test_a_thing_that_leaves_gives_its_pixels_to_stuff():
    cat = boxed((20, 20), (0, 0, 10, 20), CAT, 0.9)
    again = boxed((20, 20), (0, 0, 12, 20), CAT, 0.5)
    grass = boxed((20, 20), (0, 0, 20, 20), GRASS)
    result = merge([cat, again, grass], (20, 20), replace(BARE, min_visible=0.5))
    assert [(s.category, s.area) for s in result] == [("cat", 200), ("grass", 200)]


def test_among_stuff_the_mask_decides_and_not_the_heat():
    grass = candidate(["31", "31"], GRASS, 0.2)
    sky = candidate(["13", "13"], SKY, 0.9)
    assert names(merge([sky, grass], (2, 2), BARE)) == ["gs", "gs"]


def test_stuff_of_a_category_is_one_segment_and_things_are_apart():
    parts = [candidate(["##..", "...."], GRASS, 0.8), candidate(["....", "####"], GRASS, 0.4)]
    cats = [candidate(["..#.", "...."], CAT, 0.5), candidate(["...#", "...."], CAT, 0.6)]
    result = merge([*parts, *cats], (2, 4), BARE)
    assert [(s.category, s.area) for s in result] == [("cat", 1), ("cat", 1), ("grass", 6)]
    # Things by score; the score of stuff is the mean over its pixels.
    assert [s.score for s in result] == pytest.approx([0.6, 0.5, (2 * 0.8 + 4 * 0.4) / 6])


def test_a_small_thing_in_front_of_a_large_one_keeps_its_pixels():
    cat = boxed((20, 20), (2, 2, 18, 18), CAT, 0.9)
    tie = boxed((20, 20), (8, 8, 12, 12), TIE, 0.4)
    settings = MergeSettings()
    result = merge([cat, tie], (20, 20), settings)
    assert {s.category: s.area for s in result} == {"cat": 256 - 16, "tie": 16}
    assert {s.category: s.box for s in result}["tie"] == (8, 8, 12, 12)
    # Not a part of the same name, not one that is hardly smaller, not when turned off.
    for other in (
        boxed((20, 20), (8, 8, 12, 12), CAT, 0.4),
        boxed((20, 20), (3, 3, 17, 17), TIE, 0.4),
    ):
        assert [s.area for s in merge([cat, other], (20, 20), settings)] == [256]
    off = replace(settings, inside_share=0.0)
    assert [s.area for s in merge([cat, tie], (20, 20), off)] == [256]


def test_a_host_is_not_punished_for_what_lies_in_front_of_it():
    host = boxed((20, 20), (0, 0, 20, 20), CAT, 0.9)
    guests = [
        boxed((20, 20), (x, y, x + 9, y + 9), category, 0.3)
        for category, x, y in ((TIE, 0, 0), (TIE, 11, 0), (DOG, 0, 11), (DOG, 11, 11))
    ]
    result = merge([host, *guests], (20, 20), MergeSettings())
    assert sorted(s.area for s in result) == [76, 81, 81, 81, 81]


def test_stuff_that_is_too_small_goes_and_a_small_thing_stays():
    settings = replace(BARE, min_stuff_area=0.1)
    cat = boxed((20, 20), (0, 0, 1, 1), CAT)
    grass = boxed((20, 20), (0, 10, 20, 11), GRASS)
    sky = boxed((20, 20), (0, 0, 20, 5), SKY)
    result = merge([cat, grass, sky], (20, 20), settings)
    assert [(s.category, s.area) for s in result] == [("cat", 1), ("sky", 99)]


def test_stuff_too_small_in_pieces_is_large_enough_together():
    settings = replace(BARE, min_stuff_area=0.1)
    parts = [boxed((20, 20), (x, 0, x + 1, 20), GRASS) for x in (1, 5)]
    assert [s.area for s in merge(parts, (20, 20), settings)] == [40]
    assert len(merge(parts[:1], (20, 20), settings)) == 0


def test_crumbs_of_a_thing_go_and_large_pieces_stay():
    logits = np.full((40, 40), -4.0)
    logits[2:20, 2:20] = 4.0  # 324 pixels
    logits[25:32, 2:20] = 4.0  # 126: beyond an occluder
    logits[38, 38] = 4.0  # a splash
    settings = replace(BARE, min_fragment=2 / 1600)
    result = merge([Candidate(logits, CAT, 0.9)], (40, 40), settings)
    assert [(s.area, s.box) for s in result] == [(450, (2, 2, 20, 32))]


def test_holes_are_filled_and_seams_closed():
    grass = np.full((40, 40), 4.0)
    grass[:, 20:] = -4.0
    grass[10:12, 8:10] = -4.0  # a hole of 4 pixels
    sky = np.full((40, 40), -4.0)
    sky[:, 21:] = 4.0  # leaves a seam of one column
    sky[5:15, 25:35] = -4.0  # a hole of 100 pixels
    settings = replace(BARE, seam=1 / 40)
    result = merge([Candidate(grass, GRASS, 0.5), Candidate(sky, SKY, 0.5)], (40, 40), settings)
    assert int((result.ids == 0).sum()) == 100
    assert {s.category: s.area for s in result}["grass"] >= 800
    bare = merge([Candidate(grass, GRASS, 0.5), Candidate(sky, SKY, 0.5)], (40, 40), BARE)
    assert int((bare.ids == 0).sum()) == 100 + 4 + 40


def test_gaps_at_the_edge_of_a_wide_void_stay():
    owner = np.full((20, 20), -1, np.int32)
    owner[:, :5] = 0
    fill_gaps(owner, seam=2)
    assert (owner == 0).sum() == 100


def test_fragments_touching_at_a_corner_are_one():
    owner = np.full((6, 6), -1, np.int32)
    owner[:3, :3] = 0
    owner[3, 3] = 0
    owner[5, 0] = 0
    drop_fragments(owner, [0], min_pixels=3)
    assert owner[3, 3] == 0
    assert owner[5, 0] == -1


def test_what_no_word_names_is_filled():
    cat = boxed((20, 20), (0, 0, 10, 20), CAT)
    inside = boxed((20, 20), (0, 0, 11, 20), None, 0.9)  # mostly the cat's
    rest = boxed((20, 20), (8, 0, 20, 10), None, 0.6)
    other = boxed((20, 20), (12, 12, 18, 18), None, 0.6)
    result = merge([cat], (20, 20), MergeSettings(), unknown=[inside, rest, other])
    assert (result.segments[0].category, result.segments[0].area) == ("cat", 200)
    assert sorted((s.category, s.category_id, s.area) for s in result.segments[1:]) == [
        ("unknown", 0, 36),
        ("unknown", 0, 100),
    ]
    assert all(s.is_unknown for s in result.segments[1:])
    assert len(merge([cat], (20, 20))) == 1


def test_masks_may_be_of_lower_resolution():
    rng = np.random.default_rng(2)
    logits = rng.normal(0, 2, (2, 32, 32)).astype(np.float32)
    size = (75, 130)
    full = torch.nn.functional.interpolate(
        torch.from_numpy(logits)[None], size, mode="bilinear", align_corners=False
    )[0].numpy()
    low = merge([Candidate(one, CAT, 0.8) for one in logits], size, BARE)
    high = merge([Candidate(one, CAT, 0.8) for one in full], size, BARE)
    assert (low.ids != high.ids).mean() < 1e-3  # rounding where two claims are equal
    assert [s.area for s in low] == pytest.approx([s.area for s in high], abs=5)


@pytest.mark.parametrize(
    ("shape", "size"), [((7, 9), (20, 31)), ((20, 31), (7, 9)), ((1, 1), (3, 2))]
)
def test_a_resized_window_is_a_window_of_the_resized(shape, size):
    image = np.random.default_rng(3).normal(size=shape).astype(np.float32)
    whole = torch.nn.functional.interpolate(
        torch.from_numpy(image)[None, None], size, mode="bilinear", align_corners=False
    )[0, 0].numpy()
    window = (slice(1, size[0]), slice(0, size[1] - 1))
    assert np.allclose(resize_window(image, size, window), whole[window], atol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 2)])
def test_any_size(size):
    result = merge([boxed((8, 8), (0, 0, 8, 8), CAT), boxed((8, 8), (0, 0, 4, 8), SKY)], size)
    assert [(s.category, s.area) for s in result] == [("cat", size[0] * size[1])]


def test_nothing_gives_nothing():
    assert len(merge([], (4, 5))) == 0
    assert merge([candidate(["...."], CAT)], (1, 4)).ids.shape == (1, 4)
    assert len(merge([candidate(["...."], CAT), candidate(["...."], SKY)], (1, 4))) == 0


def test_a_score_of_zero_still_claims_what_is_free():
    assert names(merge([candidate(["##.."], CAT, 0.0)], (1, 4), BARE)) == ["cc.."]


def test_quality_knows_what_was_lost():
    cat = candidate(["####", "####"], CAT, 0.9, predicted_iou=0.9)
    dog = candidate(["..##", "..##", "..##", "..##"], DOG, 0.5, predicted_iou=0.9)
    cat4 = candidate(["####", "####", "....", "...."], CAT, 0.9, predicted_iou=0.9)
    result = merge([cat4, dog], (4, 4), BARE)
    model = QualityModel()
    assert {s.category: s.quality for s in result} == pytest.approx(
        {
            "cat": model(Evidence(predicted_iou=0.9, visible=1.0), True),
            "dog": model(Evidence(predicted_iou=0.9, visible=0.5), True),
        }
    )
    alone = merge([cat], (2, 4), BARE)
    assert alone.segments[0].quality > {s.category: s.quality for s in result}["dog"]


def test_stuff_is_not_blamed_for_things_in_front_of_it():
    grass = candidate(["####", "####"], GRASS, 0.5, agreement=0.8)
    cat = candidate(["..##", "..##"], CAT, 0.5)
    sky = candidate(["#...", "#..."], SKY, 0.9)
    result = merge([grass, cat, sky], (2, 4), BARE)
    model = QualityModel()
    qualities = {s.category: s.quality for s in result}
    assert qualities["grass"] == pytest.approx(model(Evidence(agreement=0.8, visible=0.5), False))
    assert qualities["sky"] == pytest.approx(model(Evidence(visible=1.0), False))


def test_every_candidate_has_a_fate():
    settings = replace(BARE, min_visible=0.4, min_stuff_area=0.1)
    cat = candidate(["####", "####", "####"], CAT, 0.9, confidence=0.9)
    dog = candidate(["###.", "....", "...."], DOG, 0.5)
    tie = candidate(["#...", "....", "...."], TIE, 0.8)
    grass = [candidate(["....", "....", x], GRASS, 0.5) for x in ("##..", "..##")]
    none = candidate(["....", "....", "...."], DOG)
    spot = candidate(["....", "....", "...#"], None)
    sky = candidate(["....", "....", "#..."], SKY)
    report = explain_merge(
        [dog, cat, *grass, tie, none, sky, dog],
        (3, 4),
        settings,
        unknown=[spot],
        left_out={7: "it is stuff"},
    )
    assert report.fates == (
        Fate(None, "hidden: keeps 0 of its 3 pixels, 3 went to 'cat' (0.90)"),
        Fate(1),
        Fate(None, "hidden: keeps 0 of its 2 pixels, 2 are things'"),
        Fate(None, "hidden: keeps 0 of its 2 pixels, 2 are things'"),
        Fate(None, "hidden: keeps 0 of its 1 pixels, 1 went to 'cat' (0.90)"),
        Fate(None, "its mask is empty"),
        Fate(None, "too small: keeps 0 of its 1 pixels, 2 are needed"),
        Fate(None, "it is stuff"),
    )
    hidden = "hidden: keeps 0 of its 1 pixels, 1 have a name"
    assert report.unknown_fates == (Fate(None, hidden),)
    assert report.evidence == {1: Evidence(confidence=0.9, visible=1.0)}
    parts = explain_merge([grass[1], tie, grass[0]], (3, 4), BARE)
    assert [fate.segment_id for fate in parts.fates] == [2, 1, 2]
    assert parts.result.segment(2).category == "grass"


def test_wrong_inputs_are_refused():
    with pytest.raises(ValueError, match="where\\(mask"):
        Candidate(np.ones((2, 2), bool), CAT, 0.5)
    with pytest.raises(ValueError, match=r"\(h, w\)"):
        Candidate(np.ones((1, 2, 2)), CAT, 0.5)
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        Candidate(np.ones((2, 2)), CAT, 1.5)
    with pytest.raises(ValueError, match="needs a category"):
        merge([Candidate(np.ones((2, 2)), None, 0.5)], (2, 2))
    with pytest.raises(ValueError, match="unknown ones have none"):
        merge([], (2, 2), unknown=[Candidate(np.ones((2, 2)), CAT, 0.5)])
    with pytest.raises(ValueError, match=r"seam must be in \[0, 1\]"):
        MergeSettings(seam=2)
