"""Thousands of annotation files gone wrong: never a traceback, never a label changed silently.

Each tells what came of it by the project's own errors, or it is a label in which every shape of
the file is a segment or is spoken of.
"""

import json
import random
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from panoptic.commands.review import _read as read_verdicts
from panoptic.dataset.corrections import read_correction
from panoptic.formats.rle import brush
from panoptic.results.labelled import LabelledItem
from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation
from panoptic.settings.tree import Settings
from prompts import Vocabulary
from tests.panoptic.formats.labelled import Labels
from tests.trials.pictures import mutations
from tests.trials.pictures import test_other_tools_corrections as tools

COUNT = 2000
WORDS = Vocabulary(things=["ball", "box"], stuff=["sand", "sea"])
SIZE = height, width = 12, 16


def item_of(kind, frames):
    ids = np.ones(SIZE, np.int32)
    ids[6:] = 2
    segments = [Segment(1, 3, "sand", False, 0.5), Segment(2, 1, "ball", True, 0.5)]
    labels = Labels()
    labels.frames["a"] = [PanopticSegmentation.from_ids(ids, segments)] * frames
    return LabelledItem("a", "/photos/a.png", kind, SIZE, "train", 0.5, None, frames, labels)


PICTURE, CLIP = item_of("image", 1), item_of("video", 3)


def labelme():
    shapes = [
        tools.labelme_box("ball", 1, 1, 4, 4, group=2),
        tools.labelme_box("box", 6, 1, 9, 4) | {"flags": {"old": False}},
        tools.labelme_box("ball", 0, 0, 0, 0)
        | {"points": [[1, 7], [5, 7], [5, 11]], "shape_type": "polygon"},
        tools.labelme_box("box", 0, 0, 0, 0)
        | {"points": [[10, 9], [10, 11]], "shape_type": "circle"},
    ]
    return tools.labelme("a.png", SIZE, shapes)


def studio():
    mask = np.zeros(SIZE, bool)
    mask[1:4, 1:4] = True
    value = {"format": "rle", "rle": brush(mask), "brushlabels": ["ball"]}
    box = {"x": 50, "y": 0, "width": 20, "height": 30, "rotation": 5, "rectanglelabels": ["box"]}
    points = {"points": [[5, 50], [40, 50], [40, 90]], "polygonlabels": ["ball"], "closed": True}
    ellipse = {"x": 70, "y": 70, "radiusX": 15, "radiusY": 15, "ellipselabels": ["box"]}
    results = [
        tools.result(SIZE, "segment-2", "brushlabels", value),
        tools.result(SIZE, "r", "rectanglelabels", box),
        tools.result(SIZE, "p", "polygonlabels", points),
        tools.result(SIZE, "e", "ellipselabels", ellipse),
    ]
    reviews = [tools.review(1, True)]
    return [tools.task("a", [tools.annotation(1, results, reviews=reviews)])]


def studio_min():
    task = studio()[0]
    record = {"image": "/data/upload/1/0a1b2c3d-a.png", "id": 4, "key": "a"}
    shape = {"original_width": width, "original_height": height}
    results = task["annotations"][0]["result"]
    record["tag"] = [{**result["value"], **shape} for result in results]
    return [record | {"annotator": 1, "annotation_id": 9, "updated_at": "2026-01-02T03:04:05Z"}]


def cvat():
    polygon = '<polygon label="ball" source="manual" occluded="0" points="1.00,7.00;5.00,7.00;'
    ellipse = '<ellipse label="box" source="manual" occluded="0" cx="11.00" cy="9.00" rx="2.00"'
    mask = '<mask label="ball" source="manual" occluded="0" rle="1, 3, 2, 3" left="7" top="6"'
    shapes = [
        tools.cvat_box("ball", 1, 1, 4, 4),
        tools.cvat_box("box", 6, 1, 9, 4, ' rotation="10.00"'),
        polygon + '5.00,11.00" z_order="0"></polygon>',
        ellipse + ' ry="2.00" z_order="1"></ellipse>',
        mask + ' width="3" height="3" z_order="2"></mask>',
    ]
    return tools.cvat([tools.cvat_image(0, "a.png", SIZE, shapes)]).partition("\n")[2]


def cvat_video():
    tracks = [
        tools.cvat_track(0, "ball", [(0, 1, 0), (1, 1, 0), (2, 2, 0)]),
        tools.cvat_track(1, "box", [(0, 8, 0), (1, 8, 0), (2, 9, 0)]),
    ]
    return tools.cvat_video(tracks, size=SIZE).partition("\n")[2].replace("clip", "a")


def coco():
    annotations = [
        {"segmentation": [[1, 1, 4, 1, 4, 4, 1, 4]]},
        {"segmentation": {"size": list(SIZE), "counts": [97, 3, 9, 3, 9, 3, 68]}},
        {"segmentation": {"size": list(SIZE), "counts": "b339000Z1"}, "iscrowd": 1},
    ]
    content = tools.coco(SIZE, annotations)
    content["images"][0]["file_name"] = "a.png"
    return content


def coco_panoptic():
    infos = [{"id": 1, "category_id": 7, "area": 96, "bbox": [0, 0, 16, 6], "iscrowd": 0}]
    infos += [{**infos[0], "id": 2, "bbox": [0, 6, 16, 6]}]
    content = coco()
    content["annotations"] = [{"image_id": 3, "file_name": "a.png", "segments_info": infos}]
    return content


