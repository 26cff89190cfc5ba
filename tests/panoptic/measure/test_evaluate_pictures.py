import json
from dataclasses import replace

import numpy as np
import pytest

from panoptic.formats.coco_panoptic import CocoPanoptic, CocoPanopticWriter
from panoptic.measure.evaluate_coco import evaluate_coco
from panoptic.measure.evaluate_pictures import evaluate, segment_ious
from panoptic.measure.pq import Label, Overlaps, Tally, tally
from panoptic.results.segment import UNKNOWN, UNKNOWN_ID, Segment
from panoptic.results.segmentation import PanopticSegmentation

NAMES = {1: ("cat", True), 2: ("dog", True), 7: ("grass", False), 8: ("sky", False)}


def result(rows, categories, crowd=()):
    """An id map written as rows of digits; ``categories`` says what each digit is."""
    ids = np.array([[int(c) for c in row] for row in rows])
    return PanopticSegmentation.from_ids(
        ids,
        [Segment(i, c, *NAMES[c], 1.0, is_crowd=i in crowd) for i, c in categories.items()],
    )


def perturbed(truth: PanopticSegmentation, seed: int) -> PanopticSegmentation:
    """A prediction with faults of every kind: moved, relabelled, dropped, split, merged, crowd."""
    rng = np.random.default_rng(seed)
    dy, dx = rng.integers(-6, 7, 2)
    ids = np.zeros_like(truth.ids)
    h, w = ids.shape
    ids[max(dy, 0) : h + min(dy, 0), max(dx, 0) : w + min(dx, 0)] = truth.ids[
        max(-dy, 0) : h + min(-dy, 0), max(-dx, 0) : w + min(-dx, 0)
    ]
    segments = {s.id: (s.category_id, s.category, s.is_thing) for s in truth}
    names = sorted(set(segments.values()))
    for i in list(segments):
        fault = rng.integers(8)
        if fault == 0:
            ids[ids == i] = 0
        elif fault == 1:
            segments[i] = names[rng.integers(len(names))]
        elif fault == 2:
            ys, xs = np.nonzero(ids == i)
            half = ys * 3 > ys.mean() * 3 + rng.integers(-40, 40)
            ids[ys[half], xs[half]] = i + 1
            segments[i + 1] = segments[i]
        elif fault == 3:
            ids[ids == i] = rng.choice(list(segments))
    # void of the ground truth is claimed by something
    ids[(ids == 0) & (rng.random(ids.shape) < 0.5)] = 1
    segments[1] = names[0]
    return PanopticSegmentation.from_ids(
        ids, [Segment(i, c, n, t, 0.5) for i, (c, n, t) in segments.items()]
    )


def test_perfect_predictions_reach_one():
    truth = result(["1122", "7777"], {1: 1, 2: 2, 7: 7})
    report = evaluate([truth], [truth])
    assert (report.all.pq, report.things.sq, report.stuff.rq) == (1, 1, 1)
    assert (report.all.classes, report.things.classes, report.stuff.classes) == (3, 2, 1)


def test_counts_and_qualities_worked_out_by_hand():
    truth = result(
        [
            "11110000",
            "11110000",
            "22277777",
            "22277777",
        ],
        {1: 1, 2: 1, 7: 7},
    )
    prediction = result(
        [
            "33333300",
            "33333300",
            "44455577",
            "00055577",
        ],
        {3: 1, 4: 2, 5: 7, 7: 8},
    )
    # cat 3 covers all 8 pixels of cat 1 and 4 of void, which don't count: IoU 8 / 8.
    # cat 2 is missed (its 3 lower pixels are predicted as nothing), dog 4 is wrong.
    # grass 5 has 6 of the 10 pixels of grass 7: IoU 6 / 10. sky 7 is wrong.
    report = evaluate([prediction], [truth])
    tallies = {c.name: t for c, t in report.per_class.items()}
    assert (tallies["cat"].tp, tallies["cat"].fp, tallies["cat"].fn) == (1, 0, 1)
    assert tallies["cat"].iou == 1.0
    assert (tallies["dog"].tp, tallies["dog"].fp, tallies["dog"].fn) == (0, 1, 0)
    assert (tallies["grass"].tp, tallies["grass"].iou) == (1, pytest.approx(0.6))
    assert (tallies["sky"].tp, tallies["sky"].fp, tallies["sky"].fn) == (0, 1, 0)
    cat = tallies["cat"].quality
    assert (cat.pq, cat.sq, cat.rq) == (pytest.approx(1 / 1.5), 1.0, pytest.approx(1 / 1.5))
    assert report.things.pq == pytest.approx((1 / 1.5 + 0) / 2)
    assert report.stuff.pq == pytest.approx((0.6 + 0) / 2)
    assert report.all.pq == pytest.approx((1 / 1.5 + 0 + 0.6 + 0) / 4)
    assert report.all.sq == pytest.approx((1 + 0 + 0.6 + 0) / 4)


