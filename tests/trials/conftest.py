"""Tiny models, as all tests of commands have them."""

from tests.detectors.conftest import clipseg_folder, grounding_dino_folder  # noqa: F401
from tests.panoptic.conftest import _tiny, models_folder, picture, tiny, words  # noqa: F401
