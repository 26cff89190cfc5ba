"""The ways of labelling a clip by hand that ``benchmarks.clicks`` compares, on the same models."""

from __future__ import annotations

from collections import Counter

import numpy as np
from scipy.optimize import linear_sum_assignment

from benchmarks.lib.annotator import overlap
from panoptic.demo.clips import Clip
from panoptic.pipeline import PanopticPipeline
from panoptic.results.segmentation import PanopticSegmentation
from panoptic.video.file_session import FileSession
from panoptic.video.frame_maps import compose
from panoptic.video.given_labels import GivenLabels
from panoptic.video.mask_layers import Layer, Layers, to_steps
from prompts import Vocabulary
from sam2core import ImageSegmenter, VideoTracker

MOST_CLICKS = 24
"""Of a segment: three clicks in eight frames, as in the paper. Frame by frame it is as many as
there are frames, three in each."""
BOX = 2
"""Clicks that a box takes, at two of its corners."""
SAME = 0.1
"""Least IoU, over all frames, at which a segment that was found is one of the truth."""


class Drawn:
    """Masks by frame and true id, put together as a session does."""

    most_clicks: int | None = MOST_CLICKS

    def __init__(self, pipeline: PanopticPipeline, clip: Clip, words: Vocabulary) -> None:
        assert isinstance(pipeline.segmenter, ImageSegmenter)
        self.pipeline, self.clip, self.words = pipeline, clip, words
        self.segmenter = pipeline.segmenter
        self.clicks: Counter[int] = Counter()
        self.layers: dict[int, dict[int, Layer]] = {t: {} for t in range(len(clip.frames))}
        self._points: dict[tuple[int, int], list[tuple[tuple[int, int], bool]]] = {}
        self._logits: dict[tuple[int, int], np.ndarray] = {}
        self._settings = pipeline.video_session(words).settings

    def begin(self, frame: int, id: int) -> None:
        """By clicks."""

    def shown(self, frame: int) -> np.ndarray:
        layers = Layers(frame, self.clip.frames.shape[1:3], ())
        layers = layers.with_layers(list(self.layers[frame].values()))
        return compose(layers, self.words, self._settings, self.pipeline).ids

    def click(self, frame: int, id: int, point: tuple[int, int], positive: bool) -> None:
        """All clicks on a segment in a frame, with the mask that it has, to the image segmenter."""
        given = self._points.setdefault((frame, id), [])
        given.append((point, positive))
        earlier = self._logits.get((frame, id))
        answer = self.segmenter.segment(
            points=np.array([[point for point, _ in given]], float),
            labels=np.array([[int(positive) for _, positive in given]]),
            mask_logits=earlier,
            multimask=earlier is None and len(given) == 1,
            image=self.segmenter.encode(self.clip.frames[frame]),
        ).best()
        self.put(frame, id, answer.logits[0, 0].cpu().numpy())

    def propagate(self) -> None:
        """There is nothing to bring anywhere."""

    def put(self, frame: int, id: int, logits: np.ndarray) -> None:
        category = self.words.by_name(self.clip.tracks[id].name)
        self.layers[frame][id] = Layer(id, category.id, 1.0, 1.0, to_steps(logits))
        self._logits[frame, id] = np.clip(logits, -32, 32)[None]


class FrameByFrame(Drawn):
    """Every frame is labelled for itself, with the image segmenter."""

    most_clicks = None


class Restarted(Drawn):
    """Clicks with the image segmenter; from the first frame of a segment, and from each that was
    corrected since, a tracker that knows this one mask goes on up to the next."""

    def __init__(self, pipeline: PanopticPipeline, clip: Clip, words: Vocabulary) -> None:
        super().__init__(pipeline, clip, words)
        self._given: dict[int, set[int]] = {}
        self._new: set[tuple[int, int]] = set()

    def click(self, frame: int, id: int, point: tuple[int, int], positive: bool) -> None:
        super().click(frame, id, point, positive)
        self._given.setdefault(id, set()).add(frame)
        self._new.add((frame, id))

    def propagate(self) -> None:
        for frame, id in sorted(self._new):
            stop = min((t for t in self._given[id] if t > frame), default=len(self.clip.frames))
            tracker = VideoTracker(self.segmenter.model, self.clip.frames)
            layer = self.layers[frame][id]
            mask = layer.resized(*self.clip.frames.shape[1:3]) > 0
            tracker.prompt_masks([id], mask[None], frame)
            for answer in tracker.propagate(frame, stop):
                if answer.frame_index != frame:
                    self.put(answer.frame_index, id, answer.logits[0].cpu().numpy())
        self._new = set()


