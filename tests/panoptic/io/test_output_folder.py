"""Where results go: nobody's files are lost, and ours are known to be ours."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from panoptic.errors import DatasetError, OutputError
from panoptic.io.output_folder import output_folder, replaced_folder
from panoptic.io.output_record import RECORD, OutputRecord
from panoptic.io.writer_lock import only_one

COMMAND = "panoptic image"


class Broken(Exception):
    pass


def run(root, files=("a.txt", "below/b.txt"), text="x", **asked):
    asked = {"resume": None, "overwrite": None, **asked}
    with output_folder(root, asked.pop("command", COMMAND), **asked) as out:
        for name in files:
            path = out.file(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


def tree(root):
    return {
        path.relative_to(root).as_posix(): path.read_text()
        for path in root.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


@pytest.mark.parametrize("there", [None, [], [".DS_Store", ".gitkeep"]])
def test_a_new_or_empty_folder_is_taken(tmp_path, there):
    root = tmp_path / "out"
    if there is not None:
        root.mkdir()
        for name in there:
            (root / name).write_text("")
    run(root)
    assert tree(root) == {"a.txt": "x", "below/b.txt": "x"}
    assert all((root / name).exists() for name in there or ())


def test_what_is_there_is_named_in_the_refusal(tmp_path):
    for name in ("holiday.jpg", "notes.txt", "z1", "z2"):
        (tmp_path / name).write_text("")
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(OutputError) as error:
        run(tmp_path, overwrite=False)
    assert "holds 'holiday.jpg', 'notes.txt', 'z1' and 1 more" in str(error.value)
    assert "--overwrite" in str(error.value)
    assert "--resume" not in str(error.value)
    assert sorted(os.listdir(tmp_path)) == before


def test_earlier_results_are_refused_and_told_whose_they_are(tmp_path):
    root = tmp_path / "out"
    run(root)
    with pytest.raises(OutputError, match=r"holds 'a\.txt', 'below', written by panoptic image"):
        run(root, command="panoptic video", resume=True, overwrite=False)
    assert tree(root) == {"a.txt": "x", "below/b.txt": "x"}


def test_overwriting_removes_what_we_wrote_and_nothing_else(tmp_path):
    root = tmp_path / "out"
    run(root)
    (root / "notes.txt").write_text("mine")
    (root / "below" / "c.txt").write_text("mine, too")
    run(root, ["a.txt"], "y", overwrite=True)
    assert tree(root) == {"a.txt": "y", "notes.txt": "mine", "below/c.txt": "mine, too"}
    (root / "below" / "c.txt").unlink()
    run(root, ["below/b.txt"], overwrite=True)
    assert tree(root) == {"below/b.txt": "x", "notes.txt": "mine"}


def test_a_strangers_file_is_never_written_over(tmp_path):
    (tmp_path / "a.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"'a\.txt' .* would be written over"):
        run(tmp_path, overwrite=True)
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "1.png").write_text("mine")
    with (
        pytest.raises(OutputError, match=r"'frames/1\.png'"),
        output_folder(tmp_path, COMMAND, overwrite=True) as out,
    ):
        out.files("frames", "*.png")
    assert tree(tmp_path) == {"a.txt": "mine", "frames/1.png": "mine"}


def test_earlier_results_stay_until_there_are_new_ones(tmp_path):
    root = tmp_path / "out"
    run(root)
    with pytest.raises(Broken), output_folder(root, COMMAND, overwrite=True):
        raise Broken
    assert tree(root) == {"a.txt": "x", "below/b.txt": "x"}
    run(root, ["c.txt"], overwrite=True)
    assert tree(root) == {"c.txt": "x"}


def test_resuming_keeps_all_and_needs_something_to_go_on_with(tmp_path):
    root = tmp_path / "out"
    run(root)
    run(root, ["a.txt", "c.txt"], "y", resume=True)
    assert tree(root) == {"a.txt": "y", "below/b.txt": "x", "c.txt": "y"}
    other = tmp_path / "photos"
    other.mkdir()
    (other / "holiday.jpg").write_text("")
    with pytest.raises(OutputError, match=r"nothing of panoptic image to go on with"):
        run(other, resume=True)


def test_files_of_a_family_are_ours_by_their_names(tmp_path):
    root = tmp_path / "out"
    with output_folder(root, COMMAND) as out:
        out.files("frames", "*.png").mkdir()
        (root / "frames" / "1.png").write_text("x")
        (root / "frames" / "notes.txt").write_text("mine")
    (root / "frames" / "2.png").write_text("came later")
    run(root, ["a.txt"], overwrite=True)
    assert tree(root) == {"a.txt": "x", "frames/notes.txt": "mine", "frames/2.png": "came later"}


def test_a_killed_run_left_a_record_of_its_files(tmp_path):
    root = tmp_path / "out"
    program = f"""
