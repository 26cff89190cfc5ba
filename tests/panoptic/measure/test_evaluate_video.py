import json
import tracemalloc

import numpy as np
import pytest

from panoptic.measure.evaluate_video import evaluate_video
from panoptic.measure.video_report import VideoReport
from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation
from tests.panoptic.video.frames import frame, random_video

TRUTH = frame("1177 1177 1177 1177", {1: 1, 7: 7})
LATER = frame("4477 4477 4477 4477", {4: 1, 7: 7})


def test_all_measures_in_one_pass_over_streams():
    report = evaluate_video(iter([TRUTH, LATER]), iter([TRUTH, TRUTH]), windows=(1, 2))
    assert (report.videos, report.frames) == (1, 2)
    assert report.vpq.vpq() == pytest.approx(0.75)
    assert report.stq.aq == pytest.approx(0.5)
    assert report.switches.things.switches == 1
    assert report.jf.j.mean == pytest.approx((0.5 + 1) / 2)


def test_the_table_says_it_in_percent_and_json_takes_it():
    report = evaluate_video([TRUTH, LATER], [TRUTH, TRUTH], windows=(1, 2))
    lines = [line.split() for line in report.table().splitlines()]
    assert ["all", "75.0", "100.0", "50.0"] in lines
    assert ["cat", "50.0", "100.0", "0.0"] in lines
    assert ["all", "70.7", "50.0", "100.0"] in lines
    assert ["things", "1", "2", "2", "0", "0"] in lines
    assert "cat" in report.table()
    assert "cat" not in report.table(per_class=False)
    plain = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert plain["vpq"]["all"]["vpq"] == pytest.approx(0.75)
    assert plain["jf"]["things"]["objects"] == 1


def test_a_video_without_things_has_a_table_and_json():
    lawn = frame("7777 7777 7777 7777", {7: 7})
    report = evaluate_video([lawn], [lawn])
    assert ["things", "-", "-", "-", "-", "-"] in map(str.split, report.table().splitlines())
    json.dumps(report.to_dict(), allow_nan=False)


def test_how_far_it_is_is_told_to_a_callback():
    calls = []
    for truths in ([TRUTH, TRUTH], iter([TRUTH, TRUTH])):
        evaluate_video([TRUTH, LATER], truths, progress=lambda *call: calls.append(call))
    assert calls == [(1, 2), (2, 2), (1, None), (2, None)]


def test_reports_add_up():
    each = [evaluate_video(*random_video(seed), name=str(seed)) for seed in (1, 2)]
    total = VideoReport.total(each)
    assert (total.videos, total.frames) == (2, 14)
    assert total.stq.tubes == sum(r.stq.tubes for r in each)
    assert len(total.jf.objects) == sum(len(r.jf.objects) for r in each)
    assert {o.video for o in total.jf.objects} == {"1", "2"}
    with pytest.raises(ValueError, match="no video"):
        VideoReport.total([])
    with pytest.raises(ValueError, match="different measures"):
        each[0] + VideoReport(1, 1, each[1].jf)


def test_a_video_without_frames_is_an_error():
    with pytest.raises(ValueError, match="'clip' has no frames"):
        evaluate_video([], [], name="clip")


def test_memory_stays_with_the_ids_not_with_the_frames():
    segments = [Segment(1, 1, "cat", True, 1.0), Segment(7, 7, "grass", False, 1.0)]

    def frames(count):
        for t in range(count):
            ids = np.full((64, 64), 7)
            ids[t % 40 : t % 40 + 16, 8:24] = 1
            yield PanopticSegmentation.from_ids(ids, segments)

    def peak(count):
        tracemalloc.start()
        evaluate_video(frames(count), frames(count))
        high = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return high

    peak(5)  # imports
    # 60 more frames of 64 x 64 ids would be 1 MB a side.
    assert peak(80) - peak(20) < 300_000
