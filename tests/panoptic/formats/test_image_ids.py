import pytest

from panoptic.formats.exporter import ExportItem
from panoptic.formats.image_ids import ImageIds, image_entry
from panoptic.results.labelled import LabelledItem


def item(own, name="a/x.jpg", kind="image"):
    fields = {"source": "x", "kind": kind, "size": (2, 3), "split": "train", "quality": None}
    labelled = LabelledItem("x", **fields, verdict=None, frames=1, reader=None)
    object.__setattr__(labelled, "image_id", own)
    object.__setattr__(labelled, "name", name)
    return ExportItem(labelled)


def test_own_ids_are_kept_and_the_others_count_around_them():
    ids = ImageIds()
    given = [ids.of(item(own)) for own in (3, None, None, "frankfurt_1", None, 0)]
    assert given == [3, 1, 2, "frankfurt_1", 4, 0]
    # An id that is taken, and frames, which have none of their own.
    assert [ids.of(item(3)), ids.of(item(9, kind="video"))] == [5, 6]


def test_ids_of_an_item_that_failed_are_free_again():
    ids = ImageIds()

    def fail():
        with ids.together():
            assert [ids.of(item(None)), ids.of(item(7))] == [1, 7]
            raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        fail()
    with ids.together():
        assert [ids.of(item(7)), ids.of(item(None))] == [7, 1]
    assert ids.of(item(None)) == 2


def test_the_name_in_the_source_is_kept_where_it_is_text():
    entry = image_entry(7, "a--x.jpg", (2, 3), item(7))
    assert entry == {
        **{"id": 7, "file_name": "a--x.jpg", "height": 2, "width": 3},
        "source_file_name": "a/x.jpg",
    }
    for name in ("", "bad\udcff.jpg", "es\x1b[2Jcape.jpg"):
        assert "source_file_name" not in image_entry(7, "x.jpg", (2, 3), item(7, name))
