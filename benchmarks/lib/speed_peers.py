"""SAM 2's trackers side by side: ours, transformers' and Meta's, on the same weights and frames.

Each is brought to a full bank by one prompted and one tracked frame, whose memories then stand in
for all others: a tracker's time depends on how many there are, not on what they show.
"""

from __future__ import annotations

import contextlib
import copy
import importlib.util
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image

import sam2core
from detectors.groundingdino_bridge import declare_torchvision_operators
from sam2core import TrackerSettings, VideoTracker
from sam2core.transforms import to_pixels
from sam2core.weights import to_state_dict

declare_torchvision_operators()  # before anything imports transformers

from benchmarks.parity.reference import random_state, write_model  # noqa: E402
from benchmarks.parity.shapes import ModelShape  # noqa: E402
from benchmarks.parity.weights import randomise  # noqa: E402

VERSION = "2.1"
FULL = 16
"""Frames after which a bank is full: seven spatial memories and sixteen pointers."""
FRAMES = FULL + 8


class Tracker(Protocol):
    """One that is measured. ``fill`` puts ``count`` objects with full banks into it, ``step`` takes
    them through the next frame, the image encoder included, ``clear`` forgets them."""

    def encode(self) -> object: ...
    def fill(self, count: int) -> None: ...
    def step(self) -> object: ...
    def clear(self) -> None: ...


def write_weights(shape: ModelShape, folder: Path) -> None:
    """Random ones, under which objects and memories matter, as a folder of the hub."""
    write_model(shape, VERSION, randomise(random_state(shape, VERSION), 0), folder)


