"""DAVIS, read by our reader of its layout."""

import json

import numpy as np
from PIL import Image

from panoptic.dataset.export import export
from panoptic.formats.davis import Davis, read_indices
from panoptic.formats.exporter import ExportItem
from panoptic.results.labelled import LabelledItem
from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation
from tests.panoptic.formats.labelled import WORDS, Labels, write


def test_sequences(items, tmp_path):
    folder = write(tmp_path, "davis", items)
    for split in ("train", "val", "test"):
        davis = Davis.open(folder, split)
        wanted = [item for item in items if item.split == split]
        assert list(davis.sequences) == [ExportItem(item).name for item in wanted]
        for item, name in zip(wanted, davis.sequences, strict=True):
            objects = json.loads((davis.annotations / f"{name}.json").read_text("utf-8"))["objects"]
            index = {o["id"]: o["index"] for o in objects}
            words = {o["id"]: o["category"] for o in objects}
            paths = davis.frames(name)
            assert len(paths) == item.frames
            for frame, path in enumerate(paths):
                truth, found = item.load(frame), read_indices(path)
                for s in truth:
                    np.testing.assert_array_equal(found == index[s.id], truth.mask(s.id))
                    assert words[s.id] == s.category
                assert not found[truth.ids == 0].any()
                picture = folder / "JPEGImages" / "480p" / name / f"{frame:05d}.jpg"
                with Image.open(picture) as jpeg:
                    assert jpeg.size[::-1] == item.size


def test_a_video_of_too_many_objects_is_left_out_whole(items, tmp_path):
    """The 255th object comes in the second frame, when the first is written already."""
    maps = [np.arange(1, 201).reshape(10, 20), np.arange(101, 301).reshape(10, 20)]
    c = WORDS.by_id(1)
    labels = Labels()
    labels.frames["many"] = [
        PanopticSegmentation.from_ids(
            ids, [Segment(i, c.id, c.name, True, 1.0) for i in ids.ravel().tolist()]
        )
        for ids in maps
    ]
    labels.pictures["many"] = [np.zeros((10, 20, 3), np.uint8)] * 2
    many = LabelledItem("many", "m.mp4", "video", (10, 20), "train", None, None, 2, reader=labels)
    (done,) = export([many, *items], WORDS, tmp_path, ["davis"])
    assert (done.total, done.left_out) == (len(items), 1)
    assert "254 objects" in done.first_reason
    assert not [path for path in done.folder.rglob("*") if path.name.startswith("many")]
    assert "many" not in Davis.open(done.folder, "train").sequences
    (left_out,) = json.loads((done.folder / "export.json").read_text("utf-8"))["left_out"]
    assert left_out["key"] == "many"
