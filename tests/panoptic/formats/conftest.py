import pytest

from tests.panoptic.formats.labelled import data_set


@pytest.fixture(scope="session")
def items(tmp_path_factory):
    """Pictures and a video with labels."""
    return data_set(tmp_path_factory.mktemp("source"))
