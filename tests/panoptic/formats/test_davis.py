import json

import numpy as np
import pytest
from PIL import Image

from panoptic.formats.davis import Davis, DavisWriter, palette, read_indices
from panoptic.measure.evaluate_folders import evaluate_folders
from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation
from tests.panoptic.video.frames import frame


def rows(text):
    return np.array([[int(c) for c in row] for row in text.split()], np.uint8)


def save(path, indices, colours=True):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(indices)
    if colours:
        image.putpalette(palette())
    image.save(path)


FIRST = rows("1122 1122 0000 0000")
LOST = rows("1100 1100 0000 0000")
NEW = rows("1122 1122 0003 0033")


@pytest.fixture
def data(tmp_path):
    """Two sequences of four frames; in the first a third object comes later."""
    root = tmp_path / "DAVIS"
    sequences = {"bear": [FIRST, NEW, FIRST, FIRST], "swan": [LOST, LOST, LOST, LOST]}
    for folder in ("Annotations", "Annotations_unsupervised"):
        for name, frames in sequences.items():
            for number, indices in enumerate(frames):
                save(root / folder / "480p" / name / f"{number:05d}.png", indices)
    (root / "ImageSets" / "2017").mkdir(parents=True)
    (root / "ImageSets" / "2017" / "val.txt").write_text("bear\nswan\n")
    return root


@pytest.fixture
def results(tmp_path):
    folder = tmp_path / "results"
    for number, indices in enumerate([LOST * 0, FIRST, LOST, LOST * 0]):
        save(folder / "bear" / f"{number:05d}.png", indices)
    for number in range(4):
        save(folder / "swan" / f"{number:05d}.png", LOST)
    return folder


def test_the_palette_is_that_of_pascal_voc():
    colours = np.array(palette()).reshape(256, 3).tolist()
    assert colours[:5] == [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0], [0, 0, 128]]
    assert (colours[8], colours[255]) == ([64, 0, 0], [224, 224, 192])


def test_given_objects_are_scored_without_first_and_last_frame(data, results):
    report = evaluate_folders(results, data, "davis")
    assert (report.videos, report.frames, report.vpq) == (2, 4, None)
    scores = {(o.video, o.id): (o.j.mean, o.f.mean) for o in report.jf.objects}
    # Frames 1 and 2: the second object is lost in frame 2; the third wasn't in the first frame.
    assert scores == {("bear", 1): (1, 1), ("bear", 2): (0.5, 0.5), ("swan", 1): (1, 1)}
    assert report.jf.jf == pytest.approx((1 + 0.5 + 1) / 3)


def test_found_objects_are_scored_over_all_frames_under_any_id(data, results):
    for path in results.glob("bear/*.png"):
        indices = read_indices(path)
        save(path, np.choose(indices, [0, 9, 4]).astype(np.uint8))
    report = evaluate_folders(results, data, "davis-unsupervised")
    scores = {(o.video, o.id): (o.found_id, o.j.mean) for o in report.jf.objects}
    assert scores == {("bear", 1): (9, 0.5), ("bear", 2): (4, 0.25), ("swan", 1): (1, 1)}


def test_void_is_background_where_ids_are_given_and_left_out_where_not(data, results):
    void = FIRST.copy()
    void[:2, 2:] = 255
    for folder in ("Annotations", "Annotations_unsupervised"):
        save(data / folder / "480p" / "bear" / "00001.png", void)
    given = evaluate_folders(results, data, "davis").jf.objects[1]
    assert given.j.mean == 0  # found where void is, then lost
    found = evaluate_folders(results, data, "davis-unsupervised").jf.objects[1]
    assert found.j.mean == pytest.approx(1 / 4)  # as absent as in the truth, in frame 1


def test_other_subsets(data, results):
    (data / "ImageSets" / "2017" / "train.txt").write_text("swan\n")
    assert evaluate_folders(results, data, "davis", subset="train").videos == 1
    assert Davis.open(data).sequences == ("bear", "swan")


def test_errors_name_the_file_and_the_reason(data, results):
    save(results / "bear" / "00001.png", NEW)
    with pytest.raises(ValueError, match="has object 3, the first frame of the ground truth has 2"):
        evaluate_folders(results, data, "davis")
    save(results / "bear" / "00001.png", np.full((4, 4), 21, np.uint8))
    with pytest.raises(ValueError, match="DAVIS allows 20"):
        evaluate_folders(results, data, "davis-unsupervised")
    save(results / "bear" / "00001.png", FIRST[:2])
    for layout in ("davis", "davis-unsupervised"):
        with pytest.raises(ValueError, match="at the size of the truth"):
            evaluate_folders(results, data, layout)
    Image.new("RGB", (4, 4)).save(results / "bear" / "00001.png")
    with pytest.raises(ValueError, match="palette PNG was expected, got mode RGB"):
        evaluate_folders(results, data, "davis")
    (results / "bear" / "00001.png").write_bytes(b"")
    with pytest.raises(ValueError, match="cannot be read"):
        evaluate_folders(results, data, "davis")
    (results / "bear" / "00001.png").unlink()
    with pytest.raises(FileNotFoundError):
        evaluate_folders(results, data, "davis")
    (data / "ImageSets" / "2017" / "val.txt").write_text("wolf\n")
    with pytest.raises(FileNotFoundError, match="'wolf'"):
        evaluate_folders(results, data, "davis")
    with pytest.raises(ValueError, match="no layout 'davos'; there are vipseg"):
        evaluate_folders(results, data, "davos")


