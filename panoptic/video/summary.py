"""What a video came to, counted as its frames come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from panoptic.results.frame import PanopticFrame


class Summary:
    """What a video came to, counted frame by frame; numbers and lists, to be saved and restored."""

    def __init__(self, content: Mapping[str, Any] | None = None) -> None:
        start = {"frames": 0, "height": 0, "width": 0, "cuts": [], "unlabelled": 0.0}
        self.content: dict[str, Any] = {**start, "things": [], "stuff": [], **(content or {})}

    @property
    def frames(self) -> int:
        return int(self.content["frames"])

    def add(self, frame: PanopticFrame) -> None:
        result, content = frame.segmentation, self.content
        content["frames"] += 1
        content["height"], content["width"] = result.height, result.width
        content["unlabelled"] += float((result.ids == 0).mean())
        if frame.is_cut:
            content["cuts"] = [*content["cuts"], frame.index]
        for kind, segments in (("things", result.things), ("stuff", result.stuff)):
            new = {s.id for s in segments} - set(content[kind])
            content[kind] = [*content[kind], *sorted(new)]
