import numpy as np
import pytest
import torch

from panoptic.benchmark.follow import as_one, follow, frame_paths
from panoptic.benchmark.layouts import find_davis, find_sav
from panoptic.benchmark.masklets import DavisMasks, SavMasks
from panoptic.errors import DatasetError
from panoptic.presets import DEMO_WEIGHTS
from sam2core import TrackedFrame, load
from tests.panoptic.benchmark import published_layouts as published


@pytest.fixture(scope="module")
def model():
    return load(DEMO_WEIGHTS / "sam2", dtype="float32")


def test_the_surest_object_has_a_pixel_and_below_0_nobody():
    logits = torch.tensor([[[3.0, 1.0, -1.0]], [[2.0, 4.0, -2.0]]])
    frame = TrackedFrame(0, (5, 9), logits, torch.ones(2), torch.ones(2), (1, 3))
    assert as_one(frame).tolist() == [[5, 9, 0]]


def test_objects_join_in_their_first_frame_and_are_followed_as_if_alone(model, tmp_path):
    clips = find_sav(published.sa_v(tmp_path / "sav_val", seeds=(0,), frames=9, late=(0, 4)))
    masks = SavMasks(clips)
    video = masks.videos[0]
    frames = masks.frames(video)
    given = masks.given(video, list(frames))
    assert {frame: list(objects) for frame, objects in given.items()} == {0: [0], 4: [1]}
    together = list(follow(model, list(frames.values()), given))
    assert [frame.frame_index for frame in together] == list(range(9))
    assert [frame.object_ids for frame in together] == [(0,)] * 4 + [(0, 1)] * 5
    for start, objects in given.items():
        alone = {f.frame_index: f for f in follow(model, list(frames.values()), {start: objects})}
        [id] = objects
        for frame in together[start:]:
            assert (frame.mask(id) == alone[frame.frame_index].mask(id)).all()


def test_holes_stay_as_in_the_evaluation_that_is_compared_with(model, tmp_path):
    root = published.davis(tmp_path / "DAVIS", seeds=(0,), frames=1)
    mask = np.zeros(published.SIZE, bool)
    mask[20:80, 20:80], mask[48:52, 48:52] = True, False
    frames = list(frame_paths(root / "JPEGImages/480p/clip-0").values())
    [first] = follow(model, frames, {0: {1: mask}})
    assert first.mask(1)[30, 30]
    assert not first.mask(1)[49:51, 49:51].any()


def test_of_davis_the_first_frame_gives_all_objects_and_void_is_none(tmp_path):
    root = published.davis(tmp_path / "DAVIS", seeds=(0,), frames=3)
    first = root / "Annotations/480p/clip-0/00000.png"
    indices = np.zeros(published.SIZE, np.uint8)
    indices[10:20, 10:20], indices[40:50, 40:50], indices[:5] = 1, 3, 255
    published.save_palette(first, indices)
    given = DavisMasks(find_davis(root)).given("clip-0", ["00000", "00001", "00002"])
    assert {id: int(mask.sum()) for id, mask in given[0].items()} == {1: 100, 3: 100}


def test_frames_go_by_their_numbers(tmp_path):
    for name in ("00010", "00002", "9"):
        published.save_jpeg(tmp_path / f"{name}.jpg", np.zeros((8, 8, 3), np.uint8))
    assert list(frame_paths(tmp_path)) == ["00002", "9", "00010"]
    with pytest.raises(DatasetError, match="there is no frame"):
        frame_paths(tmp_path / "other")
    published.save_jpeg(tmp_path / "preview.jpg", np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(DatasetError, match="called by numbers"):
        frame_paths(tmp_path)
