"""Where a session stands, and the steps that lead from one state to the next.

A state is never changed. Whatever a session does is made on a draft first and becomes a step; the
session then stands at the state after that step, by one assignment. So whatever interrupts it finds
the step done or not begun, and a step can be written to disk, taken back and made again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from panoptic.video.edits import Changes, Edits, inverse, plain_changes, read_changes
from panoptic.video.layer_store import LayerStore
from panoptic.video.session import VideoSession
from prompts import Vocabulary

StepKind = Literal["run", "do", "undo", "redo", "fill"]
Places = tuple[int | None, int]


@dataclass(frozen=True)
class Step:
    """One thing that was done.

    ``run`` labelled a frame (of ``shot``), ``do`` was an edit by hand, ``undo`` and ``redo`` took
    one back or made it again, ``fill`` went back through all frames. ``frames`` are those that
    changed, with the places of their records before and now. ``untold`` are the segments of which
    the tracker doesn't know yet, ``next_id`` is one that nobody had.
    """

    kind: StepKind
    name: str
    edits: Changes = field(default_factory=dict)
    frames: Mapping[int, Places] = field(default_factory=dict)
    untold: frozenset[int] = frozenset()
    next_id: int = 1
    shot: int | None = None

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return {
            **{"kind": self.kind, "name": self.name, "edits": plain_changes(self.edits)},
            "frames": [[index, *places] for index, places in self.frames.items()],
            **{"untold": sorted(self.untold), "next_id": self.next_id, "shot": self.shot},
        }

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> Step:
        """What ``plain`` made. Raises ``KeyError``, ``TypeError`` or ``ValueError``."""
        frames = {int(index): (before, int(now)) for index, before, now in content["frames"]}
        return cls(
            *(content["kind"], str(content["name"]), read_changes(content["edits"]), frames),
            *(frozenset(content["untold"]), int(content["next_id"]), content["shot"]),
        )


@dataclass(eq=False)
class Draft:
    """What a state is about to become; it may be thrown away."""

    edits: Edits
    recording: LayerStore
    next_id: int

    def new_id(self) -> int:
        id, self.next_id = self.next_id, self.next_id + 1
        return id


@dataclass(frozen=True, eq=False)
class SessionState:
    """Where a session stands. ``session`` has labelled what is recorded; ``filled`` frames were
    gone back through; ``version`` counts the steps."""

    session: VideoSession
    recording: LayerStore
    edits: Edits = field(default_factory=Edits)
    undo: tuple[Step, ...] = ()
    redo: tuple[Step, ...] = ()
    untold: frozenset[int] = frozenset()
    next_id: int = 1
    filled: int = 0
    version: int = 0

    def draft(self) -> Draft:
        return Draft(self.edits, self.recording.fork(), self.next_id)

    def step(self, kind: StepKind, name: str, draft: Draft, vocabulary: Vocabulary) -> Step:
        """The step that leads to a draft, with one segment for each stuff category."""
        edits = draft.edits.settled(vocabulary)
        changes = edits.changes_since(self.edits)
        old, new = self.recording.places, draft.recording.places
        frames: dict[int, Places] = {
            index: (before, now)
            for index, (before, now) in enumerate(zip(old, new, strict=False))
            if before != now
        }
        untold = self.untold | touched(changes) | self._moved(frames)
        return Step(kind, name, changes, frames, untold, draft.next_id)

    def step_back(self, vocabulary: Vocabulary) -> Step:
        """The step that takes the last edit back. ``IndexError`` if there is none."""
        return self._turned("undo", self.undo[-1], vocabulary)

    def step_again(self, vocabulary: Vocabulary) -> Step:
        """The step that makes again what was taken back. ``IndexError`` if there is nothing."""
        return self._turned("redo", self.redo[-1], vocabulary)

    def after(self, step: Step, session: VideoSession | None = None) -> SessionState:
        """The state that a step leads to; ``session`` is the one that labelled a frame."""
        recording = self.recording.fork()
        for index, (_, now) in sorted(step.frames.items()):
            recording.put(index, now, step.shot if index == len(recording) else None)
        undo, redo, filled = self.undo, self.redo, self.filled
        if step.kind == "do":
            undo, redo = (*undo, step), ()
        elif step.kind == "undo":
            undo, redo = undo[:-1], (*redo, step)
        elif step.kind == "redo":
            undo, redo = (*undo, step), redo[:-1]
        elif step.kind == "fill":  # frames that no edit made: there is no way back through them
            undo, redo, filled = (), (), len(recording)
        return replace(
            self,
            session=session or self.session,
            recording=recording,
            edits=self.edits.changed(step.edits),
            undo=undo,
            redo=redo,
            filled=filled,
            untold=step.untold,
            next_id=step.next_id,
            version=self.version + 1,
        )

    def _turned(self, kind: StepKind, step: Step, vocabulary: Vocabulary) -> Step:
        draft = self.draft()
        draft.edits = draft.edits.changed(inverse(step.edits))
        for index, (before, _) in step.frames.items():
            assert before is not None
            draft.recording.put(index, before)
        return self.step(kind, step.name, draft, vocabulary)

    def _moved(self, frames: Mapping[int, Places]) -> set[int]:
        """The segments whose masks changed in the latest frame."""
        latest = len(self.recording) - 1
        if latest not in frames:
            return set()
        file = self.recording.file
        old, new = (
            {la.id: la for la in file.read(place).layers.layers}
            for place in frames[latest]
            if place is not None
        )
        return {
            id
            for id in {**old, **new}
            if id not in old or id not in new or not np.array_equal(old[id].steps, new[id].steps)
        }


def touched(
    changes: Changes, names: Sequence[str] = ("categories", "removed", "joined")
) -> set[int]:
    """The segments that are there, or aren't, or are part of another, otherwise than before."""
    found: set[int] = set()
    for name in names:
        found.update(changes.get(name, {}))
    for change in changes.get("joined", {}).values():
        found.update(id for id in change if id is not None)
    return found
