"""All endpoints together, and the server that runs them until it is told to stop."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from anyio import to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from panoptic.serve.access import Access
from panoptic.serve.label_studio import LabelStudio
from panoptic.serve.openapi import openapi
from panoptic.serve.pictures import Pictures
from panoptic.serve.refusals import as_response, told
from panoptic.serve.service import Service
from panoptic.serve.task_pictures import TaskPictures
from panoptic.serve.video_jobs import VideoJobs
from panoptic.serve.videos import Videos

GRACE = 30
"""Seconds that requests have to be answered in once the server is to stop."""


def build(service: Service, token: str | None, task_pictures: TaskPictures) -> ASGIApp:
    """The application. ``token`` None lets programs on this machine ask, and no others."""
    jobs = VideoJobs(service)
    pictures, videos = Pictures(service), Videos(service, jobs)
    studio = LabelStudio(service, task_pictures)

    async def describe(request: Request) -> Response:
        return JSONResponse(openapi(service.limits))

    @asynccontextmanager
    async def until_stopped(app: Starlette) -> AsyncIterator[None]:
        yield
        await to_thread.run_sync(jobs.close)

    endpoints = (
        ("/health", studio.health, "GET"),
        ("/openapi.json", describe, "GET"),
        ("/images", pictures.label, "POST"),
        ("/videos", videos.begin, "POST"),
        ("/videos/{id}", videos.tell, "GET"),
        ("/videos/{id}", videos.forget, "DELETE"),
        ("/videos/{id}/result", videos.result, "GET"),
        ("/", studio.health, "GET"),
        ("/setup", studio.setup, "POST"),
        ("/predict", studio.predict, "POST"),
        ("/webhook", studio.webhook, "POST"),
        ("/versions", studio.versions, "GET"),
    )
    return Starlette(
        routes=[Route(path, told(answer), methods=[method]) for path, answer, method in endpoints],
        middleware=[Middleware(Access, token=token)],
        exception_handlers={HTTPException: _no_such_place},
        lifespan=until_stopped,
    )


def serve(app: ASGIApp, listening: socket.socket) -> None:
    """Answers until Ctrl-C or SIGTERM: what was asked by then is answered first."""
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, ws="none", lifespan="on",
        timeout_graceful_shutdown=GRACE, server_header=False,
    )  # fmt: skip
    uvicorn.Server(config).run(sockets=[listening])


async def _no_such_place(request: Request, error: Exception) -> Response:
    """What Starlette refuses itself: no such path, no such method."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    what = {404: "there is nothing at", 405: f"{request.method} isn't answered at"}.get(status)
    if what is None:
        return as_response(error)
    message = f"{what} {request.url.path}; GET /openapi.json says what there is"
    return as_response(HTTPException(status, message, getattr(error, "headers", None)))
