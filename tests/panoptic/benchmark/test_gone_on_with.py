"""What was stopped in between becomes what it would have been without."""

import pytest

from panoptic.benchmark.layouts import find_coco, find_sav, find_vipseg
from panoptic.benchmark.masklets import SavMasks, run_masklets
from panoptic.benchmark.panoptic_clips import run_panoptic_clips
from panoptic.benchmark.pictures import run_pictures
from panoptic.benchmark.request import check_request
from panoptic.benchmark.words import SetWords
from panoptic.errors import DatasetError
from panoptic.image_pipeline import ImagePipeline
from panoptic.io.output_folder import output_folder
from panoptic.settings.dataset import DatasetSettings
from tests.panoptic.benchmark import published_layouts as published


class Killed(BaseException):
    pass


def dies(done, total):
    if done and total:
        raise Killed


def lives(done, total):
    pass


@pytest.fixture(scope="module")
def pipeline(models):
    return ImagePipeline.from_pretrained(models, device="cpu", dtype="float32")


def files(out, folder):
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in sorted((out / folder).rglob("*"))
        if path.is_file()
    }


def go(run, out, progress=lives):
    with output_folder(out, "panoptic benchmark", resume=True) as folder:
        check_request(folder, {"set": "any"})
        return run(folder, progress)


def compare(run, tmp_path, folder):
    out, whole = tmp_path / "out", tmp_path / "undisturbed"
    with pytest.raises(Killed):
        go(run, out, dies)
    part = files(out, folder)
    measured, expected = go(run, out), go(run, whole)
    assert 0 < len(part) < len(files(out, folder))
    assert files(out, folder) == files(whole, folder)
    assert measured.scores == expected.scores
    assert measured.timed == expected.timed


def test_pictures(pipeline, tmp_path):
    found = find_coco(published.coco(tmp_path / "coco", 4))
    settings = DatasetSettings(batch=1, chunk=1, ahead=1)

    def run(out, progress):
        words = SetWords.of("coco")
        return run_pictures(found, words, pipeline, out, settings, None, progress)

    compare(run, tmp_path, "labelled/labels")


def test_masklets(pipeline, tmp_path):
    clips = find_sav(published.sa_v(tmp_path / "sav_val", frames=9))
    model = pipeline.segmenter.model

    def run(out, progress):
        return run_masklets(SavMasks(clips), clips.root, model, out, None, progress)

    compare(run, tmp_path, "predictions")


def test_a_clip_that_broke_off(pipeline, tmp_path):
    root = published.vipseg(tmp_path / "VIPSeg_720P", frames=2)
    picture = sorted((root / "images").rglob("*.jpg"))[-1]
    good = picture.read_bytes()
    picture.write_bytes(good[:200])
    clips, out, whole = find_vipseg(root), tmp_path / "out", tmp_path / "undisturbed"

    def run(out, progress):
        return run_panoptic_clips(clips, SetWords.of("vipseg"), pipeline, out, None, progress)

    with pytest.raises(DatasetError, match=picture.name):
        go(run, out)
    assert len(files(out, "vipseg/pan_pred")) == 3
    picture.write_bytes(good)
    measured, expected = go(run, out), go(run, whole)
    assert files(out, "vipseg") == files(whole, "vipseg")
    assert measured.scores == expected.scores
    assert (measured.timed, expected.timed) == (5, 4)  # frames that were gone through
