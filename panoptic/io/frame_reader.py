"""Frames as pictures are read: one loader for both, with one range of values for all of a clip."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from panoptic.io.images import FIRST_TAKEN, Picture, read_picture
from panoptic.io.picture_settings import PictureSettings
from sam2core.errors import FramesWarning

log = logging.getLogger("panoptic.pictures")


class FrameReader:
    """Makes RGB uint8 (H, W, 3) of each frame of a clip, whatever it is given as.

    It is as ``load_image`` reads pictures, but where there are more than 8 bits, all frames get
    the range of values that the first one got, or those that ``settle`` was given: each with a
    range of its own, a clip would flicker. What was chosen is told once.
    """

    def __init__(self, settings: PictureSettings | None = None) -> None:
        self.settings = settings or PictureSettings()
        self._range: tuple[float, float] | None = None
        self._told = False
        self._warned = False

    def settle(self, pictures: Iterable[Any]) -> None:
        """Chooses the range by some pictures of the clip; they are looked at as long as they have
        more than 8 bits."""
        for each in pictures:
            try:
                picture = self._read(each, self.settings)
            except ValueError:
                continue  # told when its turn comes
            if picture.low is None or picture.high is None:
                return
            low, high = self._range or (picture.low, picture.high)
            self._range = min(low, picture.low), max(high, picture.high)

    def __call__(self, picture: Any) -> np.ndarray:
        if isinstance(picture, np.ndarray) and _is_ready(picture):
            return picture
        settings = self.settings
        if self._range is not None:
            low, high = self._range
            settings = replace(settings, stretch=f"{low!r}:{high!r}")
        read = self._read(picture, settings)
        self._tell(picture, read)
        if self._range is None and read.low is not None and read.high is not None:
            self._range = read.low, read.high
        return read.pixels

    def _read(self, picture: Any, settings: PictureSettings) -> Picture:
        name = os.fspath(picture) if isinstance(picture, str | os.PathLike) else None
        return read_picture(picture, settings, name)

    def _tell(self, picture: Any, read: Picture) -> None:
        notes = read.notes
        if isinstance(picture, Image.Image):  # all of its frames come, one after the other
            notes = tuple(note for note in notes if FIRST_TAKEN not in note)
        if notes and not self._told:
            self._told = True
            log.warning("%s", "; ".join(notes))
        chosen = self.settings.stretch in ("auto", "minmax")  # percentiles are there to cut off
        if read.clipped and chosen and not self._warned:
            self._warned = True
            name = os.fspath(picture) if isinstance(picture, str | os.PathLike) else "a frame"
            low, high = self._range or (0, 0)
            warnings.warn(
                f"{name} has values beyond the {low:g} to {high:g} of the frames that were looked "
                "at before: they are cut off, here and in what follows. Give the range of the "
                "clip by the setting pictures.stretch, such as 0:65535",
                FramesWarning,
                stacklevel=2,
            )


def _is_ready(picture: np.ndarray) -> bool:
    return (
        picture.dtype == np.uint8
        and picture.ndim == 3
        and picture.shape[2] == 3
        and picture.flags.c_contiguous
        and 0 not in picture.shape
    )
