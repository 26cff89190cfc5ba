from types import SimpleNamespace

import numpy as np
import pytest
import supervision
import torch

from panoptic.results.id_map import measure
from panoptic.results.segment import UNKNOWN, UNKNOWN_ID, Segment
from panoptic.results.segmentation import PanopticSegmentation

CAT = SimpleNamespace(id=1, name="cat", is_thing=True)
GRASS = SimpleNamespace(id=2, name="grass", is_thing=False)

IDS = np.array(
    [
        [0, 5, 5, 0],
        [0, 5, 2, 2],
        [2, 2, 2, 2],
    ],
    np.int32,
)
CAT_5 = Segment(5, 1, "cat", True, 0.9, area=3, box=(1, 0, 3, 2), quality=0.7)
GRASS_2 = Segment(2, 2, "grass", False, 0.6, area=6, box=(0, 1, 4, 3))


@pytest.fixture
def result():
    return PanopticSegmentation(IDS, (CAT_5, GRASS_2))


def test_areas_and_boxes_are_measured():
    measured = PanopticSegmentation.from_ids(
        IDS, [Segment(5, 1, "cat", True, 0.9, quality=0.7), Segment(2, 2, "grass", False, 0.6)]
    )
    assert measured.segments == (CAT_5, GRASS_2)


def test_an_id_map_is_measured_once(monkeypatch):
    seen = []
    monkeypatch.setattr(
        "panoptic.results.segmentation.measure",
        lambda ids: (seen.append(ids.shape), measure(ids))[1],
    )
    result = PanopticSegmentation.from_ids(np.array([[5, 2]]), [CAT_5, GRASS_2])
    assert seen == [(1, 2)]
    assert [s.box for s in result] == [(0, 0, 1, 1), (1, 0, 2, 1)]
    with pytest.raises(ValueError, match="only in the map"):
        PanopticSegmentation.from_ids(np.array([[5, 9]]), [CAT_5, GRASS_2])
    with pytest.raises(ValueError, match="uint8 of shape"):
        PanopticSegmentation.from_ids(np.array([[5]]), [CAT_5], np.zeros((2, 2, 3), np.uint8))


def test_large_ids_are_measured_like_small_ones():
    large = np.where(IDS == 5, 2**24 - 1, IDS)
    measured = PanopticSegmentation.from_ids(
        large, [Segment(2**24 - 1, 1, "cat", True, 0.9), Segment(2, 2, "grass", False, 0.6)]
    )
    assert [(s.area, s.box) for s in measured] == [(3, (1, 0, 3, 2)), (6, (0, 1, 4, 3))]


def test_a_segment_without_pixels_is_left_out_when_measured():
    ids = np.where(IDS == 5, 0, IDS)
    measured = PanopticSegmentation.from_ids(ids, [CAT_5, GRASS_2])
    assert measured.segments == (GRASS_2,)


@pytest.mark.parametrize(
    ("segments", "message"),
    [
        ((CAT_5,), r"only in the map: \[2\]"),
        ((CAT_5, GRASS_2, Segment(7, 1, "cat", True, 1.0)), r"only in the list: \[7\]"),
        ((CAT_5, GRASS_2, GRASS_2), "unique"),
        ((CAT_5, Segment(2, 2, "grass", False, 0.6, 5, (0, 1, 4, 3))), "area and box"),
        ((CAT_5, Segment(2, 2, "grass", False, 0.6, 6, (0, 0, 4, 3))), "area and box"),
        ((CAT_5, Segment(2, 1, "dog", True, 0.6, 6, (0, 1, 4, 3))), "one id, one name"),
    ],
)
def test_a_list_that_is_not_that_of_the_map_is_refused(segments, message):
    with pytest.raises(ValueError, match=message):
        PanopticSegmentation(IDS, segments)


@pytest.mark.parametrize(
    "ids",
    [
        np.zeros((2, 2, 3), int),
        np.zeros((0, 3), int),
        np.zeros((2, 2), float),
        np.full((2, 2), -1),
        np.full((2, 2), 2**24),
    ],
)
def test_what_is_no_id_map_is_refused(ids):
    with pytest.raises(ValueError, match=r"an id map (has|holds)|ids are 0 to 16777215, got"):
        PanopticSegmentation(ids, ())


@pytest.mark.parametrize(
    "wrong",
    [{"id": 0}, {"category_id": -1}, {"category": ""}, {"score": 1.1}, {"quality": float("nan")}],
)
def test_impossible_segments_are_refused(wrong):
    fields = {"id": 1, "category_id": 1, "category": "cat", "is_thing": True, "score": 1.0}
    with pytest.raises(ValueError, match=r"id|category|score|quality"):
        Segment(**{**fields, **wrong})


def test_later_changes_of_the_array_do_not_reach_the_result():
    ids = IDS.copy()
    result = PanopticSegmentation(ids, (CAT_5, GRASS_2))
    ids[:] = 1
    assert np.array_equal(result.ids, IDS)
    with pytest.raises(ValueError, match="read-only"):
        result.ids[0, 0] = 1


