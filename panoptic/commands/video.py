"""``panoptic video``: words and clips in, labelled videos out, every object one id."""

from __future__ import annotations

import math
import os
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
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
    from panoptic.io.output_folder import OutputFolder
    from panoptic.io.picture_settings import PictureSettings
    from panoptic.pipeline import PanopticPipeline
    from panoptic.video.given_clips import GivenClip
    from panoptic.video.resumable_tracking import RecordSettings
    from prompts import Vocabulary

COMMAND = "panoptic video"
VIDEO = "Video"
HEAD = ("video", "frames", "pixels", "things", "stuff", "cuts", "unlabelled", "frames/s")
EPILOG = """\
A CLIP is a video file, a folder of pictures, or the number of a camera (0 is the first; Ctrl-C
ends it). What cannot be read, resumed or written is named, the rest goes on; the exit code is 1.

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
        Option(
            "--resume",
            help="Go on in DIR: what is whole there stays, what is missing is made, be it a format "
            "or a clip.",
        ),
    ] = False,
    overwrite: Annotated[
        bool,
        Option(
            "--overwrite",
            help="Write in place of what panoptic wrote in DIR earlier; files of others stay.",
        ),
    ] = False,
    detect_every: Annotated[
        float | None,
        Option(metavar="S", help="Look for the words every S seconds.", rich_help_panel=VIDEO),
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
    from panoptic.io.output_folder import output_folder
    from panoptic.settings.tree import Settings
    from panoptic.video.given_clips import named
    from panoptic.video.resumable_tracking import RecordSettings

    changes = changes_of_settings(
        settings, {"video.detect_every": detect_every, "video.max_objects": max_objects}
    )
    writing = RecordSettings(_formats(formats), checkpoint_every, limit, sa_v_every)
    if both_ways and limit is not None:
        raise ValueError("--both-ways goes through whole clips: leave --limit out")
    if fps is not None and not 0 < fps < math.inf:
        raise ValueError(f"--fps must be above 0 and finite, got {fps:g}")
    models = settle(models)

    with ProgressBar("frames") as bar, _told(bar) as problems:
        pictures = Settings().changed(changes).pictures
        given = _look(clips, join, fps, pictures, bar, problems)
        if both_ways and any(clip.place.source is None for clip in given):
            raise ValueError("--both-ways goes back in a video, which a camera can't")
        folder = output_folder(output, COMMAND, resume=resume, overwrite=overwrite)
        with folder as out:
            given = named(given, output, resume)
            pipeline = load_pipeline(models, changes)
            asked = _request(pipeline, vocabulary, both_ways)
            batch = _Batch(pipeline, vocabulary, out, writing, asked, both_ways, resume, bar)
            for clip in given:
                batch.label(clip, problems)
            batch.close()
    if not batch.rows:
        raise ValueError(f"none of the {len(clips)} clips could be labelled, see above")
    show(Table(HEAD, batch.rows, numbers=range(1, len(HEAD))))
    print(f"{len(batch.rows)} labelled, in {output}: {', '.join(batch.formats)}")
    return 1 if problems else 0


class _Batch:
    """Clips labelled one after the other; what becomes of one is none of the others' business."""

    def __init__(
        self,
        pipeline: PanopticPipeline,
        vocabulary: Vocabulary,
        out: OutputFolder,
        writing: RecordSettings,
        request: Mapping[str, Any],
        both_ways: bool,
        resume: bool,
        bar: ProgressBar,
    ) -> None:
        self._pipeline, self._vocabulary, self._out, self._bar = pipeline, vocabulary, out, bar
        self._writing, self._request = writing, request
        self._both_ways, self._resume = both_ways, resume
        self.rows: list[tuple[str, ...]] = []
        self._held: set[str] = set()

    @property
    def formats(self) -> list[str]:
        """Those that were asked for and are on disk."""
        return [name for name in self._writing.formats if name in self._held]

    def label(self, clip: GivenClip, problems: list[str]) -> None:
        from panoptic.errors import OutputError
        from panoptic.video.passes import BothWaysPass, ForwardPass
        from panoptic.video.resumable_tracking import FrameLabeller, record

        progress = self._bar.update
        labeller: FrameLabeller = (
            BothWaysPass(self._pipeline, self._vocabulary, progress=progress)
            if self._both_ways
            else ForwardPass(self._pipeline, self._vocabulary)
        )
        begun = time.perf_counter()
        try:
            recorded = record(
                *(clip.open(), labeller, self._vocabulary, self._out.root, self._writing),
                request=self._request,
                place=clip.place,
                resume=self._resume,
                progress=progress,
                say=lambda text: self._bar.say(f"panoptic video: {text}"),
                claim=self._out.files,
            )
        except KeyboardInterrupt:
            if clip.place.source is not None:
                self._bar.say(f"panoptic video: {clip.name} isn't done; --resume goes on with it")
            raise
        except OutputError:
            raise  # the folder's, which all clips share
        except ValueError as error:
            problems.append(str(error))
            self._bar.say(f"panoptic video: left out: {error}")
            return
        for text in recorded.problems:
            problems.append(text)
            self._bar.say(f"panoptic video: {text}")
        self._held.update(recorded.formats)
        seconds = time.perf_counter() - begun
        self.rows.append(_row(clip.name, recorded.summary, recorded.labelled, seconds))

    def close(self) -> None:
        from panoptic.formats.video_formats import rewrite_shared

        rewrite_shared(self._out.root, self.formats)


