import json

import numpy as np
import pytest
import supervision
from PIL import Image

from panoptic.formats.sa_v import Masklets, MaskletWriter, SavFolder, read_mask
from panoptic.measure.evaluate_folders import evaluate_folders
from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation
from tests.panoptic.conftest import MEDIA
from tests.panoptic.video.frames import frame

EMPTY = np.zeros((6, 8), bool)
LEFT, RIGHT = EMPTY.copy(), EMPTY.copy()
LEFT[1:5, 0:4] = RIGHT[1:5, 2:6] = True  # IoU 8 / 24


def save(path, mask):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask.astype(np.uint8)).save(path)


@pytest.fixture
def data(tmp_path):
    """One video, annotated every fourth frame; the second object comes in the third of five."""
    root = tmp_path / "sav_val"
    for number in range(5):
        name = f"{4 * number:05d}.png"
        save(root / "Annotations_6fps" / "sav_000123" / "000" / name, LEFT)
        late = RIGHT if number >= 2 else EMPTY
        save(root / "Annotations_6fps" / "sav_000123" / "001" / name, late)
    (root / "JPEGImages_24fps" / "sav_000123").mkdir(parents=True)
    (root / "sav_val.txt").write_text("sav_000123\n")
    return root


@pytest.fixture
def results(tmp_path):
    root = tmp_path / "results"
    for number in range(20):  # every frame, annotated or not
        name = f"{number:05d}.png"
        save(root / "sav_000123" / "000" / name, RIGHT if number == 4 else LEFT)
        save(root / "sav_000123" / "001" / name, RIGHT if number >= 12 else EMPTY)
    return root


def test_objects_are_scored_on_annotated_frames_but_first_and_last(data, results):
    report = evaluate_folders(results, data, "sa-v")
    assert (report.videos, report.frames, report.vpq) == (1, 3, None)
    first, second = report.jf.objects
    # Frames 4, 8 and 12; the second object counts from frame 8 on, and is found in frame 12.
    assert first.j.mean == pytest.approx((8 / 24 + 1 + 1) / 3)
    assert second.j.mean == pytest.approx((0 + 1) / 2)


def test_a_folder_of_videos_is_truth_too(data, results):
    bare = data / "Annotations_6fps"
    assert evaluate_folders(results, bare, "sa-v").jf == evaluate_folders(results, data, "sa-v").jf
    assert SavFolder.open(data).objects("sav_000123") == ["000", "001"]


def test_pngs_of_other_kinds(tmp_path):
    Image.fromarray(LEFT).save(tmp_path / "bits.png")
    Image.fromarray((255 * LEFT).astype(np.uint8)).save(tmp_path / "grey.png")
    assert np.array_equal(read_mask(tmp_path / "bits.png"), LEFT)
    assert np.array_equal(read_mask(tmp_path / "grey.png"), LEFT)
    Image.fromarray((LEFT + 2 * RIGHT).astype(np.uint8)).save(tmp_path / "two.png")
    with pytest.raises(ValueError, match="holds several objects"):
        read_mask(tmp_path / "two.png")


