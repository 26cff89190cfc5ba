"""YOLO segmentation: checked as Ultralytics checks label files, and loaded by supervision."""

import numpy as np
import pytest
import yaml
from scipy import ndimage

from tests.panoptic.formats.labelled import WORDS, frames, write


@pytest.fixture(scope="module")
def folder(items, tmp_path_factory):
    return write(tmp_path_factory.mktemp("yolo"), "yolo_seg", items)


def test_data_yaml(folder):
    data = yaml.safe_load((folder / "data.yaml").read_text(encoding="utf-8"))
    assert data["names"] == {i: c.name for i, c in enumerate(WORDS)}
    for split in ("train", "val", "test"):
        assert (folder / data["path"] / data[split]).is_dir()


def test_label_files_are_valid(folder, items):
    """The conditions of Ultralytics' check of a label file (``verify_image_label``)."""
    named = frames(items)
    pictures = {p.stem: p for p in (folder / "images").rglob("*") if p.is_file()}
    assert set(pictures) == set(named)
    for path in (folder / "labels").rglob("*.txt"):
        item, frame = named.pop(path.stem)
        assert pictures[path.stem].parent.name == path.parent.name == item.split
        rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
        assert len(rows) == len(item.load(frame))
        for row in rows:
            assert len(row) >= 7
            assert len(row) % 2 == 1
            assert 0 <= int(row[0]) < len(WORDS)
            points = np.array(row[1:], float)
            assert points.min() >= 0
            assert points.max() <= 1
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
                exact = truth.mask(segment.id)
                assert not (exact & ~mask).any()
                parts = ndimage.label(exact, np.ones((3, 3)))[1]
                if parts == 1:
                    np.testing.assert_array_equal(mask, exact)
                else:
                    assert (mask & ~exact).sum() < sum(exact.shape) * parts


def test_cutting_off_and_rounding_give_the_same_pixels(folder, items):
    """Readers that cut shares off to whole pixels get the same points as those that round."""
    named = frames(items)
    for path in (folder / "labels").rglob("*.txt"):
        item, _ = named[path.stem]
        for line in path.read_text(encoding="utf-8").splitlines():
            points = np.array(line.split()[1:], np.float32).reshape(-1, 2) * item.size[::-1]
            np.testing.assert_array_equal(np.floor(points), np.round(points))
