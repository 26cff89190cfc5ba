import numpy as np
import pytest
import torch

from training.detection_metrics import Detection, average_precision, decode, prompts_for
from training.scenes import LabelledScene


def scene(**things):
    """A 10 x 10 scene; each thing is a square given as (top, left, side)."""
    ids = np.full((10, 10), 1, np.int32)
    names = {}
    for segment_id, (name, (top, left, side)) in enumerate(things.items(), start=2):
        ids[top : top + side, left : left + side] = segment_id
        names[segment_id] = name
    return LabelledScene(np.zeros((10, 10, 3), np.uint8), ids, names, {1: "sky"})


def found(score, word, *box):
    return Detection(score, word, torch.tensor(box) / 10)


BOTH = scene(cat=(0, 0, 4), dog=(5, 5, 4))


def test_perfect_detections_have_precision_one():
    result = average_precision(
        [[found(0.9, "cat", 0, 0, 4, 4), found(0.8, "dog", 5, 5, 9, 9)]], [BOTH]
    )
    assert result.by_word == result.pooled == 1
    assert result.boxed == result.named == 1


def test_the_right_box_with_the_wrong_word_counts_as_boxed_only():
    result = average_precision(
        [[found(0.9, "dog", 0, 0, 4, 4), found(0.8, "dog", 5, 5, 9, 9)]], [BOTH]
    )
    assert result.boxed == 1
    assert result.named == 0.5
    # Cat is never found; dog's first hit comes after one miss.
    assert result.by_word == pytest.approx((0 + 0.5) / 2)


def test_a_truth_is_found_once_and_only_where_boxes_overlap_by_half():
    twice = [found(0.9, "cat", 0, 0, 4, 4), found(0.8, "cat", 0, 0, 4, 4)]
    only_cat = scene(cat=(0, 0, 4))
    assert average_precision([twice], [only_cat]).by_word == 1
    shifted = [found(0.9, "cat", 2, 0, 6, 4)]  # IoU 1/3
    assert average_precision([shifted], [only_cat]).by_word == 0


def test_a_false_alarm_that_is_surer_than_the_hit_halves_the_precision():
    detections = [found(0.9, "cat", 6, 0, 9, 3), found(0.8, "cat", 0, 0, 4, 4)]
    assert average_precision([detections], [scene(cat=(0, 0, 4))]).by_word == pytest.approx(0.5)


def test_half_of_the_recall_is_half_of_the_area():
    result = average_precision([[found(0.9, "cat", 0, 0, 4, 4)], []], [scene(cat=(0, 0, 4))] * 2)
    assert result.by_word == pytest.approx(0.5, abs=0.01)


def test_decoding_names_each_query_once_and_drops_repeated_boxes():
    tokens = torch.tensor([[0.0, 1, 0, 0, 0], [0, 0, 0, 1, 1]])
    logits = torch.full((4, 5), -9.0)
    logits[0, 1] = 2.0  # cat
    logits[1, 1] = 1.0  # cat again, same place
    logits[2, 3:] = 1.5  # hot dog, same place
    boxes = torch.tensor([[0.5, 0.5, 0.2, 0.2]]).repeat(4, 1)
    detections = decode(logits, boxes, tokens, ["cat", "hot dog"])
    assert [d.word for d in detections] == ["cat", "hot dog"]
    assert detections[0].score == pytest.approx(1 / (1 + np.exp(-2)), abs=1e-5)
    assert detections[0].box.tolist() == pytest.approx([0.4, 0.4, 0.6, 0.6])


def test_prompts_hold_what_is_there_and_as_many_others_as_asked():
    words = ["cat", "dog", "cow", "pig", "key"]
    three, everything = (prompts_for([BOTH], words, asked, seed=0)[0] for asked in (3, None))
    assert len(three) == 3
    assert {"cat", "dog"} < set(three)
    assert sorted(everything) == sorted(words)
    assert prompts_for([BOTH], words, 3, seed=0) == [three]
