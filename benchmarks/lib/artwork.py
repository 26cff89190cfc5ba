"""Which artwork is "seen" and which "unseen" in a benchmark."""

from __future__ import annotations

from panoptic.demo.artwork import TRAINING_VENDORS, UNSEEN_VENDOR

PACKAGED = ("twemoji",)
"""The one vendor of the training's that a package of the extras carries; the others have to be
fetched once (``python -m training.artwork``)."""
QUICK_MEANS = "seen artwork is twemoji alone, so nothing has to be fetched"


def artwork(quick: bool) -> dict[str, tuple[str, ...]]:
    """The vendors by kind: those that the demo models were trained on, and the one they never
    saw."""
    return {"seen": PACKAGED if quick else TRAINING_VENDORS, "unseen": (UNSEEN_VENDOR,)}
