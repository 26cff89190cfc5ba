"""``panoptic video``: words and clips in, labelled videos out, every object one id."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Argument, Option

from panoptic.commands.command import add
from panoptic.commands.common import changes_of_settings, load_pipeline, read_words, settle
from panoptic.commands.options import ModelOptions, SettingOptions, WordOptions
from panoptic.commands.terminal import show
from panoptic.io.progress import ProgressBar
from panoptic.show.tables import Table

if TYPE_CHECKING:
    from panoptic.io.clips import VideoInput
    from panoptic.io.picture_settings import PictureSettings

VIDEO = "Video"
HEAD = ("video", "frames", "pixels", "things", "stuff", "cuts", "unlabelled", "frames/s")
EPILOG = """\
A CLIP is a video file, a folder of pictures, or the number of a camera (0 is the first; Ctrl-C
ends it). Clips that cannot be read are named and left out; the exit code is then 1.

Formats, each in a folder of its own in DIR, all of them written while it runs:

  overlay     overlays/NAME.mp4, the clip with its segments in colour
  timeline    timelines/NAME.png, when which id was seen; NAME.jsonl, events
  vipseg      vipseg/: panoptic PNGs and pred.json, for VPQ and STQ
  davis       davis/NAME/: palette PNGs as of DAVIS 2017
  sa-v        sa-v/NAME_auto.json: masklets as of SA-V (--sa-v-every)
  detections  detections/NAME.csv: supervision's columns, tracker_id, masks

Frames of a folder keep their names, so that panoptic eval finds them.

  panoptic video drive.mp4 --things "car, person" --stuff "road, sky" -o out
  panoptic video *.mp4 --vocabulary words.yaml --format all --resume -o out
