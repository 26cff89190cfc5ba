"""Exports of odd pictures, of moved ones, of nothing; and verdicts on keys of any characters."""

import io
import json
import os
import shutil

import numpy as np
import pytest
import yaml
from PIL import Image

from panoptic.cli import main
from panoptic.dataset.export import export
from panoptic.dataset.resumable_labelling import label_dataset
from panoptic.dataset.store import DatasetStore
from panoptic.results.segmentation import PanopticSegmentation
from panoptic.settings.tree import Settings
from tests.panoptic.dataset.colours import WORDS, ColourLabeller, fill, picture

COPIES = ["coco_panoptic", "yolo_seg", "labelme", "huggingface"]


def labelled(root, name="out"):
    """Labels what is in ``root/in``."""
    out = root / name
    label_dataset(ColourLabeller(), root / "in", WORDS, out, progress=False)
    return out


@pytest.fixture
def out(tmp_path):
    fill(tmp_path / "in", 4)
    return labelled(tmp_path)


def files(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def pictures(folder, ending="*"):
    return sorted(p.name for p in folder.rglob(ending) if p.suffix in (".jpg", ".png"))


def exported(out, *options):
    """The exit code of an export to LabelMe."""
    return main(["export", str(out), "--format", "labelme", *map(str, options)])


# -- one item never ends a run ---------------------------------------------------------------------


def mpo(seed):
    """A JPEG with a second picture behind the first, as drones and phones write it, and with the
    trailer that Samsung's add."""
    first, second = (Image.fromarray(picture(s)) for s in (seed, seed + 1))
    buffer = io.BytesIO()
    first.save(buffer, format="MPO", save_all=True, append_images=[second], quality=95)
    return buffer.getvalue() + b"\x00\x00\x01\x0a\x0e\x00\x00\x00Image_UTC_DataSEFT"


def test_the_jpeg_of_a_drone_does_not_end_the_export(tmp_path, capsys):
    fill(tmp_path / "in", 3)
    for number in range(2):
        (tmp_path / "in" / f"DJI_{number:04}.JPG").write_bytes(mpo(number))
    assert Image.open(tmp_path / "in" / "DJI_0000.JPG").format == "MPO"
    out = labelled(tmp_path)
    formats = [word for name in COPIES for word in ("--format", name)]
    assert main(["export", str(out), *formats]) == 0, capsys.readouterr().err
    for name in ("coco_panoptic", "yolo_seg", "labelme"):
        (copy,) = (out / "export" / name).rglob("DJI_0001.jpg")
        assert copy.read_bytes() == (tmp_path / "in" / "DJI_0001.JPG").read_bytes()


def test_what_readers_see_differently_is_exported_as_it_was_labelled(tmp_path):
    """Inks, 16 bits and what lies under transparent parts: readers differ, so a PNG is written."""
    source = tmp_path / "in"
    source.mkdir()
    pixels = picture(0)
    alpha = np.full((*pixels.shape[:2], 1), 255, np.uint8)
    Image.fromarray(np.concatenate([pixels, alpha], 2)).save(source / "opaque.png")
    alpha[:4] = 0
    Image.fromarray(np.concatenate([pixels, alpha], 2)).save(source / "glass.png")
    Image.fromarray(pixels).convert("CMYK").save(source / "inks.jpg")
    Image.fromarray(pixels).quantize(8).save(source / "palette.png")
    Image.fromarray(pixels[..., 0].astype(np.uint16) * 257).save(source / "deep.png")
    out = labelled(tmp_path)
    with DatasetStore.open(out) as store:
        shown = {item.key: item.picture() for item in store.items()}
    assert exported(out) == 0
    copies = {p.stem: p for p in (out / "export").rglob("*.png")}
    assert copies.keys() == shown.keys() == {"opaque", "glass", "inks", "palette", "deep"}
    for key, copy in copies.items():
        with Image.open(copy) as seen:
            assert not seen.mode.startswith("I")
            np.testing.assert_array_equal(np.asarray(seen.convert("RGB")), shown[key])
    for key in ("opaque", "palette"):
        assert copies[key].read_bytes() == (source / f"{key}.png").read_bytes()


def test_one_damaged_label_does_not_end_the_export(out, tmp_path, capsys):
    (out / "labels" / "a" / "0001.png").write_bytes(b"no label")
    (out / "labels" / "a" / "0002.json").unlink()
    (tmp_path / "in" / "b" / "0003.png").unlink()
    assert exported(out) == 1
    told = capsys.readouterr().err
    for key in ("a/0001", "a/0002", "b/0003"):
        assert f"labelme has no {key}: " in told
    assert pictures(out / "export/labelme") == ["b--0000.png"]
    note = json.loads((out / "export/labelme/export.json").read_text())
    assert [each["key"] for each in note["left_out"]] == ["a/0001", "a/0002", "b/0003"]


def test_one_odd_item_does_not_end_an_export_whatever_it_brings_up(out, tmp_path, capsys):
    """A label that a format's own code stumbles on, one of them after the picture was written."""

    with DatasetStore.open(out) as store:
        items = list(store.items())
        load = store.load
        store.load = lambda item, frame: object() if item.key == "a/0002" else load(item, frame)
        made = export(items, WORDS, tmp_path / "to", COPIES, progress=False)
    assert [(each.format, each.total, each.failed) for each in made] == [
        (name, 3, 1) for name in COPIES
    ]
    assert all("a/0002: AttributeError" in each.first_reason for each in made)


class Picky(ColourLabeller):
    """Fails on pictures that are 40 pixels wide."""

    settings = Settings()

    def segment(self, image, vocabulary):
        if image.shape[1] == 40:
            raise RuntimeError("too wide for this model")
        return super().segment(image, vocabulary)


def test_one_odd_picture_does_not_end_a_run_of_pictures(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("panoptic.commands.image.load_pipeline", lambda *_: Picky())
    paths = [str(path) for path in fill(tmp_path / "in", 6) if path.stem not in ("0001", "0004")]
    words = ["--things", "ball, box", "--stuff", "sand, sea"]
    for number in ("1", "4"):
        out = tmp_path / f"out{number}"
        assert main(["image", *paths, *words, "--batch", number, "-o", str(out)]) == 1
        told = capsys.readouterr()
        assert told.err.count("too wide for this model") == 2
        assert "0002.png" in told.err
        assert len(json.loads((out / "panoptic.json").read_text())["images"]) == 2
    assert main(["image", paths[1], *words, "-o", str(tmp_path / "none")]) == 2


def test_a_report_shows_the_others_when_a_label_is_gone(out, capsys):
    (out / "labels" / "a" / "0001.json").unlink()
    assert main(["report", str(out)]) == 1
    assert "a/0001: the label" in capsys.readouterr().err
    page = (out / "report.html").read_text()
    assert page.count("data:image/jpeg") == 4
    assert "is gone or damaged" in page


# -- what was there stays until there is something better ------------------------------------------


def test_an_export_of_nothing_leaves_yesterdays(out, tmp_path, capsys):
    assert exported(out) == 0
    before = files(out / "export/labelme")
    shutil.move(tmp_path / "in", tmp_path / "elsewhere")
    assert exported(out, "--overwrite") == 2
    told = capsys.readouterr().err
    assert "none of 4 items could be exported" in told
    assert "--pictures FOLDER" in told
    for key in ("a/0001", "a/0002", "b/0000", "b/0003"):
        assert f"labelme has no {key}: " in told
    assert files(out / "export/labelme") == before
    assert main(["review", str(out), "--reject", "a/0001"]) == 0
    assert exported(out, "--overwrite", "--min-quality", "1", "--pictures", tmp_path) == 2
    assert "all 4 items are rejected or of less quality" in capsys.readouterr().err
    assert files(out / "export/labelme") == before


def test_a_format_without_any_item_leaves_its_own_and_the_others_go_on(out, capsys):
    arguments = ["export", str(out), "--format", "cvat_video", "--format", "labelme"]
    assert main(arguments) == 1
    told = capsys.readouterr()
    assert "cvat_video: nothing, so it isn't written" in told.out
    assert told.err.count("cvat_video has no ") == 5
    assert not (out / "export/cvat_video").exists()
    assert len(pictures(out / "export/labelme")) == 4


def test_an_export_is_not_written_over_without_a_word(out, capsys):
    assert exported(out) == 0
    mine = out / "export/labelme/train/notes.txt"
    mine.write_text("all my work")
    assert exported(out) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert exported(out, "--overwrite") == 0
    assert mine.read_text() == "all my work"


def test_a_label_that_somebody_edited_in_the_export_is_not_lost(out, capsys):
    assert exported(out) == 0
    edited = next((out / "export/labelme").rglob("a--0001.json"))
    edited.write_text(edited.read_text().replace("sand", "sea"))
    later = (out / "export/labelme/export.json").stat().st_mtime + 60
    os.utime(edited, (later, later))
    assert exported(out, "--overwrite") == 2
    told = capsys.readouterr().err
    assert "a--0001.json' changed since it was exported" in told
    assert '"sea"' in edited.read_text()


def test_an_export_behind_a_link_goes_to_the_other_disk_again_and_again(out, tmp_path, capsys):
    there = tmp_path / "other disk" / "labels"
    (out / "export").mkdir()
    (out / "export/labelme").symlink_to(there)
    assert exported(out) == 2
    assert "nothing is there" in capsys.readouterr().err
    assert not there.exists()
    there.mkdir(parents=True)
    # What an earlier version left behind.
    (out / "export/.labelme.before").symlink_to(tmp_path / "other disk")
    (there.parent / ".labels.before").symlink_to(tmp_path / "in")
    for options in ((), ("--overwrite",), ("--overwrite",)):
        assert exported(out, *options) == 0
        assert (out / "export/labelme").readlink() == there
        assert len(pictures(there)) == 4
    assert len(pictures(tmp_path / "in")) == 4


def test_files_of_others_that_count_for_nothing_stay_in_an_export(out):
    """They don't keep a folder from being empty, but they are somebody's."""
    (out / "export/labelme").mkdir(parents=True)
    mine = out / "export/labelme/.gitignore"
    mine.write_text("*.jpg")
    for options in ((), ("--overwrite",)):
        assert exported(out, *options) == 0
        assert mine.read_text() == "*.jpg"


# -- pictures that were moved ----------------------------------------------------------------------


@pytest.mark.parametrize("places", ["as a whole", "into one folder", "renamed folders"])
def test_pictures_that_moved_are_found_again(out, tmp_path, places, capsys):
    """By the end of their path, or by name; two of one name are told apart by their contents."""
    Image.fromarray(picture(9)).save(tmp_path / "in" / "b" / "0001.png")  # as in a/
    label_dataset(ColourLabeller(), tmp_path / "in", WORDS, out, progress=False)
    there = tmp_path / "new disk"
    if places == "as a whole":
        shutil.move(tmp_path / "in", there / "photos")
    else:
        there.mkdir()
        for number, path in enumerate(sorted((tmp_path / "in").rglob("*.png"))):
            folder = there / (f"{number}" if places == "renamed folders" else "")
            folder.mkdir(exist_ok=True)
            name = path.name
            if (folder / name).exists():
                continue
            shutil.move(path, folder / name)
        shutil.rmtree(tmp_path / "in")
    missing = places == "into one folder"  # one of two with one name is not there
    assert exported(out, "--pictures", there) == int(missing), capsys.readouterr().err
    with DatasetStore.open(out, pictures=there) as store:
        for item in store.items():
            if missing and item.key == "b/0001":
                assert "b/0001: " in capsys.readouterr().err
                continue
            (copy,) = (out / "export").rglob(f"{item.key.replace('/', '--')}.png")
            np.testing.assert_array_equal(np.asarray(Image.open(copy)), item.picture())
    assert main(["report", str(out), "--pictures", str(there)]) == int(missing)


def test_another_picture_of_the_name_is_not_taken_for_the_one_that_moved(out, tmp_path, capsys):
    shutil.rmtree(tmp_path / "in")
    fill(tmp_path / "other", 4, start=20)
    for path in sorted((tmp_path / "other").rglob("*.png")):
        path.rename(path.with_name(f"{int(path.stem) - 20:04}.png"))
    assert exported(out, "--pictures", tmp_path / "other") == 2
    assert "has changed since it was labelled" in capsys.readouterr().err
    assert exported(out, "--pictures", tmp_path / "nowhere") == 2
    assert "there is none at" in capsys.readouterr().err


# -- YOLO and splits -------------------------------------------------------------------------------


def test_data_yaml_names_no_folder_that_depends_on_where_it_is_read(out):
    assert main(["export", str(out), "--format", "yolo_seg"]) == 0
    data = yaml.safe_load((out / "export/yolo_seg/data.yaml").read_text())
    assert "path" not in data
    assert (out / "export/yolo_seg" / data["val"]).is_dir()


@pytest.mark.parametrize("count", [2, 3, 5, 10])
def test_a_small_set_has_pictures_to_validate_on(tmp_path, count, capsys):
    """Whatever their hashes are: three sets of each size."""
    for start in (0, 100, 200):
        root = tmp_path / f"{start}"
        fill(root / "in", count, start)
        out = labelled(root)
        assert main(["export", str(out), "--format", "yolo_seg"]) == 0
        told = capsys.readouterr().out
        folder = out / "export/yolo_seg/images"
        found = {split: len(pictures(folder / split)) for split in ("train", "val", "test")}
        assert sum(found.values()) == count
        assert found["train"]
        assert found["val"]
        if count == 2:
            assert "yolo_seg has nothing for test" in told
        else:
            assert found["test"]
            assert "nothing" not in told


def test_shares_of_the_splits_are_asked_for(out, capsys):
    assert exported(out, "--split", "train=50,val=50") == 0
    assert "nothing for" not in capsys.readouterr().out
    found = {p.parent.name for p in (out / "export/labelme").rglob("*.png")}
    assert found == {"train", "val"}
    assert exported(out, "--split", "train=1", "--overwrite") == 0
    assert {p.parent.name for p in (out / "export/labelme").rglob("*.png")} == {"train"}
    assert exported(out, "--split", "train=0.5", "--overwrite") == 2
    assert "must add up to 1" in capsys.readouterr().err


# -- before hours of labelling ---------------------------------------------------------------------


@pytest.mark.parametrize("format", ["pascal_voc", "cityscapes"])
def test_a_format_that_cannot_hold_the_words_is_told_before_labelling(tmp_path, format, capsys):
    fill(tmp_path / "in", 1)
    things = ", ".join(f"word{number}" for number in range(310))
    arguments = ["dataset", str(tmp_path / "in"), "--things", things, "--models", "none such"]
    arguments += ["--format", "yolo_seg", "--format", format, "-o", str(tmp_path / "out")]
    assert main(arguments) == 2
    told = capsys.readouterr().err
    assert "PASCAL VOC holds 254 categories" in told or "Cityscapes' ids end at 65" in told
    assert not (tmp_path / "out").exists()


def test_a_format_named_twice_and_a_file_in_the_way_are_told_before_labelling(tmp_path, capsys):
    fill(tmp_path / "in", 1)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "export").touch()
    arguments = ["dataset", str(tmp_path / "in"), "--things", "car", "--models", "none such"]
    arguments += ["-o", str(tmp_path / "out"), "--format", "davis"]
    assert main([*arguments, "--format", "davis"]) == 2
    assert "named twice" in capsys.readouterr().err
    assert main(arguments) == 2
    assert "is a file" in capsys.readouterr().err


# -- keys of any character -------------------------------------------------------------------------

NAMES = ["=.png", "a=b.png", "a=b=c.png", "-x.png", 'it\'s "x".png', "ü.png", "[red]x[bold].png"]
NAMES += ["$HOME.png", "%s;&.png", "東京 1.png", "a\udcff.png", "#1,2.png"]


def test_keys_with_any_character_can_be_judged(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    for number, name in enumerate(NAMES):
        with open(os.fsencode(tmp_path / "in" / name), "wb") as file:
            Image.fromarray(picture(number)).save(file, format="PNG")
    out = labelled(tmp_path)
    with DatasetStore.open(out) as store:
        loaded = [(item, item.load()) for item in store.items()]
    keys = [item.key for item, _ in loaded]
    assert len(keys) == len(NAMES)
    sand = next(c for c in WORDS if c.name == "sand")
    for number, (item, label) in enumerate(loaded):
        typed = item.key.replace("ü", "u\u0308")  # as another system would type it
        (tmp_path / "a=b").mkdir(exist_ok=True)
        segments = [s for s in label.segments if s.category == sand.name]
        ids = np.where(label.ids == segments[0].id, label.ids, 0)
        file = PanopticSegmentation.from_ids(ids, segments).save(tmp_path / "a=b", f"{number}=")
        assert main(["review", str(out), "--correct", f"{typed}={file}"]) == 0, item.key
        assert main(["review", str(out), "--accept", typed, "--note", "x"]) == 0
        listed = tmp_path / "verdicts.jsonl"
        listed.write_text(json.dumps({"key": typed, "verdict": "accept"}))
        assert main(["review", str(out), "--verdicts", str(listed)]) == 0
        assert main(["review", str(out), "--reject", typed]) == 0
        with DatasetStore.open(out) as store:
            assert store.item(item.key).verdict == "reject"
        assert main(["review", str(out), "--forget", typed]) == 0
    capsys.readouterr()
    assert main(["review", str(out), "--accept", "a\udcff", "--accept", keys[0]]) == 1
    told = capsys.readouterr()
    assert "no labelled item has the key 'a\\udcff'" in told.err.replace("\\\\", "\\")
    assert f"{keys[0]}: accept" in told.out