CAT = frame("9977 9977 7777 7777", {9: 1, 7: 7})
DOG = frame("9977 8877 7777 7777", {9: 1, 8: 2, 7: 7})


def test_the_writer_gives_every_id_an_index_that_lasts(tmp_path):
    writer = DavisWriter(tmp_path, "clip")
    paths = [writer.add(f) for f in (CAT, DOG)]
    assert [p.relative_to(tmp_path).as_posix() for p in paths] == [
        "clip/00000.png",
        "clip/00001.png",
    ]
    listed = json.loads((tmp_path / "clip.json").read_text())["objects"]
    index = {o["id"]: o["index"] for o in listed}
    assert sorted(index.values()) == [1, 2, 3]
    assert [(o["category"], o["first_frame"]) for o in listed if o["id"] == 8] == [("dog", 1)]
    for path, result in zip(paths, (CAT, DOG), strict=True):
        with Image.open(path) as png:
            assert (png.mode, png.getpalette()[3:6]) == ("P", [128, 0, 0])
        for id in (s.id for s in result):
            assert np.array_equal(read_indices(path) == index[id], result.mask(id))
    assert not list(tmp_path.rglob("*.part"))


def test_a_resumed_writer_writes_the_same_bytes(tmp_path):
    frames = [CAT, DOG, frame("6677 8877 7777 7777", {6: 2, 8: 2, 7: 7}), CAT]
    whole = DavisWriter(tmp_path / "whole", "clip")
    broken = DavisWriter(tmp_path / "broken", "clip")
    for f in frames:
        whole.add(f)
    for f in frames[:3]:  # killed with the third written, the checkpoint says two
        broken.add(f)
    again = DavisWriter(tmp_path / "broken", "clip", start=2)
    for f in frames[2:]:
        again.add(f)
    files = sorted(p.relative_to(tmp_path / "whole") for p in (tmp_path / "whole").rglob("*.*"))
    assert len(files) == 5
    for file in files:
        assert (tmp_path / "whole" / file).read_bytes() == (tmp_path / "broken" / file).read_bytes()


def test_more_objects_than_a_palette_holds_is_an_error(tmp_path):
    ids = np.arange(1, 257).reshape(16, 16)
    many = [Segment(i, 1, "cat", True, 1.0) for i in range(1, 257)]
    writer = DavisWriter(tmp_path, "clip")
    writer.add(PanopticSegmentation.from_ids(np.minimum(ids, 254), many))
    with pytest.raises(ValueError, match="frame 1: a palette PNG holds 254 objects"):
        writer.add(PanopticSegmentation.from_ids(np.minimum(ids, 255), many))


def test_sequences_that_cannot_be_compared_are_left_out_and_named(data, results):
    (data / "ImageSets" / "2017" / "val.txt").write_text("bear\nswan\nwolf\n")
    for number in range(2):
        save(data / "Annotations" / "480p" / "wolf" / f"{number:05d}.png", LOST)
    report = evaluate_folders(results, data, "davis")
    assert report.videos == 2
    assert report.notes == (
        "left out: sequence 'wolf' has 2 annotated frames, of which the first and the last don't "
        "count",
    )
    save(data / "Annotations" / "480p" / "wolf" / "00002.png", LOST)
    with pytest.raises(FileNotFoundError, match=r"lacks the sequence 'wolf' \(--skip-missing"):
        evaluate_folders(results, data, "davis")
    report = evaluate_folders(results, data, "davis", skip_missing=True)
    assert report.notes == ("left out, having no prediction: sequence 'wolf'",)


def test_annotations_in_full_resolution_alone_and_results_below_are_found(data, results, tmp_path):
    expected = evaluate_folders(results, data, "davis")
    (data / "Annotations" / "480p").rename(data / "Annotations" / "Full-Resolution")
    results.rename(tmp_path / "davis")
    (tmp_path / "davis" / "bear.json").write_text('{"objects": []}')  # as panoptic video writes it
    report = evaluate_folders(tmp_path, data, "davis")
    assert report == expected
    assert "see davis-unsupervised" in report.notes[0]
    with pytest.raises(FileNotFoundError, match="no list of the subset 'test-dev'"):
        evaluate_folders(tmp_path, data, "davis", subset="test-dev")


def test_frames_that_have_names_keep_them(tmp_path):
    writer = DavisWriter(tmp_path, "clip")
    assert [writer.add(f, name).name for f, name in ((CAT, "00005"), (DOG, "00010"))] == [
        *("00005.png", "00010.png")
    ]