def frames_of(side: int) -> list[np.ndarray]:
    """A texture that goes by."""
    noise = np.random.default_rng(0).integers(0, 256, (side // 8, side // 8, 3), np.uint8)
    picture = np.asarray(Image.fromarray(noise).resize((side, side)))
    return [np.roll(picture, (2 * i, 5 * i), axis=(0, 1)) for i in range(FRAMES)]


def mask_of(side: int) -> np.ndarray:
    mask = np.zeros((side, side), bool)
    mask[side // 4 : side // 2, side // 3 : side // 2] = True
    return mask


class Ours:
    """``VideoTracker`` on a stream."""

    def __init__(
        self, folder: Path, dtype: torch.dtype, settings: TrackerSettings | None = None
    ) -> None:
        self.model = sam2core.load(folder, device="cpu", dtype=dtype)
        self.settings = settings or TrackerSettings()
        self.frames = frames_of(self.model.config.image_size)
        self.pixels = to_pixels(self.frames[0], self.model.config.image_size)

    @torch.inference_mode()
    def encode(self) -> object:
        return self.model.encode_image(self.pixels)

    def fill(self, count: int) -> None:
        self.tracker = VideoTracker(self.model, settings=self.settings)
        self.tracker.step(self.frames[0], masks={1: mask_of(self.model.config.image_size)})
        self.tracker.step(self.frames[1])
        state = self.tracker.state()
        [known] = state["objects"]
        [tracked] = known["recent"]
        lean = tracked | {"features": None, "logits": None}
        recent = [lean | {"frame_index": i} for i in range(1, FULL - 6)]
        recent += [tracked | {"frame_index": i} for i in range(FULL - 6, FULL)]
        known["recent"] = recent
        # Tensors of its own for each memory of each object, as it is in a video.
        state["objects"] = [copy.deepcopy(known) | {"id": i + 1} for i in range(count)]
        for each in state["objects"]:
            each["recent"] = [copy.deepcopy(memory) for memory in each["recent"]]
        state["index"] = FULL - 1
        self.tracker = VideoTracker(self.model, settings=self.settings)
        self.tracker.load_state(state)

    def step(self) -> object:
        return self.tracker.step(self.frames[self.tracker.frame_index + 1])

    def clear(self) -> None:
        del self.tracker


class Transformers:
    """``Sam2VideoModel`` and its session, in a dtype as its ``from_pretrained`` has it."""

    def __init__(self, folder: Path, dtype: torch.dtype) -> None:
        from transformers import Sam2VideoModel

        self.dtype = dtype
        self.model: Any = Sam2VideoModel.from_pretrained(folder, dtype=dtype).eval()
        self.side = self.model.config.image_size
        self.pixels = torch.cat([to_pixels(each, self.side) for each in frames_of(self.side)])

    @torch.inference_mode()
    def encode(self) -> object:
        return self.model.get_image_features(self.pixels[:1].to(self.dtype))

    @torch.inference_mode()
    def fill(self, count: int) -> None:
        from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession

        self.session = session = Sam2VideoInferenceSession(
            video=self.pixels, video_height=self.side, video_width=self.side, dtype=self.dtype
        )
        session.obj_id_to_idx(1)
        session.add_mask_inputs(0, 0, torch.from_numpy(mask_of(self.side))[None, None].float())
        session.obj_with_new_inputs = [1]
        for index in range(2):
            self.model(session, frame_idx=index)
        known = session.output_dict_per_obj[0]
        for index in range(count):
            session.obj_id_to_idx(index + 1)
            session.output_dict_per_obj[index] = _repeated(known)
        self.next = FULL

    @torch.inference_mode()
    def step(self) -> object:
        found = self.model(self.session, frame_idx=self.next)
        self.next += 1
        return found

    def clear(self) -> None:
        del self.session


class Meta:
    """``SAM2VideoPredictor`` of the package sam2, under autocast as its notebooks have it."""

    def __init__(self, folder: Path, dtype: torch.dtype) -> None:
        from sam2.build_sam import build_sam2_video_predictor

        self.dtype = dtype
        # Holes are left: what fills them is a kernel for GPUs.
        self.predictor: Any = build_sam2_video_predictor(
            "configs/sam2.1/sam2.1_hiera_t.yaml",
            device="cpu",
            hydra_overrides_extra=["++model.fill_hole_area=0"],
            apply_postprocessing=False,
        )
        weights = to_state_dict(sam2core.load(folder, device="cpu"), "meta")
        self.predictor.load_state_dict(weights)
        self.side = self.predictor.image_size
        self._folder = tempfile.TemporaryDirectory()
        for index, frame in enumerate(frames_of(self.side)):
            Image.fromarray(frame).save(f"{self._folder.name}/{index:05d}.jpg")
        with self._computing():
            self.state = self.predictor.init_state(self._folder.name)

    def _computing(self) -> contextlib.AbstractContextManager:
        half = self.dtype != torch.float32
        return torch.autocast("cpu", self.dtype) if half else contextlib.nullcontext()

    @torch.inference_mode()
    def encode(self) -> object:
        with self._computing():
            return self.predictor.forward_image(self.state["images"][:1])

    @torch.inference_mode()
    def fill(self, count: int) -> None:
        predictor, state = self.predictor, self.state
        with self._computing():
            predictor.reset_state(state)
            predictor.add_new_mask(state, 0, 1, mask_of(self.side))
            list(predictor.propagate_in_video(state, 0, 1))
        known = state["output_dict_per_obj"][0]
        for index in range(count):
            predictor._obj_id_to_idx(state, index + 1)
            state["output_dict_per_obj"][index] = _repeated(known)
        self.next = FULL

    @torch.inference_mode()
    def step(self) -> object:
        with self._computing():
            found = list(self.predictor.propagate_in_video(self.state, self.next, 0))
        self.next += 1
        return found

    def clear(self) -> None:
        self.predictor.reset_state(self.state)


def _repeated(known: dict[str, dict[int, Any]]) -> dict[str, dict[int, Any]]:
    """What is known of an object after two frames, as if it were of a full bank."""
    tracked = known["non_cond_frame_outputs"][1]
    return {
        "cond_frame_outputs": dict(known["cond_frame_outputs"]),
        "non_cond_frame_outputs": dict.fromkeys(range(1, FULL), tracked),
    }


def trackers(shape: ModelShape) -> dict[str, Callable[[Path, torch.dtype], Tracker]]:
    """Those that are here. Meta's is built for the published sizes alone."""
    found: dict[str, Callable[[Path, torch.dtype], Tracker]] = {
        "ours": Ours,
        "transformers": Transformers,
    }
    if importlib.util.find_spec("sam2") and (shape.name, shape.image_size) == ("tiny", 1024):
        found["Meta's sam2"] = Meta
    return found