def test_the_image_must_fit_the_map():
    with pytest.raises(ValueError, match=r"\(3, 4, 3\)"):
        PanopticSegmentation(IDS, (CAT_5, GRASS_2), image=np.zeros((4, 3, 3), np.uint8))


def test_a_picture_can_be_put_to_a_result(result):
    image = np.zeros((3, 4, 3), np.uint8)
    seen = result.with_image(image)
    assert seen.image is image
    assert result.image is None
    assert seen == result
    with pytest.raises(ValueError, match="uint8 of shape"):
        result.with_image(np.zeros((3, 5, 3), np.uint8))


def test_empty_is_all_void():
    empty = PanopticSegmentation.empty(2, 3)
    assert (empty.height, empty.width, len(empty), empty.ids.any()) == (2, 3, 0, False)


def test_masks_become_segments_in_their_order():
    result = PanopticSegmentation.from_masks([IDS == 5, IDS == 2], [CAT, GRASS], [0.9, 0.6])
    assert [(s.id, s.category, s.area, s.score) for s in result] == [
        (1, "cat", 3, 0.9),
        (2, "grass", 6, 0.6),
    ]
    assert np.array_equal(result.mask(1), IDS == 5)
    assert np.array_equal(result.mask(2), IDS == 2)


def test_masks_that_cannot_be_a_result_are_refused():
    cat = IDS == 5
    with pytest.raises(ValueError, match="masks 0 and 1 overlap"):
        PanopticSegmentation.from_masks([cat, IDS > 0], [CAT, GRASS])
    with pytest.raises(ValueError, match=r"mask 1 \(grass\) is empty"):
        PanopticSegmentation.from_masks([cat, IDS == 9], [CAT, GRASS])
    with pytest.raises(ValueError, match="empty"):
        PanopticSegmentation.from_masks([], [])
    with pytest.raises(ValueError, match="equally many"):
        PanopticSegmentation.from_masks([cat], [CAT, GRASS])
    with pytest.raises(ValueError, match="shape"):
        PanopticSegmentation.from_masks([cat, np.ones((2, 2), bool)], [CAT, GRASS])


def test_looking_inside(result):
    assert result.things == (CAT_5,)
    assert result.stuff == (GRASS_2,)
    assert result.segment(2) is GRASS_2
    assert list(result) == [CAT_5, GRASS_2]
    assert np.array_equal(result.category_map(), [[-1, 1, 1, -1], [-1, 1, 2, 2], [2, 2, 2, 2]])
    with pytest.raises(KeyError, match="no segment has id 3"):
        result.mask(3)


def test_unknown_segments_know_it():
    unknown = Segment(1, UNKNOWN_ID, UNKNOWN, True, 0.5)
    assert unknown.is_unknown
    assert not CAT_5.is_unknown


def test_equality_is_by_content(result):
    assert result == PanopticSegmentation(IDS.copy(), (CAT_5, GRASS_2))
    assert result != PanopticSegmentation.empty(3, 4)


def test_numbers_of_numpy_become_plain():
    segment = Segment(np.int64(1), np.int32(2), "cat", True, np.float32(0.5), quality=np.float32(1))
    assert {type(segment.id), type(segment.category_id)} == {int}
    assert {type(segment.score), type(segment.quality)} == {float}


def test_supervision_sees_every_segment(result):
    detections = result.to_detections()
    assert isinstance(detections, supervision.Detections)
    assert detections.xyxy.tolist() == [[1, 0, 3, 2], [0, 1, 4, 3]]
    assert detections.class_id.tolist() == [1, 2]
    assert detections.confidence.tolist() == pytest.approx([0.9, 0.6])
    assert np.array_equal(detections.mask, [IDS == 5, IDS == 2])
    assert detections.data["class_name"].tolist() == ["cat", "grass"]
    assert detections.data["quality"].tolist() == pytest.approx([0.7, float("nan")], nan_ok=True)
    things = detections[detections.data["is_thing"]]
    assert things.data["segment_id"].tolist() == [5]


def test_supervision_sees_nothing_in_an_empty_result():
    detections = PanopticSegmentation.empty(2, 3).to_detections()
    assert len(detections) == 0
    assert detections.mask.shape == (0, 2, 3)


def test_transformers_form_is_read_by_those_who_read_it(result):
    form = result.to_transformers()
    assert form["segments_info"] == [
        {"id": 5, "label_id": 1, "was_fused": False, "score": 0.9},
        {"id": 2, "label_id": 2, "was_fused": True, "score": 0.6},
    ]
    assert form["segmentation"].dtype == torch.int32
    read = supervision.Detections.from_transformers(form, id2label={1: "cat", 2: "grass"})
    assert np.array_equal(read.mask, result.to_detections().mask)
    assert read.data["class_name"].tolist() == ["cat", "grass"]


def test_saved_and_loaded_it_is_the_same(result, tmp_path):
    path = result.save(tmp_path / "new", "street", file_name="street.jpg")
    assert path == tmp_path / "new" / "street.json"
    assert PanopticSegmentation.load(path) == result
