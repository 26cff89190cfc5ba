"""Writing the frames of a session in the formats of ``panoptic video``."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from panoptic.formats.video_formats import VIDEO_FORMATS, VideoOutputs
from panoptic.formats.video_output import VideoInfo
from panoptic.io.clips import VideoInput
from panoptic.io.output_folder import replaced_folder
from panoptic.io.progress import Progress, shown
from panoptic.results.frame import PanopticFrame
from panoptic.video.resumable_tracking import remove_leftovers
from prompts import Vocabulary

COMMAND = "FileSession.write"


def write_session(
    folder: Path,
    video: VideoInput,
    vocabulary: Vocabulary,
    formats: str | Sequence[str],
    overwrite: bool,
    frames: Iterable[PanopticFrame],
    count: int,
    progress: bool | Progress,
) -> dict[str, Path]:
    """See ``FileSession.write``. ``ValueError`` where there are no frames yet; a ``UserWarning``
    where a format can't hold all of them."""
    if not count:
        raise ValueError("there are no labelled frames to write yet: iterate over run() first")
    asked = [formats] if isinstance(formats, str) else formats
    formats = [name.strip() for each in asked for name in each.split(",")]
    formats = list(VIDEO_FORMATS) if "all" in formats else list(dict.fromkeys(formats))
    if not formats:
        raise ValueError(f"say which formats to write: {', '.join(VIDEO_FORMATS)}")
    unknown = [name for name in formats if name not in VIDEO_FORMATS]
    if unknown:
        raise ValueError(f"no format {unknown[0]!r}; there are {', '.join(VIDEO_FORMATS)}")
    info = VideoInfo(video.name, vocabulary, video.fps, video.frame_names)
    with (
        replaced_folder(folder, COMMAND, overwrite=overwrite) as building,
        shown(progress, "frames", count) as tell,
    ):
        outputs = VideoOutputs(building, info, formats)
        for frame in frames:
            if frame.time is None:
                frame = replace(frame, time=video.time(frame.index))
            outputs.add(frame)
            tell(frame.index + 1, count)
        written = outputs.close()
        remove_leftovers(building, info)
        for name, why in outputs.ended.items():
            warnings.warn(f"{name} ends before the clip does: {why}", stacklevel=3)
        names = {name: path.relative_to(building) for name, path in written.items()}
    return {name: folder / path for name, path in names.items()}