def test_what_is_missed_and_what_is_wrong_weigh_half():
    quality = Tally(iou=1.2, tp=2, fp=1, fn=3).quality
    assert (quality.pq, quality.sq, quality.rq) == pytest.approx((1.2 / 4, 0.6, 0.5))
    other = Tally(iou=1.2, tp=2, fp=3, fn=1).quality
    assert other == quality


def test_an_iou_of_one_half_is_no_match():
    truth = result(["1100"], {1: 1})
    assert evaluate([result(["1000"], {1: 1})], [truth]).all.pq == 0.0


def test_predictions_on_void_and_crowd_are_forgiven():
    truth = result(["11110000", "22220000"], {1: 1, 2: 2}, crowd=[1])
    on_void = result(["00000330", "22220330"], {3: 2, 2: 2})
    on_crowd = result(["30000000", "22220000"], {3: 1, 2: 2})
    on_foreign_crowd = result(["30000000", "22220000"], {3: 7, 2: 2})
    assert evaluate([on_void], [truth]).all.pq == 1.0
    assert evaluate([on_crowd], [truth]).all.pq == 1.0
    grass = {c.name: t for c, t in evaluate([on_foreign_crowd], [truth]).per_class.items()}
    assert grass["grass"].fp == 1
    # Void and crowd together: two pixels each of six, and two on the dog.
    mixed = result(["33003300", "33220000"], {3: 1, 2: 2})
    report = evaluate([mixed], [truth])
    assert {c.name: (t.tp, t.fp, t.fn) for c, t in report.per_class.items()} == {
        "cat": (0, 0, 0),
        "dog": (0, 1, 1),
    }


def test_half_on_void_is_not_forgiven():
    """As panopticapi has it: more than half."""
    truth = result(["11110000"], {1: 1})
    for row, wrong in (("00333000", True), ("00333300", True), ("00033300", False)):
        report = evaluate([result([row], {3: 2})], [truth])
        assert {c.name: t.fp for c, t in report.per_class.items()}["dog"] == wrong, row


def test_missed_crowd_costs_nothing_and_is_never_matched():
    truth = result(["1111", "2222"], {1: 1, 2: 2}, crowd=[1])
    prediction = result(["1111", "2222"], {1: 1, 2: 2})
    for one in (prediction, result(["0000", "2222"], {2: 2})):
        report = evaluate([one], [truth])
        assert {c.name: t.count for c, t in report.per_class.items()} == {"cat": 0, "dog": 1}
        assert report.all.pq == 1.0


def test_true_pixels_of_unlisted_ids_are_not_void():
    truth, prediction = np.array([[9, 9, 9, 1]]), np.array([[1, 1, 1, 1]])
    counts = tally(Overlaps(truth, prediction), {1: Label(1)}, {1: Label(1)})
    assert (counts[1].tp, counts[1].fp, counts[1].fn) == (0, 1, 1)


def test_unknown_segments_were_not_asked_for():
    truth = result(["1122"], {1: 1, 2: 2})
    prediction = PanopticSegmentation.from_ids(
        np.array([[1, 1, 2, 2]]),
        [Segment(1, 1, "cat", True, 1.0), Segment(2, UNKNOWN_ID, UNKNOWN, True, 1.0)],
    )
    report = evaluate([prediction], [truth])
    assert {c.name: (t.tp, t.fp, t.fn) for c, t in report.per_class.items()} == {
        "cat": (1, 0, 0),
        "dog": (0, 0, 1),
    }


def test_nothing_at_all_has_no_quality():
    nothing = PanopticSegmentation.empty(2, 2)
    report = evaluate([nothing], [nothing])
    assert (report.all.pq, report.all.classes, report.images) == (0.0, 0, 1)
    assert "-" in report.table()