def shapes_of(name, content):
    """How many shapes a mutated file has, by itself."""
    if name == "cvat":
        images = content.findall("image")
        return len(images[0]) if images else 0
    if name == "labelme":
        return len(content["shapes"])
    if name == "studio":
        return len(content[0]["annotations"][0]["result"])
    if name == "studio_min":
        return len(content[0]["tag"])
    if name == "coco":
        return len(content["annotations"])
    return len(content["annotations"][0]["segments_info"])


FILES = {
    "labelme": ("a.json", labelme, PICTURE),
    "studio": ("a.json", studio, PICTURE),
    "studio_min": ("a.json", studio_min, PICTURE),
    "cvat": ("a.xml", cvat, PICTURE),
    "cvat_video": ("a.xml", cvat_video, CLIP),
    "coco": ("a.json", coco, PICTURE),
    "coco_panoptic": ("a.json", coco_panoptic, PICTURE),
}


def read(reader, path, which):
    """What a reader makes of a file; None where it refuses it by name. Others are tracebacks."""
    try:
        return reader()
    except (ValueError, FileNotFoundError) as error:
        if not isinstance(error, UnicodeError | RecursionError) and path.name in str(error):
            return None
        pytest.fail(f"{which}: {error!r}")
    except Exception as error:
        pytest.fail(f"{which}: {error!r}")


@pytest.mark.parametrize("name", FILES)
def test_mutated_corrections(tmp_path, name):
    file_name, content, item = FILES[name]
    content = content()
    text = content if isinstance(content, str) else json.dumps(content)
    path = tmp_path / file_name
    ids = np.ones(SIZE, np.uint8)
    ids[6:] = 2
    png = np.stack([ids, ids * 0, ids * 0], -1)
    Image.fromarray(png).save(tmp_path / "a.png")
    path.write_text(text)
    whole = read_correction(path, item, WORDS)
    assert not whole.refused
    taken = 0
    for number in range(COUNT):
        data = mutations.of_file(text, f"{name} {number}")
        path.write_bytes(data)
        found = read(lambda: read_correction(path, item, WORDS), path, f"{name} {number}")
        if found is None:
            continue
        taken += 1
        if found.notes or found.refused or name == "cvat_video":
            continue
        label = found.labels[0]
        if any(not s.is_thing for s in label):  # stuff is one segment, in however many shapes
            continue
        try:
            parsed = ElementTree.fromstring(data) if file_name == "a.xml" else json.loads(data)
            shapes = shapes_of(name, parsed)
        except Exception:  # read all the same, such as a null byte in UTF-16
            continue
        assert len(label) == shapes, f"{name} {number}: a shape was lost without a word"
    assert taken > COUNT // 20  # the mutations don't break everything


LABEL = {
    "images": [{"id": 1, "file_name": "a.png", "height": height, "width": width}],
    "annotations": [
        {
            **{"image_id": 1, "file_name": "a.png"},
            "segments_info": [
                {"id": 1, "category_id": 3, "area": 96, "bbox": [0, 0, 16, 6], "score": 0.5},
                {"id": 2, "category_id": 1, "area": 96, "bbox": [0, 6, 16, 6], "quality": 0.25},
            ],
        }
    ],
    "categories": [
        {"id": 1, "name": "ball", "isthing": 1},
        {"id": 3, "name": "sand", "isthing": 0},
    ],
}


def test_mutated_labels(tmp_path):
    """What lies beside a manifest: the JSON of a label."""
    ids = np.ones(SIZE, np.uint8)
    ids[6:] = 2
    Image.fromarray(np.stack([ids, ids * 0, ids * 0], -1)).save(tmp_path / "a.png")
    path, text = tmp_path / "a.json", json.dumps(LABEL)
    for number in range(COUNT):
        path.write_bytes(mutations.of_file(text, f"label {number}"))
        label = read(lambda: PanopticSegmentation.load(path), tmp_path, f"label {number}")
        assert label is None or np.array_equal(label.ids, ids)


SETTINGS = """\
# words
seed: 3
merge:
  min_visible: 0.25
  min_stuff_area: 0.001
detection: {every: 5}
"""
WORDS_FILE = """\
things: [ball, {box: [crate, case]}]
stuff:
  - sand
  - sea
synonyms: {sea: [ocean]}
"""


def test_mutated_settings(tmp_path):
    path = tmp_path / "settings.yaml"
    for number in range(COUNT):
        chance = random.Random(f"settings {number}")
        path.write_bytes(mutations.of_bytes(SETTINGS.encode(), chance))
        read(lambda: Settings.load(path), path, f"settings {number}")


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_mutated_vocabularies(tmp_path, form):
    path = tmp_path / f"words.{form}"
    for number in range(COUNT // 2):
        if form == "yaml":
            chance = random.Random(f"words {number}")
            path.write_bytes(mutations.of_bytes(WORDS_FILE.encode(), chance))
        else:
            path.write_bytes(mutations.of_file(json.dumps(LABEL), f"words {number}"))
        read(lambda: Vocabulary.from_file(path), path, f"words {number}")


VERDICTS = '{"key": "a", "verdict": "accept", "note": "ok"}\n{"key": "b", "verdict": null}\n'


def test_mutated_verdicts(tmp_path):
    path = tmp_path / "verdicts.jsonl"
    for number in range(COUNT):
        first, second, _ = VERDICTS.split("\n")
        path.write_bytes(mutations.of_file(first, f"verdicts {number}") + b"\n" + second.encode())
        asked = read(lambda: read_verdicts(path), path, f"verdicts {number}") or ()
        assert all(isinstance(each.key, str) and isinstance(each.note, str) for each in asked)
