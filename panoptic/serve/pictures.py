"""``POST /images``: a picture labelled, as JSON with its PNG, or as the files in a zip."""

from __future__ import annotations

import base64
import io
import tempfile
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import anyio.from_thread
from anyio import CapacityLimiter, to_thread
from PIL import Image
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from panoptic.formats.coco_documents import document_of
from panoptic.formats.coco_panoptic import CocoPanopticWriter
from panoptic.io.files import png_bytes, write_png
from panoptic.results.id_map import ids_to_rgb
from panoptic.results.segmentation import PanopticSegmentation
from panoptic.serve.refusals import Refused
from panoptic.serve.service import Gone, Service
from panoptic.serve.uploads import form_of
from prompts import Vocabulary

FORMATS = ("json", "zip")
FIELDS = ("things", "stuff", "format")
CLOSED = 499
"""What nobody is there to read; the number is common for it."""


class Pictures:
    """The endpoint."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._threads = CapacityLimiter(service.limits.queue)

    async def label(self, request: Request) -> Response:
        service = self._service
        with service.room.place():  # uploads take memory, too
            async with form_of(request, "image", FIELDS, service.limits.upload) as form:
                format = form.fields.get("format", "json")
                if format not in FORMATS:
                    raise Refused(422, f"'format' is {format!r}: expected {' or '.join(FORMATS)}")
                vocabulary = service.vocabulary(form.fields)
                data = await form.file.read()
            work = partial(self._answer, data, form.name, vocabulary, format, gone(request))
            try:
                return await to_thread.run_sync(work, limiter=self._threads)
            except Gone:
                return Response(status_code=CLOSED)

    def _answer(
        self,
        data: bytes,
        name: str,
        vocabulary: Vocabulary,
        format: str,
        is_gone: Callable[[], bool],
    ) -> Response:
        picture, notes = self._service.read(data, name)
        result = self._service.segment(picture, vocabulary, is_gone)
        if format == "zip":
            return Response(as_zip(result, name, vocabulary), media_type="application/zip")
        return JSONResponse(as_json(result, name, vocabulary, notes))


def gone(request: Request) -> Callable[[], bool]:
    """Whether whoever asked has left; to be called from a thread that the endpoint started."""
    return lambda: anyio.from_thread.run(request.is_disconnected)


def as_json(
    result: PanopticSegmentation, name: str, vocabulary: Vocabulary, notes: tuple[str, ...]
) -> dict[str, Any]:
    """COCO panoptic, with the PNG itself and what there is to say of the picture beside it."""
    png = f"{PurePosixPath(name).stem or 'image'}.png"
    ids = png_bytes(Image.fromarray(ids_to_rgb(result.ids)))
    return {
        **document_of(result, name, png, vocabulary.to_coco()),
        "png": base64.b64encode(ids).decode(),
        "notes": list(notes),
    }


def as_zip(result: PanopticSegmentation, name: str, vocabulary: Vocabulary) -> bytes:
    """The files that ``panoptic image`` writes."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with CocoPanopticWriter(folder, categories=vocabulary.to_coco()) as coco:
            png = coco.add(result, name)
        write_png(folder / "overlays" / png.name, result.overlay(colors=vocabulary))
        stream = io.BytesIO()
        zip_folder(folder, stream)
        return stream.getvalue()


def zip_folder(folder: Path, to: Any, without: str = "") -> None:
    """All files below a folder, but those in one of its folders, as a zip; what is packed already
    (PNG, MP4) isn't packed again."""
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            name = path.relative_to(folder).as_posix()
            if without and name.startswith(f"{without}/"):
                continue
            packed = path.suffix.lower() in (".png", ".mp4")
            archive.write(path, name, zipfile.ZIP_STORED if packed else None)
