"""Short videos, written for benchmarks that read some."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np


def write_video(path: Path, frames: Iterable[np.ndarray], rate: int = 10) -> None:
    """Frames (H, W, 3) uint8, without loss, into a Matroska file."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=rate)
        stream.pix_fmt = "bgr0"
        for number, frame in enumerate(frames):
            if number == 0:
                stream.height, stream.width = frame.shape[:2]
            pixels = np.ascontiguousarray(frame)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
