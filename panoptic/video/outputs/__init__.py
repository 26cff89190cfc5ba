"""What a labelled video becomes on disk: one module a format, all of them written frame by frame.

``FORMATS`` lists them, ``Outputs`` writes several at once.
"""

from panoptic.video.outputs.base import VideoInfo, VideoOutput
from panoptic.video.outputs.group import DEFAULT_FORMATS, FORMATS, Outputs

__all__ = ["DEFAULT_FORMATS", "FORMATS", "Outputs", "VideoInfo", "VideoOutput"]
