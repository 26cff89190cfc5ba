"""Labels of a video's frames that are at hand, as a session keeps them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from panoptic.results.frame import Event
from panoptic.results.segmentation import PanopticSegmentation
from panoptic.settings.video import VideoSettings
from panoptic.video.cuts import CutDetector
from panoptic.video.layer_store import StoredFrame
from panoptic.video.mask_layers import Layer, Layers
from prompts import Vocabulary
from sam2core import FrameSource


@dataclass(frozen=True)
class GivenLabels:
    """Labels of the first ``count`` frames; ``load`` gives that of a frame, with ids that last.

    Nothing else is known of them: a segment is taken to be prompted where it is first seen, and
    shots begin where the frames say so.
    """

    vocabulary: Vocabulary
    count: int
    load: Callable[[int], PanopticSegmentation]
    settings: VideoSettings = field(default_factory=VideoSettings)
    _cuts: set[int] = field(default_factory=set)

    def __len__(self) -> int:
        return self.count

    def is_cut(self, index: int) -> bool:
        """Whether a shot begins with a frame that ``records`` has given."""
        return index in self._cuts

    def records(self, source: FrameSource) -> Iterator[tuple[StoredFrame, np.ndarray]]:
        """The frames with their pictures. ``ValueError`` where sizes differ."""
        detector, shot, known = CutDetector(self.settings), 0, set[int]()
        for index, image in source.frames(0, self.count):
            label = self.load(index)
            if label.ids.shape != image.shape[:2]:
                raise ValueError(
                    f"frame {index} is {image.shape[:2]} (height, width), its label "
                    f"{label.ids.shape}: these are labels of another clip"
                )
            events: tuple[Event, ...] = ()
            if detector.step(image) and self.settings.cuts:
                shot, known = shot + 1, set()
                self._cuts.add(index)
                events = (Event("cut", None, f"shot {shot} begins"),)
            layers = [
                Layer.of_mask(
                    *(s.id, s.category_id, s.score),
                    1.0 if s.quality is None else s.quality,
                    label.mask(s.id),
                )
                for s in label
                if not s.is_unknown
            ]
            prompts = {s.id: label.mask(s.id) for s in label if s.id not in known}
            known |= {s.id for s in label}
            record = Layers(index, label.ids.shape, ()).with_layers(layers)  # type: ignore[arg-type]
            yield StoredFrame(record, shot, events, None, prompts), image
