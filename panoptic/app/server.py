"""The app as a web server: what the page asks goes to the tabs, what is wrong is told in words."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from panoptic.app.guard import Guard
from panoptic.app.workbench import Workbench
from panoptic.errors import StaleLabelError
from panoptic.io.picture_settings import MAX_BYTES

STATIC = Path(__file__).parent / "static"
MOST_JSON = 1 << 20
"""Bytes of a request that isn't a picture."""
log = logging.getLogger("panoptic.app")

Answer = Callable[[Mapping[str, Any]], Any]


def build(bench: Workbench, token: str) -> ASGIApp:
    """The application below ``/TOKEN/``."""
    routes = [
        Route("/", _page),
        Mount("/static", StaticFiles(directory=STATIC, packages=[("panoptic.explore", "static")])),
        Route("/bring", _bringing(bench), methods=["POST"]),
        *(Route(f"/{name}", _asking(answer), methods=["POST"]) for name, answer in bench.asks()),
        *(Route(f"/{name}", _showing(answer)) for name, answer in bench.pictures()),
    ]
    return Guard(Starlette(routes=routes), token)


def serve(bench: Workbench, token: str, listening: socket.socket) -> None:
    """Answers until Ctrl-C."""
    config = uvicorn.Config(
        build(bench, token), log_level="warning", access_log=False, lifespan="off", ws="none",
        timeout_graceful_shutdown=2, server_header=False,
    )  # fmt: skip
    uvicorn.Server(config).run(sockets=[listening])


async def _page(request: Request) -> Response:
    return FileResponse(STATIC / "index.html")


def _asking(answer: Answer) -> Any:
    async def endpoint(request: Request) -> Response:
        try:
            asked = json.loads(await _body(request, MOST_JSON) or b"{}")
            if not isinstance(asked, dict):
                raise ValueError(f"expected an object, got {type(asked).__name__}")
        except ValueError as error:
            return _refused(error)
        return await _answered(lambda: JSONResponse(answer(asked)))

    return endpoint


def _showing(answer: Answer) -> Any:
    async def endpoint(request: Request) -> Response:
        asked: dict[str, Any] = dict(request.query_params)
        if "frame" in asked:
            try:
                asked["frame"] = int(asked["frame"])
            except ValueError as error:
                return _refused(error)
        return await _answered(lambda: Response(answer(asked), media_type="image/jpeg"))

    return endpoint


def _bringing(bench: Workbench) -> Any:
    async def endpoint(request: Request) -> Response:
        try:
            data = await _body(request, MAX_BYTES)
        except ValueError as error:
            return _refused(error)
        name = request.query_params.get("name", "")
        return await _answered(lambda: JSONResponse(bench.trying.bring(name, data)))

    return endpoint


async def _body(request: Request, most: int) -> bytes:
    """``ValueError`` where there is more, before all of it is read."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise ValueError(f"more than {most / 2**20:.0f} MiB were sent")
        parts.append(part)
    return b"".join(parts)


async def _answered(answer: Callable[[], Response]) -> Response:
    """The answer, or why there is none."""
    try:
        return await run_in_threadpool(answer)
    except Exception as error:
        return _refused(error)


def _refused(error: Exception) -> Response:
    if isinstance(error, StaleLabelError):
        return JSONResponse({"error": str(error), "stale": True}, 409)
    if isinstance(error, KeyError):
        return JSONResponse({"error": str(error.args[0]) if error.args else "not found"}, 404)
    if isinstance(error, (ValueError, OSError, IndexError, ModuleNotFoundError)):
        return JSONResponse({"error": str(error)}, 400)
    log.exception("a request failed")
    return JSONResponse({"error": f"{type(error).__name__}: {error} (a bug: please report)"}, 500)
