"""Which annotation files lie at a path: files, folders and archives, hostile ones too."""

import zipfile

import pytest

from panoptic.errors import CorrectionError
from panoptic.formats.annotation_files import annotation_files

XML = "<annotations><version>1.1</version></annotations>"


def packed(path, *names, content=XML):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, content)
    return path


def names(path):
    with annotation_files(path) as files:
        assert all(file.path.is_file() for file in files)
        return [file.place for file in files]


def test_annotations_are_told_from_pictures_and_what_macs_add(tmp_path):
    path = packed(
        tmp_path / "a.zip",
        "annotations.xml",
        "sub/B.JSON",
        "images/a.png",
        "__MACOSX/._annotations.xml",
        "label_config.xml",
    )
    assert names(path) == ["annotations.xml", "sub/B.JSON"]
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path / "folder")
    assert names(tmp_path / "folder")[-2:] == ["annotations.xml", "sub/B.JSON"]
    assert names(packed(tmp_path / "b.zip", "sub\\a.xml")) == ["sub/a.xml"]


@pytest.mark.parametrize("name", ["../../a.xml", "..\\..\\a.xml", "C:\\a.xml", "C:/x/a.xml"])
def test_an_archive_never_writes_outside(tmp_path, name):
    path = packed(tmp_path / "inside" / "a.zip", "b.xml", name)
    with pytest.raises(CorrectionError, match="leads out of it"):
        names(path)
    assert [p.name for p in tmp_path.iterdir()] == ["inside"]


def test_a_name_from_the_root_stays_inside(tmp_path):
    assert names(packed(tmp_path / "a.zip", "/etc/a.xml")) == ["etc/a.xml"]


def test_archives_that_cannot_be_unpacked_are_refused(tmp_path):
    path = packed(tmp_path / "a.zip", "annotations.xml", content=XML * 50)
    whole = path.read_bytes()
    secret = bytearray(whole)
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        secret[whole.index(mark) + place] |= 1  # encrypted
    damaged = bytearray(whole)
    damaged[120] ^= 1
    for content in (secret, damaged, whole[:200]):
        path.write_bytes(content)
        with pytest.raises(CorrectionError, match="archive"):
            names(path)
    with pytest.warns(UserWarning, match="Duplicate name"):
        packed(path, "a.xml", "a.xml")
    with pytest.raises(CorrectionError, match="can't be unpacked"):
        names(path)


def test_what_is_none_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file"):
        names(tmp_path / "nothing.zip")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorrectionError, match="it holds no annotation file"):
        names(tmp_path / "empty")
    # Label Studio's export of brushes: one PNG a label, whose names say nothing of the picture.
    path = packed(tmp_path / "b.zip", "task-1-annotation-1-by-1-tag-car-0.png")
    with pytest.raises(CorrectionError, match="masks as pictures name no categories"):
        names(path)


def test_names_with_colons_are_names(tmp_path):
    assert names(packed(tmp_path / "a.zip", "day/12:30.xml")) == ["day/12:30.xml"]


def test_an_archive_within_is_named_and_the_others_are_taken(tmp_path):
    path = packed(tmp_path / "all.zip", "a.xml", "b.zip")
    with annotation_files(path) as files:
        assert [file.place for file in files] == ["a.xml", "b.zip"]
        with pytest.raises(CorrectionError, match=r"b\.zip, it is an archive itself"):
            files[1].pictures()
