import numpy as np
import pytest

from prompts import Prompt


def test_a_box_is_two_points():
    prompt = Prompt.from_boxes(np.array([[1, 2, 3, 4], [0, 0, 5.5, 6]]))
    assert prompt.points_nk2.tolist() == [[[1, 2], [3, 4]], [[0, 0], [5.5, 6]]]
    assert prompt.labels_nk.tolist() == [[2, 3], [2, 3]]
    assert (len(prompt), prompt.length) == (2, 2)
    assert prompt.points_nk2.dtype == np.float32
    assert prompt.labels_nk.dtype == np.int64


def test_points_of_different_number_are_padded():
    prompt = Prompt.from_points([np.array([[1, 1], [2, 2], [3, 3]]), np.array([[4, 4]])])
    assert prompt.labels_nk.tolist() == [[1, 1, 1], [1, -1, -1]]
    assert prompt.points_nk2[1].tolist() == [[4, 4], [0, 0], [0, 0]]
    labelled = Prompt.from_points([[[1, 1], [2, 2]]], [[1, 0]])
    assert labelled.labels_nk.tolist() == [[1, 0]]


def test_concatenation_pads_to_the_longest():
    boxes = Prompt.from_boxes(np.array([[0, 0, 1, 1]]))
    points = Prompt.from_points([np.zeros((3, 2))])
    both = Prompt.concatenate([boxes, Prompt.empty(), points])
    assert both.labels_nk.tolist() == [[2, 3, -1], [1, 1, 1]]
    assert len(Prompt.concatenate([])) == 0
    assert len(Prompt.from_points([])) == 0


def test_a_box_with_clicks_in_it():
    boxes = Prompt.from_boxes(np.array([[0, 0, 4, 4], [5, 5, 9, 9]]))
    clicks = Prompt.from_points([[[1, 1]], [[6, 6], [7, 7]]], [[0], [1, 0]])
    both = boxes.with_points(clicks)
    assert both.labels_nk.tolist() == [[2, 3, 0, -1], [2, 3, 1, 0]]
    with pytest.raises(ValueError, match="expected 2 prompts to add points to, got 1"):
        boxes.with_points(clicks[:1])


def test_some_of_the_prompts():
    prompt = Prompt.from_boxes(np.array([[0, 0, 1, 1], [0, 0, 2, 2], [0, 0, 3, 3]]))
    assert prompt[1:].points_nk2[0, 1].tolist() == [2, 2]
    assert prompt[np.array([True, False, True])].points_nk2[:, 1, 0].tolist() == [1, 3]
    assert prompt[[2, 0]].points_nk2[:, 1, 0].tolist() == [3, 1]
    assert len(prompt[[]]) == 0


@pytest.mark.parametrize(
    ("points", "labels", "message"),
    [
        (np.zeros((1, 2, 3)), np.ones((1, 2)), "expected points"),
        (np.zeros((1, 2, 2)), np.ones((1, 3)), "expected points"),
        (np.zeros((1, 1, 2)), np.full((1, 1), 4), "labels must be"),
        (np.full((1, 1, 2), np.nan), np.ones((1, 1)), "finite"),
        (np.zeros((1, 1, 2)), np.full((1, 1), 2), "either no box or one"),
        (np.zeros((1, 4, 2)), np.array([[2, 3, 2, 3]]), "either no box or one"),
    ],
)
def test_wrong_prompts(points, labels, message):
    with pytest.raises(ValueError, match=message):
        Prompt(points, labels)


def test_wrong_boxes():
    with pytest.raises(ValueError, match="x1 <= x2"):
        Prompt.from_boxes(np.array([[3, 0, 1, 1]]))
    with pytest.raises(ValueError, match=r"expected boxes \(N, 4\)"):
        Prompt.from_boxes(np.zeros(4))
    with pytest.raises(ValueError, match="2 prompts, but labels of 1"):
        Prompt.from_points([np.zeros((1, 2))] * 2, [np.ones(1)])
    with pytest.raises(ValueError, match="can't be padded to 1"):
        Prompt.from_boxes(np.zeros((1, 4))).padded(1)
