"""Fetched artwork without the network: from icons to the cache and back."""

import numpy as np
import pytest

from panoptic.demo.artwork import CODE_POINTS, load_artwork
from training import artwork


def box(x: int, fill: str) -> dict:
    return {"body": f'<rect x="{x}" width="8" height="16" fill="{fill}"/>'}


ICONS = {
    "icons": {
        "cat-face": box(0, "#f00"),
        "cat": box(4, "#00f"),
        "rainbow": box(8, "#0f0"),
        "flag-sweden": box(8, "#0f0"),
        "hand-medium-skin-tone": box(8, "#0f0"),
        "nothing": {"body": ""},
    },
    "aliases": {"dog": {"parent": "cat"}},
    "width": 16,
    "height": 16,
}


def test_icons_become_cached_pictures(tmp_path):
    pictures = artwork._rasterise_set(ICONS, "noto")
    assert set(pictures) == {"1f431", "1f408", "1f415", "name:rainbow"}
    artwork._write(tmp_path / "noto.npz", pictures)
    loaded = load_artwork(("noto",), all_pictures=True, cache=tmp_path)
    assert loaded.nouns == ("cat", "dog")
    assert len(loaded.all_pictures) == 4
    face, body = loaded.pictures("cat")
    assert face.shape == (128, 64, 4)
    assert (face == [255, 0, 0, 255]).all()
    assert (body == [0, 0, 255, 255]).all()
    np.testing.assert_array_equal(loaded.pictures("dog")[0], body)
    assert len(load_artwork(("noto",), cache=tmp_path).all_pictures) == 0


def test_every_code_point_has_a_name():
    codes = {c for code_points in CODE_POINTS.values() for c in code_points}
    assert set(artwork.NAMES) == codes
    assert set(artwork.FIREFOX_NAMES) <= codes


def test_cached_sets_are_not_fetched_again_and_failures_are_clear(tmp_path, monkeypatch):
    (tmp_path / "noto.npz").write_bytes(b"there")
    assert artwork.fetch("noto", tmp_path) == tmp_path / "noto.npz"
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match=r"needs npm: install Node\.js"):
        artwork.fetch("emojione", tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["noto.npz"]
