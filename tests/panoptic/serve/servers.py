"""A server in a thread of its own, on a port of its own, and one who asks it."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import requests
import uvicorn
from PIL import Image

from panoptic.serve.fetching import Fetcher
from panoptic.serve.server import build
from panoptic.serve.service import Service
from panoptic.serve.task_pictures import TaskPictures
from panoptic.web.listening import listen

WORDS = {"things": "car, dog, traffic light", "stuff": "road, sky, grass"}


class Client:
    def __init__(self, address: str) -> None:
        self.address = address
        self.session = requests.Session()
        self.session.trust_env = False

    def ask(self, method: str, path: str, **more: Any) -> requests.Response:
        return self.session.request(method, self.address + path, timeout=60, **more)

    def get(self, path: str, **more: Any) -> requests.Response:
        return self.ask("GET", path, **more)

    def image(self, data: bytes, name: str = "street.png", **fields: str) -> requests.Response:
        return self.ask("POST", "/images", files={"image": (name, data)}, data=fields)

    def video(self, data: bytes, name: str = "drive.mkv", **fields: str) -> requests.Response:
        return self.ask("POST", "/videos", files={"video": (name, data)}, data=fields)

    def json(self, path: str, **content: Any) -> requests.Response:
        return self.ask("POST", path, json=content)


@contextmanager
def serving(
    service: Service,
    token: str | None = None,
    fetcher: Fetcher | None = None,
    files: Path | None = None,
) -> Iterator[Client]:
    listening = listen(0)
    pictures = TaskPictures(fetcher or Fetcher(), files, service.limits.upload)
    config = uvicorn.Config(build(service, token, pictures), log_level="error", lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield Client(f"http://127.0.0.1:{listening.getsockname()[1]}")
    finally:
        server.should_exit = True
        thread.join()


def png(picture: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG")
    return stream.getvalue()


def error(response: requests.Response) -> str:
    content = response.json()
    assert content.keys() == {"error"}
    return content["error"]
