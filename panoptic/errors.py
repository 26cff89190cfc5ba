"""Errors that callers may want to catch. All are ``ValueError``s; the message says what to do."""

from __future__ import annotations


class ImageError(ValueError):
    """A picture that cannot be used; the message names it and says why."""


class ImageNotFoundError(ImageError, FileNotFoundError):
    """There is no file of this name."""


class ImageTooLargeError(ImageError):
    """More pixels than allowed, such as a decompression bomb claims."""


class UnreadableImageError(ImageError):
    """Not a picture, of a format that isn't read, or damaged."""


class CocoFormatError(ValueError):
    """A file that says COCO panoptic and isn't."""


class CannotHold(ValueError):
    """An item that a format has no way to express; it is left out, and the reason is told."""


class CorrectionError(ValueError):
    """A file that is no correction of the item; the message says why."""


class DatasetError(ValueError):
    """A data set that can't be opened, or a request that doesn't fit it."""


class SourceError(DatasetError):
    """A source that can't be read at all (a broken item in it is no error, but recorded)."""


class SettingsChangedError(DatasetError):
    """The labels that are there were made with other words, models or settings."""


class StaleLabelError(DatasetError):
    """A decision on a label that somebody else has changed since it was looked at."""


class OutputError(DatasetError):
    """Results can't be written: disk full, no permission. What is written so far is good."""


class NothingExported(OutputError):
    """An export in which nothing succeeded; what was there before is as it was."""


class TooManyErrors(DatasetError):
    """More items are broken than were allowed to be."""


def no_memory(error: Exception) -> bool:
    """Whether memory ran out; torch says so in a RuntimeError, one way for the CPU, another for
    GPUs."""
    text = str(error)
    return isinstance(error, MemoryError) or "out of memory" in text or "allocate memory" in text
