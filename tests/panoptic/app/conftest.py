"""Data sets that are made in a moment, and apps that answer about them."""

from __future__ import annotations

import pytest

from panoptic.dataset.resumable_labelling import label_dataset
from tests.panoptic.dataset.colours import WORDS, ColourLabeller, fill
from tests.panoptic.dataset.test_videos import write_video

pytest.importorskip("starlette", reason="the app needs starlette: the extra 'app'")
pytest.importorskip("uvicorn", reason="the app needs uvicorn: the extra 'app'")


@pytest.fixture
def dataset(tmp_path):
    """Twelve pictures and a video of six frames."""
    return make_dataset(tmp_path)


def make_dataset(folder):
    fill(folder / "in", 12)
    write_video(folder / "in/clip.mkv", count=6)
    label_dataset(ColourLabeller(), folder / "in", WORDS, folder / "out")
    return folder / "out"
