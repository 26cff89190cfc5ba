"""Objects by their ids, and what is known and remembered of each: all state of a tracker."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from sam2core.arrays import as_id
from sam2core.followed import FollowedFrame, as_logits
from sam2core.frame_at_hand import FrameAtHand
from sam2core.frame_pixels import to_device
from sam2core.holes import fill_holes
from sam2core.host_rows import HostRows
from sam2core.image_embedding import ImageEmbedding
from sam2core.kept_keys import KeptKeys
from sam2core.layers import resize
from sam2core.mask_decoder import MaskPrediction
from sam2core.memory import Memory, Selection
from sam2core.memory_bank import MemoryBank
from sam2core.memory_policies import POLICIES
from sam2core.model import Sam2
from sam2core.rivals import areas_of
from sam2core.tracked_frame import TrackedFrame
from sam2core.tracked_object import TrackedObject, TrackedObjects
from sam2core.tracker_settings import TrackerSettings

Self = TypeVar("Self", bound="ObjectMemories")


class ObjectMemories(FrameAtHand):
    """Of every object a :class:`~sam2core.memory_bank.MemoryBank`, and its answer in the frame at
    hand where that is in no memory yet."""

    def __init__(
        self, model: Sam2, frames: Any = None, settings: TrackerSettings | None = None
    ) -> None:
        model.require_memory()
        super().__init__(model, frames)
        self.settings = settings or TrackerSettings()
        limit = model.config.num_memories - 1
        if self.settings.bank.recent > limit:
            raise ValueError(
                f"the model tells the age of up to {limit} recent memories apart, but "
                f"BankSettings.recent is {self.settings.bank.recent}"
            )
        self._objects = TrackedObjects()
        self._followed = FollowedFrame()
        self._reverse = False
        self._batch: tuple[torch.device, int] | None = None
        self._host = HostRows()
        self._keys: KeptKeys | None = None
        self._policy = POLICIES[self.settings.bank.policy]

    @property
    def object_ids(self) -> tuple[int, ...]:
        """Ids of the tracked objects, in the order in which they came."""
        return tuple(self._objects)

    def current(self) -> TrackedFrame:
        """All objects in the frame at hand, prompts given on it included."""
        return self._show(self.object_ids)

    def answer(self, frame_index: int) -> TrackedFrame:
        """What was last said of the objects that were tracked or prompted in some frame, which need
        not be the one at hand. Nothing is computed. What is kept of each frame without ``frames``
        are the latest ones."""
        index = as_id(frame_index, "frame_index")
        known = [i for i in self._objects if self._is_shown(i, index)]
        return self._show(known, index)

    def state(self) -> dict[str, Any]:
        """All there is to know for going on: numbers, lists and CPU tensors, without the frame.

        A tracker of the same model and settings that this is given to (:meth:`load_state`) gives
        the same next frames, bit for bit; on a GPU, if ``memory_budget_mb`` is set.
        """
        at = {"index": self._index, "size": list(self._size), "reverse": self._reverse}
        at |= {"waiting": self._followed.waiting, "followed": self._followed.state()}
        return {**at, "objects": self._objects.state()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on where :meth:`state` was taken; what was tracked here before is forgotten. The frame
        at hand itself isn't known then: :meth:`look_again` at it to prompt, or to remember what was
        followed."""
        bank, device = self.settings.bank, self.model.device
        objects = TrackedObjects.from_state(state["objects"], bank, device)
        followed, waiting = state.get("followed", ()), bool(state.get("waiting", False))
        self._followed = FollowedFrame.from_state(followed, waiting, device)
        self._objects = objects
        self._index, self._reverse = int(state["index"]), bool(state["reverse"])
        self._embedding, self._size = None, (int(state["size"][0]), int(state["size"][1]))

    def copy(self: Self) -> Self:
        """Another tracker that stands where this one does: going on with one leaves the other as
        it is. It costs next to nothing, for memories are shared and never changed."""
        other = copy(self)
        other._objects, other._followed = self._objects.copy(), self._followed.copy()
        return other

    @torch.inference_mode()
    def take_over(
        self,
        logits: Mapping[int, Any],
        frame_index: int,
        *,
        given: bool = False,
        reverse: bool | None = False,
    ) -> None:
        """Remember what was said of objects in a frame before, here or by another tracker: a
        tracker that begins anew can so stand where one does that had kept everything.

        ``logits`` (S/4, S/4) by id are as ``TrackedFrame`` has them. With ``given`` a prompt or a
        correction said so; else it was tracked, forward or in ``reverse`` (None: no tracking led to
        the frame). Pointer and presence are those of a prompt by this mask, for logits tell nothing
        of them. ``PromptError``.
        """
        ids = [as_id(i) for i in logits]
        rows = [as_logits(self.model, i, row) for i, row in zip(ids, logits.values(), strict=True)]
        embedding, side = self._look_at(frame_index), self.model.config.image_size
        for batch in self._batches(range(len(ids))):
            part = torch.stack([rows[n] for n in batch])[:, None]
            square = (resize(part, (side, side)) > 0).float()
            prediction = replace(self.model.adopt(embedding, square), logits=part)
            answers = self._answers(prediction, given, [reverse] * len(part))
            some = [ids[n] for n in batch]
            for object_id in some:
                new = TrackedObject(MemoryBank(self.settings.bank))
                self._objects.setdefault(object_id, new)
            self._write(some, answers, part[:, 0])

    def renumber(self, object_id: int, new_id: int) -> None:
        """An object goes by another id, with all its memories. ``PromptError`` if that is taken."""
        new_id = as_id(new_id, "the new object id")
        self._objects = self._objects.renumbered(as_id(object_id), new_id)
        self._followed.renumber(object_id, new_id)

    def remove(self, object_id: int) -> None:
        """Forget an object and all its memories."""
        self._objects.require(as_id(object_id))
        del self._objects[object_id]
        self._followed.objects.pop(object_id, None)

    def reset(self) -> None:
        """Forget all objects; a stream starts again at frame 0."""
        self._objects.clear()
        self._followed = FollowedFrame()
        self._index, self._embedding, self._reverse = -1, None, False

    def _is_shown(self, object_id: int, frame_index: int) -> bool:
        answer = self._answer(object_id, frame_index)
        return answer is not None and answer.logits is not None

    def _select(self, bank: MemoryBank) -> Selection:
        return bank.select(self._index, self._reverse, self._length())

    def _length(self) -> int | None:
        """The number of frames, where it is known."""
        return None if self.frames is None else len(self.frames)

    def _see(self, ids: Sequence[int], index: int, reverse: bool) -> list[Selection]:
        """What a frame sees of some objects, all with features: memories that were put aside are
        encoded again, those of one frame after those of another."""
        seen = [self._objects[i].bank.select(index, reverse, self._length()) for i in ids]
        lacking: dict[int, list[int]] = {}
        for object_id, selection in zip(ids, seen, strict=True):
            for memory, _ in selection.spatial:
                if memory.features is None:
                    lacking.setdefault(memory.frame_index, []).append(object_id)
        if not lacking:
            return seen
        for frame_index in sorted(lacking):
            self._encode_again(lacking[frame_index], frame_index)
        for object_id in ids:
            self._objects[object_id].bank.tidy(index, reverse)
        return self._see(ids, index, reverse)

    def _recall(self, frame: ImageEmbedding, seen: Sequence[Selection]) -> ImageEmbedding:
        """A frame in the light of what is seen of some objects, by keys that are kept."""
        if self._keys is None:
            self._keys = KeptKeys(self.settings.keys_bytes(self.model.device))
        return self.model.recall(frame, seen, self._keys, self.settings.mode == "compact")

    def _have_at_hand(self) -> None:
        """Bring back what was given in the frame at hand, which the next ones see: now it costs no
        reading."""
        known = {i: tracked.bank.tracked(self._index) for i, tracked in self._objects.items()}
        lacking = [i for i, m in known.items() if m and m.given and m.features is None]
        if lacking:
            self._encode_again(lacking, self._index)

    def _encode_again(self, ids: Sequence[int], frame_index: int) -> None:
        """Bring back the memories that some objects have of a frame."""
        if frame_index == self._index:
            embedding = self._look_at(None)
        else:
            pixels = self._read(frame_index)[1]
            embedding = self.model.encode_image(to_device(pixels, self.model.device))
        device = self.model.device
        for given in (False, True):
            known = {i: self._objects[i].bank.tracked(frame_index) for i in ids}
            memories = {i: m for i, m in known.items() if m is not None and m.given == given}
            for batch in self._batches(list(memories)):
                rows = [memories[i].encoded for i in batch]
                logits = torch.stack([row.float() for row in rows if row is not None]).to(device)
                features = self._features(embedding, [memories[i] for i in batch], logits)
                for object_id, row in zip(batch, features, strict=True):
                    pointer = memories[object_id].pointer.to(device)
                    memory = replace(memories[object_id], features=row, pointer=pointer)
                    self._objects[object_id].bank.bring_back(memory)

    def _answer(self, object_id: int, frame_index: int | None = None) -> Memory | None:
        """What is known of an object in a frame, by default the one at hand, if anything."""
        index = self._index if frame_index is None else frame_index
        if index == self._index and object_id in self._followed.objects:
            return self._followed.objects[object_id].answer
        known = self._objects.get(object_id)
        memory = None if known is None else known.bank.get(index)
        if memory is None or memory.logits is not None or memory.encoded is None:
            return memory
        logits = memory.encoded.float()
        if not memory.given:
            logits = fill_holes(logits[None], self.settings.fill_hole_area)[0]
        return replace(memory, logits=logits)

    def _answers(
        self, prediction: MaskPrediction, given: bool, reverse: Sequence[bool | None]
    ) -> list[Memory]:
        """What the model says of a batch of objects, as memories that lack their features."""
        shown = fill_holes(
            prediction.logits[:, 0], self.settings.fill_hole_area, self.model.run_recorded
        )
        # Together: a GPU is waited for but once.
        presence, iou = torch.stack((prediction.presence[:, 0], prediction.iou[:, 0])).tolist()
        areas = areas_of(shown) if self._policy.asks else [None] * len(shown)
        return [
            Memory(
                self._index,
                prediction.pointer[i, 0].clone(),
                presence[i],
                iou[i],
                logits=shown[i].clone(),
                given=given,
                reverse=reverse[i],
                area=areas[i],
            )
            for i in range(len(shown))
        ]

    def _write(self, ids: Sequence[int], answers: Sequence[Memory], logits: Tensor) -> None:
        """Encode the masks (N, S/4, S/4) that were answered and put them into the banks."""
        features = self._features(self._look_at(None), answers, logits)
        again = self.settings.keep_on_host and not self.settings.bank.keep_all
        if self.frames is not None and again:
            answers = self._on_host(answers, logits)
        for object_id, answer, row in zip(ids, answers, features, strict=True):
            memory = replace(answer, features=row)
            correction = answer.reverse is not None and not self.settings.corrections_are_prompts
            self._objects[object_id].bank.add(memory, prompted=answer.given and not correction)

    def _on_host(self, answers: Sequence[Memory], logits: Tensor) -> list[Memory]:
        """Answers with the masks (N, S/4, S/4) that their features can be encoded from again."""
        kept = [
            replace(answer, encoded=mask)
            for answer, mask in zip(answers, self._host.put_masks(logits), strict=True)
        ]
        if self.model.device.type != "cpu":
            return kept
        return [replace(answer, pointer=self._host.put(answer.pointer)) for answer in kept]

    def _features(
        self, embedding: ImageEmbedding, answers: Sequence[Memory], logits: Tensor
    ) -> list[Tensor]:
        """Of answers that are all given or all tracked, with their masks (N, S/4, S/4)."""
        presence = torch.tensor([[a.presence] for a in answers], device=self.model.device)
        features = self.model.remember(
            embedding, logits[:, None], presence, binary=answers[0].given
        )
        return [row.to(self.settings.memory_dtype, copy=True) for row in features]

    def _show(self, object_ids: Sequence[int], frame_index: int | None = None) -> TrackedFrame:
        """What is known of some objects in a frame, by default the one at hand."""
        index = self._index if frame_index is None else frame_index
        answers = [self._answer(i, index) for i in object_ids]
        side, device = self.model.config.mask_size, self.model.device
        return TrackedFrame.of(index, object_ids, answers, self._size, side, device)

    def _batches(self, ids: Sequence[int]) -> Iterator[Sequence[int]]:
        """As many objects at a time as fit."""
        most = self._objects_per_batch()
        for i in range(0, len(ids), most):
            yield ids[i : i + most]

    def _objects_per_batch(self) -> int:
        """Found out once: what is free changes, also by what the tracker itself holds."""
        device = self.model.device
        if self._batch is None or self._batch[0] != device:
            self._batch = device, self.settings.objects_per_batch(self.model.config, device)
        return self._batch[1]
