"""Which image is which: names as people write them, numbers as tools count them."""

from pathlib import Path

import pytest

from panoptic.formats.coco_panoptic import CocoPanoptic
from panoptic.measure.pair_images import CocoImage, coco_images, pair_images

FILE = CocoPanoptic(Path("x.json"), Path("x"), {}, {}, {})


def images(**names):
    """Images by id (``_7``: 7, others as text) with their file names."""
    return [
        CocoImage(FILE, int(id[1:]) if id[0] == "_" else id, (name,) if name else ())
        for id, name in names.items()
    ]


def numbered(*names):
    return [CocoImage(FILE, number, (name,)) for number, name in enumerate(names, start=1)]


def found(predicted, true, **options):
    pairs = pair_images(predicted, true, **options)
    return pairs.how, [(one.id, other.id) for one, other in pairs.pairs]


def test_ids_hold_where_names_agree_or_there_are_none():
    assert found(images(_5="a.jpg", _2="b.jpg"), images(_2="b.jpg", _5="x/A.png")) == (
        "image id",
        [(2, 2), (5, 5)],
    )
    assert found(images(_5="a.jpg"), images(_5="")) == ("image id", [(5, 5)])


def test_two_runs_that_count_from_one_share_no_pictures_by_number():
    how, pairs = found(numbered("d.jpg", "c.jpg", "b.jpg"), numbered("b.jpg", "c.jpg", "d.jpg"))
    assert (how, pairs) == ("file name", [(3, 1), (2, 2), (1, 3)])


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("street.png", "street.jpg"),
        ("Street.JPG", "street.jpg"),
        ("val2017/street.jpg", "street.jpg"),
        ("street.jpg", "images/val2017/street.jpg"),
        ("a\\street.jpg", "a/street.jpg"),
        ("./street.jpg", "street.jpg"),
        ("photos/street.jpg", "val/street.jpg"),
        ("stra\u0308sse.jpg", "str\u00e4sse.jpg"),
        ("v1.2_street.jpg", "v1.2_street.png"),
    ],
)
def test_names_may_differ_in_folder_ending_and_case(ours, theirs):
    how, pairs = found(images(_1=ours, _2="other.jpg"), images(_17=theirs))
    assert pairs == [(1, 17)]
    assert how.startswith("file name (")


def test_of_one_name_in_several_folders_the_folders_tell():
    truth = images(_10="a/x.jpg", _11="b/x.jpg", _12="y.jpg")
    assert found(numbered("root/b/x.jpg", "root/a/x.jpg", "y.jpg"), truth)[1] == [
        *((2, 10), (1, 11), (3, 12))
    ]
    beside = images(_10="x.jpg", _11="x.png", _12="a/x.jpg")
    assert found(numbered("a/x.jpg", "x.png", "x.jpg"), beside)[1] == [(3, 10), (2, 11), (1, 12)]


def test_what_the_folders_do_not_tell_is_refused():
    for predicted, true in (
        (numbered("a/x.jpg", "b/x.jpg"), images(_7="x.jpg")),
        (numbered("x.jpg"), images(_7="a/x.jpg", _8="b/x.jpg")),
    ):
        with pytest.raises(ValueError, match="may be"):
            pair_images(predicted, true)
    with pytest.raises(ValueError, match=r"have no prediction.*neither by image id nor by file"):
        pair_images(numbered("c/x.jpg", "d/x.jpg"), images(_7="a/x.jpg", _8="b/x.jpg"))


def test_same_numbers_of_other_names_are_refused_until_somebody_says_which_hold():
    ours, theirs = numbered("img1.jpg", "img2.jpg"), numbered("cat.jpg", "dog.jpg")
    with pytest.raises(ValueError, match=r"'img1.jpg'.*'cat.jpg'.*--images id or --images name"):
        pair_images(ours, theirs)
    assert found(ours, theirs, by="id") == ("image id", [(1, 1), (2, 2)])
    with pytest.raises(ValueError, match="by name, 2 of 2 images have no prediction"):
        pair_images(ours, theirs, by="name")
    with pytest.raises(ValueError, match="one of auto, id, name"):
        pair_images(ours, theirs, by="order")


def test_numbers_written_as_text_are_the_same_numbers():
    assert found(images(**{"000000142238": ""}), images(_142238=""))[1] == [
        ("000000142238", 142238)
    ]
    text = images(frankfurt_1="", aachen_2="")
    assert found(list(reversed(text)), text)[1] == [
        *(("frankfurt_1", "frankfurt_1"), ("aachen_2", "aachen_2"))
    ]
    assert found(images(_0="a.jpg"), images(_0="a.jpg"))[1] == [(0, 0)]


def test_an_id_that_two_files_share_pairs_nothing():
    ours = [*numbered("a.jpg"), *numbered("b.jpg")]
    assert found(ours, images(_1="b.jpg"))[0] == "file name"
    with pytest.raises(ValueError, match="image id 1 comes twice"):
        pair_images([*images(_1=""), *images(_1="")], images(_1=""))


def test_missing_predictions_are_left_out_on_request_only():
    truth = images(_7="a.jpg", _8="b.jpg", _9="c.jpg")
    with pytest.raises(ValueError, match=r"1 of 3 images have no prediction.*--skip-missing"):
        pair_images(numbered("a.jpg", "c.jpg"), truth)
    pairs = pair_images(numbered("a.jpg", "c.jpg", "more.jpg"), truth, skip_missing=True)
    assert [other.id for _, other in pairs.pairs] == [7, 9]
    assert ([image.id for image in pairs.missing], pairs.unused) == ([8], 1)
    with pytest.raises(ValueError, match="3 of 3 images have no prediction"):
        pair_images(
            numbered("x.jpg"), images(_7="a.jpg", _8="b.jpg", _9="c.jpg"), skip_missing=True
        )


def test_without_a_list_of_images_the_pngs_give_the_names():
    annotation = {"image_id": 4, "file_name": "000000000004.png", "segments_info": []}
    bare = CocoPanoptic(Path("x.json"), Path("x"), {}, {}, {4: annotation})
    (image,) = coco_images([bare])
    assert (image.names, image.called) == ((), ("000000000004.png",))
    named = {4: {"id": 4, "file_name": "a--b.jpg", "source_file_name": "a/b.jpg"}}
    (image,) = coco_images([CocoPanoptic(Path("x.json"), Path("x"), {}, named, {4: annotation})])
    assert image.names == ("a/b.jpg", "a--b.jpg")


def test_names_of_pngs_pair_but_do_not_contradict_ids():
    def bare(**pngs):
        return [CocoImage(FILE, int(id[1:]), (), png) for id, png in pngs.items()]

    truth = images(_1="a.jpg", _2="b.jpg")
    assert found(bare(_1="b.png", _2="a.png"), truth)[1] == [(2, 1), (1, 2)]
    assert found(bare(_1="mask1.png", _2="mask2.png"), truth) == ("image id", [(1, 1), (2, 2)])
    assert found(bare(_7="b.png", _8="a.png"), truth)[1] == [(8, 1), (7, 2)]


def test_a_truth_without_images_is_said_to_have_none():
    with pytest.raises(ValueError, match="the ground truth lists no image"):
        pair_images(numbered("a.jpg"), [])
