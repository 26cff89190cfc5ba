"""Frames that are made when they are looked at, and that say so where nobody does."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import overload

from panoptic.results.frame import PanopticFrame


class CorrectedFrames(Sequence[PanopticFrame]):
    """Some frames of a session, in order, each composed when it is asked for; ``indices`` says
    which."""

    def __init__(self, indices: Sequence[int], frame: Callable[[int], PanopticFrame]) -> None:
        self.indices = tuple(indices)
        self._frame = frame

    def __len__(self) -> int:
        return len(self.indices)

    @overload
    def __getitem__(self, at: int) -> PanopticFrame: ...
    @overload
    def __getitem__(self, at: slice) -> CorrectedFrames: ...
    def __getitem__(self, at: int | slice) -> PanopticFrame | CorrectedFrames:
        if isinstance(at, slice):
            return CorrectedFrames(self.indices[at], self._frame)
        return self._frame(self.indices[at])


class LabelledAsAsked(Iterator[PanopticFrame]):
    """Frames that are labelled one by one as they are asked for. Warns with ``RuntimeWarning`` if
    nobody ever asked, for then nothing was labelled."""

    def __init__(self, frames: Generator[PanopticFrame, None, None], call: str) -> None:
        self._frames = frames
        self._call = call
        self._begun = False

    def __iter__(self) -> LabelledAsAsked:
        return self

    def __next__(self) -> PanopticFrame:
        self._begun = True
        return next(self._frames)

    def close(self) -> None:
        """No more frames are asked for."""
        self._begun = True
        self._frames.close()

    def __del__(self) -> None:
        if not self._begun:
            warnings.warn(
                f"{self._call} labels frames while it is iterated over, and nobody did: nothing "
                "was labelled. Write: for frame in ...",
                RuntimeWarning,
                stacklevel=2,
            )
