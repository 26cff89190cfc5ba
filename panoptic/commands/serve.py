"""``panoptic serve``: labels over HTTP, for programs and for Label Studio."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Option

from panoptic.commands.command import add
from panoptic.commands.common import (
    changes_of_settings,
    check_demo_words,
    load_pipeline,
    read_words,
)
from panoptic.commands.options import ModelOptions, SettingOptions, WordOptions, quiet
from panoptic_anything import how_to_install

LIMITS, STUDIO = "Limits", "Label Studio"
MAX_PIXELS = 32_000_000
"""Of a picture or a frame, where nothing else is said: labelling takes 1.4 GB then."""
EPILOG = """\
  panoptic serve --models small --port 9090
  curl -F image=@street.jpg -F things="car, person" -F stuff="road, sky" \\
      http://127.0.0.1:9090/images

Words given here are looked for where a request names none. One request at a time uses the models;
Ctrl-C or SIGTERM ends the server when what was asked is answered. GET /openapi.json describes all
there is; docs/serve.md says more, and how Label Studio is connected.

It listens on this machine alone. For others give --host and a token: PANOPTIC_TOKEN=... or --token.
"""


def register(app: typer.Typer) -> None:
    add(app, "serve", run, panel="Use", epilog=EPILOG)


def run(
    words: WordOptions,
    models: ModelOptions,
    settings: SettingOptions,
    host: Annotated[
        str, Option(metavar="NAME", help="The address to listen on; 0.0.0.0 is all of them.")
    ] = "127.0.0.1",
    port: Annotated[int, Option(metavar="N", min=0, max=65535, help="0 takes a free one.")] = 9090,
    token: Annotated[
        str | None,
        Option(
            metavar="TEXT",
            envvar="PANOPTIC_TOKEN",
            help="What requests must show; better in the environment, where others don't see it.",
        ),
    ] = None,
    max_upload: Annotated[
        int, Option(metavar="MIB", min=1, help="Of a picture.", rich_help_panel=LIMITS)
    ] = 64,
    max_video_upload: Annotated[
        int, Option(metavar="MIB", min=1, help="Of a video.", rich_help_panel=LIMITS)
    ] = 1024,
    max_frames: Annotated[
        int, Option(metavar="N", min=1, help="Of a video.", rich_help_panel=LIMITS)
    ] = 3000,
    queue: Annotated[
        int,
        Option(metavar="N", min=1, help="Pictures that may wait.", rich_help_panel=LIMITS),
    ] = 16,
    videos: Annotated[
        int, Option(metavar="N", min=1, help="Videos that may wait.", rich_help_panel=LIMITS)
    ] = 4,
    results: Annotated[
        int,
        Option(metavar="N", min=1, help="Videos whose results are kept.", rich_help_panel=LIMITS),
    ] = 16,
    label_studio: Annotated[
        str | None,
        Option(
            metavar="URL",
            envvar="LABEL_STUDIO_URL",
            help="Where pictures that were uploaded to it are fetched, with LABEL_STUDIO_API_KEY.",
            rich_help_panel=STUDIO,
        ),
    ] = None,
    label_studio_files: Annotated[
        Path | None,
        Option(
            metavar="DIR",
            envvar="LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT",
            help="Its root of local files, if it is on this machine.",
            rich_help_panel=STUDIO,
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        Option(
            metavar="NAME",
            help="A host that tasks' pictures may be fetched from: NAME, NAME:PORT or *.NAME; "
            "repeatable.",
            rich_help_panel=STUDIO,
        ),
    ] = None,
) -> int:
    """Label pictures and videos for other programs, over HTTP; a backend for Label Studio."""
    try:
        from panoptic.serve.server import build, serve
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in ("starlette", "uvicorn", "anyio"):
            raise
        raise _missing(error.name) from error
    from importlib.util import find_spec

    from panoptic.serve.fetching import Fetcher
    from panoptic.serve.limits import MEGABYTE, Limits
    from panoptic.serve.service import Service
    from panoptic.serve.task_pictures import TaskPictures
    from panoptic.web.hosts import is_loopback
    from panoptic.web.listening import listen

    if find_spec("python_multipart") is None:
        raise _missing("python-multipart")
    token = _checked(token)
    if token is None and not is_loopback(host):
        raise ValueError(
            f"--host {host} lets other machines in: give a token, PANOPTIC_TOKEN=... or --token, "
            "that they have to show"
        )
    if label_studio_files is not None and not label_studio_files.is_dir():
        raise ValueError(f"{str(label_studio_files)!r} is no folder")
    asked = words.things or words.stuff or words.vocabulary
    vocabulary = read_words(words, models) if asked else None
    limits = Limits(
        max_upload * MEGABYTE, max_video_upload * MEGABYTE, max_frames, queue, videos, results
    )
    key = os.environ.get("LABEL_STUDIO_API_KEY") or None
    fetcher = Fetcher(label_studio, key, allow_host or ())
    changes: dict[str, Any] = changes_of_settings(settings)
    changes.setdefault("pictures.max_pixels", MAX_PIXELS)
    listening = listen(port, host)
    quiet()
    service = Service(
        *(load_pipeline(models, changes), Path(models.models).name, vocabulary, limits),
        check_words=lambda words: check_demo_words(words, models),
    )
    _ = service.version  # reads all weights, which Label Studio doesn't wait for
    pictures = TaskPictures(fetcher, label_studio_files, limits.upload)
    place = f"[{host}]" if ":" in host else host
    print(f"panoptic serve: http://{place}:{listening.getsockname()[1]}/", flush=True)
    serve(build(service, token, pictures), listening)
    return 0


def _missing(name: str | None) -> ModuleNotFoundError:
    return ModuleNotFoundError(f"the server needs {name}: {how_to_install('serve')}", name=name)


def _checked(token: str | None) -> str | None:
    if not token:  # an empty variable is none
        return None
    if not re.fullmatch(r"[!-~]{16,}", token):
        raise ValueError(
            "the token must be 16 or more characters of ASCII without spaces: whoever knows it may "
            "use this server"
        )
    return token
