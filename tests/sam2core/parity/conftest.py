"""Both sides of the comparison at the small configuration, made once for all of its tests."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from torch import Tensor

from benchmarks.parity.calibration import comparison_state
from benchmarks.parity.reference import Reference, random_state
from benchmarks.parity.scenes import Scene
from benchmarks.parity.shapes import MINI
from benchmarks.parity.subject import Subject


@dataclass(frozen=True)
class Sides:
    """Weights, scene, reference and subject of one version."""

    version: str
    state: dict[str, Tensor]
    scene: Scene
    reference: Reference
    subject: Subject

    @classmethod
    def of(cls, version: str, state: dict[str, Tensor]) -> Sides:
        reference = Reference(MINI, version, state)
        return cls(version, state, Scene(MINI.image_size), reference, Subject(MINI, version, state))


@pytest.fixture(scope="session")
def newer() -> Sides:
    """SAM 2.1."""
    return Sides.of("2.1", comparison_state(MINI, "2.1"))


@pytest.fixture(scope="session")
def older(newer) -> Sides:
    """SAM 2.0, with those of the weights of 2.1 that it has."""
    return Sides.of("2.0", {name: newer.state[name] for name in random_state(MINI, "2.0")})
