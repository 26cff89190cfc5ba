"""A thousand bad inputs among good ones: every good one labelled, every bad one told, and not a
byte outside the output folder."""

import hashlib
import io
import json
import os
import struct
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from panoptic.dataset.resumable_labelling import label_dataset
from panoptic.settings.dataset import DatasetSettings
from panoptic.settings.tree import Settings
from tests.panoptic.dataset.colours import WORDS, ColourLabeller, contents, picture

BAD, GOOD = 1000, 60
SETTINGS = DatasetSettings()
LIMITS = Settings().changed({"pictures.max_pixels": 1_000_000, "pictures.max_bytes": 2_000_000})


@dataclass(frozen=True)
class CarefulLabeller(ColourLabeller):
    """Reads no large pictures."""

    settings: Settings = LIMITS


def encoded(seed: int, format: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(picture(seed)).save(stream, format)
    return stream.getvalue()


def bomb(width: int, height: int) -> bytes:
    """A PNG that claims many pixels in few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(
        b"IDAT", zlib.compress(b"\0" * 5000)
    ) + chunk(b"IEND", b"")  # fmt: skip


def truncated(i: int) -> bytes:
    data = encoded(i, ("PNG", "JPEG", "GIF", "TIFF", "BMP")[i % 5])
    return data[: len(data) * (1 + i % 7) // 10]


def scrambled(i: int) -> bytes:
    """A good header, and then anything."""
    noise = np.random.default_rng(i).bytes(300)
    return encoded(i, "PNG" if i % 2 else "WEBP")[: 20 + i % 5] + noise


BAD_FILES = (
    truncated,
    scrambled,
    lambda i: b"",
    lambda i: b"\0" * (i + 1),
    lambda i: f"<html>{i}</html>".encode(),
    lambda i: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    lambda i: b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
    lambda i: b"PK\x03\x04" + b"x" * i,
    lambda i: bomb(100_000 + i, 100_000),
    lambda i: bomb(2000, 2000 + i),
    lambda i: bomb(0, 10 + i),
    lambda i: b"\xff\xd8\xff\xe0" + b"\0" * i,
    lambda i: b"x" * 2_000_001,
)
NAMES = (
    "plain {i}.png", "näme {i}.jpg", "絵{i}.png", "two\nlines {i}.png", "tab\t{i}.webp",
    "up..{i}.png", "a..b {i}.jpg", "semi;colon&{i}.png", "-rf {i}.png", "CON.{i}.png",
    "'quote\"{i}.png", "%2e%2e%2f{i}.png", "\u202eRTL{i}.png", "~{i}.png", "e\u0301{i}.png",
    "é{i}.png", " {i} .png", "{i}.tar.png", "\x1b[31m{i}.png", "{i}\\..\\up.png", "{i}:s.png",
)  # fmt: skip


def everything_else(folder: Path, out: Path) -> dict[str, str]:
    """Digests of all files below a folder but those of the output."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and out not in path.parents
    }


def test_a_thousand_bad_files_among_good_ones(tmp_path):
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    good, bad = set(), set()
    for i in range(BAD + GOOD):
        name = NAMES[i % len(NAMES)].format(i=i)
        is_good = i % (BAD // GOOD + 1) == 0 and len(good) < GOOD
        (source / name).write_bytes(encoded(i) if is_good else BAD_FILES[i % len(BAD_FILES)](i))
        (good if is_good else bad).add(name)
    assert len(bad) == BAD
    before = everything_else(tmp_path, out)
    run = label_dataset(CarefulLabeller(), source, WORDS, out, settings=SETTINGS)
    with run.open() as store:
        labelled = {Path(item.source).name: item for item in store.items()}
        assert set(labelled) == good
        for item in labelled.values():
            assert item.load() == CarefulLabeller().segment(item.picture(), WORDS)
        failures = list(store.failures())
    assert {failure.name for failure in failures} == bad
    for failure in failures:
        assert len(failure.error) > 10
        assert failure.error.isprintable()
    assert everything_else(tmp_path, out) == before
    assert len(contents(out)) == 2 * GOOD
    assert not (out / ".partial").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="file names are Unicode there")
