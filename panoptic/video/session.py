"""VideoSession: panoptic video, one frame after the other, in constant memory."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy, deepcopy
from typing import TYPE_CHECKING, Any

import numpy as np

from panoptic.io.frame_reader import FrameReader
from panoptic.results.frame import Event, EventKind, PanopticFrame
from panoptic.results.segmentation import PanopticSegmentation
from panoptic.settings.video import VideoSettings
from panoptic.video.cuts import CutDetector
from panoptic.video.detection_pass import DetectionPass
from panoptic.video.identities import Roster
from panoptic.video.mask_layers import Layer, Layers, to_steps
from prompts import Category, Vocabulary
from sam2core import BankSettings, TrackerSettings

if TYPE_CHECKING:
    from panoptic.image_pipeline import ImagePipeline

STATE_VERSION = 3


class VideoSession:
    """Follows every segment of a stream of frames, things and stuff, by lasting ids.

    A step of it: has another shot begun? then all is put aside. The tracker brings every segment
    into the frame. When it is time, the pipeline looks for the words, and what it finds is matched
    with what is followed: things and stuff are prompted anew, found again, or new. All masks
    become one id map. What wasn't seen for long is dropped.

    ``settings`` are by default those that the pipeline has for videos.

    ``session.state()`` is all there is to go on from (:meth:`restore`), to the same bytes.
    """

    def __init__(
        self,
        pipeline: ImagePipeline,
        vocabulary: Vocabulary,
        settings: VideoSettings | None = None,
    ) -> None:
        if not isinstance(vocabulary, Vocabulary) or not len(vocabulary):
            raise ValueError(
                "expected a Vocabulary with at least one word; "
                'Vocabulary.parse("car, person; road, sky") makes one of text'
            )
        self.pipeline = pipeline
        self.vocabulary = vocabulary
        self.settings = settings or pipeline.settings.video
        self.roster = Roster(self.settings.max_remembered)
        self.tracker = pipeline.segmenter.tracker(tracker_settings(self.settings))
        self._read = FrameReader(pipeline.settings.pictures)
        self._cuts = CutDetector(self.settings.cut_distance, self.settings.cut_ratio)
        self._since_detection = 0
        self._unlabelled = 1.0
        self._size: tuple[int, int] | None = None
        self.prompts: dict[int, np.ndarray] = {}
        """The masks, bool (H, W) by id, that segments were prompted with in the latest frame."""
        self.layers: Layers | None = None
        """The masks of all segments in the latest frame."""

    @property
    def frame_index(self) -> int:
        """Index of the latest frame; -1 before the first."""
        return self.tracker.frame_index

    @property
    def shot(self) -> int:
        """Number of the shot at hand, from 0."""
        return self.roster.shot

    def step(self, image: Any, time: float | None = None) -> PanopticFrame:
        """Label the next frame: an RGB uint8 array (H, W, 3), or what ``load_image`` reads.

        ``time`` is its time in seconds, if known. ``ValueError`` for a frame of another size than
        the first. A step that is interrupted or fails wasn't begun: the frame can be given again.
        """
        ahead = self.fork()
        frame = ahead._step(self._read(image), time)
        self._become(ahead)
        return frame

    def fork(self) -> VideoSession:
        """Another session that stands where this one does: going on with one leaves the other as
        it is. It costs next to nothing."""
        other = copy(self)
        other.roster, other.tracker = self.roster.copy(), self.tracker.copy()
        other._cuts = deepcopy(self._cuts)
        return other

    def pass_over(self, image: np.ndarray, is_cut: bool) -> None:
        """Take the next frame, RGB uint8, which was labelled elsewhere; a shot begins with it if
        ``is_cut``. Nothing is followed into it."""
        ahead = self.fork()
        ahead._check_size((image.shape[0], image.shape[1]))
        before = ahead._cuts.last
        ahead._cuts.step(image)
        if is_cut and before is not None:
            ahead.roster.end_shot(before)
        at = {"index": self.frame_index + 1, "size": list(image.shape[:2]), "reverse": False}
        ahead.tracker.load_state({**at, "objects": []})
        self._become(ahead)

    def _become(self, other: VideoSession) -> None:
        # One assignment: whoever interrupts finds all of the old state, or all of the new one.
        self.__dict__ = other.__dict__

    def _step(self, rgb: np.ndarray, time: float | None) -> PanopticFrame:
        self._check_size((rgb.shape[0], rgb.shape[1]))
        events: list[Event] = []
        index, first = self.frame_index + 1, self.frame_index < 0
        before = self._cuts.last
        cut = self._cuts.step(rgb) and self.settings.cuts
        if cut and before is not None:
            self.roster.end_shot(before)
            for id in self.tracker.object_ids:
                self.tracker.remove(id)
            events.append(Event("cut", None, f"shot {self.shot} begins"))
        self.tracker.step(rgb)
        self.prompts = {}
        result = self._compose(rgb)
        self._since_detection += 1
        if first or cut or self._is_time_to_detect():
            self._detect(rgb, result, index, events)
            result = self._compose(rgb)
        self._note_visible(result, index, events)
        if self.settings.retirement:
            self._retire(index, events)
        self._unlabelled = float((result.ids == 0).mean())
        return PanopticFrame(index, rgb, result, tuple(events), time)

    def state(self) -> dict[str, Any]:
        """All that going on needs: nested dictionaries and lists of plain values and CPU tensors,
        for ``torch.save`` and ``torch.load(..., weights_only=True)``, of bounded size."""
        return {
            "version": STATE_VERSION,
            "words": [[c.id, c.name, c.is_thing] for c in self.vocabulary],
            "size": None if self._size is None else list(self._size),
            "since_detection": self._since_detection,
            "unlabelled": self._unlabelled,
            "tracker": self.tracker.state(),
            "cuts": self._cuts.state(),
            "roster": self.roster.state(),
        }

    @classmethod
    def restore(
        cls,
        pipeline: ImagePipeline,
        vocabulary: Vocabulary,
        settings: VideoSettings | None,
        state: Mapping[str, Any],
    ) -> VideoSession:
        """A session that goes on where :meth:`state` was taken.

        With the same models, words and settings, its frames are those of a session that never
        stopped. ``ValueError`` for a state of other words or of another version.
        """
        session = cls(pipeline, vocabulary, settings)
        if state.get("version") != STATE_VERSION:
            raise ValueError(
                f"the state is of version {state.get('version')!r}, this is version "
                f"{STATE_VERSION}: begin the video anew"
            )
        words = [[c.id, c.name, c.is_thing] for c in vocabulary]
        if [list(word) for word in state["words"]] != words:
            raise ValueError(
                f"the state is of a session with the words {[w[1] for w in state['words']]}, "
                f"asked are {[w[1] for w in words]}: go on with the same words"
            )
        size = state["size"]
        session._size = None if size is None else (int(size[0]), int(size[1]))
        session._since_detection = int(state["since_detection"])
        session._unlabelled = float(state["unlabelled"])
        session.tracker.load_state(state["tracker"])
        session._cuts.load_state(state["cuts"])
        session.roster.load_state(state["roster"])
        return session

    def set_category(self, id: int, category: Category) -> int:
        """From now on a segment is of this category, whatever it is detected as; returns its id.

        There is one segment of a stuff category: what becomes stuff that is in sight already is
        joined with it, and what becomes stuff that was seen before goes by the id of that.
        ``PromptError`` if it is in sight and the frame isn't at hand (after :meth:`restore`, until
        the next step).
        """
        if id not in self.roster:
            return id
        ahead = self.fork()
        known = None if category.is_thing else ahead.roster.stuff.get(category.id)
        if known is not None and known != id and known in ahead.roster.live:
            ahead._join(id, known)
        elif known is not None and known != id:
            if id in ahead.tracker.object_ids:
                ahead.tracker.renumber(id, known)
            ahead.roster.renumber(id, known)
        else:
            known = id
        ahead.roster.set_category(known, category)
        self._become(ahead)
        return known

    def forget(self, id: int) -> None:
        """Don't follow a segment any more, nor recognise it. Stuff that is detected again is a
        new segment, too."""
        ahead = self.fork()
        ahead.drop(id)
        self._become(ahead)

    def drop(self, id: int) -> None:
        """On a fork what :meth:`forget` does."""
        if id in self.tracker.object_ids:
            self.tracker.remove(id)
        self.roster.forget(id)

    def _join(self, id: int, other: int) -> None:
        """Put a segment's mask to that of another one, which is followed, and forget it."""
        if id in self.tracker.object_ids:
            answer = self.tracker.current()
            self.tracker.prompt_masks([other], (answer.mask(id) | answer.mask(other))[None])
        self.drop(id)

    # -- a pass of the detectors ------------------------------------------------------------

    def _is_time_to_detect(self) -> bool:
        s = self.settings
        if not (s.discovery or s.correction or s.reanchor):
            return False
        gaps = s.discovery and self._unlabelled > s.max_unlabelled
        return self._since_detection >= (
            min(s.detect_gap, s.detect_every) if gaps else s.detect_every
        )

    def _detect(
        self, image: np.ndarray, tracked: PanopticSegmentation, index: int, events: list[Event]
    ) -> None:
        """Look for the words, and prompt the tracker with what is new, found again or wrong."""
        self._since_detection = 0
        found = self.pipeline.segment(image, self.vocabulary)
        detected = DetectionPass(self.roster, self.vocabulary, self.settings, index)
        detected.compare(image, tracked, found, self._cuts.last)
        events += detected.events
        for id in detected.dropped:
            self.put_aside(id)
        for id in detected.anew & set(self.tracker.object_ids):
            self.tracker.remove(id)
        self._prompt(detected.prompts, tracked)

    def _prompt(self, masks: dict[int, np.ndarray], tracked: PanopticSegmentation) -> None:
        """Prompt the tracker; stuff leaves out the things that stand before it."""
        if not masks:
            return
        before = [m.id for m in self.roster if m.is_thing and m.id not in masks and m.visible]
        things = np.isin(tracked.ids, before)
        for id, mask in masks.items():
            if not self.roster.live[id].is_thing and (mask & ~things).any():
                masks[id] = mask & ~things
        self.tracker.prompt_masks(list(masks), np.stack(list(masks.values())))
        self.prompts = masks

    # -- every frame ------------------------------------------------------------------------

    def _compose(self, image: np.ndarray) -> PanopticSegmentation:
        """One map of all masks that the tracker has for the frame at hand."""
        answer = self.tracker.current()
        logits = to_steps(answer.logits.cpu().numpy())
        layers = []
        for id, steps, iou in zip(answer.object_ids, logits, answer.iou.tolist(), strict=True):
            member = self.roster.live[id]
            layers.append(Layer(id, member.category_id, member.score, iou, steps))
        size = (image.shape[0], image.shape[1])
        self.layers = Layers(answer.frame_index, size, ()).with_layers(layers)
        return compose(self.layers, self.vocabulary, self.settings, self.pipeline, image)

    def _note_visible(self, result: PanopticSegmentation, index: int, events: list[Event]) -> None:
        """Who came into sight, and who went out of it."""
        shown = {s.id for s in result}
        for member in self.roster:
            name = self.vocabulary.by_id(member.category_id).name
            if member.id in shown:
                if not member.visible:
                    kind: EventKind = "new" if member.sightings == 0 else "returned"
                    events.append(Event(kind, member.id, name))
                    member.sightings += 1
                member.last_seen, member.shot = index, self.shot
            elif member.visible:
                events.append(Event("lost", member.id, name))
            member.visible = member.id in shown

    def _retire(self, index: int, events: list[Event]) -> None:
        """Drop what wasn't seen for long, and what is too much: the longest unseen, then the
        youngest, things before stuff."""
        s = self.settings
        for member in [m for m in self.roster if index - m.last_seen > s.retire_after]:
            events.append(Event("retired", member.id, f"not seen for {s.retire_after} frames"))
            self.put_aside(member.id)
        surplus = len(self.roster.live) - s.max_objects
        if surplus > 0:
            order = sorted(self.roster, key=lambda m: (m.last_seen, not m.is_thing, -m.born, -m.id))
            for member in order[:surplus]:
                events.append(Event("retired", member.id, f"more than {s.max_objects} segments"))
                self.put_aside(member.id)

    def put_aside(self, id: int) -> None:
        """On a fork: don't follow a segment, which may be recognised later."""
        self.roster.shelve(id)
        if id in self.tracker.object_ids:
            self.tracker.remove(id)

    def _check_size(self, size: tuple[int, int]) -> None:
        if self._size is None:
            self._size = size
        elif size != self._size:
            raise ValueError(
                f"frame {self.frame_index + 1} is {size} (height, width), the frames before are "
                f"{self._size}: all frames of a session must be of one size"
            )


def tracker_settings(settings: VideoSettings) -> TrackerSettings:
    """How the tracker keeps memories: bounded, and what was corrected like what was prompted."""
    bank = BankSettings(keep_prompted=settings.keep_prompts)
    return TrackerSettings(bank=bank, corrections_are_prompts=True)


def compose(
    layers: Layers,
    vocabulary: Vocabulary,
    settings: VideoSettings,
    pipeline: ImagePipeline,
    image: np.ndarray | None = None,
) -> PanopticSegmentation:
    """The map of a frame, as all of panoptic video makes it."""
    return layers.compose(
        {c.id: c for c in vocabulary},
        settings.stuff_logit,
        settings.min_area,
        pipeline.settings.merge,
        image,
    )
