"""FileSession: a video whose frames can be gone back to, and corrected by hand."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from panoptic.errors import OutputError
from panoptic.formats.video_formats import DEFAULT_FORMATS
from panoptic.io import progress as progress_bars
from panoptic.io.clips import VideoInput
from panoptic.io.progress import Progress
from panoptic.results.frame import PanopticFrame
from panoptic.settings.video import VideoSettings
from panoptic.video.fill_backward import fill_backward
from panoptic.video.frame_maps import compose, tracker_settings
from panoptic.video.frame_views import CorrectedFrames, LabelledAsAsked
from panoptic.video.given_labels import GivenLabels
from panoptic.video.hindsight import put_back
from panoptic.video.kept_session import KeptSession
from panoptic.video.layer_store import StoredFrame
from panoptic.video.session import VideoSession
from panoptic.video.session_state import touched
from panoptic.video.shown_frames import as_made, shown
from panoptic.video.tell_tracker import tell
from panoptic.video.write_session import write_session
from panoptic.video.written_labels import WrittenLabels
from prompts import Category, Vocabulary
from sam2core.arrays import as_id

if TYPE_CHECKING:
    from panoptic.image_pipeline import ImagePipeline

TRACKER_EVERY = 50
"""Frames after which the tracker is written to disk: what a kill costs at most."""


class FileSession(KeptSession):
    """A video file, a folder or an array of frames, labelled and open to corrections.

    :meth:`run` labels it. Afterwards, or in between, :meth:`click`, :meth:`add_box`,
    :meth:`relabel`, :meth:`join`, :meth:`remove` and :meth:`restore` correct it, and
    :meth:`propagate` brings clicks and boxes into the frames around; :meth:`undo` takes back the
    latest of these, :meth:`redo` makes it again. :meth:`frame` and :meth:`frames` give the frames
    as they stand, :meth:`write` the files that ``panoptic video`` writes.

    However edits follow each other, there is one segment of each stuff category, and an id is never
    given to another segment. Whatever is interrupted (Ctrl-C) was done or not begun.

    With ``folder``, every step is on disk there as soon as it is done, and :meth:`open` goes on
    with it, after a crash too; without, all is in temporary files until :meth:`save`. Pictures are
    read again when they are needed, so memory doesn't grow with the video. Use it in a ``with``
    block, or :meth:`close` it.
    """

    @classmethod
    def of_labels(
        cls,
        pipeline: ImagePipeline,
        labels: str | Path | GivenLabels,
        video: Any,
        vocabulary: Vocabulary | None = None,
        settings: VideoSettings | None = None,
        folder: str | Path | None = None,
    ) -> FileSession:
        """A session on what ``panoptic video`` wrote: ``labels`` is its output folder, ``video``
        the clip that was labelled; or on labels that are at hand. It can be corrected, written
        again and, if it doesn't hold all frames, gone on with.

        Masks are those of the VIPSeg output (exact ones), events those of the timeline where there
        is one; words are those of the output by default. ``ValueError`` where there are no such
        labels of the clip, or of other frames.
        """
        clip = VideoInput.of(video, pictures=pipeline.settings.pictures)
        written = (
            labels
            if isinstance(labels, GivenLabels)
            else WrittenLabels.open(Path(labels), clip, vocabulary)
        )
        session = cls(pipeline, video, written.vocabulary, settings)
        try:
            follower, count = session.session, len(written)
            for record, image in written.records(session.source):
                follower = follower.fork()
                index = record.layers.index
                follower.pass_over(image, written.is_cut(index), clip.time(index))
                is_last = index == count - 1
                session._add(record, follower, everything_untold=is_last)
            if folder is not None:
                session.save(folder)
        except BaseException:
            session.close()
            raise
        return session

    def __len__(self) -> int:
        """Frames of the video."""
        return len(self.source)

    # -- labelling --------------------------------------------------------------------------

    def run(
        self, both_ways: bool = False, progress: bool | Progress = True
    ) -> Iterator[PanopticFrame]:
        """Label what isn't labelled yet, and yield those frames in order.

        Corrections that weren't propagated are propagated first, and what is labelled goes on from
        all that was corrected. With ``both_ways`` nothing is yielded before all of the video was
        gone through forward and back. ``progress`` shows a bar on a terminal; a callback in its
        place is called with the frames done and their number, with ``both_ways`` twice that.

        The work is done while the result is iterated over; a warning says so if nobody does.
        """
        return LabelledAsAsked(self._run(both_ways, progress), "FileSession.run()")

    def _run(
        self, both_ways: bool, progress: bool | Progress
    ) -> Generator[PanopticFrame, None, None]:
        start, total = self.labelled, len(self) * (2 if both_ways else 1)
        if start < len(self) and self.edits.pending:
            self.propagate(progress=False)
        with progress_bars.shown(progress, "frames", total) as tell_progress:
            try:
                for index, image in self.source.frames(start) if start < len(self) else ():
                    frame = self._label(index, image)
                    tell_progress(index + 1, total)
                    if not both_ways:
                        yield frame
            finally:
                self._write_tracker()
            if both_ways:
                start = min(start, self.filled)
                self._fill(lambda done, _: tell_progress(len(self) + done, total))
        if both_ways:
            yield from self.frames(start)

    def _label(self, index: int, image: np.ndarray) -> PanopticFrame:
        now = self._now.state
        session = now.session.fork()
        tell(session, now.edits, now.recording, self.source, now.untold, now.next_id)
        frame = session.step(image, self.video.time(index))
        layers = session.layers
        assert layers is not None
        record = StoredFrame(layers, session.shot, frame.events, frame.time, session.prompts)
        self._add(record, session)
        return self._show(record, frame.image)

    def _add(
        self, record: StoredFrame, session: VideoSession, everything_untold: bool = False
    ) -> None:
        """One more frame is labelled; ``session`` stands after it."""
        now, index = self._now.state, record.layers.index
        draft = now.draft()
        # What a step by hand made, it must be able to take back.
        by_hand = {i for step in (*now.undo, *now.redo) for i in step.frames}
        *earlier, record = put_back(session, now.recording, record, by_hand)
        for each in earlier:
            draft.recording.replace(as_made(each, now.edits))
        record = as_made(record, now.edits)
        made = {layer.id: layer.category_id for layer in record.layers.layers}
        draft.edits = draft.edits.having("categories", made)
        draft.next_id = max([draft.next_id, session.roster.next_id, *(id + 1 for id in made)])
        place = draft.recording.file.append(record)
        step = now.step("run", f"frame {index}", draft, self.vocabulary)
        untold = draft.edits.live if everything_untold else touched(step.edits, ["joined"])
        frames = {**step.frames, index: (None, place)}
        step = replace(step, frames=frames, untold=frozenset(untold), shot=record.shot)
        self._commit(step, session)
        if (index + 1) % TRACKER_EVERY == 0:
            self._write_tracker()

    def _fill(self, progress: Progress) -> None:
        state = self._now.state
        draft = state.draft()
        fill_backward(
            *(self.pipeline.segmenter, self.source, draft.recording, self.settings),
            tracker_settings(self.settings),
            self.video.time,
            progress,
        )
        self._commit(state.step("fill", "both ways", draft, self.vocabulary))

    def frame(self, index: int) -> PanopticFrame:
        """A labelled frame as it stands now. ``IndexError`` if it isn't labelled yet."""
        record = self.recording[index]
        return self._show(record, self.source[index])

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[PanopticFrame]:
        """Labelled frames as they stand now, from ``start`` to before ``stop``."""
        stop = self.labelled if stop is None else min(stop, self.labelled)
        if start < stop:
            for index, image in self.source.frames(start, stop):
                yield self._show(self.recording[index], image)

    @property
    def segments(self) -> dict[int, Category]:
        """All segments of the video, by id, with their categories."""
        edits = self.edits
        return {id: self.vocabulary.by_id(edits.category(id)) for id in edits.live}

    # -- corrections ------------------------------------------------------------------------

    def click(
        self, frame: int, segment: int, point: Sequence[float], positive: bool = True
    ) -> PanopticFrame:
        """Say that a pixel (x, y) of a frame belongs to a segment, or doesn't.

        The frame is answered at once, in the light of what is remembered of the segment; the frames
        around follow with :meth:`propagate`. Clicks on the same frame and segment add to each
        other, and where they say what is shown already, the mask stays as it is. ``KeyError`` for a
        segment that isn't in this video, ``ValueError`` for a point outside of the frame.
        """
        frame, segment = as_id(frame, "frame"), as_id(segment, "segment")
        name = f"click on segment {segment} in frame {frame}"
        self._do(name, lambda draft: self._hand.click(draft, frame, segment, point, positive))
        return self.frame(frame)

    def add_box(
        self, frame: int, box: Sequence[float], category: str | int | Category
    ) -> PanopticFrame:
        """A segment that was overlooked: a box xyxy in pixels of a frame, and what it is.

        Its id is new, see the frame's last event; the frames around follow with :meth:`propagate`.
        Of stuff that is in the video already, it is one more part, in addition to what that has.
        ``ValueError`` for a box without area in the frame or a category that isn't in the
        vocabulary.
        """
        frame, found = as_id(frame, "frame"), self._category(category)
        name = f"box of {found.name} in frame {frame}"
        self._do(name, lambda draft: self._hand.add_box(draft, frame, box, found))
        return self.frame(frame)

    def relabel(self, segment: int, category: str | int | Category) -> int:
        """Give a segment another category of the vocabulary, in all frames; returns its id.

        What becomes stuff that is in the video already becomes part of that, and the id is that of
        the whole.
        """
        segment, found = as_id(segment, "segment"), self._category(category)
        name = f"segment {segment} is {found.name}"
        return self._do(name, lambda draft: self._hand.relabel(draft, segment, found))

    def join(self, segment: int, into: int) -> int:
        """Say that a segment is part of another one, or the same seen again: they are one, in all
        frames, with the id and the category of ``into``. Returns that id."""
        segment, into = as_id(segment, "segment"), as_id(into, "into")
        name = f"segment {segment} is part of {into}"
        return self._do(name, lambda draft: self._hand.join(draft, segment, into))

    def remove(self, segment: int) -> None:
        """Take a segment out of all frames. :meth:`restore` brings it back."""
        segment = as_id(segment, "segment")
        self._do(f"remove {segment}", lambda draft: self._hand.remove(draft, segment))

    def restore(self, segment: int) -> int:
        """Bring back a segment that was removed; returns its id, or that of the stuff of its
        category that there is by now. ``KeyError`` if it isn't removed."""
        segment = as_id(segment, "segment")
        name = f"restore {segment}"
        return self._do(name, lambda draft: self._hand.restore(draft, segment))

    def propagate(self, progress: bool | Progress = True) -> CorrectedFrames:
        """Bring what was corrected since the last call into the frames around; gives those.

        It is done when this returns, also if nobody looks at the frames. Only the corrected
        segments are followed again, and only in their shot: from each correction halfway to the
        next one and to the one before; where there is none, to the end of the shot, and back to the
        last prompt. All corrections work together, in whatever order they came, and corrected
        frames stay as they are. ``progress`` is as for :meth:`run`.
        """
        changed: list[int] = []
        if self.edits.pending:
            with progress_bars.shown(progress, "frames") as tell_progress:
                changed = self._do(
                    "propagate", lambda draft: self._hand.propagate(draft, tell_progress)
                )
        return CorrectedFrames(changed, self.frame)

    def write(
        self,
        folder: str | Path,
        formats: str | Sequence[str] = DEFAULT_FORMATS,
        overwrite: bool = False,
        progress: bool | Progress = True,
    ) -> dict[str, Path]:
        """Write the labelled frames as ``panoptic video`` does, in ``formats`` as it takes them
        (``"vipseg,davis"``, ``"all"``); returns the file or folder to look at, by format.

        ``folder`` appears whole or not at all. It must be new or empty; with ``overwrite`` it takes
        the place of what panoptic wrote there. ``OutputError`` where it can't, as where the session
        itself is kept.
        """
        kept, target = self.folder, Path(folder).resolve()
        if kept is not None and kept.resolve().is_relative_to(target):
            raise OutputError(
                f"the session itself is kept in {str(kept)!r}: choose another folder than "
                f"{str(folder)!r} for what is written"
            )
        return write_session(
            *(Path(folder), self.video, self.vocabulary, formats, overwrite),
            *(self.frames(), self.labelled, progress),
        )

    # ---------------------------------------------------------------------------------------

    def _show(self, record: StoredFrame, image: np.ndarray) -> PanopticFrame:
        record = shown(record, self.edits)
        layers = record.layers
        result = compose(layers, self.vocabulary, self.settings, self.pipeline, image)
        return PanopticFrame(layers.index, image, result, record.events, record.time)

    def _category(self, category: str | int | Category) -> Category:
        if isinstance(category, Category):
            category = category.id
        if isinstance(category, str):
            return self.vocabulary.by_name(category)
        return self.vocabulary.by_id(as_id(category, "category"))
