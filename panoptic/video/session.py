"""VideoSession: panoptic video, one frame after the other, in constant memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from copy import copy, deepcopy
from typing import TYPE_CHECKING, Any

import numpy as np

from panoptic.io.frame_reader import FrameReader
from panoptic.results.frame import Event, PanopticFrame
from panoptic.results.segmentation import PanopticSegmentation
from panoptic.settings.video import VideoSettings
from panoptic.video.appearance import look_at
from panoptic.video.clock import Clock
from panoptic.video.cuts import CutDetector
from panoptic.video.detection_pass import DetectionPass
from panoptic.video.frame_maps import compose, layers_of, tracker_settings
from panoptic.video.identities import Roster
from panoptic.video.mask_layers import Layers
from panoptic.video.reidentification import sought
from panoptic.video.sight import false_alarms, given_up, note_visible
from panoptic.video.twins import lasting_twins
from panoptic.video.unshown import Unshown
from prompts import Category, Vocabulary

if TYPE_CHECKING:
    from panoptic.image_pipeline import ImagePipeline

STATE_VERSION = 6


class VideoSession:
    """Follows every segment of a stream of frames, things and stuff, by lasting ids.

    A step of it has three acts. *Follow*: the tracker brings every segment into the frame, and
    writes nothing to its memory. *Decide*: has another shot begun? then all is put aside. When it
    is time, the pipeline looks for the words, and what it finds is matched with what is followed:
    things and stuff are prompted anew, found again, or new. All masks become one id map. What
    wasn't seen for long is dropped. *Remember*: what was decided is what the tracker keeps.

    What is new stays out of the map until a second look finds it, unless it stands on nothing that
    is followed; :attr:`revealed` then has its masks since. (``HeldBack`` puts them into the frames
    that it still holds.)

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
        self._cuts = CutDetector(self.settings)
        self._clock = Clock()
        self._size: tuple[int, int] | None = None
        self.prompts: dict[int, np.ndarray] = {}
        """The masks, bool (H, W) by id, that segments were prompted with in the latest frame, where
        these aren't but those that were followed."""
        self.layers: Layers | None = None
        """The masks of all segments that are shown in the latest frame."""
        self._unshown = Unshown()

    @property
    def revealed(self) -> Mapping[int, Layers]:
        """The masks in earlier frames, by index, of what the latest frame confirmed."""
        return self._unshown.revealed

    @property
    def open_since(self) -> int:
        """The first frame that later ones may still add to, within ``settings.latency``."""
        return self._unshown.open_since

    def name_of(self, id: int) -> str:
        """The word of a segment that is followed."""
        return self.vocabulary.by_id(self.roster.live[id].category_id).name

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

        ``time`` is its time in seconds; without, it comes 1/25 s after the frame before.
        ``ValueError`` for a frame of another size than the first. A step that is interrupted or
        fails wasn't begun: the frame can be given again.
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
        other._cuts, other._clock = deepcopy(self._cuts), copy(self._clock)
        other._unshown = self._unshown.copy()
        return other

    def pass_over(self, image: np.ndarray, is_cut: bool, time: float | None = None) -> None:
        """Take the next frame, RGB uint8, which was labelled elsewhere; a shot begins with it if
        ``is_cut``. Nothing is followed into it."""
        ahead = self.fork()
        ahead._check_size((image.shape[0], image.shape[1]))
        ahead._clock.tick(time)
        ahead._cuts.step(image)
        if is_cut:
            ahead.roster.end_shot()
        ahead._keep_unshown(Layers(self.frame_index + 1, (image.shape[0], image.shape[1]), ()), [])
        at = {"index": self.frame_index + 1, "size": list(image.shape[:2]), "reverse": False}
        ahead.tracker.load_state({**at, "objects": []})
        self._become(ahead)

    def _become(self, other: VideoSession) -> None:
        # One assignment: whoever interrupts finds all of the old state, or all of the new one.
        self.__dict__ = other.__dict__

    def _step(self, rgb: np.ndarray, time: float | None) -> PanopticFrame:
        self._check_size((rgb.shape[0], rgb.shape[1]))
        self._clock.tick(time)
        events: list[Event] = []
        index, first = self.frame_index + 1, self.frame_index < 0
        self.tracker.follow(rgb)
        cut = self._cuts.step(rgb, self.tracker.overview()) and self.settings.cuts
        if cut:
            self.roster.end_shot()
            for id in self.tracker.object_ids:
                self.tracker.remove(id)
            events.append(Event("cut", None, f"shot {self.shot} begins"))
        self.prompts = {}
        waiting = {m.id for m in self.roster if not m.confirmed}
        masks = self._masks()
        if first or cut or self._is_time_to_detect():
            self._detect(rgb, masks, index, events)
            masks = self._masks()
        shown, unshown = self._parted(masks)
        self.layers = shown
        result = self._compose(shown, rgb)
        ids, elapsed = {segment.id for segment in result}, self._clock.elapsed
        events += note_visible(self.roster, ids, index, elapsed, self.name_of)
        self._keep_unshown(unshown, waiting)
        self._give_up(index, events)
        self.tracker.remember()
        return PanopticFrame(index, rgb, result, tuple(events), time)

    def state(self) -> dict[str, Any]:
        """All that going on needs: nested dictionaries and lists of plain values and CPU tensors,
        for ``torch.save`` and ``torch.load(..., weights_only=True)``, of bounded size."""
        return {
            "version": STATE_VERSION,
            "words": [[c.id, c.name, c.is_thing] for c in self.vocabulary],
            "size": None if self._size is None else list(self._size),
            "clock": self._clock.state(),
            "unshown": self._unshown.state(),
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
        session._clock.load_state(state["clock"])
        session._unshown = Unshown.from_state(state["unshown"])
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
        looks = s.discovery or s.correction or s.reanchor
        return looks and self._clock.is_due(s.detect_every)

    def _detect(self, image: np.ndarray, masks: Layers, index: int, events: list[Event]) -> None:
        """Look for the words, and prompt the tracker with what is new, found again or wrong."""
        tracked, waited = self._compose(masks, image), self._clock.since_look
        self._clock.look()
        found = self.pipeline.segment(image, self.vocabulary)
        detected = DetectionPass(self.roster, self.vocabulary, self.settings, index, waited)
        looks = look_at(self.tracker, found, sought(self.roster, tracked))
        detected.compare(tracked, found, looks)
        events += detected.events
        for id in detected.dropped:
            self.put_aside(id)
        for id in detected.anew & set(self.tracker.object_ids):
            self.tracker.remove(id)
        self._prompt(detected.prompts, tracked, detected.refreshed)
        same = lasting_twins(masks, self.roster, detected.shown, waited, self.settings)
        for id, elder in same.items():
            events.append(Event("retired", id, f"the same as {elder}"))
            self.drop(id)

    def _prompt(
        self, masks: dict[int, np.ndarray], tracked: PanopticSegmentation, refreshed: set[int]
    ) -> None:
        """Prompt the tracker; stuff leaves out the things that stand before it."""
        if not masks:
            return
        before = [m.id for m in self.roster if m.is_thing and m.id not in masks and m.visible]
        things = np.isin(tracked.ids, before)
        for id, mask in masks.items():
            if not self.roster.live[id].is_thing and (mask & ~things).any():
                masks[id] = mask & ~things
        self.tracker.prompt_masks(list(masks), np.stack(list(masks.values())))
        self.prompts = {id: mask for id, mask in masks.items() if id not in refreshed}

    # -- every frame ------------------------------------------------------------------------

    def _masks(self) -> Layers:
        """All masks that the tracker has for the frame at hand."""
        return layers_of(self.tracker.current(), self.roster, self.settings, self.pipeline)

    def _parted(self, masks: Layers) -> tuple[Layers, Layers]:
        """Those that are shown, and those of what isn't confirmed."""
        waiting = [m.id for m in self.roster if not m.confirmed]
        return masks.without(waiting), masks.without([id for id in masks.ids if id not in waiting])

    def _compose(self, masks: Layers, image: np.ndarray) -> PanopticSegmentation:
        return compose(masks, self.vocabulary, self.settings, self.pipeline, image)

    def _keep_unshown(self, masks: Layers, waiting: Collection[int]) -> None:
        """Keep the masks that aren't shown yet; of those that were ``waiting``, who isn't any more
        is shown."""
        confirmed = [m for m in self.roster if m.id in waiting and m.confirmed]
        self._unshown.step(masks, confirmed, self._clock.elapsed, self.settings.latency)

    def _give_up(self, index: int, events: list[Event]) -> None:
        """Drop false alarms, what wasn't seen for long, and what is too much."""
        for member in false_alarms(self.roster, index, self._clock.elapsed, self.settings):
            self.drop(member.id)
        if not self.settings.retirement:
            return
        for member, reason in list(given_up(self.roster, self.settings)):
            if member.confirmed:
                events.append(Event("retired", member.id, reason))
                self.put_aside(member.id)
            else:
                self.drop(member.id)

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
