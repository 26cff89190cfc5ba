"""What is uploaded, as forms carry it: one file and some short fields."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from panoptic.io.terminal_text import one_line
from panoptic.serve.limits import MEGABYTE
from panoptic.serve.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_LONGEST_FIELD = 64 * 1024
_LONGEST_NAME = 120


@dataclass(frozen=True)
class Form:
    """A file with its name, a plain one without any folder, and the fields beside it."""

    file: UploadFile
    name: str
    fields: dict[str, str]


async def limited(request: Request, most: int) -> Request:
    """The same request, of which no more than ``most`` bytes are read: ``Refused`` (413)."""
    refused = Refused(
        413,
        f"more than {most / MEGABYTE:g} MiB were sent, and no more are taken; send a smaller file, "
        "or start the server with a larger limit",
    )
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > most:
        await _pass_over(request, most)
        raise refused
    read = 0

    async def receive() -> Message:
        nonlocal read
        message = await request.receive()
        read += len(message.get("body", b""))
        if read > most:
            await _pass_over(request, most)
            raise refused
        return message

    return Request(request.scope, receive)


async def _pass_over(request: Request, most: int) -> None:
    """Reads what is left, as far as it isn't much more than what is taken: many programs look for
    an answer only when they have sent all, and find the connection closed."""
    read = 0
    while read <= most:
        message = await request.receive()
        read += len(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body"):
            return


@asynccontextmanager
async def form_of(
    request: Request, file: str, fields: Sequence[str], most: int
) -> AsyncIterator[Form]:
    """The form of a request, with a file in ``file``; its file is gone after the block.

    ``Refused`` for what is no such form: 400, 413, 415, 422.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    how = f"curl -F {file}=@FILE -F things='car, person' -F stuff='road, sky' ADDRESS"
    if kind != "multipart/form-data":
        raise Refused(
            415,
            f"expected a form (multipart/form-data) with a file in {file!r}, got "
            f"{kind or 'no content type'!r}; as {how}",
        )
    try:
        form = await (await limited(request, most)).form(
            max_files=1, max_fields=len(fields) + 1, max_part_size=_LONGEST_FIELD
        )
    except HTTPException as error:
        raise Refused(400, f"the form can't be read: {error.detail}; as {how}") from error
    except ClientDisconnect as error:
        raise Refused(400, "the upload ended before it was whole") from error
    try:
        yield _checked(form.multi_items(), file, fields, how)
    finally:
        await form.close()


def _checked(items: list[tuple[str, Any]], file: str, fields: Sequence[str], how: str) -> Form:
    given: dict[str, Any] = {}
    for name, value in items:
        if name not in (file, *fields):
            raise Refused(
                422, f"there is no field {name[:40]!r}; there are {', '.join((file, *fields))}"
            )
        if name in given:
            raise Refused(422, f"the field {name!r} came twice: send it once")
        given[name] = value
    upload = given.pop(file, None)
    if not isinstance(upload, UploadFile):
        what = "it is missing" if upload is None else "it is text"
        raise Refused(422, f"expected a file in {file!r}, and {what}; as {how}")
    for name, value in given.items():
        if not isinstance(value, str):
            raise Refused(422, f"expected text in {name!r}, got a file")
    return Form(upload, plain_name(upload.filename or "", file), given)


def plain_name(name: str, otherwise: str) -> str:
    """The name of a file without folders and without what steers a terminal."""
    last = PurePosixPath(name.replace("\\", "/")).name
    return one_line(last)[-_LONGEST_NAME:] if last.strip(". ") else otherwise


async def json_of(request: Request, most: int) -> dict[str, Any]:
    """The JSON object in a request. ``Refused``: 400, 413."""
    try:
        content = json.loads(await (await limited(request, most)).body() or b"{}")
    except ClientDisconnect as error:
        raise Refused(400, "the request ended before it was whole") from error
    except ValueError as error:
        raise Refused(400, f"expected JSON, and it can't be read: {error}") from error
    except RecursionError as error:
        raise Refused(400, "expected JSON, and it is nested too deep") from error
    if not isinstance(content, dict):
        raise Refused(400, f"expected a JSON object, got {type(content).__name__}")
    return content
