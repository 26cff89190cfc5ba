import numpy as np

from benchmarks import video_quality
from benchmarks.lib.video_cuts import CutCount, carried, count_cuts
from benchmarks.lib.video_methods import SWITCHES, ablations, matched_ids, renumbered, sessions
from panoptic.measure.evaluate_video import evaluate_video
from panoptic.settings.video import VideoSettings
from tests.panoptic.video.frames import frame

CAT, GRASS = {1: 1}, {7: 7}
HERE, THERE = frame("1177 1177", CAT | GRASS), frame("2288 2288", {2: 1, 8: 8})


def test_a_mask_is_carried_when_its_id_goes_on_upon_something_else():
    assert carried(HERE, HERE, HERE, THERE) == (1, 7)
    # The grass is the same in both shots, so its id may go on.
    other_place = frame("2277 2277", {2: 1, 7: 7})
    assert carried(HERE, HERE, HERE, other_place) == (1,)
    assert carried(HERE, THERE, HERE, THERE) == ()
    # Masks upon nothing, and upon the same nothing, were not carried to something else.
    void = frame("0000 0000", {})
    assert carried(HERE, HERE, void, void) == ()


def test_cuts_of_a_clip_are_counted():
    truth = [HERE, HERE, THERE, HERE]
    assert count_cuts(truth, truth, (2, 3)) == CutCount(2, 2)
    assert count_cuts([HERE] * 4, truth, (2, 3)) == CutCount(2, 0)
    assert count_cuts([HERE, HERE, THERE, THERE], truth, (2, 3)) == CutCount(2, 1)
    assert count_cuts(truth, truth, ()) == CutCount()
    assert (CutCount(2, 1) + CutCount(2, 2)).clean_share == 0.75


def test_ids_are_matched_by_iou_within_a_category():
    before = frame("1122 1122", {1: 1, 2: 1})
    now = frame("3344 3355", {3: 1, 4: 1, 5: 2})
    assert matched_ids(before, now) == {3: 1, 4: 2}
    quarter = frame("0000 0006", {6: 1})  # an IoU of 1 in 4
    assert matched_ids(before, quarter) == {6: 2}
    assert matched_ids(before, quarter, same_iou=0.3) == {}
    assert matched_ids(frame("0000", {}), now) == {}
    assert np.array_equal(renumbered(now, {3: 1, 4: 2, 5: 9}).ids, [[1, 1, 2, 2], [1, 1, 9, 9]])


def test_every_mechanism_is_switched_off_once_and_all_of_them_in_the_plain_way():
    assert len(ablations()) == len(SWITCHES) > 4
    for settings, switch in zip(ablations().values(), SWITCHES, strict=True):
        assert [s for s in SWITCHES if not getattr(settings, s)] == [switch]
    ours, plain = sessions().values()
    assert ours == VideoSettings()
    assert not any(getattr(plain, switch) for switch in SWITCHES)


def labelled_clips(method, *clips):
    return [
        video_quality.LabelledClip(
            "seen", "move", method, evaluate_video(found, [HERE] * 3, name="clip"), CutCount(), 0.1
        )
        for found in clips
    ]


def test_a_plainer_method_that_is_better_beyond_noise_is_marked():
    right, half, none = [HERE] * 3, [frame("1100 1100", CAT)] * 3, [frame("0000 0000", {})] * 3
    ours = labelled_clips("ours", half, none, half)
    worse = labelled_clips("worse", none, none, none)
    better = labelled_clips("better", right, half, right)
    found = video_quality.gathered([*ours, *worse, *better], ["ours", "worse", "better"])["all"]
    assert "ours ahead" not in found["ours"]
    assert found["worse"]["ours ahead"] > 0 > found["better"]["ours ahead"]
    results = {"clips": 3, "frames": 3, "tables": {"all": found}}
    rows = {line.split(" | ")[0]: line for line in video_quality.tables(results).splitlines()}
    assert rows["| better"].endswith("** |")
    assert not rows["| worse"].endswith("** |")
    assert rows["| ours"].endswith("|  |")
