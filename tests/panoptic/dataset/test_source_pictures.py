"""Pictures and videos read again: as they were labelled or not at all, wherever they are now."""

import shutil
import tarfile

import numpy as np
import pytest
from PIL import Image

from panoptic.dataset.export import export
from panoptic.dataset.resumable_labelling import label_dataset
from panoptic.dataset.source_pictures import MovedPictures
from panoptic.dataset.store import DatasetStore
from panoptic.errors import DatasetError, ImageError
from panoptic.io.files import content_hash, file_hash
from panoptic.io.sources.base import Unit
from tests.panoptic.dataset.colours import WORDS, ColourLabeller, fill, picture
from tests.panoptic.dataset.test_videos import write_video


def labelled(source, out):
    label_dataset(ColourLabeller(), source, WORDS, out, progress=False)
    return out


def shown(out, pictures=None):
    with DatasetStore.open(out, pictures) as store:
        return {(i.key, f): i.picture(f) for i in store.items() for f in range(i.frames)}


def test_shards_and_videos_that_moved_are_found_again(tmp_path):
    source = tmp_path / "in"
    fill(tmp_path / "loose", 4)
    source.mkdir()
    with tarfile.open(source / "train-000.tar", "w") as tar:
        for path in sorted((tmp_path / "loose").rglob("*.png")):
            tar.add(path, path.name)
    shards = labelled(source / "train-000.tar", tmp_path / "shards")
    (tmp_path / "clips").mkdir()
    write_video(tmp_path / "clips" / "drive.mkv", 3)
    clips = labelled(tmp_path / "clips", tmp_path / "videos")
    before = shown(shards), shown(clips)
    assert [len(each) for each in before] == [4, 3]
    (tmp_path / "new").mkdir()
    shutil.move(source / "train-000.tar", tmp_path / "new" / "train-000.tar")
    shutil.move(tmp_path / "clips" / "drive.mkv", tmp_path / "new" / "drive.mkv")
    for out, pictures in zip((shards, clips), before, strict=True):
        with pytest.raises(ImageError, match="no such file"):
            shown(out)
        found = shown(out, tmp_path / "new")
        assert found.keys() == pictures.keys()
        assert all(np.array_equal(found[key], pictures[key]) for key in found)


def test_a_video_that_was_replaced_is_not_shown_beneath_its_labels(tmp_path):
    (tmp_path / "in").mkdir()
    clip = tmp_path / "in" / "drive.mkv"
    write_video(clip, 3)
    out = labelled(tmp_path / "in", tmp_path / "out")
    write_video(clip, 3, start=3)
    with pytest.raises(ImageError, match=r"drive\.mkv' has changed since it was labelled"):
        shown(out)


def test_where_a_file_is_looked_for(tmp_path):
    def put(name, seed):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(seed)).save(path)
        return path

    one = put("x/a/1.png", 1)
    other = put("x/b/1.png", 2)
    deep = put("x/y/z/ü.png", 3)
    moved = MovedPictures(tmp_path)

    def found(source, content="", **more):
        return moved.find(Unit(source.lstrip("/"), source, **more), content).source

    assert found("/old/photos/x/a/1.png", file_hash(one)) == str(one)
    assert found("/old/photos/x/a/1.png", file_hash(other)) == str(other)  # it was moved about
    assert found("C:\\old\\x\\b\\1.png", file_hash(other)) == str(other)
    assert found("/old/u\u0308.png".replace("u\u0308", "ü")) == str(deep)
    assert found("/old/u\u0308.png") == str(deep)
    assert found("https://host/1.png?size=2", "") == "https://host/1.png?size=2"
    assert found("/gone/2.png") == "/gone/2.png"
    assert found("datasets://1.png#1") == "datasets://1.png#1"
    span = found("/old/b/1.png", content_hash(other.read_bytes()[60:90]), span=(60, 30))
    assert span == str(other)
    with pytest.raises(DatasetError, match="there is none at"):
        MovedPictures(one)


def test_pictures_that_were_renamed_are_found_by_their_content_and_named(tmp_path, caplog):
    fill(tmp_path / "in", 3)
    out = labelled(tmp_path / "in", tmp_path / "out")
    before = shown(out)
    new = tmp_path / "new"
    new.mkdir()
    old = sorted((tmp_path / "in").rglob("*.png"))
    names = ["x.png", old[2].name, "y.JPG"]  # one has another's old name now
    for path, name in zip(old, names, strict=True):
        shutil.move(path, new / name)
    with caplog.at_level("INFO", "panoptic.dataset"):
        found = shown(out, new)
    assert found.keys() == before.keys()
    assert all(np.array_equal(found[key], before[key]) for key in found)
    told = [r.getMessage() for r in caplog.records if "found by its content" in r.getMessage()]
    assert len(told) == len(set(told)) == 3
    for path, name, line in zip(old, names, told, strict=True):
        assert path.name in line
        assert line.endswith(f"as {str(new / name)!r}")
    with DatasetStore.open(out, new) as store:
        export(store.items(), WORDS, tmp_path / "export", ["labelme"])
        exported = sorted((tmp_path / "export").rglob("*.png"))
        assert {file_hash(p) for p in exported} == {file_hash(p) for p in new.iterdir()}
