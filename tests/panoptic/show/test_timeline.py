import numpy as np
import pytest
from PIL import Image

from panoptic.results.frame import Event, PanopticFrame
from panoptic.show.timeline import MOST_ROWS, Timeline
from tests.panoptic.video.frames import frame as segmentation


def frame(index, row, categories, *events):
    return PanopticFrame(
        index, np.zeros((1, len(row), 3), np.uint8), segmentation(row, categories), events
    )


@pytest.fixture
def frames():
    return [
        frame(0, "1177", {1: 1, 7: 7}),
        frame(1, "1177", {1: 1, 7: 7}, Event("corrected", 1)),
        frame(2, "7777", {7: 7}, Event("lost", 1)),
        frame(3, "2222", {2: 2}, Event("cut", None), Event("new", 2)),
        frame(4, "1222", {1: 1, 2: 2}),
    ]


def test_rows_are_the_spans_in_which_an_id_has_pixels(frames):
    timeline = Timeline.of(frames)
    assert {i: row.spans for i, row in timeline.rows.items()} == {
        1: [(0, 2), (4, 5)],
        2: [(3, 5)],
        7: [(0, 3)],
    }
    assert timeline.rows[1].frames == 3
    assert timeline.rows[1].corrected == [1]
    assert timeline.cuts == [3]
    assert (timeline.start, timeline.stop) == (0, 5)


def test_the_picture_shows_bars_where_ids_are_seen_and_cuts_in_red(frames):
    picture = np.asarray(Timeline.of(frames).draw(width=600)).astype(int)
    assert picture.shape[1] == 600
    red = (picture == (205, 50, 60)).all(-1)
    assert red.any()
    columns = np.flatnonzero(red.any(0))
    assert columns.max() - columns.min() == 1  # one line
    # Row by row: things in the order they came (1, 2), then stuff.
    at_frame_3 = picture[:, columns.max() + 10]
    bars = [bool((at_frame_3[30 + 22 * row + 5] != 255).any()) for row in range(3)]
    assert bars == [False, True, False]


def test_a_timeline_may_begin_anywhere_but_runs_forward(frames):
    timeline = Timeline.of(frames[2:])
    assert (timeline.start, timeline.stop) == (2, 5)
    assert timeline.draw().height > 0
    with pytest.raises(ValueError, match="rising order: 4 came after 4"):
        timeline.add(frames[4])
    with pytest.raises(ValueError, match="no frame yet"):
        Timeline().draw()


def test_a_single_frame_and_frames_without_segments_can_be_drawn(frames):
    assert Timeline.of(frames[:1]).draw().width == 960
    empty = frame(0, "0000", {})
    assert Timeline.of([empty]).draw().width == 960


def test_of_very_many_ids_those_seen_longest_are_drawn():
    timeline = Timeline()
    many = segmentation("7777", {7: 7}).segments[0]
    for index in range(2 * MOST_ROWS):
        timeline.add_segments(
            index,
            [type(many)(id, 1, "cat", True, 1.0) for id in range(1, 2 * MOST_ROWS + 1 - index)],
        )
    height = timeline.draw().height
    assert height < 22 * (MOST_ROWS + 5)


def test_it_shows_itself_in_notebooks(frames, tmp_path):
    path = tmp_path / "shown.png"
    path.write_bytes(Timeline.of(frames)._repr_png_())
    with Image.open(path) as shown:
        assert shown.width == 960
