import io
import tarfile

import av
import numpy as np
import pytest

from panoptic.dataset.resumable_labelling import label_dataset
from panoptic.dataset.store import DatasetStore
from panoptic.settings.dataset import DatasetSettings
from tests.panoptic.dataset.colours import WORDS, ColourLabeller, contents, fill, picture


def write_video(path, count=5, start=0):
    """A video without losses, so that frames are known to the pixel."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 24, "bgr0"
        for i in range(count):
            frame = av.VideoFrame.from_ndarray(picture(start + i), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


@pytest.fixture
def source(tmp_path):
    fill(tmp_path / "in", 3)
    write_video(tmp_path / "in/a/0001.mkv")  # the key is that of a picture, but for the ending
    write_video(tmp_path / "in/clip.mkv", count=3, start=10)
    (tmp_path / "in/broken.mp4").write_bytes(b"no video")
    return tmp_path / "in"


def test_pictures_and_videos_are_labelled_together(source, tmp_path):
    run = label_dataset(ColourLabeller(), source, WORDS, tmp_path / "out")
    assert (run.labelled, run.failed) == (5, 1)
    with run.open() as store:
        items = {item.source.removeprefix(f"{source}/"): item for item in store.items()}
        clip = items["clip.mkv"]
        assert (clip.kind, clip.frames, clip.size, clip.key) == ("video", 3, (24, 32), "clip")
        for frame in (0, 2, 1):
            assert np.array_equal(clip.picture(frame), picture(10 + frame))
            assert clip.load(frame) == ColourLabeller().segment(picture(10 + frame), WORDS)
        assert items["a/0001.mkv"].key != items["a/0001.png"].key
        assert items["a/0001.mkv"].frames == 5
        masklets = store.segments("clip")
        frames = [clip.load(i) for i in range(3)]
        for masklet in masklets:
            seen = [s for frame in frames for s in frame if s.id == masklet.id]
            assert masklet.area == round(np.mean([s.area for s in seen]))
            assert masklet.quality == pytest.approx(np.mean([s.quality for s in seen]))
        assert "broken.mp4" in next(store.failures()).error


def test_a_video_is_all_there_or_not_at_all(source, tmp_path):
    class Failing(ColourLabeller):
        def track(self, video, vocabulary):
            for frame in super().track(video, vocabulary):
                if frame.index == 2:
                    raise RuntimeError("out of memory")
                yield frame

    out = tmp_path / "out"
    run = label_dataset(Failing(), source, WORDS, out)
    assert (run.labelled, run.failed) == (3, 3)
    assert not (out / "videos").exists()
    assert not (out / ".partial").exists()
    assert label_dataset(ColourLabeller(), source, WORDS, out).labelled == 2
    label_dataset(ColourLabeller(), source, WORDS, tmp_path / "undisturbed")
    assert contents(out) == contents(tmp_path / "undisturbed")


def test_a_changed_video_is_labelled_again_and_its_old_label_kept(source, tmp_path):
    out = tmp_path / "out"
    label_dataset(ColourLabeller(), source, WORDS, out)
    old = contents(out)
    write_video(source / "clip.mkv", count=4, start=20)
    run = label_dataset(ColourLabeller(), source, WORDS, out)
    assert run.labelled == 1
    with DatasetStore.open(out) as store:
        assert store.item("clip").frames == 4
    (kept,) = (out / "previous").rglob("clip.frames")
    for path in kept.iterdir():
        assert path.read_bytes() == old[f"videos/clip.frames/{path.name}"]
    assert len(list(kept.iterdir())) == 6


def test_corrections_of_single_frames(source, tmp_path):
    label_dataset(ColourLabeller(), source, WORDS, tmp_path / "out")
    with DatasetStore.open(tmp_path / "out") as store:
        clip = store.item("clip")
        store.set_verdict("clip", "corrected", corrected={1: clip.load(0)})
        clip = store.item("clip")
        assert clip.load(1) == clip.load(0)
        assert clip.load(2) == ColourLabeller().segment(picture(12), WORDS)


def test_videos_in_shards(source, tmp_path):
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        tar.add(source / "clip.mkv", "s/0.mkv")
        info = tarfile.TarInfo("s/0.txt")
        tar.addfile(info, io.BytesIO())
    run = label_dataset(ColourLabeller(), tmp_path / "x.tar", WORDS, tmp_path / "out")
    assert run.labelled == 1
    with run.open() as store:
        item = next(store.items())
        assert np.array_equal(item.picture(2), picture(12))
        assert item.load(2) == ColourLabeller().segment(picture(12), WORDS)


def test_a_labeller_of_pictures_says_so(source, tmp_path):
    class Pictures:
        def fingerprint(self):
            return {}

        def segment_batch(self, images, vocabulary):
            return ColourLabeller().segment_batch(images, vocabulary)

    run = label_dataset(Pictures(), source, WORDS, tmp_path / "out", settings=DatasetSettings())
    assert (run.labelled, run.failed) == (3, 3)
    assert any("labels pictures only" in f.error for f in run.open().failures())


def test_a_pipeline_labels_videos(source, tmp_path, tiny, words):
    tiny.settings = tiny.settings.changed({"region_side": 32})
    run = label_dataset(tiny, source / "clip.mkv", words, tmp_path / "out")
    assert (run.labelled, run.failed) == (1, 0)
    with run.open() as store:
        item = next(store.items())
        tracked = [frame.segmentation for frame in tiny.track(source / "clip.mkv", words)]
        assert [item.load(i) for i in range(3)] == tracked