def _request(pipeline: PanopticPipeline, vocabulary: Vocabulary, both_ways: bool) -> dict[str, Any]:
    """What decides the labels, by names for people. Neither the device nor where the models are
    does, and a setting that is given is like one that is so by itself."""
    from panoptic.dataset.fingerprint import describe

    models = describe(pipeline)
    del models["version"]
    words = {
        c.name: ", ".join([f"{'thing' if c.is_thing else 'stuff'} {c.id}", *c.synonyms])
        for c in vocabulary
    }
    settings = models.pop("settings")
    return {
        **{"words": words, "models": models, "settings": settings},
        "--both-ways": "yes" if both_ways else "no",
    }


def _formats(names: Sequence[str] | None) -> tuple[str, ...]:
    from panoptic.formats.video_formats import DEFAULT_FORMATS, VIDEO_FORMATS

    if not names:
        return DEFAULT_FORMATS
    asked = [name.strip() for each in names for name in each.split(",")]
    return tuple(VIDEO_FORMATS) if "all" in asked else tuple(dict.fromkeys(asked))


def _look(
    clips: Sequence[str],
    join: bool,
    fps: float | None,
    pictures: PictureSettings,
    bar: ProgressBar,
    problems: list[str],
) -> list[GivenClip]:
    """The clips that can be read; the others are told.

    Raises ``FramesError`` if none can be read, or one that was to be joined.
    """
    from panoptic.io.clips import VideoInput, join_clips, open_camera
    from panoptic.video.clip_record import ClipPlace
    from panoptic.video.given_clips import GivenClip
    from sam2core.errors import FramesError

    if join:
        joined = join_clips([Path(clip) for clip in clips], fps=fps, pictures=pictures)
        place = ClipPlace(" + ".join(map(os.path.abspath, clips)), joined.name)
        return [GivenClip(place, partial(replace, joined))]
    given: list[GivenClip] = []
    errors = []
    for clip in clips:
        try:
            if clip.isdecimal() and not Path(clip).exists():
                camera = open_camera(int(clip))
                given.append(GivenClip(ClipPlace(None, camera.name), partial(replace, camera)))
            else:
                reopen = partial(VideoInput.of, clip, fps=fps, pictures=pictures)
                given.append(GivenClip(ClipPlace(os.path.abspath(clip), reopen().name), reopen))
        except FramesError as error:
            errors.append(error)
    if not given and len(errors) == 1:
        raise errors[0]
    for text in map(str, errors):
        problems.append(text)
        bar.say(f"panoptic video: left out: {text}")
    if not given:
        raise FramesError(f"none of the {len(clips)} clips can be read, see above")
    return given


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
            if str(message) not in problems:  # a clip is opened to be looked at, and to be read
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
