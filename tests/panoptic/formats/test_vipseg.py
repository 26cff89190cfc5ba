import json

import numpy as np
import pytest
from PIL import Image

from panoptic.errors import CocoFormatError
from panoptic.formats.vipseg import VipsegVideos, VipsegWriter
from panoptic.measure.evaluate_folders import evaluate_folders
from panoptic.measure.evaluate_video import evaluate_video
from panoptic.results.segment import UNKNOWN, UNKNOWN_ID, Segment
from panoptic.results.segmentation import PanopticSegmentation
from prompts import Vocabulary
from tests.panoptic.video.frames import frame, random_video

# VIPSeg's categories count from 0, and ids are colours.
CATEGORIES = [
    {"id": 0, "name": "wall", "isthing": 0, "color": [120, 120, 120]},
    {"id": 2, "name": "door", "isthing": 1, "color": [6, 230, 230]},
]
WALL, DOOR, OTHER = (120, 120, 120), (6, 230, 230), (7, 230, 230)


def number(colour):
    return colour[0] + 256 * colour[1] + 65536 * colour[2]


def save(path, columns):
    """A PNG of 4 x 4 whose columns have these colours."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.array([columns] * 4, np.uint8)).save(path)


def info(colour, category_id, area):
    return {"id": number(colour), "category_id": category_id, "iscrowd": 0, "area": area}


def annotation(name, segments):
    return {"image_id": name, "file_name": f"{name}.png", "segments_info": segments}


@pytest.fixture
def data(tmp_path):
    """One video of two frames: a wall on the left, a door on the right."""
    root = tmp_path / "VIPSeg_720P"
    names = ["00000136", "00000141"]
    for name in names:
        save(root / "panomasksRGB" / "127_abc" / f"{name}.png", [WALL, WALL, DOOR, DOOR])
    segments = [info(WALL, 0, 8), info(DOOR, 2, 8)]
    content = {
        "videos": [
            {
                "video_id": "127_abc",
                "images": [
                    {"id": n, "width": 4, "height": 4, "file_name": f"{n}.png"} for n in names
                ],
            }
        ],
        "annotations": [
            {"video_id": "127_abc", "annotations": [annotation(n, segments) for n in names]}
        ],
        "categories": CATEGORIES,
    }
    (root / "panoptic_gt_VIPSeg_val.json").write_text(json.dumps(content))
    return root


@pytest.fixture
def results(tmp_path):
    """The door gets another id in the second frame; the JSON lists no categories."""
    root = tmp_path / "results"
    save(root / "pan_pred" / "127_abc" / "00000136.png", [WALL, WALL, DOOR, DOOR])
    save(root / "pan_pred" / "127_abc" / "00000141.png", [WALL, WALL, OTHER, OTHER])
    frames = [
        annotation("00000136", [info(WALL, 0, 8), info(DOOR, 2, 8)]),
        annotation("00000141", [info(WALL, 0, 8), info(OTHER, 2, 8)]),
    ]
    content = {"annotations": [{"video_id": "127_abc", "annotations": frames}]}
    (root / "pred.json").write_text(json.dumps(content))
    return root


def rewrite(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_all_measures_of_the_layout(data, results):
    report = evaluate_folders(results, data, "vipseg", windows=(1, 2))
    assert (report.videos, report.frames) == (1, 2)
    assert [report.vpq.quality(k).pq for k in (1, 2)] == [1, 0.5]
    assert (report.stq.aq, report.stq.sq) == (0.5, 1)
    assert report.switches.things.switches == 1
    assert evaluate_folders(data, data, "vipseg").vpq.quality(2).pq == 1
    by_file = evaluate_folders(
        results / "pred.json", data / "panoptic_gt_VIPSeg_val.json", "vipseg", windows=(1, 2)
    )
    assert by_file.to_dict() == report.to_dict()


def test_progress_is_told(data, results):
    told = []
    evaluate_folders(results, data, "vipseg", progress=lambda *n: told.append(n))
    assert told == [(1, 1)]


def test_categories_go_by_name_on_request_and_unknown_is_void(data, results):
    mine = [
        {"id": 0, "name": UNKNOWN, "isthing": 1},
        {"id": 5, "name": "wall", "isthing": 0},
        {"id": 6, "name": "door", "isthing": 1},
    ]

    def change(content):
        content["categories"] = mine
        first, second = content["annotations"][0]["annotations"]
        first["segments_info"] = [info(WALL, 5, 8), info(DOOR, 6, 8)]
        second["segments_info"] = [info(WALL, 5, 8), info(OTHER, 0, 8)]

    rewrite(results / "pred.json", change)
    report = evaluate_folders(results, data, "vipseg", windows=(1,), by_name=True)
    door = report.vpq.tallies[1][2]
    assert (door.tp, door.fp, door.fn) == (1, 0, 1)
    with pytest.raises(CocoFormatError, match="has category 5, which isn't in the list"):
        evaluate_folders(results, data, "vipseg", windows=(1,))
    rewrite(results / "pred.json", lambda c: c["categories"][1].update(id=2))
    with pytest.raises(ValueError, match="category 2 is 'wall' in the prediction and 'door'"):
        evaluate_folders(results, data, "vipseg")
    rewrite(results / "pred.json", lambda c: c["categories"][1].update(name="roof"))
    with pytest.raises(ValueError, match="no categories called 'roof'"):
        evaluate_folders(results, data, "vipseg", by_name=True)
    rewrite(results / "pred.json", lambda c: c.pop("categories"))
    with pytest.raises(ValueError, match="evaluate by id"):
        evaluate_folders(results, data, "vipseg", by_name=True)


def test_errors_name_the_file_and_the_reason(data, results):
    path = results / "pred.json"

    def frames(content):
        return content["annotations"][0]["annotations"]

    rewrite(path, lambda c: frames(c)[1]["segments_info"].pop())
    with pytest.raises(CocoFormatError, match=r"00000141\.png.*only in the map"):
        evaluate_folders(results, data, "vipseg")
    rewrite(path, lambda c: frames(c)[1]["segments_info"].extend([info(OTHER, 2, 8)] * 1))
    rewrite(path, lambda c: frames(c)[1]["segments_info"].append(info(DOOR, 2, 8)))
    with pytest.raises(CocoFormatError, match="of the JSON are not in the PNG"):
        evaluate_folders(results, data, "vipseg")
    rewrite(path, lambda c: frames(c).pop())
    with pytest.raises(ValueError, match=r"2 frames, its prediction 1; '00000141\.png' is missing"):
        evaluate_folders(results, data, "vipseg")
    rewrite(path, lambda c: frames(c)[0].update(file_name="../00000136.png"))
    with pytest.raises(CocoFormatError, match="leads elsewhere"):
        evaluate_folders(results, data, "vipseg")
    rewrite(path, lambda c: c.update(annotations=[]))
    with pytest.raises(FileNotFoundError, match="lacks the video '127_abc'"):
        evaluate_folders(results, data, "vipseg")
    path.write_text('{"annotations": [{}]}')
    with pytest.raises(CocoFormatError, match="missing or wrong 'video_id'"):
        evaluate_folders(results, data, "vipseg")
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"no JSON.*'pred\.json'"):
        evaluate_folders(results, data, "vipseg")


def write(folder, video, frames, **options):
    writer = VipsegWriter(folder, video, **options)
    for result in frames:
        writer.add(result)
    return writer.close()


def test_what_is_written_is_read_back_and_scores_the_same(tmp_path):
    videos = {"one": random_video(1), "two": random_video(2)}
    for name, (prediction, truth) in videos.items():
        path = write(tmp_path / "found", name, prediction)
        write(tmp_path / "true", name, truth)
    back = VipsegVideos.open(path)
    assert list(back.annotations) == ["one", "two"]
    assert list(back.frames("one")) == videos["one"][0]
    assert back.file_names("two")[:2] == ["00000.png", "00001.png"]
    report = evaluate_folders(tmp_path / "found", tmp_path / "true", "vipseg")
    expected = evaluate_video(*videos["one"], name="one") + evaluate_video(
        *videos["two"], name="two"
    )
    assert report.to_dict() == expected.to_dict()


def test_crowd_is_written_and_read_back(tmp_path):
    one = frame("1122 7777", {1: 1, 2: 2, 7: 7}, crowd=[2])
    path = write(tmp_path / "found", "one", [one, one])
    assert list(VipsegVideos.open(path).frames("one")) == [one, one]


def test_the_json_has_the_fields_of_the_layout(tmp_path):
    words = Vocabulary(things=["cat", "dog"], stuff=["grass"])
    result = PanopticSegmentation.from_ids(
        np.array([[70_000, 3], [3, 3]]),
        [Segment(70_000, 1, "cat", True, 0.5), Segment(3, 3, "grass", False, 1.0)],
    )
    writer = VipsegWriter(tmp_path, "clip", words)
    png = writer.add(result, "00000136")
    content = json.loads(writer.close().read_text())
    assert png == tmp_path / "pan_pred" / "clip" / "00000136.png"
    assert np.asarray(Image.open(png))[0, 0].tolist() == [70_000 & 255, (70_000 >> 8) & 255, 1]
    assert content["videos"] == [
        {
            "video_id": "clip",
            "images": [{"id": "00000136", "width": 2, "height": 2, "file_name": "00000136.png"}],
        }
    ]
    (video,) = content["annotations"]
    assert video["video_id"] == "clip"
    (entry,) = video["annotations"]
    assert (entry["image_id"], entry["file_name"]) == ("00000136", "00000136.png")
    assert {
        i["id"]: (i["category_id"], i["area"], i["iscrowd"]) for i in entry["segments_info"]
    } == {
        70_000: (1, 1, 0),
        3: (3, 3, 0),
    }
    assert [(c["id"], c["name"], c["isthing"]) for c in content["categories"]] == [
        (1, "cat", 1),
        (2, "dog", 1),
        (3, "grass", 0),
    ]


def test_a_resumed_writer_writes_the_same_bytes(tmp_path):
    frames, _ = random_video(3)
    words = Vocabulary(things=["cat", "dog"], stuff=[])
    write(tmp_path / "whole", "clip", frames, categories=words)
    broken = VipsegWriter(tmp_path / "broken", "clip", words)
    for result in frames[:5]:  # killed while writing the fifth, the checkpoint says three
        broken.add(result)
    journal = tmp_path / "broken" / "frames" / "clip.jsonl.part"
    journal.write_bytes(journal.read_bytes()[:-7])
    assert not (tmp_path / "broken" / "pred.json").exists()
    write(tmp_path / "broken", "clip", frames[3:], categories=words, start=3)
    files = sorted(
        p.relative_to(tmp_path / "whole") for p in (tmp_path / "whole").rglob("*") if p.is_file()
    )
    assert len(files) == len(frames) + 2
    for file in files:
        assert (tmp_path / "whole" / file).read_bytes() == (tmp_path / "broken" / file).read_bytes()
    # Going back in a finished video works as well.
    write(tmp_path / "broken", "clip", frames[2:], categories=words, start=2)
    for file in files:
        assert (tmp_path / "whole" / file).read_bytes() == (tmp_path / "broken" / file).read_bytes()


def test_an_unfinished_video_is_not_in_the_json(tmp_path):
    frames, _ = random_video(4)
    VipsegWriter(tmp_path, "broken").add(frames[0])
    path = write(tmp_path, "whole", frames)
    assert list(VipsegVideos.open(path).annotations) == ["whole"]


def test_writing_a_video_anew_replaces_it(tmp_path):
    cat, dog = frame("11 11", {1: 1}), frame("11 11", {1: 2})
    write(tmp_path, "clip", [cat, cat])
    path = write(tmp_path, "clip", [dog])
    assert list(VipsegVideos.open(path).frames("clip")) == [dog]


def test_videos_of_other_words_are_refused(tmp_path):
    write(tmp_path, "one", [frame("11 11", {1: 1})])
    car = PanopticSegmentation.from_ids(np.ones((2, 2), int), [Segment(1, 1, "car", True, 1.0)])
    writer = VipsegWriter(tmp_path, "two")
    writer.add(car)
    with pytest.raises(ValueError, match="category 1 is 'cat' in one video"):
        writer.close()


def test_unknown_segments_are_written_and_read(tmp_path):
    unknown = PanopticSegmentation.from_ids(
        np.ones((2, 2), int), [Segment(1, UNKNOWN_ID, UNKNOWN, True, 1.0)]
    )
    path = write(tmp_path, "clip", [unknown])
    (back,) = VipsegVideos.open(path).frames("clip")
    assert back == unknown
    assert back.segments[0].is_unknown


def test_a_subset_of_the_truth_can_be_named_and_results_found_below(data, results, tmp_path):
    (data / "panoptic_gt_VIPSeg_val.json").rename(data / "panoptic_gt_VIPSeg_train.json")
    with pytest.raises(FileNotFoundError, match=r"panoptic_gt_VIPSeg_val\.json"):
        evaluate_folders(results, data, "vipseg")
    results.rename(tmp_path / "vipseg")
    assert evaluate_folders(tmp_path, data, "vipseg", subset="train").videos == 1


def test_words_not_asked_are_neither_missed_nor_void(data, results):
    def only_wall(content):
        content["categories"] = [CATEGORIES[0]]
        for entry in content["annotations"][0]["annotations"]:
            entry["segments_info"] = [info(WALL, 0, 16)]

    rewrite(results / "pred.json", only_wall)
    for name in ("00000136", "00000141"):
        save(results / "pan_pred" / "127_abc" / f"{name}.png", [WALL] * 4)
    report = evaluate_folders(results, data, "vipseg", windows=(1,), only_asked=True)
    wall = report.vpq.tallies[1][0]
    assert (wall.tp, wall.fp, wall.fn) == (0, 2, 2)  # half of it lies on the door
    assert set(report.vpq.tallies[1]) == {0}
    assert any("no word for 1 of the truth's 2 categories" in n for n in report.notes)


def test_a_frame_of_another_size_is_named(data, results):
    path = results / "pan_pred" / "127_abc" / "00000141.png"
    Image.fromarray(np.array([[WALL, OTHER]] * 4, np.uint8)).save(path)
    with pytest.raises(ValueError, match=r"video '127_abc': frame '00000141\.png': the prediction"):
        evaluate_folders(results, data, "vipseg")


def test_a_video_listed_twice_is_refused(data, results):
    rewrite(results / "pred.json", lambda c: c["annotations"].append(c["annotations"][0]))
    with pytest.raises(CocoFormatError, match=r"pred\.json.*video '127_abc' is listed twice"):
        evaluate_folders(results, data, "vipseg")