def test_counts_of_images_add_up():
    truth = result(["1122", "7777"], {1: 1, 2: 2, 7: 7})
    other = result(["0022", "7777"], {2: 2, 7: 7})
    both = evaluate([truth, other], [truth, truth])
    assert both.images == 2
    cat = next(t for c, t in both.per_class.items() if c.name == "cat")
    assert (cat.tp, cat.fn, cat.quality.pq) == (1, 1, pytest.approx(1 / 1.5))


def test_ill_matched_inputs_are_refused():
    truth = result(["1122"], {1: 1, 2: 2})
    with pytest.raises(ValueError, match="more ground truths than predictions"):
        evaluate([truth], [truth, truth])
    with pytest.raises(ValueError, match="more predictions than ground truths"):
        evaluate([truth, truth], iter([truth]))
    with pytest.raises(ValueError, match="differ in shape"):
        evaluate([result(["1122", "1122"], {1: 1, 2: 2})], [truth])
    renamed = PanopticSegmentation.from_ids(truth.ids, [Segment(i, i, "x", 1, 1.0) for i in (1, 2)])
    with pytest.raises(ValueError, match="'cat' here and 'x' there"):
        evaluate([renamed], [truth])


def test_the_table_and_the_dictionary_say_the_same():
    truth = result(["1122", "7777"], {1: 1, 2: 2, 7: 7})
    report = evaluate([result(["1100", "7777"], {1: 1, 7: 7})], [truth])
    lines = report.table().splitlines()
    assert lines[2].split() == ["all", "66.7", "66.7", "66.7", "3", "2", "0", "1"]
    assert lines[4].split() == ["stuff", "100.0", "100.0", "100.0", "1", "1", "0", "0"]
    assert [line.split()[0] for line in lines[6:]] == ["cat", "dog", "grass"]
    assert len(report.table(per_class=False).splitlines()) == 5
    plain = json.loads(json.dumps(report.to_dict()))
    assert plain["all"]["pq"] == pytest.approx(2 / 3)
    assert [c["fn"] for c in plain["per_class"]] == [0, 1, 0]


def test_segment_ious_are_those_of_the_best_partner():
    truth = result(["11112222", "00007777"], {1: 1, 2: 1, 7: 7})
    prediction = result(["33333444", "55558888"], {3: 1, 4: 1, 5: 2, 8: 8})
    # 3: 4 shared of 5 with cat 1. 4: 3 of 4 with cat 2. 5 lies on void. 8 has the wrong category.
    assert segment_ious(prediction, truth) == {3: 0.8, 4: 0.75, 8: 0.0}
    unknown = replace(prediction.segment(3), category_id=UNKNOWN_ID, category=UNKNOWN)
    nameless = PanopticSegmentation(prediction.ids, (unknown, *prediction.segments[1:]))
    assert segment_ious(nameless, truth).keys() == {4, 8}


# What panopticapi (github.com/cocodataset/panopticapi, 7bb4655) gives for ``perturbed`` copies of
# COCO's sample: PQ, SQ, RQ and the number of categories for all, things and stuff.
PANOPTICAPI = {
    0: [
        (0.41127115524990965, 0.6638443345957865, 0.5325814536340852, 8),
        (0.3285530579148984, 0.5464531778515831, 0.4520676691729323, 4),
        (0.49398925258492093, 0.78123549133999, 0.613095238095238, 4),
    ],
    1: [
        (0.6527392247424326, 0.947858837113649, 0.6875, 8),
        (0.7191827555567365, 0.9537741333351049, 0.7499999999999999, 4),
        (0.5862956939281289, 0.9419435408921933, 0.625, 4),
    ],
    2: [
        (0.39190090231254576, 0.5868679790966492, 0.4912227155012948, 8),
        (0.2809784009895185, 0.5324394156897329, 0.39911209766925637, 4),
        (0.502823403635573, 0.6412965425035657, 0.5833333333333333, 4),
    ],
}


def write_perturbed(coco_sample, folder, seed):
    truth = CocoPanoptic.open(coco_sample / "panoptic_examples.json")
    with CocoPanopticWriter(folder, "predicted", truth.categories.values()) as writer:
        for image_id, one in truth:
            prediction = perturbed(one, seed)
            writer.add(prediction, truth.images[image_id]["file_name"], image_id)
    return folder / "predicted.json"


