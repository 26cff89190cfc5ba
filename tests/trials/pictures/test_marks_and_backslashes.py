"""Files that Windows' tools wrote: byte order marks, UTF-16, backslashes; hostile XML and zips."""

import codecs
import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from panoptic.cli import main
from panoptic.formats.coco_panoptic import CocoPanoptic
from panoptic.formats.davis import Davis
from panoptic.formats.detections_csv import COLUMNS, read_detections
from panoptic.formats.sa_v import SavFolder
from panoptic.formats.vipseg import VipsegVideos
from panoptic.io.sources.coco_images import CocoImagesSource
from panoptic.io.sources.lists import TextListSource
from panoptic.settings.yaml_files import read_changes
from prompts import Vocabulary
from tests.trials.pictures import test_other_tools_corrections as tools

labelled, out = tools.labelled, tools.out

ENCODINGS = {
    "utf-8 with a mark": lambda text: codecs.BOM_UTF8 + text.encode(),
    "utf-16": lambda text: codecs.BOM_UTF16_LE + text.encode("utf-16-le"),
    "utf-16, big end first": lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
    "utf-16 without a mark": lambda text: text.encode("utf-16-le"),
}


@pytest.fixture(params=ENCODINGS)
def encoded(request):
    return ENCODINGS[request.param]


def test_corrections_with_a_mark_or_in_utf_16_are_read(out, tmp_path, encoded):
    size = tools.size_of(out, tools.KEY)
    box = tools.cvat_image(0, "a--0001.png", size, [tools.cvat_box("box", 0, 0, 8, 8)])
    xml = tools.cvat([box]).partition("\n")[2]  # without the line that says UTF-8
    labelme = tools.labelme("a.png", size, [tools.labelme_box("box", 0, 0, 7, 7)])
    task = tools.task(tools.KEY, [tools.annotation(1, [tools.all_of(size, "sea")])])
    box = {"segmentation": [[0, 0, 8, 0, 8, 8, 0, 8]]}
    for name, text, words in (
        ("a.xml", xml, ["box"]),
        ("a.json", json.dumps(labelme), ["box"]),
        ("tasks.json", json.dumps([task]), ["sea"]),
        ("coco.json", json.dumps(tools.coco(size, [box])), ["ball"]),
    ):
        (tmp_path / name).write_bytes(encoded(text))
        assert tools.correct(out, tools.KEY, tmp_path / name) == 0
        assert tools.categories(tools.label_of(out, tools.KEY)[1]) == words


def test_lists_sources_and_settings_with_a_mark_or_in_utf_16_are_read(tmp_path, encoded):
    (tmp_path / "sub").mkdir()
    for name in ("a.png", "sub/ü.png"):
        Image.new("RGB", (4, 4)).save(tmp_path / name)
    (tmp_path / "list.txt").write_bytes(encoded("a.png\r\nsub\\ü.png\r\n"))
    units = list(TextListSource(tmp_path / "list.txt"))
    assert [(u.name, u.problem) for u in units] == [("a.png", None), ("sub/ü.png", None)]
    images = {"images": [{"file_name": "a.png"}, {"file_name": "sub\\ü.png"}]}
    (tmp_path / "coco.json").write_bytes(encoded(json.dumps(images, ensure_ascii=False)))
    units = list(CocoImagesSource(tmp_path / "coco.json"))
    assert [(u.name, u.problem) for u in units] == [("a.png", None), ("sub/ü.png", None)]
    (tmp_path / "settings.yaml").write_bytes(encoded("seed: 3\r\n"))
    assert read_changes(tmp_path / "settings.yaml") == {"seed": 3}


def test_vocabularies_with_a_mark_or_in_utf_16_are_read(tmp_path, encoded):
    for name, text in (
        ("words.yaml", "things: [car]\r\nstuff: [Straße]\r\n"),
        ("words.json", json.dumps({"things": ["car"], "stuff": ["Straße"]}, ensure_ascii=False)),
        ("coco.json", '{"categories": [{"id": 1, "name": "car"}, {"id": 2, "name": "Straße"}]}'),
        ("classes.txt", "car\r\nStraße\r\n"),
        ("label_config.xml", tools_view("car", "Straße")),
    ):
        (tmp_path / name).write_bytes(encoded(text))
        words = [c.name for c in Vocabulary.from_file(tmp_path / name)]
        assert words == ["car", "Straße"], name


def tools_view(*words):
    labels = "".join(f'<Label value="{word}"/>' for word in words)
    brush = f'<BrushLabels name="b" toName="i">{labels}</BrushLabels>'
    return f'<View><Image name="i" value="$image"/>{brush}</View>'