from pathlib import Path
from panoptic.io.output_folder import output_folder
import os, signal
with output_folder(Path({str(root)!r}), {COMMAND!r}) as out:
    out.file("a.txt").write_text("x")
    out.files("frames", "*.png").mkdir()
    (out.root / "frames" / "1.png").write_text("x")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", program])
    assert done.returncode == -signal.SIGKILL
    (root / "notes.txt").write_text("mine")
    with (root / RECORD).open("a") as record:
        record.write('{"file": "half a li')
    run(root, ["b.txt"], overwrite=True)
    assert tree(root) == {"b.txt": "x", "notes.txt": "mine"}


@pytest.mark.parametrize("path", ["../a.txt", "/etc/passwd", "below/../../a"])
def test_a_record_cannot_lead_out_of_its_folder(tmp_path, path):
    root = tmp_path / "out"
    run(root)
    (root / RECORD).write_text(json.dumps({"file": path, "by": COMMAND}) + "\n\n")
    with pytest.raises(OutputError, match="is damaged"):
        run(root, overwrite=True)


def test_a_link_in_the_folder_leads_nobody_to_remove_what_is_elsewhere(tmp_path):
    root, photos = tmp_path / "out", tmp_path / "photos"
    run(root, ["below/b.txt"])
    photos.mkdir()
    (photos / "b.txt").write_text("mine")
    (root / "below" / "b.txt").unlink()
    (root / "below").rmdir()
    (root / "below").symlink_to(photos)
    run(root, ["a.txt"], overwrite=True)
    assert tree(photos) == {"b.txt": "mine"}


def test_what_versions_without_a_record_wrote_can_be_named(tmp_path):
    (tmp_path / "overlays").mkdir()
    (tmp_path / "overlays" / "a.png").write_text("old")
    (tmp_path / "notes.txt").write_text("mine")
    earlier = [("overlays", "*.png")]
    run(tmp_path, ["b.txt"], resume=True, earlier=earlier)
    assert tree(tmp_path) == {"overlays/a.png": "old", "notes.txt": "mine", "b.txt": "x"}
    run(tmp_path, ["b.txt"], overwrite=True, earlier=earlier)
    assert tree(tmp_path) == {"notes.txt": "mine", "b.txt": "x"}


def test_a_run_that_wrote_nothing_leaves_nothing(tmp_path):
    with pytest.raises(Broken), output_folder(tmp_path / "out", COMMAND):
        raise Broken
    assert not (tmp_path / "out").exists()
    run(tmp_path / "out")  # its lock, too, is free


def test_a_file_as_output_folder_is_told(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(OutputError, match="it is a file"):
        run(tmp_path / "out")


def test_who_holds_the_folder_is_in_the_message(tmp_path):
    with output_folder(tmp_path / "out", COMMAND) as out:
        out.file("a.txt").write_text("")
        with pytest.raises(DatasetError) as error:
            run(tmp_path / "out", overwrite=True)
    assert f"process {os.getpid()}" in str(error.value)
    assert "since 20" in str(error.value)
    run(tmp_path / "out", overwrite=True)


def test_a_killed_holder_is_gone_with_its_lock(tmp_path):
    program = f"""
from pathlib import Path
from panoptic.io.writer_lock import only_one
import os, signal
with only_one(Path({str(tmp_path)!r}), "writing into"):
    os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", program])
    with only_one(tmp_path, "writing into"):
        pass


def replace(folder, files, *, broken=False, **asked):
    with replaced_folder(folder, "panoptic export", **asked) as building:
        for name, text in files.items():
            (building / name).parent.mkdir(exist_ok=True)
            (building / name).write_text(text)
        if broken:
            raise Broken


def test_a_folder_is_replaced_all_at_once_with_what_others_put_there(tmp_path):
    folder = tmp_path / "yolo"
    replace(folder, {"a.txt": "x"})
    with pytest.raises(OutputError, match=r"holds 'a\.txt', written by panoptic export"):
        replace(folder, {"a.txt": "y"}, overwrite=False)
    (folder / "runs").mkdir()
    (folder / "runs" / "best.pt").write_text("mine")
    with pytest.raises(Broken):
        replace(folder, {"b.txt": "half"}, broken=True, overwrite=True)
    assert tree(folder) == {"a.txt": "x", "runs/best.pt": "mine"}
    replace(folder, {"b.txt": "y"}, overwrite=True)
    assert tree(folder) == {"b.txt": "y", "runs/best.pt": "mine"}
    assert OutputRecord.read(folder).files == {"b.txt": "panoptic export"}
    with pytest.raises(OutputError, match=r"runs/best\.pt"):
        replace(folder, {"runs/best.pt": "ours"}, overwrite=True)
    assert tree(folder) == {"b.txt": "y", "runs/best.pt": "mine"}


def test_two_cannot_replace_a_folder_at_once(tmp_path):
    with replaced_folder(tmp_path / "yolo", "panoptic export") as building:
        (building / "a.txt").write_text("x")
        with (
            pytest.raises(DatasetError, match="another run is writing"),
            replaced_folder(tmp_path / "yolo", "panoptic export", overwrite=True),
        ):
            pass
    assert tree(Path(tmp_path / "yolo")) == {"a.txt": "x"}
