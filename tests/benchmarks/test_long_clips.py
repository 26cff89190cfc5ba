"""What is made of runs of long clips: rows, paired differences, bounds, and stories kept."""

import argparse
import json

from benchmarks import long_clips
from benchmarks.lib.video_methods import OURS
from benchmarks.long_clips import LongRun, bounds_of, earlier, gathered, tables
from panoptic.measure.evaluate_video import evaluate_video
from tests.panoptic.video.frames import frame

TRUTH = [frame("1177 1177", {1: 1, 7: 7})] * 4
NO_STUFF = [frame("1100 1100", {1: 1})] * 4
ROAD, CROWD = "road-returns", "procession"


def run(story, way, labelled, followed=(2, 2, 3, 5)):
    report = evaluate_video(labelled, TRUTH, name="clip")
    return LongRun(story, way, report, 8, (0.1, 0.1, 0.1, 0.5), followed, 2_000_000)


def test_rows_tell_what_a_mechanism_is_worth_and_what_it_costs():
    found = gathered(
        [
            *(run(ROAD, OURS, TRUTH), run(ROAD, "without reanchor", NO_STUFF)),
            *(run(ROAD, OURS, TRUTH), run(ROAD, "without reanchor", TRUTH)),
            *(run(CROWD, OURS, TRUTH), run(CROWD, "without retirement", TRUTH, (2, 4, 6, 8))),
        ]
    )
    road, crowd = found[ROAD], found[CROWD]
    assert (road[OURS]["stuff"], road[OURS]["clips"], road[OURS]["frames"]) == (100, 2, 4)
    assert road["without reanchor"]["ours ahead"]["stuff"] == {"mean": 50, "noise": 100}
    assert crowd["without retirement"]["ours ahead"]["things"] == {"mean": 0, "noise": None}
    assert crowd[OURS]["seconds a frame"] == 0.2
    assert crowd[OURS]["in the last quarter"] == 0.5
    assert crowd["without retirement"]["followed at most"] == 8
    assert crowd[OURS]["state MB"] == 2
    bounds = bounds_of(found)
    assert [round(bound.value, 3) for bound in bounds] == [50, 150, 0.625]
    assert [bound.missed for bound in bounds] == [False, False, True]  # 5 of 8 is more than half
    text = tables(found)
    assert "+50.0 ± 100.0" in text


def test_stories_that_are_not_asked_for_are_kept(tmp_path):
    rows = {ROAD: {OURS: {}}, CROWD: {OURS: {}}}
    (tmp_path / "long_clips.json").write_text(json.dumps({"machine": "", "stories": rows}))
    arguments = argparse.Namespace(results=tmp_path, story=[ROAD])
    assert earlier(arguments) == {CROWD: {OURS: {}}}
    arguments.results = None
    assert earlier(arguments) == {}


def test_a_story_switches_off_a_mechanism_that_there_is():
    for story in long_clips.STORIES.values():
        assert getattr(long_clips.VideoSettings(), story.switch) is True
