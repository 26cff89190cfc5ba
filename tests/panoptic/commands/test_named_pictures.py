import json
from pathlib import Path

import pytest
from PIL import Image

from panoptic.commands.named_pictures import named_pictures


def names(*given, **options):
    found = named_pictures([Path(path) for path in given], **options)
    return [(p.file_name, p.image_id) for p in found.by_path.values()]


def test_pictures_are_called_by_their_names_or_by_their_folders_too():
    assert names("a/x.jpg", "b/y.jpg") == [("x.jpg", None), ("y.jpg", None)]
    assert names("in/a/x.jpg", "in/b/X.jpg", "in/z.png") == [
        *(("a/x.jpg", None), ("b/X.jpg", None), ("z.png", None))
    ]
    assert names("x.jpg", "x.jpg") == [("x.jpg", None)]


def test_a_coco_json_gives_its_pictures_and_their_numbers(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        Image.new("RGB", (4, 4)).save(photos / name)
    entries = [
        *({"id": 285, "file_name": "b.jpg"}, {"id": 1, "file_name": "a.jpg"}),
        *({"id": 9}, {"id": 10, "file_name": "../secret.jpg"}, {"id": 11, "file_name": "b.jpg"}),
    ]
    listed = tmp_path / "images.json"
    listed.write_text(json.dumps({"images": entries}))
    found = named_pictures([photos / "c.jpg", listed], photos)
    assert [(p.file_name, p.image_id) for p in found.by_path.values()] == [
        *(("c.jpg", 2), ("b.jpg", 285), ("a.jpg", 1))
    ]
    assert [
        "has no file_name" in p or "leads out" in p or "twice" in p for p in found.problems
    ] == [*(True, True, True)]
    with pytest.raises(ValueError, match="--images is where"):
        named_pictures([photos / "c.jpg"], photos)
