"""What is given may be lists, arrays or tensors on any device; an answer is on one device."""

import numpy as np
import pytest
import torch

from sam2core import ImageSegmenter, Prompt, VideoTracker, open_frames
from sam2core.arrays import as_array
from sam2core.errors import FramesError, PromptError
from sam2core.transforms import as_rgb
from tests.devices.calls import FRAMES, MASKS
from tests.devices.pretended import Pretended
from tests.sam2core.conftest import random_model

KINDS = {
    "lists": lambda a: a.tolist(),
    "arrays": lambda a: a,
    "tensors": torch.from_numpy,
    "tensors there": lambda a: torch.from_numpy(a).to("cuda"),
    "lists of tensors there": lambda a: list(torch.from_numpy(a).to("cuda")),
    "trained tensors": lambda a: torch.from_numpy(a).float().requires_grad_(),
    "trained tensors there": lambda a: torch.from_numpy(a).float().to("cuda").requires_grad_(),
    "bfloat16 there": lambda a: torch.from_numpy(a).to("cuda", torch.bfloat16),
}
# Small whole numbers, which are the same in every precision.
POINTS = np.array([[[10, 20], [40, 30]], [[60, 30], [5, 40]]], dtype=np.float32)
LABELS = np.array([[1, 0], [1, 1]])
BOXES = np.array([[2, 2, 40, 40], [30, 20, 79, 47]], dtype=np.float32)


@pytest.fixture
def there():
    """A model on a pretended device."""
    with Pretended("cuda"):
        yield random_model().to("cuda")


def same(found, expected) -> None:
    for part in ("logits", "iou", "presence"):
        one, other = getattr(found, part), getattr(expected, part)
        assert str(one.device) == "cuda:0", part
        assert torch.equal(one.cpu(), other.cpu()), part
    assert np.array_equal(found.masks(), expected.masks())


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_prompts_of_a_picture(there, kind):
    segmenter = ImageSegmenter(there)
    segmenter.set_image(FRAMES[0])
    logits = segmenter.segment(boxes=BOXES).logits[:, 0].round()
    coarse = logits.cpu().numpy()
    expected = segmenter.segment(POINTS, LABELS, BOXES, coarse)
    same(segmenter.segment(kind(POINTS), kind(LABELS), kind(BOXES), kind(coarse)), expected)
    expected = segmenter.segment(POINTS[0], boxes=BOXES[0], mask_logits=coarse[0])
    same(segmenter.segment(kind(POINTS[0]), None, kind(BOXES[0]), kind(coarse[0])), expected)
    ragged = [POINTS[0], POINTS[1, :1]]
    expected = segmenter.segment(ragged)
    same(segmenter.segment([kind(row) for row in ragged]), expected)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_prompts_of_a_video(there, kind):
    def follow(kind):
        tracker = VideoTracker(there)
        frame = kind(FRAMES[0]) if isinstance(kind(FRAMES[0]), torch.Tensor) else FRAMES[0]
        if isinstance(frame, torch.Tensor):
            frame = frame.to(torch.uint8)
        yield tracker.step(frame, masks={1: kind(MASKS[0])})
        yield tracker.prompt(2, points=kind(POINTS[0]), labels=kind(LABELS[0]), box=kind(BOXES[0]))
        yield tracker.prompt(2, points=kind(POINTS[1]))
        yield tracker.prompt(3, mask=kind(MASKS[1]))
        yield tracker.prompt_masks([4, 5], kind(MASKS))
        tracker.load_state(tracker.state())
        yield tracker.step(FRAMES[1])

    for found, expected in zip(follow(kind), follow(lambda a: a), strict=True):
        same(found, expected)


def test_an_answer_about_nothing_is_on_the_device_too(there):
    found = VideoTracker(there).step(FRAMES[0])
    assert len(found) == 0
    assert {str(t.device) for t in (found.logits, found.iou, found.presence)} == {"cuda:0"}


def test_pictures_may_be_tensors(there):
    picture = torch.from_numpy(FRAMES[0]).to("cuda")
    assert np.array_equal(as_rgb(picture), FRAMES[0])
    assert as_rgb(picture[..., 0]).shape == (48, 80, 3)
    frames = torch.from_numpy(np.stack(FRAMES)).to("cuda")
    for source in (open_frames(frames), open_frames(list(frames))):
        assert len(source) == len(FRAMES)
        assert np.array_equal(source[2], FRAMES[2])
    with pytest.raises(ValueError, match=r"channels last.*uint8 \(3, 48, 80\)"):
        as_rgb(picture.permute(2, 0, 1))
    with pytest.raises(ValueError, match="float32"):
        as_rgb(picture.float())
    with pytest.raises(FramesError, match=r"one picture of shape \(48, 80, 3\)"):
        open_frames(picture)
    with pytest.raises(FramesError, match="float32"):
        open_frames(frames.float())


def test_what_holds_no_numbers_is_refused_by_name(there):
    segmenter = ImageSegmenter(there)
    segmenter.set_image(FRAMES[0])
    for name, wrong in {
        "points": 5,
        "boxes": torch.tensor(3.0),
        "mask_logits": torch.tensor(3.0),
    }.items():
        with pytest.raises(PromptError, match=f"{name} must be"):
            segmenter.segment(**{name: wrong})
    for name in ("points", "boxes", "mask_logits"):
        with pytest.raises(PromptError, match=f"{name} must be"):
            segmenter.segment(**{name: [["left", "right"]]})
    tracker = VideoTracker(there)
    tracker.step(FRAMES[0])
    for name in ("points", "box", "mask"):
        with pytest.raises(PromptError, match=f"{name} must be"):
            tracker.prompt(1, **{name: [["left"]]})
    with pytest.raises(PromptError, match="masks must have the frame's size"):
        tracker.step(FRAMES[1], masks={1: MASKS[0], 2: MASKS[1, :9]})
    assert tracker.frame_index == 0  # a stream doesn't go on with what was refused


def test_a_click_stays_as_it_was_given(there):
    """Later clicks are asked together with earlier ones, which may have changed by then."""
    points = POINTS[0].copy()
    tracker, other = VideoTracker(there), VideoTracker(there)
    for t in (tracker, other):
        t.step(FRAMES[0])
        t.prompt(1, points=points)
    points[:] = 0
    found = tracker.prompt(1, points=POINTS[1])
    other._objects[1].clicks[0][0] = type(other._objects[1].clicks[0][0])(POINTS[0])
    same(found, other.prompt(1, points=POINTS[1]))


def test_a_prompt_is_on_one_device(there):
    points, labels = torch.zeros(1, 2, 2), torch.ones(1, 2, dtype=torch.long)
    with pytest.raises(ValueError, match="one device, got cuda:0, cpu"):
        Prompt(points.to("cuda"), labels)
    with pytest.raises(ValueError, match="one device, got cpu, cpu, cuda:0"):
        Prompt(points, labels, torch.zeros(1, 1, 4, 4, device="cuda"))
    prompt = Prompt(points, labels).to("cuda")
    assert {str(prompt.points.device), str(prompt.labels.device)} == {"cuda:0"}


def test_numbers_become_arrays():
    assert as_array([[1, 2], [3, 4]]).dtype == np.int64
    assert as_array([torch.tensor([1.5], dtype=torch.bfloat16)]).tolist() == [[1.5]]
    assert as_array(torch.tensor([True])).dtype == bool
    assert as_array(torch.ones(2, requires_grad=True)).tolist() == [1, 1]
    array = np.zeros(3)
    assert as_array(array) is array
    with pytest.raises(ValueError, match="inhomogeneous"):
        as_array([[1, 2], [3]])