def test_names_that_are_not_unicode(tmp_path):
    source = tmp_path / "in"
    source.mkdir()
    names = [b"latin-\xe9.png", b"latin-\xe8.png", b"half-\xc3.png"]
    for i, name in enumerate(names):
        (source / os.fsdecode(name)).write_bytes(encoded(i))
    run = label_dataset(CarefulLabeller(), source, WORDS, tmp_path / "out")
    assert run.labelled == 3
    with run.open() as store:
        items = list(store.items())
        assert {os.fsencode(item.source).rpartition(b"/")[2] for item in items} == set(names)
        for item in items:
            assert item.load() == CarefulLabeller().segment(item.picture(), WORDS)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16", "CMYK", "YCbCr", "F"])
def test_odd_modes_are_labelled(tmp_path, mode):
    path = tmp_path / "in.tif" if mode in ("F", "CMYK", "YCbCr") else tmp_path / "in.png"
    Image.fromarray(picture(0)).convert("L" if mode in ("I;16", "F") else mode).convert(
        mode if mode != "F" else "L"
    ).save(path)
    run = label_dataset(CarefulLabeller(), path, WORDS, tmp_path / "out")
    assert (run.labelled, run.failed) == (1, 0)


def test_files_that_cannot_be_read_or_vanish_while_read(tmp_path):
    source = tmp_path / "in"
    source.mkdir()
    for i in range(12):
        (source / f"{i:02}.png").write_bytes(encoded(i))
    os.mkfifo(source / "pipe.png")
    (source / "folder.png").mkdir()
    (source / "loop.png").symlink_to(source / "loop.png")
    (source / "device.png").symlink_to("/dev/zero")

    class Thief(ColourLabeller):
        """While it works on the first pictures, the last ones go."""

        def segment_batch(self, images, vocabulary):
            for i in range(8, 12):
                (source / f"{i:02}.png").unlink(missing_ok=True)
            return super().segment_batch(images, vocabulary)

    settings = DatasetSettings(batch=1, chunk=2, ahead=1)
    run = label_dataset(Thief(), source, WORDS, tmp_path / "out", settings=settings)
    told = {failure.name: failure.error for failure in run.open().failures()}
    gone = {name for name, error in told.items() if "no such file" in error}
    assert gone <= {f"{i:02}.png" for i in range(8, 12)}
    assert len(gone) >= 2
    assert "not a file" in told["pipe.png"]
    assert "not a file" in told["device.png"]
    assert "cannot be opened" in told["loop.png"]
    assert run.labelled == 12 - len(gone)


def test_hostile_lists_lead_nowhere(tmp_path):
    """Names of a JSON list that want to be written elsewhere, or to be read from there."""
    source, out = tmp_path / "in", tmp_path / "work/out"
    source.mkdir()
    (source / "good.png").write_bytes(encoded(1))
    (tmp_path / "secret.png").write_bytes(encoded(2))
    names = [
        "good.png", "../secret.png", str(tmp_path / "secret.png"), "a/../../secret.png", "..", ".",
        "", " ", "\0.png", "x\0/../good.png", "good.png/../../secret.png", "\ud800.png", "~/x.png",
        "file:///etc/passwd.png", "http://localhost:1/x.png", "\\\\host\\share.png", "x" * 9000,
        "x/" * 5000 + ".png", "good.png\n", "/dev/zero.png", 7, None, ["good.png"], {"a": 1},
    ]  # fmt: skip
    images = [{"id": i, "file_name": name} for i, name in enumerate(names)]
    images += [None, [], 1e308, {"id": 1}, {"file_name": "good.png", "id": "../x"}]
    (source / "list.json").write_text(json.dumps({"images": images}))
    before = everything_else(tmp_path, out)
    run = label_dataset(CarefulLabeller(), source / "list.json", WORDS, out)
    assert run.labelled == 1
    assert run.failed >= 20
    with run.open() as store:
        assert [item.key for item in store.items()] == ["good"]
        assert all(failure.error.isprintable() for failure in store.failures())
    assert everything_else(tmp_path, out) == before
    assert sorted(os.listdir(out)) == [".lock", "labels", "manifest.sqlite"]
