"""Errors of batch labelling. All are ``ValueError``s; the message says what to do."""


class DatasetError(ValueError):
    """A data set that can't be opened, or a request that doesn't fit it."""


class SourceError(DatasetError):
    """A source that can't be read at all (a broken item in it is no error, but recorded)."""


class SettingsChangedError(DatasetError):
    """The labels that are there were made with other words, models or settings."""


class OutputError(DatasetError):
    """Results can't be written: disk full, no permission. What is written so far is good."""


class TooManyErrors(DatasetError):
    """More items are broken than were allowed to be."""
