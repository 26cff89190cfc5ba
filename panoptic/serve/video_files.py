"""Whether an uploaded file is a video by itself, and how long it is.

FFmpeg also opens lists of other files (HLS, DASH, concat and the like), which would have it read
what lies on this machine. What isn't a container of its own is refused before anything else looks
at it.
"""

from __future__ import annotations

from pathlib import Path

import av
from PIL import Image

from panoptic.io.clips import VideoInput
from panoptic.io.picture_settings import PictureSettings
from panoptic.io.pillow_files import lifted_limit
from panoptic.serve.limits import Limits
from panoptic.serve.refusals import Refused
from sam2core.errors import FramesError

CONTAINERS = (
    *("mov", "matroska", "avi", "mpegts", "mpeg", "mpegvideo", "flv", "ogg", "asf", "mxf", "ivf"),
    *("h264", "hevc", "m4v", "av1", "obu", "dv", "nut"),
)
"""FFmpeg's names of the formats that are taken: pictures and times in one file."""
_ANIMATED = ("GIF", "WEBP", "PNG", "AVIF")


def open_upload(path: Path, name: str, pictures: PictureSettings, limits: Limits) -> VideoInput:
    """A video that was uploaded to ``path``; ``name`` is what its uploader calls it.

    ``Refused`` (422) for what is no video, and for one with too many frames or pixels.
    """
    if not _is_animation(path):
        _check_container(path, name)
    try:
        video = VideoInput.of(path, Path(name).stem or "video", pictures=pictures)
        height, width = video.at_hand.size
    except FramesError as error:
        raise Refused(422, str(error).replace(str(path), repr(name))) from error
    if height * width > pictures.max_pixels:
        raise Refused(
            422,
            f"{name!r} has {width} x {height} pixels, more than {pictures.max_pixels:,}; send a "
            "smaller one, or start the server with a larger --max-pixels",
        )
    count = video.count or 0
    if count > limits.frames:
        raise Refused(
            422,
            f"{name!r} has {count:,} frames, and no more than {limits.frames:,} are taken; cut it, "
            "or start the server with a larger --max-frames",
        )
    return video


def _is_animation(path: Path) -> bool:
    try:
        with lifted_limit(), Image.open(path, formats=_ANIMATED) as picture:
            return int(getattr(picture, "n_frames", 1)) > 1
    except Exception:  # of damaged ones, see panoptic.io.pillow_files
        return False


def _check_container(path: Path, name: str) -> None:
    options = {"format_whitelist": ",".join(CONTAINERS), "protocol_whitelist": "file"}
    try:
        with av.open(f"file:{path}", options=options) as container:
            if container.streams.video:
                return
            reason = "there are no pictures in it"
    except (av.error.FFmpegError, IndexError) as error:  # IndexError: no streams at all
        reason = (
            "it is empty"
            if path.stat().st_size == 0
            else getattr(error, "strerror", "") or str(error)
        )
    raise Refused(
        422,
        f"{name!r} can't be read as a video ({reason}); expected is a whole file, such as mp4, "
        "mkv, webm, avi or an animated gif, and no list of others",
    )