def test_truth_with_a_mark_or_in_utf_16_is_read(tmp_path, encoded):
    (tmp_path / "pngs").mkdir()
    Image.fromarray(np.ones((3, 4, 3), np.uint8)).save(tmp_path / "pngs" / "a.png")
    segment = {"id": 1 + 256 + 65536, "category_id": 5, "area": 12, "bbox": [0, 0, 4, 3]}
    annotation = {"image_id": 1, "file_name": "a.png", "segments_info": [segment | {"iscrowd": 0}]}
    content = {
        "images": [{"id": 1, "file_name": "a.jpg", "height": 3, "width": 4}],
        "annotations": [annotation],
        "categories": [{"id": 5, "name": "Straße", "isthing": 0}],
    }
    text = json.dumps(content, ensure_ascii=False)
    (tmp_path / "truth.json").write_bytes(encoded(text))
    (found,) = CocoPanoptic.open(tmp_path / "truth.json", tmp_path / "pngs").load(1)
    assert found.category == "Straße"
    names = encoded("bear\r\n")
    (tmp_path / "davis/ImageSets/2017").mkdir(parents=True)
    (tmp_path / "davis/Annotations/480p/bear").mkdir(parents=True)
    (tmp_path / "davis/ImageSets/2017/val.txt").write_bytes(names)
    assert Davis.open(tmp_path / "davis").sequences == ("bear",)
    (tmp_path / "sav/Annotations_6fps/bear").mkdir(parents=True)
    (tmp_path / "sav/sav_val.txt").write_bytes(names)
    assert SavFolder.open(tmp_path / "sav").videos == ("bear",)
    videos = {"videos": [], "annotations": [], "categories": content["categories"]}
    (tmp_path / "vipseg.json").write_bytes(encoded(json.dumps(videos)))
    (tmp_path / "panomasksRGB").mkdir()
    opened = VipsegVideos.open(tmp_path / "vipseg.json")
    assert [c.name for c in opened.categories.values()] == ["Straße"]


def test_a_table_that_excel_saved_is_read(tmp_path):
    path = tmp_path / "detections.csv"
    path.write_bytes(codecs.BOM_UTF8 + (",".join(COLUMNS) + "\r\n").encode())
    assert list(read_detections(path)) == []


def test_verdicts_from_windows_are_taken(out, tmp_path, encoded):
    size = tools.size_of(out, tools.KEY)
    label = tools.labelme("a.png", size, [tools.labelme_box("box", 0, 0, 7, 7)])
    tools.write(tmp_path / "edited" / "a.json", label)
    verdicts = [
        {"key": tools.KEY, "verdict": "corrected", "file": "edited\\a.json"},
        {"key": "b/0000", "verdict": "accept", "note": "a\u2028b"},
    ]
    lines = "".join(json.dumps(v, ensure_ascii=False) + "\r\n" for v in verdicts)
    (tmp_path / "verdicts.jsonl").write_bytes(encoded(lines))
    assert main(["review", str(out), "--verdicts", str(tmp_path / "verdicts.jsonl")]) == 0
    assert tools.categories(tools.label_of(out, tools.KEY)[1]) == ["box"]
    assert tools.label_of(out, "b/0000")[0] == "accept"


def test_a_text_in_another_encoding_is_named_with_its_line(tmp_path):
    (tmp_path / "settings.yaml").write_bytes("seed: 3\nnote: grün\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"settings\.yaml', line 2: expected a text in UTF-8"):
        read_changes(tmp_path / "settings.yaml")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_are_not_expanded_in_whatever_encoding(out, tmp_path, capsys, encoding):
    size = tools.size_of(out, tools.KEY)
    box = tools.cvat_image(0, "a--0001.png", size, [tools.cvat_box("&word;", 0, 0, 8, 8)])
    xml = tools.cvat([box]).partition("\n")[2]
    bomb = f'<!DOCTYPE annotations [<!ENTITY word "box">]>\n{xml}'
    (tmp_path / "a.xml").write_bytes(bomb.encode(encoding))
    assert tools.correct(out, tools.KEY, tmp_path / "a.xml") == 1
    assert "it has a DOCTYPE or entities" in capsys.readouterr().err
    assert tools.label_of(out, tools.KEY)[0] is None


def test_an_archive_that_unpacks_to_a_disk_full_is_refused(out, tmp_path, capsys):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("annotations.xml", tools.cvat([]))
    data = bytearray(path.read_bytes())
    claimed = (2**32 - 2).to_bytes(4, "little")
    central = data.index(b"PK\x01\x02")
    data[central + 24 : central + 28] = claimed  # the size that it unpacks to
    path.write_bytes(data)
    assert tools.correct(out, tools.KEY, path) == 1
    assert "it unpacks to 4,294,967,294 bytes of annotations" in capsys.readouterr().err
