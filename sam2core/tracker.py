"""VideoTracker: objects by your own ids, through a video, in constant memory.

All state is here: of every object a :class:`~sam2core.memory_bank.MemoryBank`, and the
embedding of the frame at hand. What happens to a frame are five lines, in ``_track``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sam2core.arrays import as_id, as_index, as_mask, masks_by_id
from sam2core.clicks import Click, join_clicks, square_masks
from sam2core.errors import PromptError
from sam2core.frame_pixels import Ready, read_ahead, to_device
from sam2core.frames import FrameSource, IterFrames, open_frames
from sam2core.mask_decoder import MaskPrediction
from sam2core.memory_bank import MemoryBank, Selection
from sam2core.model import ImageEmbedding, Sam2
from sam2core.prompt_encoder import Prompt
from sam2core.tracked_frame import TrackedFrame, fill_holes
from sam2core.tracked_object import TrackedObject, TrackedObjects, memories_of
from sam2core.tracker_settings import TrackerSettings
from sam2core.transforms import Picture, as_rgb, to_pixels


class VideoTracker:
    """Track objects through a video.

    With ``frames`` (anything :func:`~sam2core.frames.open_frames` takes), prompts may be given
    on any frame, and :meth:`propagate` goes through the video, forward or backward. Without,
    :meth:`step` takes one frame after the other for as long as they come, and :meth:`stream`
    does so for an iterator.
    """

    def __init__(
        self, model: Sam2, frames: Any = None, settings: TrackerSettings | None = None
    ) -> None:
        model.require_memory()
        self.model = model
        self.settings = settings or TrackerSettings()
        limit = model.config.num_memories - 1
        if self.settings.bank.recent > limit:
            raise ValueError(
                f"the model tells the age of up to {limit} recent memories apart, but "
                f"BankSettings.recent is {self.settings.bank.recent}"
            )
        self.frames: FrameSource | None = None if frames is None else open_frames(frames)
        self._objects = TrackedObjects()
        self._index = -1
        self._embedding: ImageEmbedding | None = None
        self._size = (0, 0)
        self._reverse = False
        self._batch: tuple[torch.device, int] | None = None

    @property
    def object_ids(self) -> tuple[int, ...]:
        """Ids of the tracked objects, in the order in which they came."""
        return tuple(self._objects)

    @property
    def frame_index(self) -> int:
        """Index of the frame at hand; -1 before the first one."""
        return self._index

    def current(self) -> TrackedFrame:
        """All objects in the frame at hand, prompts given on it included."""
        return self._show(self.object_ids)

    def state(self) -> dict[str, Any]:
        """All there is to know for going on: numbers, lists and CPU tensors, without the frame.

        A tracker of the same model and settings that this is given to (:meth:`load_state`) gives
        the same next frames, bit for bit; on a GPU, if ``memory_budget_mb`` is set.
        """
        at = {"index": self._index, "size": list(self._size), "reverse": self._reverse}
        return {**at, "objects": self._objects.state()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on where :meth:`state` was taken; what was tracked here before is forgotten. The frame
        at hand then is in no memory: a stream can be prompted again after its next step."""
        bank, device = self.settings.bank, self.model.device
        self._objects = TrackedObjects.from_state(state["objects"], bank, device)
        self._index, self._reverse = int(state["index"]), bool(state["reverse"])
        self._embedding, self._size = None, (int(state["size"][0]), int(state["size"][1]))

    def copy(self) -> VideoTracker:
        """Another tracker that stands where this one does: going on with one leaves the other as
        it is. It costs next to nothing, for memories are shared and never changed."""
        other = copy(self)
        other._objects = self._objects.copy()
        return other

    @torch.inference_mode()
    def look_again(self, frame: Picture) -> None:
        """Have the latest frame of a stream at hand, to prompt objects in it after
        :meth:`load_state`. It must be that very frame; it is not tracked once more."""
        rgb = as_rgb(frame)
        if self._index < 0 or rgb.shape[:2] != self._size:
            found = f"got one of size {rgb.shape[:2]}"
            raise PromptError(f"the latest frame is {self._index}, of size {self._size}, {found}")
        if self._embedding is None:
            self._take(self._index, self._size, to_pixels(rgb, self.model.config.image_size))

    def renumber(self, object_id: int, new_id: int) -> None:
        """An object goes by another id, with all its memories. ``PromptError`` if that is taken."""
        new_id = as_id(new_id, "the new object id")
        self._objects = self._objects.renumbered(as_id(object_id), new_id)

    def remove(self, object_id: int) -> None:
        """Forget an object and all its memories."""
        self._objects.require(as_id(object_id))
        del self._objects[object_id]

    def reset(self) -> None:
        """Forget all objects; a stream starts again at frame 0."""
        self._objects.clear()
        self._index, self._embedding, self._reverse = -1, None, False

    @torch.inference_mode()
    def prompt(
        self,
        object_id: int,
        *,
        points: Any = None,
        labels: Any = None,
        box: Any = None,
        mask: Any = None,
        frame_index: int | None = None,
        replace: bool = False,
    ) -> TrackedFrame:
        """Say where an object is in a frame: a new object, or a correction of a known one.

        ``points`` (K, 2) as (x, y) with ``labels`` (K,) 1 (inside, the default) or 0
        (outside), and ``box`` (4,) xyxy, in pixels; or ``mask`` (H, W) of 0 and 1, which is
        taken as it is, an empty one saying that the object is not there. Each may be an array, a
        list, or a tensor on any device. ``frame_index`` is by default the frame at hand; another
        one needs a tracker with ``frames``.

        Clicks add to the ones the object has on that frame, and refine the mask it has there;
        with ``replace`` both are dropped first. Gives the answer for this object alone.
        Raises ``PromptError``.
        """
        if mask is not None:
            if points is not None or box is not None:
                raise PromptError("a mask says all: give either a mask, or points and a box")
            return self.prompt_masks([object_id], as_mask(mask, "mask")[None], frame_index)
        object_id = as_id(object_id)
        embedding = self._look_at(frame_index)
        known = self._objects.get(object_id)
        earlier = None if known is None or replace else known.bank.get(self._index)
        clicks = [] if known is None or replace else known.clicks.get(self._index, [])
        clicks = [*clicks, Click(points, labels, box)]
        if sum(click.box is not None for click in clicks) > 1:
            raise PromptError(
                f"object {object_id} has a box in frame {self._index} already, and the model reads "
                "one: replace=True takes the new one instead"
            )
        logits = None if earlier is None else earlier.logits
        prompt = join_clicks(clicks, self._size, self.model.config.image_size, logits)
        prompt = prompt.to(self.model.device)

        tracked = known or TrackedObject(MemoryBank(self.settings.bank))
        # A frame that was tracked is corrected in the light of what came before it.
        selections = [self._select(tracked)] if self._index in tracked.bank.recent else []
        conditioned = self.model.recall(embedding, selections)
        multimask = prompt.points.shape[1] <= 1
        prediction = self.model.gate(self.model.segment(conditioned, prompt, multimask).best())

        self._objects[object_id] = tracked
        tracked.clicks[self._index] = clicks
        self._remember([object_id], embedding, prediction, prompted=True)
        return self._show([object_id])

    @torch.inference_mode()
    def prompt_masks(
        self, object_ids: Sequence[int], masks: Any, frame_index: int | None = None
    ) -> TrackedFrame:
        """Prompt many objects by masks (N, H, W), as :meth:`prompt` takes one, at frame size."""
        object_ids = [as_id(i) for i in object_ids]
        masks = torch.tensor(as_mask(masks, "masks"))
        embedding = self._look_at(frame_index)
        if masks.ndim != 3 or len(masks) != len(object_ids):
            raise PromptError(
                f"masks must be (N, H, W) with N = {len(object_ids)}, got {tuple(masks.shape)}"
            )
        if tuple(masks.shape[1:]) != self._size:
            raise PromptError(
                f"masks must have the frame's size {self._size}, got {tuple(masks.shape[1:])}"
            )
        if len(set(object_ids)) != len(object_ids):
            raise PromptError(f"an object id stands twice in {list(object_ids)}")
        step, side = self._objects_per_batch(), self.model.config.image_size
        for object_id in object_ids:
            new = TrackedObject(MemoryBank(self.settings.bank))
            tracked = self._objects.setdefault(object_id, new)
            tracked.clicks.pop(self._index, None)
        for i in range(0, len(masks), step):
            ids = list(object_ids[i : i + step])
            square = square_masks(masks[i : i + step], side).to(self.model.device)
            prediction = self.model.adopt(embedding, square)
            # The memory sees the mask at the logits' resolution, as in Meta's video predictor.
            self._remember(ids, embedding, prediction, prompted=True)
        return self._show(object_ids)

    @torch.inference_mode()
    def step(self, frame: Picture, masks: Mapping[int, Any] | None = None) -> TrackedFrame:
        """Take the next frame of a stream and track every object into it.

        ``masks`` prompts objects on this frame, by id, each (H, W) as :meth:`prompt` takes it.
        Objects may also be prompted afterwards: the frame stays at hand until the next step.
        """
        if self._reverse:
            raise ValueError("a stream goes forward: reset() after propagating in reverse")
        rgb = as_rgb(frame)
        given = masks_by_id(masks or {}, rgb.shape[:2])
        self._take(self._index + 1, rgb.shape[:2], to_pixels(rgb, self.model.config.image_size))
        if given:
            self.prompt_masks(list(given), np.stack(list(given.values())))
        self._track()
        return self._show(self.object_ids)

    @torch.inference_mode()
    def stream(self, frames: Any) -> Iterator[TrackedFrame]:
        """:meth:`step` for every frame of an iterator, reading and resizing ahead.

        Prompt objects whenever a frame has been given: it is the one at hand. ``frames`` may also
        be whatever :func:`~sam2core.frames.open_frames` takes.
        """
        source = IterFrames(frames) if isinstance(frames, Iterator) else open_frames(frames)
        for _, size, pixels in self._read_ahead(source.frames()):
            self._take(self._index + 1, size, pixels)
            self._track()
            yield self._show(self.object_ids)

    @torch.inference_mode()
    def propagate(
        self, start: int | None = None, stop: int | None = None, reverse: bool = False
    ) -> Iterator[TrackedFrame]:
        """Go through the video and yield one :class:`TrackedFrame` after the other.

        From ``start`` (by default the first prompted frame; in reverse, the last) up to, and
        not including, ``stop`` (by default the end; in reverse, all down to frame 0). Frames
        that were prompted keep the answer given there.
        """
        if self.frames is None:
            raise ValueError("propagate needs VideoTracker(model, frames=…); a stream uses step")
        if not self._objects:
            raise ValueError("there is nothing to track yet: prompt an object first")
        start, stop = as_index(start, "start"), as_index(stop, "stop")
        if start is None:
            prompted = [t for o in self._objects.values() for t in o.bank.prompted]
            start = max(prompted) if reverse else min(prompted)
        for index, size, pixels in self._read_ahead(self.frames.frames(start, stop, reverse)):
            self._take(index, size, pixels)
            self._reverse = reverse
            self._track()
            yield self._show(self.object_ids)

    def _read_ahead(self, frames: Iterator[tuple[int, np.ndarray]]) -> Iterator[Ready]:
        side, depth = self.model.config.image_size, self.settings.decode_ahead
        return read_ahead(frames, side, self.model.device, depth)

    def _track(self) -> None:
        """Bring every object into the frame at hand."""
        frame = self._look_at(None)
        nothing = Prompt.empty(1, self.model.device)
        for ids in self._cohorts():
            seen = [self._select(self._objects[i]) for i in ids]
            conditioned = self.model.recall(frame, seen)
            prompt = nothing[torch.zeros(len(ids), dtype=torch.long, device=self.model.device)]
            prediction = self.model.segment(conditioned, prompt, multimask_output=True).best()
            prediction = self.model.gate(prediction)
            self._remember(ids, frame, prediction, prompted=False)

    def _cohorts(self) -> Iterator[list[int]]:
        """Objects to track in this frame, in batches of the same memory extent that fit."""
        return self._objects.cohorts(self._index, self._select, self._objects_per_batch())

    def _objects_per_batch(self) -> int:
        """Found out once: what is free changes, also by what the tracker itself holds."""
        device = self.model.device
        if self._batch is None or self._batch[0] != device:
            self._batch = device, self.settings.objects_per_batch(self.model.config, device)
        return self._batch[1]

    def _select(self, tracked: TrackedObject) -> Selection:
        length = None if self.frames is None else len(self.frames)
        return tracked.bank.select(self._index, self._reverse, length)

    def _remember(
        self,
        ids: Sequence[int],
        embedding: ImageEmbedding,
        prediction: MaskPrediction,
        prompted: bool,
    ) -> None:
        """Put the answer for some objects into their banks.

        What was prompted enters memory as 0 and 1, with its small holes filled: so it was shown,
        and so it was confirmed. What was tracked enters as the model gave it. A correction of a
        frame that was tracked before stays a recent memory. All as in Meta's video predictor.
        """
        shown = fill_holes(prediction.logits[:, 0], self.settings.fill_hole_area)
        features = self.model.remember(
            embedding,
            shown[:, None] if prompted else prediction.logits,
            prediction.presence,
            binary=prompted,
        )
        kept = memories_of(self._index, prediction, features, shown, self.settings.memory_dtype)
        for object_id, memory in zip(ids, kept, strict=True):
            bank = self._objects[object_id].bank
            correction = self._index in bank.recent and not self.settings.corrections_are_prompts
            bank.add(memory, prompted and not correction)

    def _show(self, object_ids: Sequence[int]) -> TrackedFrame:
        """What the banks say of the frame at hand."""
        memories = [self._objects[i].bank.get(self._index) for i in object_ids]
        side, device = self.model.config.mask_size, self.model.device
        return TrackedFrame.of(self._index, object_ids, memories, self._size, side, device)

    def _look_at(self, frame_index: int | None) -> ImageEmbedding:
        """The embedding of a frame, which becomes the one at hand."""
        index = self._index if frame_index is None else as_id(frame_index, "frame_index")
        if index == self._index and self._embedding is not None:
            return self._embedding
        if index < 0 or (index == self._index and self.frames is None):
            raise PromptError(
                "there is no frame at hand yet: give frame_index (with frames), or step first"
            )
        if self.frames is None:
            raise PromptError(
                f"frame {index} is not the one at hand ({self._index}): a tracker without "
                f"frames can't go back to it"
            )
        if not 0 <= index < len(self.frames):
            raise PromptError(f"frame_index must be in 0 to {len(self.frames) - 1}, got {index}")
        rgb = as_rgb(self.frames[index])
        return self._take(index, rgb.shape[:2], to_pixels(rgb, self.model.config.image_size))

    def _take(self, index: int, size: tuple[int, ...], pixels: Tensor) -> ImageEmbedding:
        self._embedding = self.model.encode_image(to_device(pixels, self.model.device))
        self._index, self._size = index, (size[0], size[1])
        return self._embedding
