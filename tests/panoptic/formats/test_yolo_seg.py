"""YOLO segmentation: loaded by Ultralytics (where it is installed) and by supervision."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from scipy import ndimage

from panoptic.results.labelled import LabelledItem
from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation
from tests.panoptic.formats.labelled import WORDS, Labels, frames, write

WORDS_BY_CLASS = [c.name for c in WORDS]


@pytest.fixture(scope="module")
def folder(items, tmp_path_factory):
    return write(tmp_path_factory.mktemp("yolo"), "yolo_seg", items)


def test_data_yaml(folder):
    data = yaml.safe_load((folder / "data.yaml").read_text(encoding="utf-8"))
    assert "path" not in data  # Ultralytics would look for it from where it is started
    assert data["names"] == {i: c.name for i, c in enumerate(WORDS)}
    for split in ("train", "val", "test"):
        assert (folder / data[split]).is_dir()


@pytest.fixture(scope="module")
def ultralytics(tmp_path_factory):
    """The package, with settings and fonts in a folder of its own: it asks no network then."""
    home = tmp_path_factory.mktemp("config")
    (home / "Ultralytics").mkdir()
    for font in ("Arial.ttf", "Arial.Unicode.ttf"):
        (home / "Ultralytics" / font).touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("YOLO_CONFIG_DIR", str(home))
        patch.setenv("YOLO_OFFLINE", "true")
        return pytest.importorskip("ultralytics")


def test_ultralytics_finds_the_pictures_from_any_folder(folder, ultralytics, tmp_path, monkeypatch):
    from ultralytics.data.utils import check_det_dataset

    monkeypatch.chdir(tmp_path)
    data = check_det_dataset(str(folder / "data.yaml"))
    assert data["names"] == {i: c.name for i, c in enumerate(WORDS)}
    assert [data[s] for s in ("train", "val", "test")] == [
        str(folder / "images" / s) for s in ("train", "val", "test")
    ]
    moved = shutil.copytree(folder, tmp_path / "elsewhere" / "yolo")
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert check_det_dataset("yolo/data.yaml")["val"] == str(moved / "images" / "val")


def test_ultralytics_reads_every_label(folder, ultralytics, items):
    from ultralytics.data.dataset import YOLODataset
    from ultralytics.data.utils import check_det_dataset, polygons2masks

    data = check_det_dataset(str(folder / "data.yaml"))
    named = frames(items)
    for split in ("train", "val", "test"):
        found = YOLODataset(
            img_path=data[split], data=data, task="segment", augment=False, imgsz=64
        )
        for label in found.labels:
            item, frame = named.pop(Path(label["im_file"]).stem)
            truth = item.load(frame)
            assert (item.split, label["shape"]) == (split, item.size)
            assert [WORDS_BY_CLASS[int(c)] for c in label["cls"][:, 0]] == [
                s.category for s in truth
            ]
            for points, segment in zip(label["segments"], truth, strict=True):
                whole = [(points * item.size[::-1]).ravel()]
                mask = polygons2masks(item.size, whole, color=1, downsample_ratio=1)[0] > 0
                _check_mask(mask, truth.mask(segment.id))
    assert not named


def test_masks_in_supervision(folder, items):
    """Pixels differ only where a line of one pixel leads from part to part."""
    import supervision as sv

    for split in ("train", "val"):
        data = sv.DetectionDataset.from_yolo(
            str(folder / "images" / split),
            str(folder / "labels" / split),
            str(folder / "data.yaml"),
            force_masks=True,
        )
        assert data.classes == [c.name for c in WORDS]
        named = frames(items)
        for path, _, found in data:
            item, frame = named[path.rpartition("/")[2].rpartition(".")[0]]
            truth = item.load(frame)
            assert [data.classes[c] for c in found.class_id] == [s.category for s in truth]
            for mask, segment in zip(found.mask, truth, strict=True):
                _check_mask(mask, truth.mask(segment.id))


def test_cutting_off_and_rounding_give_the_same_pixels(folder, items):
    """Readers that cut shares off to whole pixels get the same points as those that round."""
    named = frames(items)
    for path in (folder / "labels").rglob("*.txt"):
        item, _ = named[path.stem]
        for line in path.read_text(encoding="utf-8").splitlines():
            points = np.array(line.split()[1:], np.float32).reshape(-1, 2) * item.size[::-1]
            np.testing.assert_array_equal(np.floor(points), np.round(points))


def points_of(tmp_path, ids):
    """The points (N, 2), as shares, of each segment of a label whose segments are all cars."""
    labels = Labels()
    car = next(iter(WORDS))
    segments = [Segment(i, car.id, car.name, car.is_thing, 0.5) for i in np.unique(ids[ids > 0])]
    labels.frames["x"] = [PanopticSegmentation.from_ids(ids, segments)]
    Image.fromarray(np.zeros((*ids.shape, 3), np.uint8)).save(tmp_path / "x.png")
    item = LabelledItem(
        *("x", str(tmp_path / "x.png"), "image", ids.shape, "train", None, None, 1), reader=labels
    )
    folder = write(tmp_path / "out", "yolo_seg", [item])
    lines = (folder / "labels/train/x.txt").read_text().splitlines()
    return [np.array(line.split()[1:], np.float32).reshape(-1, 2) for line in lines]


def test_shares_tell_the_pixels_of_wide_pictures_apart(tmp_path):
    ids = np.zeros((12, 9000), np.int32)
    ids[3:7, 1234:8765] = 1
    (points,) = points_of(tmp_path, ids)
    assert sorted(set(np.floor(points[:, 0] * 9000).tolist())) == [1234, 8764]


def test_segments_of_one_class_and_box_are_told_apart(tmp_path):
    """Ultralytics takes lines with one class and one box for the same, and drops all but one."""
    ids = np.zeros((12, 12), np.int32)
    ids[np.arange(1, 11), np.arange(1, 11)] = 1
    ids[np.arange(1, 11), np.arange(10, 0, -1)] = 2
    points = points_of(tmp_path, ids)
    boxes = [tuple(map(float, (*p.min(0), *p.max(0)))) for p in points]
    assert len(set(boxes)) == 2
    np.testing.assert_array_equal(np.floor(points[0] * 12).min(0), [1, 1])
    np.testing.assert_array_equal(np.floor(points[1] * 12).min(0), [1, 1])


def _check_mask(mask, exact):
    """The mask, but for lines of a pixel that lead from part to part."""
    assert not (exact & ~mask).any()
    parts = ndimage.label(exact, np.ones((3, 3)))[1]
    if parts == 1:
        np.testing.assert_array_equal(mask, exact)
    else:
        assert (mask & ~exact).sum() < sum(exact.shape) * parts
