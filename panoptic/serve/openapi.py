"""The description of the HTTP API, as OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.0)."""

from __future__ import annotations

from typing import Any

from panoptic.formats.video_formats import DEFAULT_FORMATS, VIDEO_FORMATS
from panoptic.serve.limits import MEGABYTE, Limits
from panoptic.serve.pictures import FORMATS
from panoptic_anything import __version__

TEXT, NUMBER, WHOLE = {"type": "string"}, {"type": "number"}, {"type": "integer"}
_REFUSALS = {
    400: "The form or the JSON can't be read",
    401: "No token, or a wrong one",
    404: "There is no such video",
    409: "The video has no result (yet)",
    413: "More bytes than are taken",
    415: "No form",
    422: "What was sent can't be labelled: no picture, too many pixels or frames, no words",
    429: "Too many are waiting; try again",
    502: "The task's picture can't be had where it is",
    503: "Out of memory; try again, or with less",
}


def openapi(limits: Limits) -> dict[str, Any]:
    """The document that ``GET /openapi.json`` answers with."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "panoptic serve",
            "version": __version__,
            "summary": "Pictures and videos labelled by words: every pixel gets a name.",
        },
        "security": [{"bearer": []}, {"basic": []}],
        "paths": _paths(limits),
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic", "description": "The password counts."},
            },
            "schemas": _SCHEMAS,
        },
    }


def _paths(limits: Limits) -> dict[str, Any]:
    upload = f"{limits.upload / MEGABYTE:g} MiB at most"
    video = f"{limits.video_upload / MEGABYTE:g} MiB and {limits.frames:,} frames at most"
    formats = f"Names with commas, or all, of {', '.join(VIDEO_FORMATS)}."
    health = _gets("Whether it is up", _answers("Health"), ())
    return {
        "/health": {"get": {**health, "security": []}},
        "/": {"get": health},
        "/openapi.json": {"get": _gets("This document", {"type": "object"}, ())},
        "/images": {
            "post": {
                "summary": "Label a picture",
                "requestBody": _form(
                    *("image", f"The picture, {upload}", "json", f"One of {', '.join(FORMATS)}."),
                ),
                "responses": {
                    "200": {
                        "description": "COCO panoptic, with the PNG of ids; or the files that "
                        "`panoptic image` writes",
                        "content": {
                            "application/json": {"schema": _answers("Labelled")},
                            "application/zip": {},
                        },
                    },
                    **_refused(400, 413, 415, 422, 429, 503),
                },
            }
        },
        "/videos": {
            "post": {
                "summary": "Label a video, beside other requests",
                "requestBody": _form(
                    *("video", f"The video, {video}", ",".join(DEFAULT_FORMATS), formats),
                ),
                "responses": {
                    "202": _json("It waits for its turn", _answers("Video")),
                    **_refused(400, 413, 415, 422, 429, 503),
                },
            }
        },
        "/videos/{id}": {
            "parameters": [_ID],
            "get": _gets("How far a video is", _answers("Video"), (404,)),
            "delete": {
                "summary": "End a video, and take its files away",
                "responses": {"204": {"description": "It is gone"}, **_refused(404)},
            },
        },
        "/videos/{id}/result": {
            "parameters": [_ID],
            "get": {
                "summary": "The files that `panoptic video` writes",
                "responses": {
                    "200": {"description": "All of them", "content": {"application/zip": {}}},
                    **_refused(404, 409),
                },
            },
        },
        "/setup": {
            "post": _studio("A project is connected", _object(schema=TEXT), 200, (400, 422))
        },
        "/versions": {"get": _gets("The version of predictions", {"type": "object"}, ())},
        "/predict": {
            "post": _studio(
                "Predictions for tasks",
                _object(tasks={"type": "array", "items": {"type": "object"}}, label_config=TEXT),
                *(200, (400, 413, 422, 429, 502, 503)),
            )
        },
        "/webhook": {"post": _studio("Something happened", _object(action=TEXT), 201, (400,))},
    }


def _form(file: str, about: str, usual: str, formats: str) -> dict[str, Any]:
    fields = {
        file: {"type": "string", "contentMediaType": "application/octet-stream",
               "description": about},
        "things": {**TEXT, "description": "What can be counted, with commas: car, person"},
        "stuff": {**TEXT, "description": "What can't: road, sky"},
        "format": {**TEXT, "default": usual, "description": formats},
    }  # fmt: skip
    schema = {
        **{"type": "object", "properties": fields, "required": [file]},
        "additionalProperties": False,
    }
    return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}


def _studio(
    summary: str, schema: dict[str, Any], status: int, refusals: tuple[int, ...]
) -> dict[str, Any]:
    """Label Studio's protocol, of which the fields are told that are read."""
    return {
        "summary": summary,
        "tags": ["Label Studio"],
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {
            str(status): _json("As it expects", {"type": "object"}),
            **_refused(*refusals),
        },
    }


def _gets(summary: str, schema: dict[str, Any], refusals: tuple[int, ...]) -> dict[str, Any]:
    return {"summary": summary, "responses": {"200": _json("It", schema), **_refused(*refusals)}}


def _refused(*statuses: int) -> dict[str, Any]:
    return {str(s): _json(_REFUSALS[s], _answers("Refusal")) for s in (401, *statuses)}


def _json(about: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": about, "content": {"application/json": {"schema": schema}}}


def _answers(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _list(**properties: Any) -> dict[str, Any]:
    return {"type": "array", "items": _object(**properties)}


_ID = {"name": "id", "in": "path", "required": True, "schema": TEXT}
_SEGMENT = {
    **{"id": WHOLE, "category_id": WHOLE, "area": WHOLE, "iscrowd": WHOLE, "score": NUMBER},
    "bbox": {"type": "array", "items": WHOLE, "description": "x, y, width, height in pixels"},
}
_SCHEMAS: dict[str, Any] = {
    "Refusal": _object(error={**TEXT, "description": "What was expected, what came, what to do"}),
    "Health": _object(status=TEXT, version=TEXT, models=TEXT, waiting=WHOLE, model_class=TEXT),
    "Labelled": _object(
        images=_list(id=WHOLE, file_name=TEXT, height=WHOLE, width=WHOLE),
        annotations=_list(image_id=WHOLE, file_name=TEXT, segments_info=_list(**_SEGMENT)),
        categories=_list(id=WHOLE, name=TEXT, isthing=WHOLE),
        png={
            **{"type": "string", "contentEncoding": "base64", "contentMediaType": "image/png"},
            "description": "The id of each pixel, R + 256 G + 65536 B; 0 where there is none",
        },
        notes={"type": "array", "items": TEXT},
    ),
    "Video": {
        **_object(id=TEXT, name=TEXT, done=WHOLE, frames=WHOLE, url=TEXT, state={
            "enum": ["waiting", "running", "done", "failed", "cancelled"]
        }),
        "description": "With result and summary once it is done, error if it failed, problems.",
    },
}  # fmt: skip
