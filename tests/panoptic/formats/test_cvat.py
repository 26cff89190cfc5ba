"""CVAT for images and for videos: by the published schema, and by Datumaro where it's installed."""

import json
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.panoptic.formats.labelled import WORDS, frames, write


@pytest.fixture(scope="module")
def images(items, tmp_path_factory):
    return write(tmp_path_factory.mktemp("cvat"), "cvat_images", items)


@pytest.fixture(scope="module")
def videos(items, tmp_path_factory):
    return write(tmp_path_factory.mktemp("cvat"), "cvat_video", items)


def attributes(shape):
    return {a.get("name"): a.text for a in shape.findall("attribute")}


def check_head(root, frame_count, mode):
    assert root.findtext("version") == "1.1"
    task = root.find("meta/task")
    assert [label.findtext("name") for label in task.iter("label")] == [c.name for c in WORDS]
    assert int(task.findtext("size")) == frame_count
    assert task.findtext("mode") == mode


def test_masks_of_images(images, items):
    named = frames(items)
    for split in ("train", "val", "test"):
        root = ElementTree.parse(images / split / "annotations.xml").getroot()
        found = root.findall("image")
        check_head(root, len(found), "annotation")
        assert [int(image.get("id")) for image in found] == list(range(len(found)))
        for image in found:
            assert (images / split / "images" / image.get("name")).is_file()
            item, frame = named.pop(image.get("name").rpartition(".")[0])
            assert item.split == split
            truth = item.load(frame)
            size = int(image.get("height")), int(image.get("width"))
            assert size == item.size
            masks = image.findall("mask")
            assert len(masks) == len(truth)
            for shape, segment in zip(masks, truth, strict=True):
                left, top, width, height = (
                    int(shape.get(n)) for n in ("left", "top", "width", "height")
                )
                lengths = [int(v) for v in shape.get("rle").split(",")]
                values = np.arange(len(lengths)) % 2 == 1
                mask = np.zeros(size, bool)
                window = np.repeat(values, lengths).reshape(height, width)
                mask[top : top + height, left : left + width] = window
                np.testing.assert_array_equal(mask, truth.mask(segment.id))
                assert shape.get("label") == segment.category
                noted = attributes(shape)
                assert int(noted["segment_id"]) == segment.id
                assert float(noted["score"]) == pytest.approx(segment.score)
    assert not named


def test_images_in_datumaro(images, items):
    dm = pytest.importorskip("datumaro")
    named = frames(items)
    for split in ("train", "val", "test"):
        data = dm.Dataset.import_from(str(images / split), "cvat")
        names = [c.name for c in data.categories()[dm.AnnotationType.label]]
        assert names == [c.name for c in WORDS]
        for entry in data:
            item, frame = named.pop(entry.id)
            truth = item.load(frame)
            assert [names[a.label] for a in entry.annotations] == [s.category for s in truth]
            for shape, segment in zip(entry.annotations, truth, strict=True):
                np.testing.assert_array_equal(shape.image.astype(bool), truth.mask(segment.id))
    assert not named


def filled(points, size):
    """Pixels whose middle lies within a polygon of corners, by the even-odd rule.

    Crossings are counted along each row to the left of the middle.
    """
    height, width = size
    crossings = np.zeros((height, width), int)
    for (x0, y0), (x1, y1) in zip(points, np.roll(points, -1, axis=0), strict=True):
        if y0 == y1:
            continue
        middles = np.arange(height) + 0.5
        rows = np.flatnonzero((middles > min(y0, y1)) & (middles < max(y0, y1)))
        for row in rows:
            x = x0 + (row + 0.5 - y0) * (x1 - x0) / (y1 - y0)
            crossings[row] += np.arange(width) + 0.5 > x
    return crossings % 2 == 1


def test_tracks_of_videos(videos, items):
    (clip,) = [item for item in items if item.kind == "video"]
    folder = videos / clip.split / "clips--ride"
    root = ElementTree.parse(folder / "annotations.xml").getroot()
    check_head(root, clip.frames, "interpolation")
    size = root.find("meta/task/original_size")
    assert (int(size.findtext("height")), int(size.findtext("width"))) == clip.size
    for frame in range(clip.frames):
        with Image.open(folder / "images" / f"frame_{frame:06d}.png") as picture:
            np.testing.assert_array_equal(np.asarray(picture), clip.picture(frame))
    seen = np.zeros((clip.frames, *clip.size), int)
    for track in root.findall("track"):
        shapes = {int(s.get("frame")): s for s in track}
        for frame in range(clip.frames):
            id = int(attributes(next(iter(track)))["segment_id"])
            truth = clip.load(frame)
            there = id in [s.id for s in truth]
            if there:
                assert track.get("label") == truth.segment(id).category
            shape = shapes.get(frame)
            assert (shape is not None and shape.get("outside") == "0") == there
            if there:
                pairs = [pair.split(",") for pair in shape.get("points").split(";")]
                mask = filled(np.array(pairs, float), clip.size)
                np.testing.assert_array_equal(mask, truth.mask(id))
                seen[frame][mask] = id
    for frame in range(clip.frames):
        np.testing.assert_array_equal(seen[frame], clip.load(frame).ids)


def test_a_track_ends_where_its_segment_is_gone(videos):
    """In the middle (frame 2), and not before it begins (the square comes in frame 3)."""
    path = videos / "train" / "clips--ride" / "annotations.xml"
    tracks = ElementTree.parse(path).getroot().findall("track")
    spans = {
        attributes(track[0])["segment_id"]: [(s.get("frame"), s.get("outside")) for s in track]
        for track in tracks
    }
    assert spans["2"] == [("0", "0"), ("1", "0"), ("2", "1"), ("3", "0"), ("4", "0")]
    assert spans["7"] == [("3", "0"), ("4", "0")]


def test_videos_in_datumaro(videos, items):
    dm = pytest.importorskip("datumaro")
    (clip,) = [item for item in items if item.kind == "video"]
    data = dm.Dataset.import_from(str(videos / "train" / "clips--ride"), "cvat")
    names = [c.name for c in data.categories()[dm.AnnotationType.label]]
    count = 0
    for entry in data:
        truth = clip.load(entry.attributes["frame"])
        shown = [a for a in entry.annotations if not a.attributes["outside"]]
        by_id = {int(a.attributes["segment_id"]): a for a in shown}
        assert set(by_id) == {s.id for s in truth}
        count += 1
        for segment in truth:
            polygon = by_id[segment.id]
            assert names[polygon.label] == segment.category
            points = np.array(polygon.points).reshape(-1, 2)
            np.testing.assert_array_equal(filled(points, clip.size), truth.mask(segment.id))
    assert count == clip.frames


def test_pictures_are_left_to_the_other_format(videos, items):
    note = json.loads((videos / "export.json").read_text("utf-8"))
    assert note["items"] == {"train": 1}
    assert {entry["key"] for entry in note["left_out"]} == {
        item.key for item in items if item.kind == "image"
    }
    assert {p.name for p in videos.iterdir() if p.name[0] != "."} == {"train", "export.json"}


def test_the_fill_of_this_test_is_right():
    square = np.array([(1, 1), (4, 1), (4, 3), (1, 3)])
    expected = Image.new("1", (6, 5))
    ImageDraw.Draw(expected).rectangle((1, 1, 3, 2), fill=1)
    np.testing.assert_array_equal(filled(square, (5, 6)), np.asarray(expected))
