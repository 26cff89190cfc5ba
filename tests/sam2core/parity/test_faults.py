"""Deliberate faults: each one must turn the comparison red, in the case named beside it.

That the same cases are green without a fault is tested in `test_parity`.

A fault changes what the model is told or what it says, not how the answers are compared. Where a
change of sam2core makes a fault have no effect, the fault has to be written anew, not dropped.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.parity.cases import ClipCase, clip_cases, image_cases
from benchmarks.parity.compare import LOGITS_BOUND, Distance, compare_clips, compare_images
from benchmarks.parity.scenes import Scene
from benchmarks.parity.shapes import MINI
from benchmarks.parity.subject import Subject
from sam2core import hiera, memory_attention, object_memories, tracker
from sam2core.holes import fill_holes
from sam2core.mask_decoder import MaskPrediction
from sam2core.memory_bank import MemoryBank, Selection
from sam2core.model import Sam2
from sam2core.prompt_encoder import PromptEncoder

SCENE = Scene(MINI.image_size)
CASES = {f"image: {case.name}": case for case in image_cases(SCENE)} | {
    f"clip: {case.name}": case for case in clip_cases(SCENE)
}
Fault = Callable[[pytest.MonkeyPatch, Sam2], None]
FAULTS: dict[str, tuple[str, Fault]] = {}


def fault(case: str) -> Callable[[Fault], Fault]:
    """Registers a fault that shows in a case."""

    def register(function: Fault) -> Fault:
        FAULTS[function.__name__] = (case, function)
        return function

    return register


def wrap(patch: pytest.MonkeyPatch, owner: Any, name: str, around: Callable[..., Any]) -> None:
    """Puts `around(original, *arguments)` in place of a method or function."""
    original = getattr(owner, name)
    patch.setattr(owner, name, lambda *args, **kwargs: around(original, *args, **kwargs))


# --- the picture ---


@fault("image: point")
def red_and_blue_swapped(patch, model):
    wrap(patch, Sam2, "encode_image", lambda encode, self, pixels: encode(self, pixels.flip(1)))


@fault("image: point")
def queries_pooled_by_mean(patch, model):
    def mean(x):
        return F.avg_pool2d(x.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)

    patch.setattr(hiera, "pool", mean)


@fault("image: point")
def positions_in_windows_shifted_by_one_token(patch, model):
    position = model.image_encoder.trunk.window_position
    position.data = position.data.roll(1, dims=-1)


@fault("image: box")
def no_memory_not_marked(patch, model):
    model.no_memory.data.zero_()


# --- prompts ---


@fault("image: point")
def points_at_the_corner_of_a_pixel(patch, model):
    def corner(forward, self, prompt):
        return forward(self, replace(prompt, points=prompt.points - 0.5))

    wrap(patch, PromptEncoder, "forward", corner)


@fault("image: points ±")
def negative_points_taken_as_positive(patch, model):
    embedding = model.prompt_encoder.label_embedding
    embedding.data[0] = embedding.data[1]


@fault("image: box + points")
def corners_of_a_box_swapped(patch, model):
    embedding = model.prompt_encoder.label_embedding
    embedding.data = embedding.data[[0, 1, 3, 2]]


@fault("image: point")
def list_of_points_without_its_end(patch, model):
    def shorter(forward, self, prompt):
        tokens, visible, dense = forward(self, prompt)
        return tokens[:, :-1], visible if visible is None else visible[:, :-1], dense

    wrap(patch, PromptEncoder, "forward", shorter)


@fault("image: previous logits")
def earlier_logits_left_out(patch, model):
    def without(forward, self, prompt):
        return forward(self, replace(prompt, mask_logits=None))

    wrap(patch, PromptEncoder, "forward", without)


@fault("clip: click on a later frame")
def earlier_logits_of_a_correction_left_out(patch, model):
    def without(segment, self, embedding, prompt, *args, **kwargs):
        return segment(self, embedding, replace(prompt, mask_logits=None), *args, **kwargs)

    wrap(patch, Sam2, "segment", without)


# --- masks ---


@fault("image: box")
def unstable_masks_kept(patch, model):
    def still(segment, self, embedding, prompt, multimask_output=False, dynamic=True):
        return segment(self, embedding, prompt, multimask_output, False)

    wrap(patch, Sam2, "segment", still)


@fault("clip: points")
def first_mask_taken_instead_of_the_best(patch, model):
    def first(self):
        return MaskPrediction(
            self.logits[:, :1], self.iou[:, :1], self.pointer[:, :1], self.presence
        )

    patch.setattr(MaskPrediction, "best", first)


@fault("clip: occlusion")
def absent_objects_shown(patch, model):
    patch.setattr(Sam2, "gate", lambda self, prediction: prediction)


@fault("clip: mask")
def pointer_of_a_prompted_mask_from_the_best_mask(patch, model):
    """As transformers has it."""

    def best(adopt, self, *args):
        def ask(segment, self, embedding, prompt, **kwargs):
            return segment(self, embedding, prompt, multimask_output=True).best()

        with pytest.MonkeyPatch.context() as inner:
            wrap(inner, Sam2, "segment", ask)
            return adopt(self, *args)

    wrap(patch, Sam2, "adopt", best)


# --- what is remembered ---


@fault("clip: box")
def clicked_masks_remembered_as_probabilities(patch, model):
    def soft(remember, self, embedding, logits, presence, binary=False):
        return remember(self, embedding, logits, presence)

    wrap(patch, Sam2, "remember", soft)


@fault("clip: occlusion")
def absence_not_remembered(patch, model):
    def present(remember, self, embedding, logits, presence, binary=False):
        return remember(self, embedding, logits, presence.abs() + 1, binary)

    wrap(patch, Sam2, "remember", present)


@fault("clip: points")
def memory_of_the_conditioned_picture(patch, model):
    conditioned = []

    def keep(recall, self, embedding, *seen):
        conditioned[:] = [recall(self, embedding, *seen)]
        return conditioned[0]

    def other(remember, self, embedding, *args, **kwargs):
        return remember(self, conditioned[0], *args, **kwargs)

    wrap(patch, Sam2, "recall", keep)
    wrap(patch, Sam2, "remember", other)


def change_holes(patch, model, fill_prompted: bool, fill_tracked: bool) -> None:
    """Other masks with or without their holes enter memory than the tracker says."""
    last: dict[str, Tensor] = {}

    def gate(original, self, prediction):
        last["logits"] = original(self, prediction).logits
        return original(self, prediction)

    def remember(original, self, embedding, logits, presence, binary=False):
        if binary and not fill_prompted and "logits" in last:
            logits = last["logits"]
        if not binary and fill_tracked:
            logits = fill_holes(logits[:, 0], 8)[:, None]
        return original(self, embedding, logits, presence, binary)

    wrap(patch, Sam2, "gate", gate)
    wrap(patch, Sam2, "remember", remember)


@fault("clip: small holes filled")
def holes_filled_for_show_alone(patch, model):
    change_holes(patch, model, fill_prompted=False, fill_tracked=False)


@fault("clip: small holes filled")
def tracked_masks_remembered_without_their_holes(patch, model):
    change_holes(patch, model, fill_prompted=True, fill_tracked=True)


@fault("clip: small holes filled")
def holes_of_half_the_size_filled(patch, model):
    def fill(fill, logits, area, run):
        return fill(logits, area // 2, run)

    wrap(patch, object_memories, "fill_holes", fill)


# --- what is recalled ---


@fault("clip: box")
def temporal_embedding_off_by_one(patch, model):
    model.memory_time.data = model.memory_time.data.roll(1, dims=0)


def change_selection(patch, change: Callable[[Selection], Selection]) -> None:
    wrap(patch, MemoryBank, "select", lambda select, *args, **kw: change(select(*args, **kw)))


@fault("clip: mask")
def prompted_memories_aged_like_recent_ones(patch, model):
    change_selection(
        patch, lambda s: replace(s, spatial=tuple((m, max(age, 1)) for m, age in s.spatial))
    )


@fault("clip: more frames than the bank")
def oldest_recent_memory_dropped(patch, model):
    def shorter(selection):
        oldest = max(age for _, age in selection.spatial)
        if oldest < 6:
            return selection
        return replace(selection, spatial=tuple(p for p in selection.spatial if p[1] < 6))

    change_selection(patch, shorter)


@fault("clip: back to the middle")
def what_is_far_back_forgotten(patch, model):
    patch.setattr(MemoryBank, "tracked", lambda self, index: self.recent.get(index))


@fault("clip: back to the middle")
def other_masks_encoded_again(patch, model):
    def other(again, self, ids, frame_index):
        for tracked in self._objects.values():
            for index, memory in tracked.bank.aside.items():
                grown = torch.nn.functional.max_pool2d(memory.encoded[None].float(), 3, 1, 1)[0]
                tracked.bank.aside[index] = replace(memory, encoded=grown)
        return again(self, ids, frame_index)

    wrap(patch, tracker.VideoTracker, "_encode_again", other)


@fault("clip: from the middle to both ends")
def corrections_seen_forward_alone(patch, model):
    def one_way(select, self, frame_index, reverse=False, num_frames=None):
        selection = select(self, frame_index, reverse, num_frames)
        if not reverse:
            return selection
        seen = (p for p in selection.spatial if p[0].frame_index in self.prompted or not p[0].given)
        return replace(selection, spatial=tuple(seen))

    wrap(patch, MemoryBank, "select", one_way)


@fault("clip: from the middle to both ends")
def what_was_tracked_before_a_click_still_seen(patch, model):
    def first(add, self, memory, prompted=False):
        if memory.given or memory.frame_index not in self:
            add(self, memory, prompted)

    wrap(patch, MemoryBank, "add", first)


@fault("clip: more prompted than selected")
def unselected_prompts_dropped(patch, model):
    def drop(select, self, *args):
        selection = select(self, *args)
        kept = (p for p in selection.spatial if p[1] == 0 or p[0].frame_index in self.recent)
        return replace(selection, spatial=tuple(kept))

    wrap(patch, MemoryBank, "select", drop)


@fault("clip: more prompted than selected")
def all_prompts_selected(patch, model):
    def every(select, self, *args):
        settings = replace(self.settings, max_prompted=None)
        return select(replace(self, settings=settings), *args)

    wrap(patch, MemoryBank, "select", every)


@fault("clip: more prompted than selected")
def pointers_of_all_prompts_seen(patch, model):
    """As transformers has it."""

    def every(select, self, frame_index, *args):
        selection = select(self, frame_index, *args)
        pointers = {d: m for m, d in selection.pointers}
        pointers |= {frame_index - i: m for i, m in self.prompted.items() if i <= frame_index}
        return replace(selection, pointers=tuple((m, d) for d, m in pointers.items()))

    wrap(patch, MemoryBank, "select", every)


@fault("clip: prompts ahead")
def pointers_of_the_future_seen_unsigned(patch, model):
    def both(select, self, frame_index, *args):
        selection = select(self, frame_index, *args)
        ahead = tuple((m, i - frame_index) for i, m in self.prompted.items() if i > frame_index)
        return replace(selection, pointers=selection.pointers + ahead)

    wrap(patch, MemoryBank, "select", both)


@fault("clip: points")
def pointers_left_out(patch, model):
    change_selection(patch, lambda s: replace(s, pointers=()))


@fault("clip: points")
def pointers_without_their_time(patch, model):
    model.pointer_time.weight.data.zero_()


@fault("clip: points")
def time_of_pointers_scaled_by_one_too_much(patch, model):
    change_selection(patch, lambda s: replace(s, pointer_scale=s.pointer_scale + 1))


@fault("clip: known short length")
def length_of_the_video_ignored(patch, model):
    def unknown(select, self, frame_index, reverse=False, num_frames=None):
        return select(self, frame_index, reverse)

    wrap(patch, MemoryBank, "select", unknown)


@fault("clip: backward")
def direction_ignored(patch, model):
    def forward(select, self, frame_index, reverse=False, num_frames=None):
        return select(self, frame_index, False, num_frames)

    wrap(patch, MemoryBank, "select", forward)


@fault("clip: five objects")
def memories_of_two_objects_swapped(patch, model):
    def turned(recall, self, embedding, selections=(), *kept):
        return recall(self, embedding, [*selections[1:], *selections[:1]], *kept)

    wrap(patch, Sam2, "recall", turned)


@fault("clip: points")
def rotary_positions_not_repeated(patch, model):
    def once(attend, self, x, folded, rope):
        layer, memory = folded.layer, folded.memory
        projected = [[replace(m, keys=m.keys.clone()) for m in row] for row in memory.projected]
        for row, tokens in zip(projected, memory.tokens, strict=True):
            for own, whole in zip(row[1:], tokens[1:], strict=True):
                own.keys[layer, 0] = F.linear(whole, self.k.weight)  # not turned
        other = replace(folded, memory=replace(memory, projected=projected))
        return attend(self, x, other, rope)

    wrap(patch, memory_attention.CrossAttention, "forward", once)


@pytest.fixture(scope="session")
def expected(newer):
    """What the reference answers to a case, and what wrong memories would change, kept."""

    @functools.cache
    def answer(case_name):
        case = CASES[case_name]
        if isinstance(case, ClipCase):
            run = newer.reference.track(case, newer.scene)
            return run.answers, run.memory_effect()
        return newer.reference.segment(case, newer.scene), None

    return answer


def distance_of(subject: Subject, case_name: str, expected, scene: Scene) -> Distance:
    case, (theirs, effects) = CASES[case_name], expected(case_name)
    if isinstance(case, ClipCase):
        return compare_clips(subject.track(case, scene), theirs, effects)
    return compare_images(subject.segment(case, scene), theirs)


@pytest.mark.parametrize("name", FAULTS)
def test_the_comparison_turns_red(newer, expected, monkeypatch, name):
    case_name, apply = FAULTS[name]
    own = {name: tensor.clone() for name, tensor in newer.state.items()}  # faults write into it
    subject = Subject(MINI, "2.1", own)
    apply(monkeypatch, subject.model)
    distance = distance_of(subject, case_name, expected, newer.scene)
    assert distance.logits > 10 * LOGITS_BOUND, f"{name} went unnoticed: {distance}"
    assert distance.failures != []


def test_memories_in_bfloat16_are_told_from_float32(newer, expected):
    """What rounding the memories changes is small, and still more than what is allowed."""
    subject = Subject(MINI, "2.1", newer.state, memory_dtype=torch.bfloat16)
    distance = distance_of(subject, "clip: five objects", expected, newer.scene)
    assert LOGITS_BOUND < distance.logits < 1e-2


def test_there_are_more_than_a_dozen_faults():
    assert len(FAULTS) >= 12
    assert {case.split(":")[0] for case, _ in FAULTS.values()} == {"image", "clip"}