class Session:
    """Our session of a video: words find what they find, and what isn't right is clicked. What
    wasn't found is boxed; what was found twice is joined, and what isn't there is removed, with a
    click for each. Without ``words_first`` all is boxed."""

    most_clicks = MOST_CLICKS

    def __init__(
        self, pipeline: PanopticPipeline, clip: Clip, words: Vocabulary, words_first: bool = True
    ) -> None:
        self.clip = clip
        self.clicks: Counter[int] = Counter()
        if words_first:
            self.session = pipeline.open_video(clip.frames, words)
            for _ in self.session.run(progress=False):
                pass
        else:
            nothing = PanopticSegmentation.from_ids(np.zeros(clip.frames.shape[1:3], np.int32), [])
            given = GivenLabels(words, len(clip.frames), lambda index: nothing)
            self.session = FileSession.of_labels(pipeline, given, clip.frames)
        self._ids = self._tidy() if words_first else {}
        self._true = {ours: id for id, ours in self._ids.items()}

    def begin(self, frame: int, id: int) -> None:
        if id not in self._ids:
            box, name = self.clip.truth[frame].segment(id).box, self.clip.tracks[id].name
            before = set(self.session.segments)
            self.session.add_box(frame, box, name)
            (self._ids[id],) = set(self.session.segments) - before or {self._owner(name)}
            self._true[self._ids[id]] = id
            self.clicks[id] += BOX

    def shown(self, frame: int) -> np.ndarray:
        ids = self.session.frame(frame).segmentation.ids
        shown = np.zeros_like(ids)
        for ours, id in self._true.items():
            shown[ids == ours] = id
        return shown

    def click(self, frame: int, id: int, point: tuple[int, int], positive: bool) -> None:
        self.session.click(frame, self._ids[id], point, positive)

    def propagate(self) -> None:
        self.session.propagate(progress=False)

    def _owner(self, name: str) -> int:
        return next(id for id, category in self.session.segments.items() if category.name == name)

    def _tidy(self) -> dict[int, int]:
        """By true id the segment that is it, once the others are joined to these or removed."""
        truth = np.stack([t.ids for t in self.clip.truth])
        found = np.stack([f.segmentation.ids for f in self.session.frames()])
        names = {id: category.name for id, category in self.session.segments.items()}
        ours = [id for id in names if (found == id).any()]
        true = list(self.clip.tracks)
        ious = np.zeros((len(ours), len(true)))
        for i, one in enumerate(ours):
            for j, other in enumerate(true):
                if names[one] == self.clip.tracks[other].name:
                    ious[i, j] = overlap(found == one, truth == other)
        pairs = zip(*linear_sum_assignment(-ious), strict=True)
        matched = {true[j]: ours[i] for i, j in pairs if ious[i, j] >= SAME}
        for i, one in enumerate(ours):
            if one in matched.values():
                continue
            j = int(ious[i].argmax())
            inside = ((found == one) & (truth == true[j])).sum() / (found == one).sum()
            if ious[i, j] > 0 and inside > 0.5 and true[j] in matched:
                self.session.join(one, matched[true[j]])
            else:
                self.session.remove(one)
            self.clicks[_most_on(truth, found == one)] += 1
        return matched


def _most_on(truth: np.ndarray, mask: np.ndarray) -> int:
    """The true id that most of a mask is on."""
    return int(np.bincount(truth[mask]).argmax())


OURS, BOXED = "our session", "our session, nothing found by words"
FRAMES, RESTARTED = "frame by frame", "propagation restarted"
WAYS = (OURS, BOXED, FRAMES, RESTARTED)


def way(name: str, pipeline: PanopticPipeline, clip: Clip, words: Vocabulary) -> Session | Drawn:
    """One of ``WAYS``, that hasn't begun but for what words find."""
    if name in (OURS, BOXED):
        return Session(pipeline, clip, words, words_first=name == OURS)
    return (FrameByFrame if name == FRAMES else Restarted)(pipeline, clip, words)
