"""The one state that a label is in, and what leads from one to another.

A person's events are verdicts; the others are what a run finds. docs/labels.md draws them. What
isn't in the table can't happen, and ``after`` says why.
"""

from __future__ import annotations

from typing import Literal, get_args

from panoptic.errors import DatasetError
from panoptic.results.labelled import Verdict

State = Literal["waiting", "broken", "gone", "labelled", "accepted", "rejected", "corrected"]
"""waiting: not looked at yet. broken: it could not be labelled. gone: it never was labelled, and
the source lists it no longer. The others have a label: labelled is the models' that nobody judged,
accepted and rejected are judged, and in corrected a person's stands in its place."""

Event = Literal[
    "accept", "reject", "correct", "forget",
    "label", "relabel", "replace", "fail", "vanish", "appear",
]  # fmt: skip
"""accept, reject, correct, forget: verdicts of a person; forget takes one back.
label: the models' label is made, for the first time or again as it was (its files were lost).
relabel: it is made with other words, models or settings.
replace: it is made of another picture, or of what corrected frames don't fit.
fail: the item can't be read or labelled. vanish: the source lists it no longer. appear: it does
again."""

STATES: tuple[State, ...] = get_args(State)
EVENTS: tuple[Event, ...] = get_args(Event)
VERDICT_EVENTS: dict[Verdict | None, Event] = {
    "accept": "accept",
    "reject": "reject",
    "corrected": "correct",
    None: "forget",
}
"""The event of each verdict that a person gives."""

_STORED: dict[State, tuple[str, Verdict | None]] = {
    "waiting": ("waiting", None),
    "broken": ("failed", None),
    "gone": ("gone", None),
    "labelled": ("done", None),
    "accepted": ("done", "accept"),
    "rejected": ("done", "reject"),
    "corrected": ("done", "corrected"),
}

_WITHOUT_LABEL: dict[Event, State] = {
    **{"label": "labelled", "relabel": "labelled", "replace": "labelled"},
    **{"fail": "broken", "vanish": "gone"},
}
# A label that is there outlasts a picture that is broken or gone for now.
_WITH_LABEL: dict[Event, State] = {
    **{"accept": "accepted", "reject": "rejected", "correct": "corrected", "forget": "labelled"},
    "replace": "labelled",
}
_TABLE: dict[State, dict[Event, State]] = {
    "waiting": {**_WITHOUT_LABEL, "appear": "waiting"},
    "broken": {**_WITHOUT_LABEL, "appear": "broken"},
    "gone": {**_WITHOUT_LABEL, "appear": "waiting"},
    "labelled": {
        **_WITH_LABEL,
        **{"label": "labelled", "relabel": "labelled"},
        **{"fail": "labelled", "vanish": "labelled", "appear": "labelled"},
    },
    "accepted": {
        **_WITH_LABEL,
        # What was accepted is only made with other words once its own files are lost.
        **{"label": "accepted", "relabel": "labelled"},
        **{"fail": "accepted", "vanish": "accepted", "appear": "accepted"},
    },
    "rejected": {
        **_WITH_LABEL,
        **{"label": "rejected", "relabel": "rejected"},
        **{"fail": "rejected", "vanish": "rejected", "appear": "rejected"},
    },
    "corrected": {
        **_WITH_LABEL,
        "accept": "corrected",  # what stands there is right, and that is the correction
        **{"label": "corrected", "relabel": "corrected"},
        **{"fail": "corrected", "vanish": "corrected", "appear": "corrected"},
    },
}


def after(state: State, event: Event) -> State:
    """The state that an event leads to; ``DatasetError`` where it can't happen."""
    try:
        return _TABLE[state][event]
    except KeyError:
        raise DatasetError(
            f"a label that is {state} can't get the verdict {event!r}: there is no label yet"
        ) from None


def state_of(stored: str, verdict: Verdict | None) -> State:
    """The state of a row of the manifest."""
    for state, row in _STORED.items():
        if row == (stored, verdict):
            return state
    raise DatasetError(f"the manifest has an item that is {stored!r} with the verdict {verdict!r}")


def stored_as(state: State) -> tuple[str, Verdict | None]:
    """How the manifest has a state: what became of the item, and the verdict."""
    return _STORED[state]


def has_verdict(state: State) -> bool:
    """Whether a person's verdict on the label stands."""
    return _STORED[state][1] is not None
