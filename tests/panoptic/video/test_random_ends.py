"""Runs that end between two file operations, whichever: nothing is claimed that isn't there."""

import sys

import numpy as np
import pytest

from panoptic.formats.video_formats import VIDEO_FORMATS, rewrite_shared
from panoptic.formats.video_output import VideoInfo
from panoptic.formats.vipseg import VipsegVideos
from panoptic.video.clip_record import records
from tests.panoptic.video.test_resumable_tracking import Known, run
from tests.panoptic.video.videos import VOCABULARY, files_of, labelled

EVENTS = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "shutil.rmtree")
FRAMES = 9


class Ends:
    """Ends what runs before the n-th file operation below a folder, as Ctrl-C does."""

    def __init__(self):
        self.folder, self.left = "", -1
        sys.addaudithook(self._hook)

    def _hook(self, event, values):
        if self.left < 0 or event not in EVENTS or not str(values[0]).startswith(self.folder):
            return
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def ends():
    found = Ends()
    yield found
    found.left = -1


@pytest.fixture(scope="module")
def frames():
    return labelled(frames=FRAMES)


@pytest.fixture(scope="module")
def whole(frames, tmp_path_factory):
    """The files of a run that nobody disturbed, and how many file operations it took."""
    folder = tmp_path_factory.mktemp("whole")
    run(folder, frames, every=3)
    return files_of(folder)


def check_claims(folder, whole):
    for name, record in records(folder):
        for each in record.formats:
            paths = VIDEO_FORMATS[each].files(folder, VideoInfo(name, VOCABULARY))
            assert paths
            for path in paths:
                assert path.read_bytes() == whole[str(path.relative_to(folder))]
    if (folder / "vipseg" / "pred.json").exists():
        videos = VipsegVideos.open(folder / "vipseg")
        for name in videos.annotations:
            assert len(list(videos.frames(name))) == FRAMES


@pytest.mark.parametrize("seed", range(8))
def test_a_run_that_ends_between_any_two_file_operations(tmp_path, frames, whole, ends, seed):
    rng = np.random.default_rng(seed)
    ends.folder = str(tmp_path)
    for resume in (False, True, True):
        formats = tuple(name for name in VIDEO_FORMATS if rng.random() < 0.5) or ("sa-v",)
        ends.left = int(rng.integers(200))
        try:
            run(tmp_path, frames, formats=formats, every=3, resume=resume)
        except KeyboardInterrupt:
            pass
        finally:
            ends.left = -1
        check_claims(tmp_path, whole)
    run(tmp_path, frames, every=3, resume=True)
    rewrite_shared(tmp_path, tuple(VIDEO_FORMATS))
    assert files_of(tmp_path) == whole
    again = Known(frames)
    run(tmp_path, frames, again, every=3, resume=True)
    assert again.labelled == []