@pytest.mark.parametrize("seed", sorted(PANOPTICAPI))
def test_files_are_evaluated_as_panopticapi_does(coco_sample, tmp_path, seed):
    predicted = write_perturbed(coco_sample, tmp_path, seed)
    report = evaluate_coco(predicted, coco_sample / "panoptic_examples.json", workers=2)
    for quality, expected in zip(
        (report.all, report.things, report.stuff), PANOPTICAPI[seed], strict=True
    ):
        got = (quality.pq, quality.sq, quality.rq, quality.classes)
        assert got == pytest.approx(expected, abs=1e-9)


def write(folder, name, results, categories=()):
    with CocoPanopticWriter(folder, name, categories) as writer:
        for number, one in enumerate(results):
            writer.add(one, f"{number}.jpg")
    return folder / f"{name}.json"


def test_files_and_memory_agree(tmp_path):
    truths = [result(["1122", "7777"], {1: 1, 2: 2, 7: 7}), result(["1177"], {1: 1, 7: 7})]
    predictions = [result(["1112", "7777"], {1: 1, 2: 2, 7: 7}), result(["1777"], {1: 1, 7: 7})]
    truth, prediction = write(tmp_path, "true", truths), write(tmp_path, "predicted", predictions)
    done = []
    report = evaluate_coco(prediction, truth, progress=lambda *counts: done.append(counts))
    assert done == [(1, 2), (2, 2)]
    done.clear()
    assert report == evaluate(predictions, truths, progress=lambda *counts: done.append(counts))
    assert done == [(1, 2), (2, 2)]
    done.clear()
    evaluate(predictions, iter(truths), progress=lambda *counts: done.append(counts))
    assert done == [(1, None), (2, None)]


def test_categories_can_go_by_name(tmp_path):
    truth = write(tmp_path, "true", [result(["1122", "7777"], {1: 1, 2: 2, 7: 7})])
    ids = np.array([[5, 5, 6, 6], [7, 7, 7, 7]])
    named = [(5, 2, "cat"), (6, 1, "dog"), (7, UNKNOWN_ID, UNKNOWN)]
    swapped = PanopticSegmentation.from_ids(ids, [Segment(*n, True, 1.0) for n in named])
    prediction = write(tmp_path, "predicted", [swapped])
    with pytest.raises(ValueError, match=r"'dog' in the prediction and 'cat'.*by_name"):
        evaluate_coco(prediction, truth)
    report = evaluate_coco(prediction, truth, by_name=True)
    assert (report.things.pq, report.stuff.pq) == (1.0, 0.0)
    unicorn = Segment(1, 1, "unicorn", True, 1.0)
    foreign = PanopticSegmentation.from_ids(np.ones((2, 4), int), [unicorn])
    with pytest.raises(ValueError, match="no categories called 'unicorn'"):
        evaluate_coco(write(tmp_path, "foreign", [foreign]), truth, by_name=True)


def test_files_that_do_not_fit_are_refused(tmp_path):
    one = result(["1122"], {1: 1, 2: 2})
    truth = write(tmp_path, "true", [one, one])
    with pytest.raises(ValueError, match="1 of 2 images have no prediction, the first is 2"):
        evaluate_coco(write(tmp_path, "short", [one]), truth)
    with pytest.raises(
        ValueError,
        match=r"image 2 \('1.jpg'\): .*1\.png' is 2 x 2, the ground truth .* 4 x 1 pixels",
    ):
        evaluate_coco(write(tmp_path, "size", [one, result(["11", "22"], {1: 1, 2: 2})]), truth)
    with pytest.raises(ValueError, match="category 8, which the ground truth does not know"):
        evaluate_coco(write(tmp_path, "sky", [one, result(["1188"], {1: 1, 8: 8})]), truth)
    prediction = write(tmp_path, "ids", [one, one])
    content = json.loads(prediction.read_text())
    del content["annotations"][0]["segments_info"][0]
    content["annotations"][0]["segments_info"].append({"id": 9, "category_id": 1})
    prediction.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"only in the PNG: \[1\], only in the JSON: \[9\]"):
        evaluate_coco(prediction, truth)
