from pathlib import Path

import pytest

MEDIA = Path(__file__).resolve().parents[2].parent / "shared" / "media"


@pytest.fixture(scope="session")
def coco_sample() -> Path:
    """COCO's two panoptic example images with their ground truth, where they are at hand."""
    folder = MEDIA / "coco_panoptic"
    if not folder.is_dir():
        pytest.skip(f"no COCO panoptic sample in {folder}")
    return folder