def test_errors_name_the_file_and_the_reason(data, results):
    save(results / "sav_000123" / "001" / "00008.png", EMPTY[:3])
    with pytest.raises(ValueError, match="sav_000123, object 1: the mask is"):
        evaluate_folders(results, data, "sa-v")
    (results / "sav_000123" / "001" / "00008.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"001.00008\.png"):
        evaluate_folders(results, data, "sa-v")
    (data / "sav_val.txt").write_text("sav_000123\nsav_000124\n")
    with pytest.raises(FileNotFoundError, match="lacks the video 'sav_000124'"):
        evaluate_folders(results, data, "sa-v")


def masklets(path, video, frames):
    """A masklet file with only what readers need."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        [{"size": list(m.shape), "counts": supervision.mask_to_rle(m, True)} for m in masks]
        for masks in frames
    ]
    ids = list(range(len(frames[0])))
    path.write_text(json.dumps({"video_id": video, "masklet_id": ids, "masklet": rows}))


def test_masklet_files_are_compared_by_id(tmp_path):
    truth = [[LEFT, EMPTY], [LEFT, EMPTY], [LEFT, RIGHT], [LEFT, RIGHT], [LEFT, RIGHT]]
    found = [[LEFT, EMPTY], [RIGHT, EMPTY], [LEFT, EMPTY], [LEFT, RIGHT], [LEFT, RIGHT]]
    masklets(tmp_path / "truth" / "sav_1_manual.json", "sav_1", truth)
    masklets(tmp_path / "found" / "sav_1_auto.json", "sav_1", found)
    report = evaluate_folders(tmp_path / "found", tmp_path / "truth", "sa-v")
    assert [o.j.mean for o in report.jf.objects] == [pytest.approx((8 / 24 + 2) / 3), 0.5]
    by_file = evaluate_folders(
        tmp_path / "found" / "sav_1_auto.json", tmp_path / "truth" / "sav_1_manual.json", "sa-v"
    )
    assert by_file.jf == report.jf

    masklets(tmp_path / "found" / "sav_1_auto.json", "sav_1", found[:4])
    with pytest.raises(ValueError, match="5 annotated frames, its prediction 4"):
        evaluate_folders(tmp_path / "found", tmp_path / "truth", "sa-v")
    masklets(tmp_path / "truth" / "sav_1_auto.json", "sav_1", truth)
    with pytest.raises(ValueError, match="are of one video"):
        evaluate_folders(tmp_path / "found", tmp_path / "truth", "sa-v")


def test_broken_masklet_files(tmp_path):
    path = tmp_path / "v_auto.json"
    path.write_text("{")
    with pytest.raises(ValueError, match="is not JSON"):
        Masklets.open(path)
    path.write_text('{"video_id": "v"}')
    with pytest.raises(ValueError, match="missing or wrong 'masklet_id'"):
        Masklets.open(path)
    path.write_text('{"video_id": "v", "masklet_id": [0], "masklet": [[]]}')
    with pytest.raises(ValueError, match="masklet_id lists 1 objects"):
        Masklets.open(path)
    rle = {"size": [4, 4], "counts": "5"}
    path.write_text(json.dumps({"video_id": "v", "masklet_id": [0], "masklet": [[rle]]}))
    with pytest.raises(ValueError, match="a mask cannot be decoded"):
        Masklets.open(path).masks(0)


CAT = frame("9977 9977 7777 7777", {9: 1, 7: 7})
DOG = frame("7777 8877 7777 7777", {8: 2, 7: 7})


def test_the_writer_fills_in_what_came_later_and_what_is_gone(tmp_path):
    writer = MaskletWriter(tmp_path, "clip", fps=24)
    for f in (CAT, DOG, DOG, CAT):
        writer.add(f)
    path = writer.close()
    assert path.name == "clip_auto.json"
    assert [p.name for p in tmp_path.iterdir()] == ["clip_auto.json"]
    content = json.loads(path.read_text())
    assert content["masklet_id"] == [7, 8, 9]
    assert content["masklet_category"] == ["grass", "dog", "cat"]
    assert content["masklet_first_appeared_frame"] == [0, 1, 0]
    assert content["masklet_visibility_changes"] == [0, 1, 2]
    assert content["masklet_size_abs"] == [(12 + 14 + 14 + 12) / 4, 2, 4]
    assert content["masklet_frame_count"] == [4, 4, 4]
    assert (content["video_frame_count"], content["video_duration"]) == (4, 4 / 24)
    back = list(Masklets.open(path))
    for masks, f in zip(back, (CAT, DOG, DOG, CAT), strict=True):
        for id in (7, 8, 9):
            assert np.array_equal(masks[id], f.ids == id)


def test_only_some_frames_are_annotated_on_request(tmp_path):
    writer = MaskletWriter(tmp_path, "clip", fps=24, every=2)
    for f in (CAT, DOG, DOG, CAT, CAT):
        writer.add(f)
    content = json.loads(writer.close().read_text())
    assert (len(content["masklet"]), content["video_frame_count"]) == (3, 5)
    assert content["masklet_id"] == [7, 8, 9]


@pytest.mark.parametrize("every", [1, 2])
def test_a_resumed_writer_writes_the_same_bytes(tmp_path, every):
    frames = [CAT, DOG, CAT, DOG, CAT]
    whole = MaskletWriter(tmp_path / "whole", "clip", fps=24, every=every)
    for f in frames:
        whole.add(f)
    broken = MaskletWriter(tmp_path / "broken", "clip", fps=24, every=every)
    for f in frames[:4]:  # killed while writing the fifth, the checkpoint says three
        broken.add(f)
    journal = tmp_path / "broken" / "clip_auto.json.frames"
    with journal.open("a") as file:
        file.write('{"size": [4')
    again = MaskletWriter(tmp_path / "broken", "clip", fps=24, every=every, start=3)
    for f in frames[3:]:
        again.add(f)
    assert whole.close().read_bytes() == again.close().read_bytes()


def test_a_writer_cannot_resume_what_is_not_there(tmp_path):
    with pytest.raises(ValueError, match="holds 0 frames: resuming at frame 3"):
        MaskletWriter(tmp_path, "clip", fps=24, start=3)
    with pytest.raises(ValueError, match="there is no video"):
        MaskletWriter(tmp_path, "clip", fps=24).close()
    with pytest.raises(ValueError, match="fps is above 0"):
        MaskletWriter(tmp_path, "clip", fps=0)


@pytest.fixture(scope="module")
def sample():
    path = MEDIA / "sa_v" / "sav_000001_manual.json"
    if not path.is_file():
        pytest.skip(f"no SA-V sample at {path}")
    return Masklets.open(path)


def test_the_sample_of_sa_v_is_read_and_encoded_alike(sample):
    assert (len(sample), sample.ids) == (121, (0, 1, 2, 3, 4))
    for number in (0, 60, 120):
        for id, mask in sample.masks(number).items():
            rle = sample.content["masklet"][number][id]
            assert mask.shape == tuple(rle["size"])
            assert supervision.mask_to_rle(mask, compressed=True) == rle["counts"]


@pytest.mark.parametrize("id", [2, 3])
def test_the_writer_counts_as_the_sample_does(sample, tmp_path, id):
    writer = MaskletWriter(tmp_path, "sav_000001", fps=24)
    segment = Segment(id, 1, "cat", True, 1.0)
    for number in range(len(sample)):
        ids = id * sample.mask(number, id).astype(np.int32)
        writer.add(PanopticSegmentation.from_ids(ids, [segment]))
    ours = json.loads(writer.close().read_text())
    theirs = sample.content
    assert set(theirs) <= set(ours)
    for name in ("visibility_changes", "first_appeared_frame", "frame_count", "size_bucket"):
        assert ours[f"masklet_{name}"] == [theirs[f"masklet_{name}"][id]]
    for name in ("size_abs", "size_rel"):
        assert ours[f"masklet_{name}"] == pytest.approx([theirs[f"masklet_{name}"][id]])
    assert [row[0]["counts"] for row in ours["masklet"]] == [
        row[id]["counts"] for row in theirs["masklet"]
    ]


def test_which_frames_a_masklet_file_has(sample):
    assert sample.frame_numbers == tuple(range(0, 483, 4))  # 121 of 483, as SA-V annotates


@pytest.mark.parametrize(
    ("count", "annotated", "numbers"),
    [
        (5, 5, (0, 1, 2, 3, 4)),
        (9, 3, (0, 4, 8)),
        (5, 2, (0, 4)),  # every third would be two as well: SA-V's way comes first
        (10, 4, (0, 3, 6, 9)),
        (2, 5, None),
        (None, 5, None),
    ],
)
def test_frames_follow_from_how_many_there_are(tmp_path, count, annotated, numbers):
    path = tmp_path / "v_auto.json"
    masklets(path, "v", [[LEFT]] * annotated)
    more = {} if count is None else {"video_frame_count": float(count)}
    path.write_text(json.dumps({**json.loads(path.read_text()), **more}))
    assert Masklets.open(path).frame_numbers == numbers
    path.write_text(json.dumps({**json.loads(path.read_text()), "annotated_frames": [4, 0]}))
    with pytest.raises(ValueError, match="annotated_frames must rise"):
        _ = Masklets.open(path).frame_numbers


def test_folders_and_masklets_are_compared_with_each_other(data, results, tmp_path):
    expected = evaluate_folders(results, data, "sa-v").jf
    rows = [
        [read_mask(results / "sav_000123" / name / f"{n:05d}.png") for name in ("000", "001")]
        for n in range(20)
    ]
    path = tmp_path / "masklets" / "sav_000123_auto.json"
    masklets(path, "sav_000123", rows)
    path.write_text(json.dumps({**json.loads(path.read_text()), "video_frame_count": 20.0}))
    assert evaluate_folders(path.parent, data, "sa-v").jf == expected
    # An object that was never found isn't in a masklet file; in a folder it must be there, empty.
    masklets(path, "sav_000123", [row[:1] for row in rows[::4]])
    path.write_text(json.dumps({**json.loads(path.read_text()), "video_frame_count": 20.0}))
    first, second = evaluate_folders(path.parent, data, "sa-v").jf.objects
    assert (first.j, second.j.mean) == (expected.objects[0].j, 0)
    for png in (results / "sav_000123" / "001").iterdir():
        png.unlink()
    (results / "sav_000123" / "001").rmdir()
    with pytest.raises(FileNotFoundError, match="every object needs a folder"):
        evaluate_folders(results, data, "sa-v")


def test_objects_found_under_any_id(data, results):
    (results / "sav_000123" / "001").rename(results / "sav_000123" / "77")
    (results / "sav_000123" / "000").rename(results / "sav_000123" / "extra")
    report = evaluate_folders(results, data, "sa-v-unsupervised")
    first, second = report.jf.objects
    assert (report.frames, first.found_id, second.found_id) == (5, 1, 0)
    assert first.j.mean == pytest.approx((4 + 8 / 24) / 5)  # frames 0, 4, 8, 12, 16
    assert second.j.mean == pytest.approx((2 + 0 + 2) / 5)


def test_videos_without_a_prediction_are_left_out_on_request(data, results):
    for number in range(3):
        save(data / "Annotations_6fps" / "sav_9" / "000" / f"{4 * number:05d}.png", LEFT)
    (data / "sav_val.txt").write_text("sav_000123\nsav_9\n")
    for layout in ("sa-v", "sa-v-unsupervised"):
        with pytest.raises(FileNotFoundError, match=r"'sav_9' \(--skip-missing"):
            evaluate_folders(results, data, layout)
    report = evaluate_folders(results, data, "sa-v", skip_missing=True)
    assert (report.videos, report.notes) == (1, ("left out, having no prediction: video 'sav_9'",))
    (data / "sav_val.txt").write_text("sav_9\n")
    with pytest.raises(ValueError, match="no video to evaluate; left out"):
        evaluate_folders(results, data, "sa-v", skip_missing=True)


def test_frames_keep_the_numbers_that_their_names_are(tmp_path):
    writer = MaskletWriter(tmp_path, "clip", fps=24, every=2)
    for place, f in enumerate((CAT, DOG, DOG)):
        writer.add(f, 10 + 5 * place)
    path = writer.close()
    assert json.loads(path.read_text())["annotated_frames"] == [10, 20]
    assert Masklets.open(path).frame_numbers == (10, 20)
