"""VideoTracker: objects by your own ids, through a video, in constant memory.

What happens to a frame are five lines: three in ``_follow`` and two in ``ObjectMemories._write``,
where all state is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sam2core.arrays import as_id, as_index, as_mask, masks_by_id, masks_of
from sam2core.clicks import Click, join_clicks, square_masks
from sam2core.errors import PromptError
from sam2core.followed import FollowedFrame
from sam2core.frame_pixels import Ready, read_ahead
from sam2core.frames import IterFrames, open_frames
from sam2core.hidden_objects import still_hidden
from sam2core.image_embedding import ImageEmbedding
from sam2core.mask_decoder import MaskPrediction
from sam2core.memory import Memory, Selection
from sam2core.memory_bank import MemoryBank
from sam2core.object_memories import ObjectMemories
from sam2core.prompt_encoder import Prompt
from sam2core.rivals import with_rivals
from sam2core.tracked_frame import TrackedFrame
from sam2core.tracked_object import TrackedObject
from sam2core.transforms import Picture, as_rgb, to_pixels


class VideoTracker(ObjectMemories):
    """Track objects through a video.

    With ``frames`` (anything :func:`~sam2core.frames.open_frames` takes), prompts may be given
    on any frame, and :meth:`propagate` goes through the video, forward or backward. Without,
    :meth:`step` takes one frame after the other for as long as they come, and :meth:`stream`
    does so for an iterator.

    A step has two acts, which may be taken one by one: :meth:`follow` finds every object in a frame
    and writes nothing, :meth:`remember` then writes the frame to the memory of each. In between,
    the caller may look at the masks, prompt, remove and renumber objects, and say what shall be
    remembered of them.
    """

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
        earlier = None if replace else self._answer(object_id)
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
        conditioned = self._recall(embedding, self._before_correction(object_id))
        multimask = prompt.points.shape[1] <= 1
        prediction = self.model.gate(self.model.segment(conditioned, prompt, multimask).best())

        self._objects[object_id] = tracked
        tracked.clicks[self._index] = clicks
        self._remember_prompted([object_id], prediction)
        return self._show([object_id])

    @torch.inference_mode()
    def prompt_masks(
        self, object_ids: Sequence[int], masks: Any, frame_index: int | None = None
    ) -> TrackedFrame:
        """Prompt many objects by masks (N, H, W), as :meth:`prompt` takes one, at frame size."""
        object_ids = [as_id(i) for i in object_ids]
        embedding = self._look_at(frame_index)
        masks = torch.tensor(masks_of(object_ids, masks, self._size))
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
            self._remember_prompted(ids, prediction)
        return self._show(object_ids)

    @torch.inference_mode()
    def step(self, frame: Picture, masks: Mapping[int, Any] | None = None) -> TrackedFrame:
        """Take the next frame of a stream and track every object into it: :meth:`follow`, then
        :meth:`remember`.

        ``masks`` prompts objects on this frame, by id, each (H, W) as :meth:`prompt` takes it.
        Objects may also be prompted afterwards: the frame stays at hand until the next step.
        """
        self._take_next(frame, masks or {})
        self._track()
        return self._show(self.object_ids)

    @torch.inference_mode()
    def follow(
        self, frame: Picture | None = None, *, frame_index: int | None = None, reverse: bool = False
    ) -> TrackedFrame:
        """Find every object in a frame by what is remembered of it, and write nothing to memory.

        It is the next ``frame`` of a stream, or with ``frames`` that of ``frame_index``, tracked
        forward or in ``reverse``. What is prompted, removed or renumbered then counts in this very
        frame; :meth:`current` has it all. :meth:`remember` ends it. A frame that wasn't remembered
        when another one is taken is remembered before that, with the masks it has.
        """
        if (frame is None) == (frame_index is None) or (frame is not None and reverse):
            raise PromptError(
                "follow takes either a stream's next frame, or a frame_index and, if it shall go "
                "backward, reverse"
            )
        if frame is not None:
            self._take_next(frame, {})
        else:
            self._look_at(frame_index)
            self._reverse = reverse
        self._follow()
        return self._show(self.object_ids)

    @torch.inference_mode()
    def remember(
        self,
        masks: Mapping[int, Any] | None = None,
        *,
        logits: Mapping[int, Any] | None = None,
        without: Collection[int] = (),
    ) -> TrackedFrame:
        """Write the frame that was followed to the memory of every object.

        Of an object by its id another mask is remembered, and is its answer from now on, where the
        caller gives one: ``masks`` (H, W) of 0 and 1 at the frame's size, or ``logits`` (S/4, S/4)
        as ``TrackedFrame`` has them; an empty one says that it is not in the picture. Of those in
        ``without`` the frame leaves no memory. What was prompted in this frame was remembered with
        the prompt. ``PromptError`` for other ids; ``ValueError`` if no frame is to be remembered.
        """
        if not self._followed.waiting:
            raise ValueError("there is no frame to remember: follow one first; step does both")
        decided = self._followed.decide(
            self.model, self._size, masks or {}, logits or {}, without, self.settings.fill_hole_area
        )
        self._remember_followed(decided)
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

        From ``start`` (by default the first frame that was prompted or corrected; in reverse, the
        last) up to, and not including, ``stop`` (by default the end; in reverse, all down to frame
        0). An object keeps the answers that it was given by prompts and corrections, however far
        tracking had gone before. Every frame sees what a tracker sees that keeps everything
        (``BankSettings.keep_all``).
        """
        if self.frames is None:
            raise ValueError("propagate needs VideoTracker(model, frames=…); a stream uses step")
        if not self._objects:
            raise ValueError("there is nothing to track yet: prompt an object first")
        start, stop = as_index(start, "start"), as_index(stop, "stop")
        if start is None:
            given = [t for o in self._objects.values() for t in o.bank.given]
            start = max(given) if reverse else min(given)
        frames = self.frames.frames(start, stop, reverse)
        # What is to be read again for the first frame is read before the others are read ahead.
        self._see(self._objects.to_track(start), start, reverse)
        for index, size, pixels in self._read_ahead(frames):
            self._take(index, size, pixels)
            self._reverse = reverse
            self._track()
            yield self._show(self.object_ids)

    def _take_next(self, frame: Picture, masks: Mapping[int, Any]) -> None:
        """Have the next frame of a stream at hand, and prompt objects on it."""
        if self._reverse:
            raise ValueError("a stream goes forward: reset() after propagating in reverse")
        rgb = as_rgb(frame)
        given = masks_by_id(masks, rgb.shape[:2])
        self._take(self._index + 1, rgb.shape[:2], to_pixels(rgb, self.model.config.image_size))
        if given:
            self.prompt_masks(list(given), np.stack(list(given.values())))

    def _take(self, index: int, size: tuple[int, ...], pixels: Tensor) -> ImageEmbedding:
        if index != self._index:
            if self._followed.waiting:
                self._remember_followed(self._followed)
            self._followed = FollowedFrame()
        return super()._take(index, size, pixels)

    def _read_ahead(self, frames: Iterator[tuple[int, np.ndarray]]) -> Iterator[Ready]:
        side, depth = self.model.config.image_size, self.settings.decode_ahead
        return read_ahead(frames, side, self.model.device, depth)

    def _track(self) -> None:
        """Bring every object into the frame at hand."""
        self._follow()
        self._remember_followed(self._followed)

    def _follow(self) -> None:
        frame = self._look_at(None)
        self._have_at_hand()
        nothing = Prompt.empty(1, self.model.device)
        followed = FollowedFrame(waiting=True)
        resting = self._resting()
        for ids in self._cohorts(resting):
            seen = self._see(ids, self._index, self._reverse)
            conditioned = self._recall(frame, seen)
            prompt = nothing[torch.zeros(len(ids), dtype=torch.long, device=self.model.device)]
            every = self.model.segment(conditioned, prompt, multimask_output=True)
            prediction = self.model.gate(every.best())
            answers = self._answers(prediction, given=False, reverse=[self._reverse] * len(ids))
            if self._policy.asks:
                answers = with_rivals(answers, every)
            followed.add(ids, answers, prediction.logits[:, 0])
        for some in self._batches(list(resting)):
            answers = [resting[i] for i in some]
            shown = [answer.logits for answer in answers if answer.logits is not None]
            followed.add(some, answers, torch.stack(shown))
        self._followed = followed

    def _resting(self) -> dict[int, Memory]:
        """Of hidden objects that aren't looked for in this frame, what is said of them."""
        if self.settings.mode != "compact":
            return {}
        banks = {i: self._objects[i].bank for i in self._objects.to_track(self._index)}
        said = {i: still_hidden(b, i, self._index, self._reverse) for i, b in banks.items()}
        return {i: memory for i, memory in said.items() if memory is not None}

    def _remember_followed(self, decided: FollowedFrame) -> None:
        """Put what was followed into the banks: what was tracked enters as the model gave it."""
        for ids, objects in decided.batches():
            answers = [followed.answer for followed in objects]
            self._write(ids, answers, torch.stack([followed.logits for followed in objects]))
        rest = {i: f for i, f in self._followed.objects.items() if i not in decided.objects}
        for object_id in rest:
            self._objects[object_id].bank.forget(self._index)
        self._followed = FollowedFrame(rest)

    def _cohorts(self, resting: Collection[int] = ()) -> Iterator[list[int]]:
        """Objects to look for in this frame, in batches of the same memory extent that fit."""
        most = self._objects_per_batch()
        return self._objects.cohorts(self._index, self._select, most, resting)

    def _before_correction(self, object_id: int) -> list[Selection]:
        """A frame that was tracked is corrected in the light of what came before it."""
        answer = self._answer(object_id)
        if answer is None or answer.reverse is None:
            return []
        seen = self._see([object_id], self._index, answer.reverse)[0].without(self._index)
        return [seen] if seen.spatial else []

    def _remember_prompted(self, ids: Sequence[int], prediction: MaskPrediction) -> None:
        """Put what was prompted into the banks.

        It enters memory as 0 and 1, with its small holes filled: so it was shown, and so it was
        confirmed. A correction of a frame that was tracked before stays a recent memory. All as in
        Meta's video predictor.
        """
        before = [self._answer(i) for i in ids]
        tracked = [None if answer is None else answer.reverse for answer in before]
        answers = self._answers(prediction, given=True, reverse=tracked)
        shown = torch.stack([answer.logits for answer in answers if answer.logits is not None])
        self._write(ids, answers, shown)
        for object_id in ids:
            self._followed.objects.pop(object_id, None)
