import shutil

import pytest

from panoptic.benchmark import layouts
from panoptic.errors import DatasetError
from tests.panoptic.benchmark import published_layouts as published

FIND = {
    "coco": layouts.find_coco,
    "ade20k": layouts.find_ade20k,
    "vipseg": layouts.find_vipseg,
    "davis": layouts.find_davis,
    "sa-v": layouts.find_sav,
}
WRONG = {
    "coco": "missing val2017, annotations/panoptic_val2017.json, annotations/panoptic_val2017",
    "ade20k": "missing images/validation, annotations/validation, annotations_instance/validation",
    "vipseg": "missing images, panomasksRGB, panoptic_gt_VIPSeg_val.json",
    "davis": "missing JPEGImages/480p, Annotations/480p, ImageSets/2017/val.txt",
    "sa-v": "missing sav_test.txt, JPEGImages_24fps, Annotations_6fps",
}


@pytest.mark.parametrize("name", FIND)
def test_a_wrong_folder_is_told_with_what_was_expected_and_found(name, tmp_path):
    (tmp_path / "holiday").mkdir()
    (tmp_path / "notes.txt").touch()
    with pytest.raises(DatasetError) as error:
        FIND[name](tmp_path)
    text = str(error.value)
    assert "isn't" in text
    assert "as it is published: expected" in text
    assert WRONG[name] in text
    assert "found holiday/, notes.txt" in text
    with pytest.raises(DatasetError, match="there is no folder"):
        FIND[name](tmp_path / "nothing")


def test_only_what_is_missing_is_named(tmp_path):
    root = published.coco(tmp_path / "coco", 1)
    shutil.rmtree(root / "annotations" / "panoptic_val2017")
    with pytest.raises(DatasetError, match=r"missing annotations/panoptic_val2017; found") as error:
        layouts.find_coco(root)
    assert "panoptic_val2017.zip in it unpacked" in str(error.value)


def test_the_folder_above_does_as_well(tmp_path):
    published.davis(tmp_path / "DAVIS", seeds=(0,), frames=3)
    assert layouts.find_davis(tmp_path) == layouts.find_davis(tmp_path / "DAVIS")


def test_cocos_pngs_may_lie_beside_the_annotations(tmp_path):
    root = published.coco(tmp_path, 1)
    (root / "annotations/panoptic_val2017").rename(root / "panoptic_val2017")
    assert layouts.find_coco(root).pngs == root / "panoptic_val2017"


def test_other_downloads_of_a_set_are_told_what_makes_them_into_it(tmp_path):
    (tmp_path / "ade" / "images" / "ADE" / "validation").mkdir(parents=True)
    with pytest.raises(DatasetError, match="this is the full ADE20K"):
        layouts.find_ade20k(tmp_path / "ade")
    (tmp_path / "vipseg" / "imgs").mkdir(parents=True)
    with pytest.raises(DatasetError, match=r"change2_720p.py, create_panoptic_video_labels.py"):
        layouts.find_vipseg(tmp_path / "vipseg")
    (tmp_path / "ade2" / "images" / "validation").mkdir(parents=True)
    with pytest.raises(DatasetError, match=r"prepare_ade20k_pan_seg.py of Mask2Former"):
        layouts.find_ade20k(tmp_path / "ade2")


def test_of_sa_v_the_list_says_which_part_it_is(tmp_path):
    published.sa_v(tmp_path / "sav_test", seeds=(0,), frames=1)
    assert layouts.find_sav(tmp_path / "sav_test").subset == "test"
    assert layouts.find_sav(tmp_path).subset == "test"
    published.sa_v(tmp_path / "sav_val", seeds=(0,), frames=1)
    assert layouts.find_sav(tmp_path / "sav_val").subset == "val"
    with pytest.raises(DatasetError, match="has sav_val and sav_test: say which"):
        layouts.find_sav(tmp_path)
