"""The tracker's mode is a setting like others, and reaches the tracker."""

from __future__ import annotations

import pytest

from panoptic.settings.tree import Settings
from panoptic.settings.video import VideoSettings
from panoptic.video.frame_maps import tracker_settings


def test_the_mode_of_the_settings_is_the_trackers():
    assert tracker_settings(VideoSettings()).mode == "exact"
    settings = Settings().changed({"video.tracker_mode": "compact"})
    assert tracker_settings(settings.video).mode == "compact"


def test_a_mode_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="tracker_mode"):
        Settings().changed({"video.tracker_mode": "small"})
