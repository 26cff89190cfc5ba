"""Pictures, shards, clips and results of one name, as people's folders have them."""

import io
import json
import tarfile

import numpy as np
import pytest
from PIL import Image

from panoptic.dataset.export import export
from panoptic.dataset.resumable_labelling import label_dataset
from panoptic.results.segmentation import PanopticSegmentation
from tests.panoptic.dataset.colours import WORDS, ColourLabeller, picture


def put(path, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture(seed)).save(path)


def test_a_picture_beside_a_folder_of_its_name_can_be_loaded_and_exported(tmp_path):
    for seed, name in enumerate(("cat.png", "cat/1.png", "cat/cat.png", "cat.frames/1.png")):
        put(tmp_path / "in" / name, seed)
    run = label_dataset(ColourLabeller(), tmp_path / "in", WORDS, tmp_path / "out")
    with run.open() as store:
        for item in store.items():
            assert item.load() == ColourLabeller().segment(item.picture(), WORDS)
        (made,) = export(store.items(), WORDS, tmp_path / "export", ["coco_panoptic"])
    assert (made.total, made.left_out) == (4, 0)
    loaded = PanopticSegmentation.load(tmp_path / "out" / "labels" / "cat" / "1.json")
    assert len(loaded)


def shard(path, names, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for number, name in enumerate(names):
            stream = io.BytesIO()
            Image.fromarray(picture(seed + number)).save(stream, "PNG")
            member = tarfile.TarInfo(name)
            member.size = len(stream.getvalue())
            tar.addfile(member, io.BytesIO(stream.getvalue()))


@pytest.mark.parametrize("pattern", ["*/train.tar", "part-{0..2}/train.tar", "**/*.tar"])
def test_shards_of_one_name_in_several_folders_are_all_labelled(tmp_path, pattern):
    for number in range(3):
        names = [f"{i}.png" for i in range(4)]
        shard(tmp_path / "in" / f"part-{number}" / "train.tar", names, 10 * number)
    source = str(tmp_path / "in" / pattern)
    run = label_dataset(ColourLabeller(), source, WORDS, tmp_path / "out")
    assert run.labelled == 12
    with run.open() as store:
        for item in store.items():
            assert item.load() == ColourLabeller().segment(item.picture(), WORDS)
    assert label_dataset(ColourLabeller(), source, WORDS, tmp_path / "out").labelled == 0


def test_a_result_saved_from_python_leaves_the_command_lines_json_alone(tmp_path):
    result = ColourLabeller().segment(picture(0), WORDS)
    other = ColourLabeller().segment(picture(1), WORDS)
    theirs = tmp_path / "panoptic.json"
    theirs.write_text(json.dumps({"images": [], "annotations": [], "categories": []}))
    with pytest.raises(ValueError, match=r"panoptic\.json.* is there already"):
        result.save(tmp_path)
    assert json.loads(theirs.read_text())["images"] == []
    result.save(tmp_path, "mine")
    result.save(tmp_path, "mine")  # the same once more is no loss
    with pytest.raises(ValueError, match="overwrite=True"):
        other.save(tmp_path, "mine")
    assert PanopticSegmentation.load(tmp_path / "mine.json") == result
    other.save(tmp_path, "mine", overwrite=True)
    assert np.array_equal(PanopticSegmentation.load(tmp_path / "mine.json").ids, other.ids)
