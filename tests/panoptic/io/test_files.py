"""Files that appear whole, and that nobody writes in another way without a reason."""

import json
import os
import re
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from PIL import Image

import panoptic
from panoptic.errors import DatasetError, OutputError
from panoptic.io import files
from panoptic.io.files import (
    content_hash,
    file_hash,
    quick_hash,
    to_disk,
    whole_file,
    whole_folder,
    write_json,
    write_png,
    write_text,
)
from panoptic.io.writer_lock import only_one, only_one_beside

PACKAGE = Path(panoptic.__file__).parent

OTHERWISE = {
    "checkpoints/download.py": "goes on with a part that an earlier call left",
    "dataset/label_files.py": "puts two files, or a folder and what it replaces, in their places",
    "formats/huggingface.py": "names shards when it is known how many there are",
    "formats/overlay_video.py": "parts of a video are a state that a resumed run goes on from",
    "formats/vipseg.py": "an unfinished journal is a state that a resumed run goes on from",
    "video/layer_store.py": "records are appended, and an edit waits until they are on disk",
    "video/session_folder.py": "steps are appended, and an edit waits until its line is on disk",
}
"""Modules that move files to their places themselves, and why."""


class Broken(Exception):
    pass


def write_half(path, **options):
    with whole_file(path, **options) as part:
        part.write_text("half")
        raise Broken


def write_half_a_folder(folder):
    with whole_folder(folder) as building:
        (building / "half").write_text("")
        raise Broken


@pytest.mark.parametrize("synced", [False, True])
def test_a_file_appears_when_it_is_whole(tmp_path, synced):
    path = tmp_path / "below" / "a.txt"
    with whole_file(path, synced=synced) as part:
        part.write_text("first")
        assert not path.exists()
    assert path.read_text() == "first"
    with pytest.raises(Broken):
        write_half(path, synced=synced)
    assert path.read_text() == "first"
    assert [p.name for p in path.parent.iterdir()] == ["a.txt"]


def test_a_synced_file_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    done = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: done.append(path.exists()))
    path = tmp_path / "a.txt"
    with whole_file(path) as part:
        part.write_text("")
    assert done == []
    path.unlink()
    with whole_file(path, synced=True) as part:
        part.write_text("")
    assert done == [False]


def test_a_folder_takes_the_place_of_what_was_there_when_it_is_whole(tmp_path):
    folder = tmp_path / "out"
    for text in ("first", "second"):
        with whole_folder(folder) as building:
            assert list(building.iterdir()) == []
            (building / text).write_text(text)
        assert [p.name for p in folder.iterdir()] == [text]
    with pytest.raises(Broken):
        write_half_a_folder(folder)
    (tmp_path / ".out.part").mkdir()  # as a killed run leaves it
    (tmp_path / ".out.part" / "stale").write_text("")
    assert [p.name for p in folder.iterdir()] == ["second"]
    with whole_folder(folder):
        pass
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    assert list(folder.iterdir()) == []


def test_what_is_written_is_what_was_given(tmp_path):
    content = {"name": "Bär", "list": [1, 2]}
    write_json(tmp_path / "line.json", content)
    write_json(tmp_path / "lines.json", content, indent=1)
    write_text(tmp_path / "a.txt", "ä")
    write_png(tmp_path / "a.png", Image.new("L", (3, 2), 7))
    assert (tmp_path / "line.json").read_bytes() == '{"name": "Bär", "list": [1, 2]}\n'.encode()
    assert (tmp_path / "lines.json").read_text("utf-8") == (
        json.dumps(content, ensure_ascii=False, indent=1) + "\n"
    )
    assert (tmp_path / "a.txt").read_bytes() == "ä".encode()
    with Image.open(tmp_path / "a.png") as image:
        assert (image.format, image.size, image.getpixel((2, 1))) == ("PNG", (3, 2), 7)


def test_contents_are_told_apart(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_BLOCK", 4)  # of larger files the middle isn't looked at
    path = tmp_path / "a.bin"
    path.write_bytes(b"0123456789")
    known, quick = file_hash(path), quick_hash(path)
    assert known == content_hash(b"0123456789")
    path.write_bytes(b"0123x56789")
    assert file_hash(path) != known
    assert quick_hash(path) == quick
    for other in (b"0123456789+", b"x123456789", b"012345678x"):
        path.write_bytes(other)
        assert quick_hash(path) != quick


def test_nobody_writes_whole_files_in_a_way_of_their_own():
    own = re.compile(
        r"os\.(replace|fsync)\(|\brename\(|(path|file|part|finished)\.replace\(|\.part\""
    )
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if own.search(path.read_text(encoding="utf-8"))
    }
    assert "io/files.py" in found
    assert found - {"io/files.py"} == set(OTHERWISE)


def test_one_writer_at_a_time(tmp_path):
    with only_one(tmp_path / "out", "labelling into"):
        with (
            pytest.raises(DatasetError, match=r"another run is labelling into .*out"),
            only_one(tmp_path / "out", "labelling into"),
        ):
            pass
        with only_one(tmp_path / "out", "judging", "another.lock"):
            pass
    with only_one(tmp_path / "out", "labelling into"):
        pass


def test_a_lock_beside_others_files_goes_with_the_block(tmp_path):
    page = tmp_path / "page.html"
    with only_one_beside(page, "writing"):
        assert [path for path in tmp_path.iterdir() if path.name.endswith(".lock")]
        with pytest.raises(DatasetError, match="another run is"), only_one_beside(page, "writing"):
            pass
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_goes_with_its_block_is_still_one_holders_alone(tmp_path):
    holders, most, held = [], [], []

    def often(me):
        while len(held) < 200:
            with suppress(DatasetError), only_one_beside(tmp_path / "page.html", "writing"):
                holders.append(me)
                most.append(len(holders))
                held.append(me)
                holders.remove(me)

    threads = [threading.Thread(target=often, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_writer_waits_for_another(tmp_path):
    held, written = threading.Event(), []

    def first():
        with only_one(tmp_path, "writing into"):
            held.set()
            written.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    assert held.wait(10)
    with only_one(tmp_path, "writing into", wait=60):
        written.append("second")
    thread.join()
    assert written == ["first", "second"]


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(OutputError, match=r"the output folder .*file.* can't be used"),
        only_one(tmp_path / "file", "labelling into"),
    ):
        pass


def test_a_file_and_a_folder_are_brought_to_the_disk(tmp_path):
    (tmp_path / "a").write_text("a")
    to_disk(tmp_path / "a")
    to_disk(tmp_path)
