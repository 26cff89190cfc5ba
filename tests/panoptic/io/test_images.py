import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from panoptic.errors import ImageError, ImageNotFoundError, ImageTooLargeError, UnreadableImageError
from panoptic.io.images import load_image

RGB = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


def encoded(picture, format="PNG", **options):
    stream = io.BytesIO()
    picture.save(stream, format, **options)
    return stream.getvalue()


def assert_is_rgb(pixels, shape):
    assert pixels.dtype == np.uint8
    assert pixels.shape == shape
    assert pixels.flags.c_contiguous


def test_every_kind_of_source_gives_the_same(tmp_path):
    path = tmp_path / "ü\n.png"
    path.write_bytes(encoded(Image.fromarray(RGB)))
    for source in (path, str(path), path.read_bytes(), Image.open(path), Image.fromarray(RGB), RGB):
        assert np.array_equal(load_image(source), RGB)
    with path.open("rb") as stream:
        assert np.array_equal(load_image(stream), RGB)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 300, 3), (300, 1, 3), (200, 8192, 3)])
def test_extreme_shapes(shape):
    pixels = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    loaded = load_image(encoded(Image.fromarray(pixels)))
    assert_is_rgb(loaded, shape)
    assert np.array_equal(loaded, pixels)


# The transformations that undo the eight EXIF orientations, on arrays.
UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("orientation", sorted(UPRIGHT))
@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_exif_orientation_is_applied_once(orientation, format):
    picture = Image.fromarray(RGB)
    exif = picture.getexif()
    exif[0x0112] = orientation
    data = encoded(picture, format, exif=exif)
    expected = UPRIGHT[orientation](RGB)
    assert np.array_equal(load_image(data), expected)
    assert np.array_equal(load_image(Image.open(io.BytesIO(data))), expected)
    assert load_image(data).flags.c_contiguous


def test_grey_in_all_its_depths():
    grey = RGB[..., 0]
    expected = np.stack([grey] * 3, axis=-1)
    assert np.array_equal(load_image(encoded(Image.fromarray(grey))), expected)
    assert np.array_equal(load_image(grey), expected)
    assert np.array_equal(load_image(grey[..., None]), expected)
    wide = grey.astype(np.uint16) * 257
    assert np.array_equal(load_image(encoded(Image.fromarray(wide))), expected)
    assert np.array_equal(load_image(encoded(Image.fromarray(wide), "TIFF")), expected)
    assert np.array_equal(load_image(wide), expected)
    assert np.array_equal(load_image(Image.fromarray(wide.astype(np.int32))), expected)
    assert np.array_equal(load_image(Image.fromarray(grey / np.float32(255))), expected)
    bits = Image.fromarray(grey > 127).convert("1")
    assert np.array_equal(load_image(encoded(bits)), (expected > 127) * np.uint8(255))


def test_sixteen_bits_round_to_the_nearest_of_eight():
    values = np.array([[0, 128, 129, 65_406, 65_407, 65_535]], np.uint16)
    assert load_image(values)[0, :, 0].tolist() == [0, 0, 1, 254, 255, 255]


def test_sixteen_bit_colour():
    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    rows = b"".join(b"\0" + (row.astype(">u2") * 257).tobytes() for row in RGB.astype(np.uint16))
    header = struct.pack(">IIBBBBB", 7, 5, 16, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    png += chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    assert np.array_equal(load_image(png), RGB)
    assert np.array_equal(load_image(RGB.astype(np.uint16) * 257), RGB)


def test_transparency_is_put_on_white():
    rgba = np.array([[[10, 20, 30, 255], [10, 20, 30, 0], [0, 100, 200, 51]]], np.uint8)
    expected = [[[10, 20, 30], [255, 255, 255], [204, 224, 244]]]
    assert load_image(encoded(Image.fromarray(rgba))).tolist() == expected
    assert load_image(rgba).tolist() == expected
    la = Image.fromarray(rgba).convert("LA")
    assert load_image(encoded(la))[0, 1].tolist() == [255] * 3


def test_transparent_palette_entries_are_white():
    picture = Image.new("P", (2, 1))
    picture.putpalette([255, 0, 0, 0, 0, 255])
    picture.putpixel((1, 0), 1)
    assert load_image(encoded(picture)).tolist() == [[[255, 0, 0], [0, 0, 255]]]
    data = encoded(picture, transparency=1)
    assert load_image(data).tolist() == [[[255, 0, 0], [255, 255, 255]]]


def test_other_colour_spaces_become_rgb():
    flat = Image.new("RGB", (16, 16), (200, 80, 40))
    cmyk = encoded(flat.convert("CMYK"), "JPEG", quality=100)
    assert Image.open(io.BytesIO(cmyk)).mode == "CMYK"
    for source in (cmyk, flat.convert("CMYK"), flat.convert("YCbCr"), flat.convert("HSV")):
        loaded = load_image(source)
        assert_is_rgb(loaded, (16, 16, 3))
        assert np.abs(loaded.astype(int) - (200, 80, 40)).max() <= 4


def test_of_an_animation_the_first_picture_counts():
    frames = [Image.new("RGB", (4, 3), color) for color in ("red", "blue")]
    for format in ("GIF", "PNG", "TIFF"):
        data = encoded(frames[0], format, save_all=True, append_images=frames[1:])
        assert load_image(data)[0, 0].tolist() == [255, 0, 0]
    pages = encoded(frames[0], "MPO", save_all=True, append_images=frames[1:])
    assert np.abs(load_image(pages)[0, 0].astype(int) - (255, 0, 0)).max() <= 2


def test_other_arrays_are_taken_if_their_range_is_clear():
    assert np.array_equal(load_image(RGB.astype(int)), RGB)
    assert np.array_equal(load_image(RGB / 255.0), RGB)
    assert load_image(np.eye(2, dtype=bool))[..., 0].tolist() == [[255, 0], [0, 255]]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (RGB.astype(float), "0 to 1, got 0.0 to 24"),
        (np.full((2, 2), np.nan), "0 to 1, got nan"),
        (RGB.astype(int) - 1, "must be 0 to 255, got -1"),
        (RGB.transpose(2, 0, 1), r"channels come last: array\.transpose"),
        (np.zeros((2, 2, 2), np.uint8), r"\(H, W, 3\)"),
        (np.zeros((0, 2, 3), np.uint8), r"\(H, W, 3\)"),
        (np.array([["a"]]), "must be numbers"),
        (np.zeros((1, 1), complex), "must be numbers"),
    ],
)
def test_unclear_arrays_are_refused(array, message):
    with pytest.raises(ImageError, match=message):
        load_image(array)


