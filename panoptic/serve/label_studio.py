"""Label Studio's protocol for machine learning backends: its paths, its fields.

As Label Studio's ``ml/api_connector.py`` asks and as ``label_studio_ml/api.py`` of its makers'
label-studio-ml-backend answers. What comes with a request to say where Label Studio is
(``hostname``, ``access_token``) isn't used: where pictures come from is said when the server is
started.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from anyio import CapacityLimiter, to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from panoptic.serve.labelling_config import Asked, read_config
from panoptic.serve.pictures import CLOSED, gone
from panoptic.serve.predictions import prediction_of
from panoptic.serve.refusals import Refused, refusal_of
from panoptic.serve.service import Gone, Service
from panoptic.serve.smart_tools import SmartTools
from panoptic.serve.task_pictures import TaskPictures
from panoptic.serve.uploads import json_of
from panoptic.web.requests import mapping

EVENTS = ("ANNOTATION_CREATED", "ANNOTATION_UPDATED", "ANNOTATION_DELETED", "START_TRAINING")
"""What is known of what may have happened; none of it changes anything here."""
MOST_TASKS = 100
"""Tasks of one request: as many as Label Studio sends."""


class LabelStudio:
    """The endpoints."""

    def __init__(self, service: Service, pictures: TaskPictures) -> None:
        self._service, self._pictures = service, pictures
        self._tools = SmartTools(service)
        self._threads = CapacityLimiter(service.limits.queue)

    async def health(self, request: Request) -> Response:
        return JSONResponse({**self._service.state(), "model_class": "Panoptic"})

    async def setup(self, request: Request) -> Response:
        """A project was connected, or its configuration changed: whether it can be answered."""
        asked = await json_of(request, self._service.limits.upload)
        await to_thread.run_sync(self._config, asked.get("schema"))
        version = await to_thread.run_sync(lambda: self._service.version)
        return JSONResponse({"model_version": version})

    async def versions(self, request: Request) -> Response:
        version = await to_thread.run_sync(lambda: self._service.version)
        return JSONResponse({"versions": [version]})

    async def webhook(self, request: Request) -> Response:
        """Nothing is learned from annotations; to have heard of them is all."""
        event = (await json_of(request, self._service.limits.upload)).get("action")
        if event not in EVENTS:
            return JSONResponse({"status": "Unknown event"})
        return JSONResponse({"status": "ok", "result": {}}, 201)

    async def predict(self, request: Request) -> Response:
        with self._service.room.place():
            asked = await json_of(request, self._service.limits.upload)
            work = partial(self._predict, asked, gone(request))
            try:
                return await to_thread.run_sync(work, limiter=self._threads)
            except Gone:
                return Response(status_code=CLOSED)

    def _predict(self, asked: Mapping[str, Any], is_gone: Callable[[], bool]) -> Response:
        tasks = asked.get("tasks")
        if isinstance(tasks, dict):
            tasks = [tasks]
        if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
            raise Refused(422, f"expected a list of tasks in 'tasks', got {type(tasks).__name__}")
        if len(tasks) > MOST_TASKS:
            raise Refused(422, f"{len(tasks)} tasks were sent, and no more than {MOST_TASKS} are "
                          "taken at a time")  # fmt: skip
        drawn = mapping(mapping(asked, "params"), "context").get("result") or []
        if not isinstance(drawn, list) or (drawn and len(tasks) != 1):
            raise Refused(422, "expected what was drawn as a list, for one task")
        config = self._config(asked.get("label_config"))
        version = self._service.version
        results = [self._one(task, config, version, is_gone, drawn) for task in tasks]
        return JSONResponse({"results": results, "model_version": version})

    def _one(
        self,
        task: Mapping[str, Any],
        config: Asked,
        version: str,
        is_gone: Callable[[], bool],
        drawn: list[Any],
    ) -> dict[str, Any]:
        id = task.get("id")
        try:
            data = mapping(task, "data")
            if config.field not in data:
                raise Refused(
                    422,
                    f"its data has no {config.field!r}, where the labelling configuration says "
                    f"that the picture is; it has {', '.join(map(repr, data)) or 'nothing'}",
                )
            place = data[config.field]
            picture, _ = self._service.read(self._pictures.read(place, id), "the picture")
            if drawn:
                return self._tools.answer(picture, drawn, config, version, is_gone)
            result = self._service.segment(picture, config.vocabulary, is_gone)
        except Gone:
            raise
        except Exception as error:
            refused = refusal_of(error)
            raise Refused(
                refused.status, f"task {str(id)[:40]}: {refused.message}", refused.headers
            ) from error
        return prediction_of(result, config, version)

    def _config(self, text: Any) -> Asked:
        words = self._service.words
        config = read_config(text, [p for c in words.stuff for p in c.phrases] if words else ())
        self._service.check_words(config.vocabulary)
        return config
