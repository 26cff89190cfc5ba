"""How much a server takes: each limit is a setting, and what is beyond it gets a clear answer."""

from __future__ import annotations

from dataclasses import dataclass, fields

MEGABYTE = 2**20


@dataclass(frozen=True)
class Limits:
    """What is taken. Pixels are limited by the pipeline's ``pictures.max_pixels``."""

    upload: int = 64 * MEGABYTE
    """Bytes of a request that isn't a video, and of a picture that is fetched for Label Studio;
    more are answered by 413. Photographs of 50 megapixels take 30 MB."""
    video_upload: int = 1024 * MEGABYTE
    """Bytes of a request with a video; 413. Some ten minutes from a phone."""
    frames: int = 3000
    """Frames of a video; 422. Two minutes at 25 a second."""
    queue: int = 16
    """Requests for pictures that wait or are being answered; 429 beyond."""
    videos: int = 4
    """Videos that wait or are being labelled; 429 beyond."""
    results: int = 16
    """Videos whose results are kept; the oldest goes when there is one more."""

    def __post_init__(self) -> None:
        for each in fields(self):
            if (value := getattr(self, each.name)) < 1:
                raise ValueError(f"the limit {each.name} must be 1 or more, got {value}")
