import copy
from pathlib import Path

import numpy as np
import pytest

# Tiny checkpoints with random weights, in the formats that pipelines load.
from tests.detectors.conftest import clipseg_folder, grounding_dino_folder  # noqa: F401

MEDIA = Path(__file__).resolve().parents[2].parent / "shared" / "media"


@pytest.fixture(scope="session")
def coco_sample() -> Path:
    """COCO's two panoptic example images with their ground truth, where they are at hand."""
    folder = MEDIA / "coco_panoptic"
    if not folder.is_dir():
        pytest.skip(f"no COCO panoptic sample in {folder}")
    return folder


@pytest.fixture(scope="session")
def models_folder(tmp_path_factory, grounding_dino_folder, clipseg_folder):  # noqa: F811
    """A folder with three tiny models, as ``PanopticPipeline.from_pretrained`` takes it."""
    import sam2core
    from tests.sam2core.conftest import random_model

    folder = tmp_path_factory.mktemp("models")
    (folder / "grounding_dino").symlink_to(grounding_dino_folder)
    (folder / "clipseg").symlink_to(clipseg_folder)
    sam2core.save(random_model(), folder / "sam2")
    return folder


@pytest.fixture(scope="session")
def words():
    """What the tiny models know (at random)."""
    from prompts import Vocabulary

    return Vocabulary(things=["car", "dog", "traffic light"], stuff=["road", "sky", "grass"])


@pytest.fixture
def tiny(_tiny):
    """A pipeline of tiny random models, with thresholds at which they find something; a test's
    own, to change as it likes."""
    return copy.deepcopy(_tiny)


@pytest.fixture(scope="session")
def _tiny(models_folder):
    from detectors.base import ThingSettings
    from panoptic import PanopticPipeline

    settings = {"merge.min_visible": 0.05, "stuff_masks.min_agreement": 0.05}
    # In float32 wherever the tests run: there a batch gives what single pictures give.
    pipeline = PanopticPipeline.from_pretrained(models_folder, dtype="float32", settings=settings)
    pipeline.things.settings = ThingSettings(box_threshold=0.5, text_threshold=0.5, max_boxes=6)
    return pipeline


@pytest.fixture(scope="session")
def picture():
    """Coarse colours with noise, uint8 (90, 120, 3)."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (3, 4, 3), dtype=np.uint8).repeat(30, 0).repeat(30, 1)
    return (coarse * 0.8 + rng.integers(0, 50, coarse.shape)).astype(np.uint8)
