from dataclasses import replace

import numpy as np
import pytest

from panoptic.formats.davis import read_indices
from panoptic.formats.detections_csv import read_detections
from panoptic.formats.sa_v import Masklets
from panoptic.formats.video_formats import VIDEO_FORMATS, VideoOutputs, remove_leftovers
from panoptic.formats.video_output import VideoInfo
from panoptic.formats.vipseg import VipsegVideos
from panoptic.results.frame import PanopticFrame
from panoptic.results.segmentation import PanopticSegmentation
from prompts import Vocabulary
from tests.panoptic.video.videos import INFO, VOCABULARY, files_of, labelled

LABELS = tuple(name for name in VIDEO_FORMATS if name != "overlay")


@pytest.fixture(scope="module")
def frames():
    return labelled(frames=9)


def write(folder, frames, formats=LABELS, start=0, every=3):
    outputs = VideoOutputs(folder, INFO, formats, start)
    for frame in frames:
        if frame.index % every == 0:
            outputs.checkpoint()
        outputs.add(frame)
    return outputs


def finish(folder, outputs):
    paths = outputs.close()
    remove_leftovers(folder, INFO)
    return paths


def test_every_format_gives_back_what_was_written(tmp_path, frames):
    paths = finish(tmp_path, write(tmp_path, frames))
    vipseg = VipsegVideos.open(paths["vipseg"])
    masklets = Masklets.open(paths["sa-v"])
    tables = dict(read_detections(paths["detections"]))
    objects = {}
    for frame, read in zip(frames, vipseg.frames("clip"), strict=True):
        truth = frame.segmentation
        assert np.array_equal(read.ids, truth.ids)
        assert [s.category for s in read] == [s.category for s in truth]
        indices = read_indices(paths["davis"] / f"{frame.index:05d}.png")
        for s in truth:
            (index,) = np.unique(indices[truth.ids == s.id])
            assert objects.setdefault(s.id, index) == index
        assert np.array_equal(indices == 0, truth.ids == 0)
        table = tables[frame.index]
        assert table.tracker_id.tolist() == [s.id for s in truth]
        assert table.data["class_name"].tolist() == [s.category for s in truth]
        assert np.array_equal(table.mask, np.stack([truth.mask(s.id) for s in truth]))
        assert np.allclose(table.xyxy, [s.box for s in truth])
        assert np.allclose(table.confidence, [s.score for s in truth])
    assert len(masklets.ids) == len(objects)


@pytest.mark.parametrize("killed", [3, 5, 9])
def test_a_resumed_run_leaves_the_same_bytes(tmp_path, frames, killed):
    finish(tmp_path / "whole", write(tmp_path / "whole", frames))
    write(tmp_path / "killed", frames[:killed])  # never closed, like a killed process
    start = (killed - 1) // 3 * 3
    finish(tmp_path / "killed", write(tmp_path / "killed", frames[start:], start=start))
    assert files_of(tmp_path / "killed") == files_of(tmp_path / "whole")


def test_a_run_that_is_killed_while_it_finishes_can_be_resumed(tmp_path, frames):
    finish(tmp_path / "whole", write(tmp_path / "whole", frames, tuple(VIDEO_FORMATS)))
    write(tmp_path / "killed", frames, tuple(VIDEO_FORMATS)).close()  # and leftovers stay
    finish(
        tmp_path / "killed", write(tmp_path / "killed", [], tuple(VIDEO_FORMATS), start=len(frames))
    )
    assert files_of(tmp_path / "killed") == files_of(tmp_path / "whole")


def test_a_new_run_replaces_a_longer_one(tmp_path, frames):
    finish(tmp_path / "new", write(tmp_path / "new", frames[:4]))
    finish(tmp_path / "both", write(tmp_path / "both", frames))
    finish(tmp_path / "both", write(tmp_path / "both", frames[:4]))
    assert files_of(tmp_path / "both") == files_of(tmp_path / "new")


def test_frames_without_any_segment(tmp_path, frames):
    nothing = [
        PanopticFrame(f.index, f.image, PanopticSegmentation.empty(*f.image.shape[:2]))
        for f in frames
    ]
    paths = finish(tmp_path, write(tmp_path, nothing, tuple(VIDEO_FORMATS)))
    assert [len(f) for f in VipsegVideos.open(paths["vipseg"]).frames("clip")] == [0] * len(frames)
    assert list(read_detections(paths["detections"])) == []
    assert paths["overlay"].stat().st_size > 0


def test_times_of_detections_are_the_frames_own_or_follow_from_the_pace(tmp_path, frames):
    own = [replace(frames[0], time=0.0), replace(frames[1], time=0.75), frames[2]]
    path = finish(tmp_path, write(tmp_path, own, ("detections",)))["detections"]
    column = path.read_text().splitlines()[0].split(",").index("time")
    times = [line.split(",")[column] for line in path.read_text().splitlines()[1:]]
    assert list(dict.fromkeys(times)) == ["0.000000", "0.750000", f"{2 / 12.5:.6f}"]


def test_what_is_asked_for_wrongly_is_named(tmp_path):
    with pytest.raises(ValueError, match="no format 'mov'; there are overlay, vipseg"):
        VideoOutputs(tmp_path, INFO, ["mov"])
    with pytest.raises(ValueError, match="becomes that of a file"):
        VideoInfo("a/b", VOCABULARY)
    with pytest.raises(ValueError, match="fps must be above 0"):
        VideoInfo("a", VOCABULARY, fps=0)


def test_a_table_without_the_columns_is_refused(tmp_path):
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="lacks the columns class_id"):
        list(read_detections(tmp_path / "other.csv"))


def test_videos_of_other_words_need_another_folder(tmp_path, frames):
    finish(tmp_path, write(tmp_path, frames[:1], ("vipseg",)))
    others = VideoInfo("second", Vocabulary(things=["car"], stuff=["road"]))
    refused = VideoOutputs(tmp_path, others, ("vipseg", "davis"))
    assert "holds 'clip', labelled with other words" in refused.ended["vipseg"]
    assert list(refused.ended) == ["vipseg"]
    assert not VideoOutputs(tmp_path, VideoInfo("second", VOCABULARY), ("vipseg",)).ended