def test_what_is_no_picture_is_refused(tmp_path):
    with pytest.raises(ImageError, match="got NoneType"):
        load_image(None)
    with pytest.raises(ImageNotFoundError, match=r"'.*none\.jpg': there is no such file"):
        load_image(tmp_path / "none.jpg")
    with pytest.raises(UnreadableImageError, match="cannot be opened"):
        load_image(tmp_path)
    with pytest.raises(UnreadableImageError, match="null byte"):
        load_image("a\0b.png")
    for name, content, message in (
        ("zero.jpg", b"", r"zero\.jpg' is empty"),
        ("text.png", b"hello" * 100, r"text\.png': no picture of a known format"),
        ("vector.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no picture"),
        ("vector.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no picture"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UnreadableImageError, match=message):
            load_image(tmp_path / name)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_forbidden_files_are_named(tmp_path):
    path = tmp_path / "secret.png"
    path.write_bytes(encoded(Image.fromarray(RGB)))
    path.chmod(0)
    with pytest.raises(UnreadableImageError, match=r"secret\.png' cannot be opened: Permission"):
        load_image(path)


def test_errors_are_value_errors_and_files_not_found():
    with pytest.raises(ValueError, match="no such file"):
        load_image("none.jpg")
    with pytest.raises(FileNotFoundError):
        load_image("none.jpg")


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP"])
def test_truncated_files_are_refused_at_every_length(format, tmp_path):
    pixels = np.random.default_rng(2).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(pixels), format)
    path = tmp_path / f"cut.{format.lower()}"
    for share in (0.01, 0.1, 0.3, 0.6, 0.9):
        path.write_bytes(data[: int(len(data) * share)])
        with pytest.raises(UnreadableImageError, match="cut"):
            load_image(path)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_flipped_bytes_give_a_picture_or_our_error():
    rng = np.random.default_rng(3)
    refused = 0
    for format in ("PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "PPM"):
        data = encoded(Image.fromarray(RGB), format)
        for _ in range(60):
            hostile = bytearray(data)
            for place in rng.integers(0, len(data), 4):
                hostile[place] = rng.integers(256)
            try:
                pixels = load_image(bytes(hostile), max_pixels=10_000)
            except ImageError:
                refused += 1
            else:
                assert_is_rgb(pixels, pixels.shape)
    assert refused > 50


def bomb(width, height):
    """A PNG of a few bytes that claims any size."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_bombs_are_refused_before_they_are_decoded(tmp_path):
    path = tmp_path / "bomb.png"
    for size in ((60_000, 60_000), (9_500, 9_500)):
        path.write_bytes(bomb(*size))
        with pytest.raises(ImageTooLargeError, match=r"bomb\.png"):
            load_image(path)
    with pytest.raises(ImageTooLargeError, match="5 pixels, more than max_pixels=34"):
        load_image(RGB, max_pixels=34)
    assert load_image(RGB, max_pixels=35).shape == RGB.shape


def test_broken_exif_does_not_spoil_good_pixels():
    data = encoded(Image.fromarray(RGB), exif=b"Exif\0\0II*\0\xff\xff\xff\xff" + b"\xff" * 40)
    assert np.array_equal(load_image(data), RGB)
