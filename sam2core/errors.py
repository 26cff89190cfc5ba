"""Errors of this package. All are ``ValueError``s: something given does not fit."""


class WeightsError(ValueError):
    """A checkpoint that can't be read, is of something else, or does not fit the model."""


class PromptError(ValueError):
    """A prompt that is empty, malformed, or lies where there is no picture."""


class UnknownObjectError(ValueError):
    """An object id that the tracker does not know."""


class FramesError(ValueError):
    """A video, folder or sequence of pictures that can't be read as frames of one size."""


class FramesWarning(UserWarning):
    """A video file of which frames are missing or damaged; the others are given."""
