"""Which picture of somebody's file is which item: by the surest name, never by chance."""

import pytest

from panoptic.dataset.corrections import CorrectionFile
from panoptic.formats.regions import AnnotatedPicture
from panoptic.results.labelled import LabelledItem


def item(key, source=None, kind="image", frames=1):
    source = source or f"/photos/{key}.jpg"
    return LabelledItem(key, source, kind, (4, 5), "train", None, None, frames, reader=None)


ITEMS = [item("street/17"), item("road/17"), item("19"), item("night/fox"), item("grüne_Ampel")]
ITEMS[-1] = item("grüne_Ampel", "/photos/grüne Ampel.jpg")
CLIP = item("clips/ride", "/photos/clips/ride.mp4", "video", 3)


def picture(*names, **more):
    return AnnotatedPicture(f"picture {names}", names, None, **more)


def claimed(*pictures, items=ITEMS):
    """Keys by the names of pictures; several keys where it can't be told."""
    file = CorrectionFile(list(pictures))
    claims = file.claims(items)
    return {m.picture.names[0]: claim.keys for claim in claims for m in claim.matches}


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("street--17.jpg", "street/17"),  # as exports call it
        ("train/street--17.png", "street/17"),
        ("train\\images\\street--17.png", "street/17"),
        ("street/17.jpg", "street/17"),  # as the source does
        ("photos/street/17.JPG", "street/17"),
        ("C:\\data\\photos\\street\\17.jpg", "street/17"),
        ("..\\..\\street\\17.jpg", "street/17"),
        ("17.jpg", ("road/17", "street/17")),  # either
        ("x/17.jpg", None),  # neither
        ("fox.jpg", "night/fox"),  # there is no other fox
        ("day/fox.jpg", None),  # but that is one
        ("0a1b2c3d-fox.jpg", "night/fox"),  # as Label Studio stores uploads
        ("images/0a1b2c3d-fox.jpg", "night/fox"),
        ("grüne Ampel.jpg", "grüne_Ampel"),
        ("gru\u0308ne Ampel.jpg", "grüne_Ampel"),  # as Macs spell it
        ("19", "19"),
        ("", None),
        ("..", None),
    ],
)
def test_names_of_pictures(name, key):
    keys = (key,) if isinstance(key, str) else key
    found = claimed(picture(name))
    assert {k for claim in found.values() for k in claim} == set(keys or ())


def test_a_base_name_is_its_owners():
    found = claimed(picture("17.jpg"), items=[item("17"), item("street/17")])
    assert found == {"17.jpg": ("17",)}


def test_the_key_decides_where_there_is_one():
    assert claimed(picture("17.jpg", key="road/17", frame=0)) == {"17.jpg": ("road/17",)}
    assert claimed(picture("fox.jpg", key="another")) == {}


def test_frames_of_videos():
    items = [*ITEMS, CLIP]
    assert claimed(picture("ride.mp4", frame=2), items=items) == {"ride.mp4": ("clips/ride",)}
    assert claimed(picture("another", frame=2), items=items) == {}
    assert claimed(picture("frame_000001"), items=items) == {}
    file = CorrectionFile([picture("frame_000001"), picture("frame_000002")])
    assert [m.frame for m in file.names.only(CLIP)] == [1, 2]
    assert file.names.only(ITEMS[0]) == []
