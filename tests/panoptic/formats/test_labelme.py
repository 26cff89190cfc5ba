"""LabelMe: by its file format, and by LabelMe's own functions where it's installed."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from tests.panoptic.formats.labelled import frames, write


@pytest.fixture(scope="module")
def folder(items, tmp_path_factory):
    return write(tmp_path_factory.mktemp("labelme"), "labelme", items)


def test_shapes(folder, items):
    for name, (item, frame) in frames(items).items():
        content = json.loads((folder / item.split / f"{name}.json").read_text(encoding="utf-8"))
        assert (folder / item.split / content["imagePath"]).is_file()
        assert (content["imageHeight"], content["imageWidth"]) == item.size
        assert content["imageData"] is None
        truth = item.load(frame)
        for shape, segment in zip(content["shapes"], truth, strict=True):
            assert (shape["label"], shape["group_id"]) == (segment.category, segment.id)
            assert shape["shape_type"] == "mask"
            (x0, y0), (x1, y1) = shape["points"]
            window = np.asarray(Image.open(io.BytesIO(base64.b64decode(shape["mask"]))))
            mask = np.zeros(item.size, bool)
            mask[y0 : y1 + 1, x0 : x1 + 1] = window
            np.testing.assert_array_equal(mask, truth.mask(segment.id))


def test_its_own_functions(folder, items):
    label_file = pytest.importorskip("labelme._label_file")
    from labelme.utils import shapes_to_label

    for name, (item, frame) in frames(items).items():
        data = label_file.read_label_file(str(folder / item.split / f"{name}.json"))
        truth = item.load(frame)
        numbers = {s.category: s.category_id for s in truth}
        classes, instances = shapes_to_label(item.size, data.shapes, numbers)
        np.testing.assert_array_equal(classes, np.maximum(truth.category_map(), 0))
        for number, segment in enumerate(truth, 1):
            np.testing.assert_array_equal(instances == number, truth.mask(segment.id))
