"""What the dials of stand-ins may be set to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def check_shares(errors: Any, names: Iterable[str]) -> None:
    """``ValueError`` for a dial of these names that isn't a share, in [0, 1]."""
    for name in names:
        if not 0 <= getattr(errors, name) <= 1:
            raise ValueError(f"{name} must be in [0, 1], got {getattr(errors, name)}")


def check_not_negative(errors: Any, names: Iterable[str]) -> None:
    """``ValueError`` for a dial of these names that is below 0."""
    for name in names:
        if getattr(errors, name) < 0:
            raise ValueError(f"{name} must be at least 0, got {getattr(errors, name)}")
