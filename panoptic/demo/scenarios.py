"""The scenarios of the demo clips by name. Each keeps its promise by construction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from panoptic.demo import story_camera, story_long, story_things
from panoptic.demo.motion import Shot
from panoptic.demo.stage import Stage

Scenario = Callable[[Stage], list[Shot]]

SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {
        "move": story_things.move,
        "turn-and-grow": story_things.turn_and_grow,
        "behind-thing": story_things.behind_thing,
        "behind-stuff": story_things.behind_stuff,
        "leave-and-return": story_things.leave_and_return,
        "lookalikes-cross": story_things.lookalikes_cross,
        "pan": story_camera.pan,
        "zoom": story_camera.zoom,
        "flow": story_camera.flow,
        "shake": story_camera.shake,
        "light": story_camera.light_change,
        "cut": story_camera.cut,
        "cut-back": story_camera.cut_back,
        "late-entry": story_things.late_entry,
        "medley": story_camera.medley,
    }
)

LONG_SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {"road-returns": story_long.road_returns, "procession": story_long.procession}
)
"""What takes more frames to tell: 100 or more, and 400."""
