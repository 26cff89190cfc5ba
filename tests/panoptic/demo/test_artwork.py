"""The pictures: every noun in both installed vendors, cropped, and clear errors."""

import numpy as np
import pytest

from panoptic.demo import artwork
from panoptic.demo.artwork import (
    CODE_POINTS,
    THING_NAMES,
    TRAINING_VENDORS,
    UNSEEN_VENDOR,
    crop_to_content,
    is_picture,
    load_artwork,
    rasterise,
)


@pytest.mark.parametrize("vendor", ["twemoji", "openmoji"])
def test_every_picture_of_every_noun_is_there(vendor):
    loaded = load_artwork((vendor,))
    assert loaded.nouns == THING_NAMES
    for noun in THING_NAMES:
        pictures = loaded.pictures(noun)
        assert len(pictures) == len(CODE_POINTS[noun])
        for picture in pictures:
            assert picture.dtype == np.uint8
            assert picture.shape[2] == 4
            assert 40 <= max(picture.shape[:2]) <= 128
            alpha = picture[..., 3] > 16  # Cropped to content: every edge touches it.
            assert alpha[0].any()
            assert alpha[-1].any()
            assert alpha[:, 0].any()
            assert alpha[:, -1].any()
            assert 0.1 < alpha.mean() <= 1
    assert loaded.all_pictures == ()


def test_vendors_come_together_by_noun():
    both = load_artwork(("twemoji", "openmoji"))
    assert set(both.by_noun["cat"]) == {"twemoji", "openmoji"}
    assert len(both.pictures("cat")) == 4


def test_no_picture_shows_two_nouns():
    codes = [c for code_points in CODE_POINTS.values() for c in code_points]
    assert len(codes) == len(set(codes))


def test_unnamed_pictures_are_many_and_hold_no_letters_or_flags():
    loaded = load_artwork(all_pictures=True)
    assert len(loaded.all_pictures) > 1000
    assert is_picture("1f431")
    assert is_picture("1f468-200d-1f373")
    assert not is_picture("1f1e8-1f1e6")  # A flag.
    assert not is_picture("1f44d-1f3fd")  # A skin tone.
    assert not is_picture("31-20e3")  # A key cap.
    assert not is_picture("1f3f4-e0067-e0062-e0065-e006e-e0067-e007f")


def test_the_unseen_vendor_is_not_for_training():
    assert UNSEEN_VENDOR not in TRAINING_VENDORS


def test_crop_and_rasterise():
    rgba = np.zeros((9, 9, 4), np.uint8)
    rgba[2:5, 3:8] = 255
    assert crop_to_content(rgba).shape == (3, 5, 4)
    assert crop_to_content(np.zeros((9, 9, 4), np.uint8)).shape == (0, 0, 4)
    svg = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8">{}</svg>'
    drawn = rasterise(svg.format('<rect width="4" height="8" fill="#0f0"/>'), 16)
    assert (drawn[:, :8] == [0, 255, 0, 255]).all()
    assert not drawn[:, 8:, 3].any()


def test_errors_say_what_to_do(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="no artwork vendor is called 'emojipedia'; there"):
        load_artwork(("emojipedia",))
    with pytest.raises(ValueError, match="at least one artwork vendor"):
        load_artwork(())
    with pytest.raises(FileNotFoundError, match=r"python -m training\.artwork"):
        load_artwork(("noto",), cache=tmp_path)
    monkeypatch.setenv("PANOPTIC_CACHE", str(tmp_path))
    assert artwork.cache_folder() == tmp_path / "artwork"
    monkeypatch.setattr(artwork.importlib.util, "find_spec", lambda name: None)
    artwork._pictures.cache_clear()
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'panoptic-anything\[demo\]'"):
        load_artwork(("twemoji",))
