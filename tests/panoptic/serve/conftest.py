"""Servers of tiny random models: what they find means nothing, but it is the same each time."""

from __future__ import annotations

import pytest

pytest.importorskip("starlette", reason="the server needs starlette: the extra 'serve'")
pytest.importorskip("uvicorn", reason="the server needs uvicorn: the extra 'serve'")
pytest.importorskip("python_multipart", reason="the server needs it: the extra 'serve'")


@pytest.fixture(scope="module")
def models(_tiny):
    """A pipeline that all share, and nobody changes."""
    return _tiny


@pytest.fixture(scope="module")
def service(models):
    from panoptic.serve.service import Service

    return Service(models, "tiny")


@pytest.fixture(scope="module")
def client(service):
    """For those that change nothing."""
    from tests.panoptic.serve.servers import serving

    with serving(service) as client:
        yield client
