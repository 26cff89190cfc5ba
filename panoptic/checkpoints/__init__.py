"""Checkpoints of the models: what is known of them, whether they are at hand, fetching them.

``locate`` is the door for who loads models; ``panoptic.checkpoints.known`` and ``is_here`` for who
lists them.
"""

from panoptic.checkpoints.known import OTHER_DETECTORS, SAM3_NOTE, About, about
from panoptic.checkpoints.paths import locate
from panoptic.checkpoints.presence import is_begun, is_here

__all__ = ["OTHER_DETECTORS", "SAM3_NOTE", "About", "about", "is_begun", "is_here", "locate"]
