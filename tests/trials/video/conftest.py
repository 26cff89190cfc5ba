from tests.panoptic.video.conftest import demo_clip, demo_sam2  # noqa: F401
