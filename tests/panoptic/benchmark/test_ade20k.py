import numpy as np
import pytest
from PIL import Image

from panoptic.benchmark.ade20k import panoptic_truth
from panoptic.benchmark.layouts import AdeParts, find_ade20k
from panoptic.benchmark.words import SetWords
from panoptic.errors import DatasetError
from panoptic.formats.coco_panoptic import CocoPanoptic
from panoptic.io.output_folder import output_folder
from tests.panoptic.benchmark import published_layouts as published


def make(root, out, limit=None):
    calls = []
    parts = find_ade20k(root)
    assert isinstance(parts, AdeParts)
    with output_folder(out, "test", resume=True) as folder:
        made = panoptic_truth(
            parts, SetWords.of("ade20k"), folder, limit, lambda *call: calls.append(call)
        )
    return made, calls


def test_semantic_and_instance_labels_become_the_truth_that_scripts_make(tmp_path):
    ready = find_ade20k(published.ade20k(tmp_path / "ready"))
    made, _ = make(published.ade20k_parts(tmp_path / "parts"), tmp_path / "out")
    assert made.total == 3
    true, ours = CocoPanoptic.open(ready.json, ready.pngs), CocoPanoptic.open(made.json, made.pngs)
    assert ours.categories.keys() == true.categories.keys() == set(range(150))
    for image_id, expected in true:
        found = ours.load(image_id)
        pairs = set(zip(found.ids.ravel().tolist(), expected.ids.ravel().tolist(), strict=True))
        assert len(pairs) == len({p[0] for p in pairs}) == len({p[1] for p in pairs})
        kinds = {s.id: s.category_id for s in expected}
        assert {(s.category_id, kinds[dict(pairs)[s.id]]) for s in found} == {
            (c, c) for c in kinds.values()
        }


def test_what_is_a_thing_and_no_instance_is_void(tmp_path):
    root = published.ade20k_parts(tmp_path / "parts", 1)
    path = root / "annotations/validation/ADE_val_00000001.png"
    semantic = np.asarray(Image.open(path)).copy()
    semantic[:3, :3] = 13  # person
    instances = np.asarray(Image.open(root / "annotations_instance/validation" / path.name))
    assert not instances[:3, :3].any()
    Image.fromarray(semantic).save(path)
    made, _ = make(root, tmp_path / "out")
    truth = CocoPanoptic.open(made.json, made.pngs).load()
    assert not truth.ids[:3, :3].any()
    assert 12 not in {s.category_id for s in truth}


def test_it_is_made_once_and_more_of_it_when_more_is_asked_for(tmp_path):
    root = published.ade20k_parts(tmp_path / "parts")
    _, calls = make(root, tmp_path / "out", 2)
    assert calls == [(1, 2), (2, 2)]
    assert make(root, tmp_path / "out", 1)[1] == []
    assert make(root, tmp_path / "out")[1][-1] == (3, 3)


def test_labels_that_do_not_fit_are_told(tmp_path):
    root = published.ade20k_parts(tmp_path / "parts", 1)
    path = root / "annotations_instance/validation/ADE_val_00000001.png"
    instances = np.asarray(Image.open(path)).copy()
    instances[:2, :2] = (101, 9, 0)
    Image.fromarray(instances).save(path)
    with pytest.raises(
        DatasetError, match=r"instance 9 has the categories \[101\]; one of 1 to 100"
    ):
        make(root, tmp_path / "out")
    Image.fromarray(instances[..., 0]).save(path)
    with pytest.raises(DatasetError, match="expected a PNG of mode RGB, got L"):
        make(root, tmp_path / "out2")
    path.unlink()
    with pytest.raises(DatasetError, match="labels of a picture that is there"):
        make(root, tmp_path / "out3")
