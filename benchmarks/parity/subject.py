"""The side under test: sam2core, through the same doors that its users take."""

from __future__ import annotations

from collections.abc import Mapping
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor

import sam2core
from benchmarks.parity.answers import ClipAnswer, ImageAnswer
from benchmarks.parity.cases import Ask, ClipCase, ImageCase, Visit
from benchmarks.parity.reference import write_model
from benchmarks.parity.scenes import Scene
from benchmarks.parity.shapes import ModelShape
from sam2core import BankSettings, ImageSegmenter, TrackerSettings
from sam2core.tracker import TrackedFrame, VideoTracker


class Subject:
    """sam2core on a state dict in Hugging Face naming, read from a folder that transformers wrote:
    reading is a part of what is compared."""

    def __init__(
        self,
        shape: ModelShape,
        version: str,
        state: Mapping[str, Tensor],
        *,
        device: str = "cpu",
        memory_dtype: torch.dtype = torch.float32,
    ):
        self.shape, self.memory_dtype = shape, memory_dtype
        with TemporaryDirectory() as folder:
            write_model(shape, version, state, folder)
            # In float32 as the reference computes, whatever suits the device.
            self.model = sam2core.load(folder, device=device, dtype=torch.float32)

    def segment(self, case: ImageCase, scene: Scene) -> list[ImageAnswer]:
        """All prompts of the case in one batched call."""
        segmenter = ImageSegmenter(self.model)
        segmenter.set_image(scene.frame(0))
        answers = self._ask(segmenter, case.asks, scene, case.multimask, None)
        if case.again:
            logits = torch.stack([answer.logits[0] for answer in answers])
            answers = self._ask(segmenter, case.again, scene, case.multimask, logits)
        return answers

    def _ask(
        self,
        segmenter: ImageSegmenter,
        asks: tuple[Ask, ...],
        scene: Scene,
        multimask: bool,
        logits: Tensor | None,
    ) -> list[ImageAnswer]:
        side = self.shape.image_size
        if asks[0].mask is not None:
            masks = np.stack([scene.mask(*ask.mask) for ask in asks if ask.mask is not None])
            logits = torch.nn.functional.avg_pool2d(torch.from_numpy(masks).float(), 4) * 20 - 10
        masks_of = segmenter.segment(
            points=np.array([ask.points for ask in asks]) * side if asks[0].points else None,
            labels=np.array([ask.labels for ask in asks]) if asks[0].points else None,
            boxes=np.array([ask.box for ask in asks]) * side if asks[0].box else None,
            mask_logits=logits,
            multimask=multimask,
        )
        return [
            ImageAnswer(*parts)
            for parts in zip(
                masks_of.logits.cpu(), masks_of.iou.cpu(), masks_of.presence.cpu(), strict=True
            )
        ]

    def track(self, case: ClipCase, scene: Scene, *, stream: bool = False) -> list[ClipAnswer]:
        """The visits of a case, in a video or, frame by frame, in a stream (`can_stream`)."""
        settings = TrackerSettings(
            bank=BankSettings(max_prompted=case.max_prompted),
            fill_hole_area=case.fill_hole_area,
            memory_dtype=self.memory_dtype,
        )
        video = None if stream else [scene.frame(index) for index in range(case.length)]
        tracker = VideoTracker(self.model, None if video is None else np.stack(video), settings)
        visit_one = self._step if stream else self._visit
        answers: list[ClipAnswer] = []
        for index, visit in enumerate(case.visits):
            given = {object_id for object_id, ask in visit.asks if ask.mask is not None}
            for frame in visit_one(tracker, visit, scene):
                for position, object_id in enumerate(frame.object_ids):
                    answers.append(
                        ClipAnswer(
                            index,
                            object_id,
                            frame.logits[position].cpu(),
                            float(frame.iou[position]),
                            float(frame.presence[position]),
                            object_id in given,
                        )
                    )
        return answers

    def _visit(self, tracker: VideoTracker, visit: Visit, scene: Scene) -> list[TrackedFrame]:
        prompted = [
            tracker.prompt(object_id, frame_index=visit.frame, **self._prompt(ask, scene))
            for object_id, ask in visit.asks
        ]
        if visit.correct:
            return prompted
        beyond = visit.frame - 1 if visit.reverse else visit.frame + 1
        stop = beyond if beyond >= 0 else None
        return list(tracker.propagate(visit.frame, stop, visit.reverse))

    def _step(self, tracker: VideoTracker, visit: Visit, scene: Scene) -> list[TrackedFrame]:
        tracked = tracker.step(scene.frame(visit.frame))
        return [tracked] + [
            tracker.prompt(object_id, **self._prompt(ask, scene)) for object_id, ask in visit.asks
        ]

    def _prompt(self, ask: Ask, scene: Scene) -> dict[str, Any]:
        side = self.shape.image_size
        given: dict[str, Any] = {}
        if ask.points:
            given.update(points=np.array(ask.points) * side, labels=np.array(ask.labels))
        if ask.box is not None:
            given.update(box=np.array(ask.box) * side)
        if ask.mask is not None:
            given.update(mask=scene.mask(*ask.mask))
        return given


def can_stream(case: ClipCase) -> bool:
    """Whether frames come in order and no object is prompted a second time."""
    seen: set[int] = set()
    for index, visit in enumerate(case.visits):
        ids = {object_id for object_id, _ in visit.asks}
        if visit.frame != index or visit.reverse or ids & seen:
            return False
        seen |= ids
    return case.known_length is None
