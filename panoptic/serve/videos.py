"""``/videos``: a video is uploaded, labelled beside other requests, and its files are fetched."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from panoptic.formats.video_formats import DEFAULT_FORMATS, VIDEO_FORMATS
from panoptic.serve.refusals import Refused
from panoptic.serve.service import Service
from panoptic.serve.turns import Room
from panoptic.serve.uploads import Form, form_of
from panoptic.serve.video_jobs import Job, VideoJobs

FIELDS = ("things", "stuff", "format")


class Videos:
    """The endpoints."""

    def __init__(self, service: Service, jobs: VideoJobs) -> None:
        self._service, self._jobs = service, jobs
        self._uploads = Room(service.limits.videos, "videos are being uploaded")

    async def begin(self, request: Request) -> Response:
        self._jobs.check()  # before the upload is read
        limits = self._service.limits
        with self._uploads.place():
            async with form_of(request, "video", FIELDS, limits.video_upload) as form:
                formats = formats_of(form.fields.get("format", ""))
                job = await to_thread.run_sync(partial(self._take, form, formats))
        return JSONResponse(job.tell(), 202, headers={"location": f"/videos/{job.id}"})

    def _take(self, form: Form, formats: tuple[str, ...]) -> Job:
        vocabulary, folder = self._service.vocabulary(form.fields), self._jobs.place()
        try:
            with (folder / "upload").open("wb") as stream:
                shutil.copyfileobj(form.file.file, stream, 1 << 20)
            return self._jobs.begin(folder, form.name, vocabulary, formats)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    async def tell(self, request: Request) -> Response:
        return JSONResponse(self._jobs.get(request.path_params["id"]).tell())

    async def result(self, request: Request) -> Response:
        job = self._jobs.get(request.path_params["id"])
        if job.state != "done":
            what = f"it is {job.state}" + (f": {job.error}" if job.error else "")
            raise Refused(409, f"the video {job.id} has no result, {what}; GET /videos/{job.id}")
        name = f"{PurePosixPath(job.name).stem or 'video'}.zip"
        return FileResponse(Path(job.result), media_type="application/zip", filename=name)

    async def forget(self, request: Request) -> Response:
        await to_thread.run_sync(self._jobs.forget, request.path_params["id"])
        return Response(status_code=204)


def formats_of(text: str) -> tuple[str, ...]:
    """As ``panoptic video --format`` takes them: names with commas, or all. ``Refused`` (422)."""
    names: Any = [name.strip() for name in text.split(",") if name.strip()] or DEFAULT_FORMATS
    if "all" in names:
        return tuple(VIDEO_FORMATS)
    for name in names:
        if name not in VIDEO_FORMATS:
            raise Refused(
                422, f"no format {name[:40]!r}; there are {', '.join(VIDEO_FORMATS)}, and all"
            )
    return tuple(dict.fromkeys(names))
