"""Why a request isn't answered: a status, what was expected, what came, what to do."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from panoptic.errors import no_memory
from panoptic.io.terminal_text import harmless

log = logging.getLogger("panoptic.serve")
LATER = {"retry-after": "5"}


class Refused(Exception):
    """What to answer instead: ``status`` as in HTTP, ``message`` for people."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = dict(headers or {})


def too_busy(what: str, most: int) -> Refused:
    return Refused(429, f"{most} {what} already; try again in a while", LATER)


def refusal_of(error: Exception) -> Refused:
    """What an error of the library is to those who asked. What is no error of theirs is logged."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, HTTPException):
        return Refused(error.status_code, str(error.detail), error.headers)
    if no_memory(error):
        log.warning("out of memory: %s", error)
        return Refused(503, "out of memory; send a smaller picture, or try again later", LATER)
    if isinstance(error, ValueError):
        return Refused(422, str(error))
    log.error("a request failed", exc_info=error)
    name = type(error).__name__
    return Refused(500, f"{name}: the server's log says more (a bug: please report)")


def as_response(error: Exception) -> Response:
    refused = refusal_of(error)
    return JSONResponse(
        {"error": harmless(refused.message)}, refused.status, headers=refused.headers
    )


def told(
    endpoint: Callable[[Request], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint whose errors are answers."""

    async def answering(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Exception as error:
            return as_response(error)

    return answering