"""


def register(app: typer.Typer) -> None:
    add(app, "video", run, panel="Label", epilog=EPILOG)


def run(
    clips: Annotated[list[str], Argument(metavar="CLIP", help="Videos to label.")],
    words: WordOptions,
    models: ModelOptions,
    settings: SettingOptions,
    output: Annotated[Path, Option("-o", "--output", metavar="DIR")] = Path("out"),
    formats: Annotated[
        list[str] | None,
        Option(
            "--format",
            metavar="NAME",
            help="What to write, see below; several with commas, or all. "
            "If not said: overlay, timeline, vipseg.",
        ),
    ] = None,
    resume: Annotated[
        bool,
        Option("--resume", help="Go on with a run that was broken off; skip clips that are done."),
    ] = False,
    detect_every: Annotated[
        int | None,
        Option(metavar="N", help="Look for the words every N frames.", rich_help_panel=VIDEO),
    ] = None,
    both_ways: Annotated[
        bool,
        Option(
            "--both-ways",
            help="Also go back through the clip, to label what was found late in the frames "
            "before. Nothing is written until then, and a broken run starts anew.",
            rich_help_panel=VIDEO,
        ),
    ] = False,
    max_objects: Annotated[
        int | None,
        Option(metavar="N", help="The most segments followed at once.", rich_help_panel=VIDEO),
    ] = None,
    join: Annotated[
        bool,
        Option("--join", help="Take the clips as one video, in order.", rich_help_panel=VIDEO),
    ] = False,
    limit: Annotated[
        int | None,
        Option(metavar="N", min=1, help="Only the first N frames.", rich_help_panel=VIDEO),
    ] = None,
    fps: Annotated[
        float | None,
        Option(metavar="F", help="Pace of folders of pictures (25).", rich_help_panel=VIDEO),
    ] = None,
    sa_v_every: Annotated[
        int,
        Option(
            metavar="N",
            min=1,
            help="sa-v: annotate every N-th frame, from the first (the data set itself: 4).",
            rich_help_panel=VIDEO,
        ),
    ] = 1,
    checkpoint_every: Annotated[
        int,
        Option(
            metavar="N",
            min=1,
            help="Frames between checkpoints, which is what a broken run loses at most.",
            rich_help_panel=VIDEO,
        ),
    ] = 50,
) -> int:
    """Label videos: every pixel of every frame, every object one id; overlays and label files."""
    vocabulary = read_words(words, models)
    from panoptic.settings.tree import Settings
    from panoptic.video.passes import BothWaysPass, ForwardPass
    from panoptic.video.resumable_tracking import FrameLabeller, RecordSettings, record
    from sam2core.errors import FramesError

    changes = changes_of_settings(
        settings, {"video.detect_every": detect_every, "video.max_objects": max_objects}
    )
    writing = RecordSettings(_formats(formats), checkpoint_every, limit, sa_v_every)
    if both_ways and limit is not None:
        raise ValueError("--both-ways goes through whole clips: leave --limit out")
    if fps is not None and fps <= 0:
        raise ValueError(f"--fps must be above 0, got {fps:g}")
    models = settle(models)
    # A run may be gone on with on another device, but not in another dtype.
    made_by = repr(replace(models, device=None))
    asked = {
        **{"words": repr(list(vocabulary)), "models": made_by, "settings": repr(changes)},
        **{"--both-ways": repr(both_ways), "--limit": repr(limit), "--fps": repr(fps)},
        **({"--sa-v-every": repr(sa_v_every)} if sa_v_every != 1 else {}),
    }

    rows: list[tuple[str, ...]] = []
    with ProgressBar("frames") as bar, _told(bar) as problems:
        pictures = Settings().changed(changes).pictures
        videos = _open(clips, join, fps, pictures, bar, problems)
        if both_ways and any(video.is_live for video in videos):
            raise ValueError("--both-ways goes back in a video, which a camera can't")
        output.mkdir(parents=True, exist_ok=True)
        pipeline = load_pipeline(models, changes)
        for video in videos:
            labeller: FrameLabeller = (
                BothWaysPass(pipeline, vocabulary, progress=bar.update)
                if both_ways
                else ForwardPass(pipeline, vocabulary)
            )
            begun = time.perf_counter()
            done_before = None

            def progress(done: int, total: int | None) -> None:
                nonlocal done_before
                done_before = done if done_before is None else done_before
                bar.update(done, total)

            try:
                summary = record(
                    *(video, labeller, vocabulary, output, writing),
                    request={**asked, "the clip": str(video.identity)},
                    resume=resume,
                    progress=progress,
                )
            except FramesError as error:
                problems.append(str(error))
                bar.say(f"panoptic video: broken off: {error}")
                continue
            labelled = 0 if done_before is None else summary["frames"] - done_before
            rows.append(_row(video.name, summary, labelled, time.perf_counter() - begun))
    if not rows:
        raise ValueError(f"none of the {len(clips)} clips could be labelled")
    show(Table(HEAD, rows, numbers=range(1, len(HEAD))))
    print(f"{len(rows)} labelled, in {output}: {', '.join(writing.formats)}")
    return 1 if problems else 0


def _formats(names: Sequence[str] | None) -> tuple[str, ...]:
    from panoptic.formats.video_formats import DEFAULT_FORMATS, VIDEO_FORMATS

    if not names:
        return DEFAULT_FORMATS
    asked = [name.strip() for each in names for name in each.split(",")]
    return tuple(VIDEO_FORMATS) if "all" in asked else tuple(dict.fromkeys(asked))


def _open(
    clips: Sequence[str],
    join: bool,
    fps: float | None,
    pictures: PictureSettings,
    bar: ProgressBar,
    problems: list[str],
) -> list[VideoInput]:
    """The clips that can be read, with names that differ; the others are told.

    Raises ``FramesError`` if none can be read, or one that was to be joined.
    """
    from panoptic.io.clips import VideoInput, join_clips, open_camera, unique_names
    from sam2core.errors import FramesError

    if join:
        return [join_clips([Path(clip) for clip in clips], fps=fps, pictures=pictures)]
    opened, errors = [], []
    for clip in clips:
        try:
            camera = clip.isdecimal() and not Path(clip).exists()
            opened.append(
                open_camera(int(clip))
                if camera
                else VideoInput.of(clip, fps=fps, pictures=pictures)
            )
        except FramesError as error:
            errors.append(error)
    if not opened:
        raise errors[0]
    for text in map(str, errors):
        problems.append(text)
        bar.say(f"panoptic video: left out: {text}")
    names = unique_names([video.name for video in opened])
    return [replace(video, name=name) for video, name in zip(opened, names, strict=True)]


@contextmanager
def _told(bar: ProgressBar) -> Iterator[list[str]]:
    """Shows warnings about frames as lines of the command, and gathers them."""
    from sam2core.errors import FramesWarning

    problems: list[str] = []
    with warnings.catch_warnings():
        before = warnings.showwarning

        def tell(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
            if not issubclass(category, FramesWarning):
                return before(message, category, *where, **more)
            problems.append(str(message))
            bar.say(f"panoptic video: {message}")

        warnings.simplefilter("always", FramesWarning)
        warnings.showwarning = tell
        yield problems


def _row(name: str, summary: Mapping[str, Any], labelled: int, seconds: float) -> tuple[str, ...]:
    """A row of the table; no pace where nothing was left to do."""
    cuts = summary["cuts"]
    return (
        name,
        str(summary["frames"]),
        f"{summary['width']} x {summary['height']}",
        str(len(summary["things"])),
        str(len(summary["stuff"])),
        ", ".join(map(str, cuts[:4])) + (", ..." if len(cuts) > 4 else "") if cuts else "none",
        f"{100 * summary['unlabelled'] / summary['frames']:.1f} %",
        f"{labelled / seconds:.1f}" if labelled else "-",
    )
