"""Tiny random models of every kind, for the calls in ``calls.py``."""

import pytest

from tests.detectors.conftest import (  # noqa: F401
    clipseg_folder,
    grounding_dino_folder,
    mm_grounding_dino_folder,
    omdet_folder,
    owlv2_folder,
    sam3_folder,
)
from tests.devices.calls import CALLS
from tests.panoptic.conftest import models_folder  # noqa: F401
from tests.sam2core.conftest import one_thread  # noqa: F401

_on_the_cpu: dict = {}


@pytest.fixture
def call(request):
    """A call of the public API, ``call(device)``, whose answer is a dictionary of arrays."""
    ask, models = CALLS[request.param]
    folder = request.getfixturevalue(models) if models else None

    def on(device: str):
        if device != "cpu":
            return ask(device, folder)
        if request.param not in _on_the_cpu:
            _on_the_cpu[request.param] = ask(device, folder)
        return _on_the_cpu[request.param]

    return on
