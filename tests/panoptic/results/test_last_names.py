"""One name for each id of a video, wherever the whole of it is known."""

import csv
import json

import numpy as np

from panoptic import with_last_names
from panoptic.formats.detections_csv import DetectionsOutput
from panoptic.formats.video_output import VideoInfo
from panoptic.formats.vipseg import VipsegVideos, VipsegWriter
from panoptic.results.frame import PanopticFrame
from prompts import Vocabulary
from tests.panoptic.video.frames import frame

WORDS = Vocabulary(things=["cat", "dog"], stuff=["grass"])
# Ids 1 and 2 are renamed, 1 after it was out of sight; 3 is grass all the time.
FRAMES = [
    frame("1133 2233", {1: 2, 2: 1, 3: 7}),
    frame("3333 2233", {2: 2, 3: 7}),
    frame("1133 2333", {1: 1, 2: 2, 3: 7}),
]
PICTURE = np.zeros((2, 4, 3), np.uint8)
LAST = {1: "cat", 2: "dog", 3: "grass"}


def names(results):
    return [{s.id: s.category for s in result} for result in results]


def test_an_id_is_in_all_frames_what_it_was_called_last():
    found = with_last_names(FRAMES)
    assert names(found) == [{s.id: LAST[s.id] for s in result} for result in FRAMES]
    assert [r.ids.tolist() for r in found] == [r.ids.tolist() for r in FRAMES]
    assert found[1] is FRAMES[1]  # nothing to do
    assert with_last_names([]) == []


def test_in_vipsegs_layout_too(tmp_path):
    writer = VipsegWriter(tmp_path, "clip", WORDS)
    for result in FRAMES[:2]:
        writer.add(result)
    path = writer.close()
    assert names(VipsegVideos.open(path).frames("clip"))[0] == {1: "dog", 2: "dog", 3: "grass"}
    writer = VipsegWriter(tmp_path, "clip", WORDS, start=2)  # gone on with
    writer.add(FRAMES[2])
    found = list(VipsegVideos.open(writer.close()).frames("clip"))
    assert found == with_last_names(FRAMES)


def test_in_the_table_of_detections_too(tmp_path):
    info = VideoInfo("clip", WORDS)

    def write(folder, results, start=0):
        output = DetectionsOutput(folder, info, start)
        for index, result in enumerate(results, start):
            output.add(PanopticFrame(index, PICTURE, result, ()))
        return output.close()

    path = write(tmp_path / "whole", FRAMES)
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["tracker_id"]: row["class_name"] for row in rows} == {
        str(id): name for id, name in LAST.items()
    }
    assert {row["class_name"]: row["class_id"] for row in rows} == {
        "cat": "1",
        "dog": "2",
        "grass": "7",
    }
    assert [json.loads(row["mask"])["size"] for row in rows] == [[2, 4]] * 8
    write(tmp_path / "resumed", FRAMES[:2])
    assert write(tmp_path / "resumed", FRAMES[2:], 2).read_bytes() == path.read_bytes()
