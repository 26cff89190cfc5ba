"""Pictures of more than 8 bits, and TIFF's variants, as other writers make them."""

import io
import struct
import zlib

import av
import numpy as np
import pytest
import tifffile
from PIL import Image

from panoptic.errors import ImageError, ImageTooLargeError, UnreadableImageError
from panoptic.io.images import load_image, read_picture
from panoptic.io.picture_settings import PictureSettings
from tests.panoptic.io.test_images import UPRIGHT

RNG = np.random.default_rng(5)
TWELVE = np.append(RNG.integers(0, 4095, 34), 4095).astype(np.uint16).reshape(5, 7)
COLOURS = RNG.integers(0, 4096, (5, 7, 3)).astype(np.uint16)
COLOURS[0, 0] = 4095
COUNTS = RNG.integers(0, 1000, (5, 7)).astype(np.int16)


def tiff(values, **options):
    stream = io.BytesIO()
    tifffile.imwrite(stream, values, **options)
    return stream.getvalue()


def pillow(picture, format="TIFF", **options):
    stream = io.BytesIO()
    picture.save(stream, format, **options)
    return stream.getvalue()


def ffmpeg(values, pixels, codec, muxer="image2pipe"):
    """A picture that ffmpeg wrote."""
    stream = io.BytesIO()
    with av.open(stream, "w", format=muxer) as container:
        video = container.add_stream(codec, rate=1)
        video.height, video.width, video.pix_fmt = *values.shape[:2], pixels
        for packet in video.encode(av.VideoFrame.from_ndarray(values, format=pixels)):
            container.mux(packet)
        for packet in video.encode():
            container.mux(packet)
    return stream.getvalue()


def scaled(values, low, high):
    shares = (values.astype(float) - low) / (high - low)
    grey = np.rint(255 * shares.clip(0, 1)).astype(np.uint8)
    return grey if grey.ndim == 3 else np.stack([grey] * 3, -1)


def same(data, expected, **settings):
    read = read_picture(data, PictureSettings(**settings))
    assert read.pixels.flags.c_contiguous
    assert np.array_equal(read.pixels, expected), (read.pixels[0, :3], expected[0, :3], read.notes)
    return read.notes


BY_TWELVE = scaled(TWELVE, 0, 4095)
GREY_FILES = {
    "png": lambda: pillow(Image.fromarray(TWELVE), "PNG"),
    "png by ffmpeg": lambda: ffmpeg(TWELVE, "gray16be", "png"),
    "tiff": lambda: pillow(Image.fromarray(TWELVE)),
    "tiff, lzw": lambda: pillow(Image.fromarray(TWELVE), compression="tiff_lzw"),
    "tiff by tifffile": lambda: tiff(TWELVE),
    "tiff, big endian": lambda: tiff(TWELVE, byteorder=">"),
    "big tiff": lambda: tiff(TWELVE, bigtiff=True),
    "tiff, deflated with predictor": lambda: tiff(TWELVE, compression="zlib", predictor=True),
    "tiff, tiles": lambda: tiff(TWELVE, tile=(16, 16)),
    "tiff, 32 bits": lambda: tiff(TWELVE.astype(np.uint32)),
    "tiff by ffmpeg": lambda: ffmpeg(TWELVE, "gray16le", "tiff"),
    "array": lambda: TWELVE,
    "PIL": lambda: Image.fromarray(TWELVE),
    "PIL, 32 bits": lambda: Image.fromarray(TWELVE.astype(np.int32)),
}


@pytest.mark.parametrize("name", GREY_FILES)
def test_twelve_bits_in_sixteen_are_not_dark(name):
    (note,) = same(GREY_FILES[name](), BY_TWELVE)
    assert "read as 12 bits, 0 to 4095" in note
    whole = scaled(TWELVE, 0, 65_535 if "32" not in name or "PIL" in name else 2**32 - 1)
    assert not same(GREY_FILES[name](), whole, stretch="full")


@pytest.mark.parametrize(
    "data",
    [
        ffmpeg(COLOURS, "rgb48be", "png"),
        ffmpeg(COLOURS, "rgb48le", "tiff"),
        tiff(COLOURS, photometric="rgb"),
        tiff(np.moveaxis(COLOURS, -1, 0), photometric="rgb", planarconfig="separate"),
        COLOURS,
    ],
    ids=["png", "tiff by ffmpeg", "tiff", "tiff in planes", "array"],
)
def test_deep_colours_keep_their_bits(data):
    (note,) = same(data, scaled(COLOURS, 0, 4095))
    assert "read as 12 bits" in note
    same(data, scaled(COLOURS, 0, 65_535), stretch="full")
    same(data, scaled(COLOURS, 100, 3000), stretch="100:3000")


def test_a_range_that_the_file_names_is_taken():
    header = b"P5\n7 5\n4095\n"
    pgm = header + TWELVE.astype(">u2").tobytes()
    dark = header + (TWELVE // 8).astype(">u2").tobytes()
    assert not same(pgm, BY_TWELVE)
    assert not same(dark, scaled(TWELVE // 8, 0, 4095))
    said = tiff(TWELVE // 8, extratags=[(281, "H", 1, 4095, True)])
    (note,) = same(said, scaled(TWELVE // 8, 0, 4095))
    assert "the file says 0 to 4095" in note
    wrong = tiff(TWELVE, extratags=[(281, "H", 1, 255, True)])
    assert "12 bits" in same(wrong, BY_TWELVE)[0]


def test_packed_twelve_bits():
    """Two samples in three bytes, as TIFF packs them; eight rows of six."""
    values = RNG.integers(0, 500, (8, 6)).astype(np.uint16)
    bits = "".join(f"{v:012b}" for v in values.ravel())
    data = int(bits, 2).to_bytes(len(bits) // 8, "big")
    tags = [(256, 6), (257, 8), (258, 12), (259, 1), (262, 1), (273, 0), (277, 1), (278, 8),
            (279, len(data))]  # fmt: skip
    start = 8 + 2 + 12 * len(tags) + 4
    entries = b"".join(
        struct.pack("<HHII", tag, 4, 1, start if tag == 273 else value) for tag, value in tags
    )
    file = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + data
    same(file, scaled(values, 0, 4095))


def test_white_is_zero():
    (note,) = same(tiff(TWELVE, photometric="miniswhite"), 255 - BY_TWELVE)
    assert "12 bits" in note
    same(tiff((TWELVE >> 4).astype(np.uint8), photometric="miniswhite"),
         255 - np.stack([TWELVE >> 4] * 3, -1).astype(np.uint8))  # fmt: skip


def test_signed_and_float_values_have_a_range_of_their_own():
    below = COUNTS - 500
    (note,) = same(tiff(below), scaled(below, below.min(), below.max()))
    assert f"16 bits (signed), {below.min()} to {below.max()}: lowest to highest" in note
    (note,) = same(tiff(COUNTS), scaled(COUNTS, 0, 1023))
    assert "10 bits" in note
    for kind in (np.float32, np.float64, np.float16):
        heights = (below * 1.5).astype(kind)
        low, high = float(heights.min()), float(heights.max())
        same(tiff(heights), scaled(heights, low, high))
    shares = RNG.random((5, 7)).astype(np.float32)
    assert not same(tiff(shares), scaled(shares, 0, 1))
    same(
        pillow(Image.fromarray(shares * 9)), scaled(shares * 9, shares.min() * 9, shares.max() * 9)
    )
    bytes_below = (COUNTS // 8 - 60).astype(np.int8)
    same(tiff(bytes_below), scaled(bytes_below, bytes_below.min(), bytes_below.max()))


def test_where_there_is_no_value_it_is_black():
    heights = RNG.random((5, 7)).astype(np.float32) * 100 + 50
    heights[1, 2] = np.nan
    rest = heights[np.isfinite(heights)]
    expected = scaled(np.nan_to_num(heights, nan=0), rest.min(), rest.max())
    (note,) = same(tiff(heights), expected)
    assert "have no value and are black" in note
    heights[1, 2] = -9999
    gdal = tiff(heights, extratags=[(42113, "s", 6, "-9999", True)])
    same(gdal, expected)
    with pytest.raises(UnreadableImageError, match="no values"):
        load_image(tiff(np.full((4, 4), np.nan, np.float32)))


def test_of_many_bands_three_are_shown_and_which_is_said():
    bands = RNG.integers(0, 4096, (6, 5, 7)).astype(np.uint16)
    bands[:, 0, 0] = 4095
    contiguous = np.moveaxis(bands, 0, -1)
    files = [
        tiff(bands, photometric="minisblack", planarconfig="separate"),
        tiff(contiguous, photometric="minisblack", planarconfig="contig"),
        tiff(contiguous, photometric="rgb", planarconfig="contig"),
    ]
    for data in files:
        (note,) = same(data, scaled(contiguous[..., :3], 0, 4095))
        assert "of its 6 bands 1, 2, 3 are taken as red, green, blue" in note
        same(data, scaled(contiguous[..., [4, 2, 1]], 0, 4095), bands="5,3,2")
        same(data, scaled(contiguous[..., 5], 0, 4095), bands="6")
        with pytest.raises(ImageError, match=r"has 6 bands, and 7 are to be.*pictures\.bands"):
            read_picture(data, PictureSettings(bands="7"))
    small = (contiguous >> 4).astype(np.uint8)
    (note,) = same(tiff(small, photometric="minisblack", planarconfig="contig"), small[..., :3])
    assert "6 bands" in note
    two = tiff(small[..., :2], photometric="minisblack", planarconfig="contig")
    (note,) = same(two, np.stack([small[..., 0]] * 3, -1))
    assert "of its 2 bands 1 are taken as grey" in note
    four = contiguous[..., :4]
    infrared = tiff(four, photometric="rgb", extrasamples=[0], planarconfig="contig")
    assert "of its 4 bands" in same(infrared, scaled(four[..., :3], 0, 4095))[0]


def test_deep_transparency_is_put_on_white():
    rgba = np.concatenate([COLOURS * 16, np.full((5, 7, 1), 65_535, np.uint16)], -1)
    rgba[0, 0, 3] = 0
    expected = scaled(rgba[..., :3], 0, 65_535)
    expected[0, 0] = 255
    for data in (ffmpeg(rgba, "rgba64be", "png"), tiff(rgba, photometric="rgb"), rgba):
        assert not same(data, expected)


@pytest.mark.parametrize("orientation", sorted(UPRIGHT))
def test_deep_pictures_are_upright(orientation):
    turned = tiff(COLOURS, photometric="rgb", extratags=[(274, "H", 1, orientation, True)])
    same(turned, UPRIGHT[orientation](scaled(COLOURS, 0, 4095)))
    exif = Image.Exif()
    exif[0x0112] = orientation
    png = pillow(Image.fromarray(TWELVE), "PNG", exif=exif)
    same(png, UPRIGHT[orientation](BY_TWELVE))


def test_percentiles_and_lowest_to_highest():
    values = np.arange(10_000, dtype=np.uint16).reshape(100, 100)
    (note,) = same(tiff(values), scaled(values, 0, 16_383))
    assert "14 bits" in note
    (note,) = same(tiff(values), scaled(values, 99.99, 9899.01), stretch="percentiles")
    assert "are cut off" in note
    same(tiff(values + 5), scaled(values + 5, 5, 10_004), stretch="minmax")
    assert not same(tiff(values.astype(np.uint8)), np.stack([values.astype(np.uint8)] * 3, -1),
                    stretch="minmax")  # fmt: skip


def test_what_is_not_read_is_refused_by_name(tmp_path):
    path = tmp_path / "stack.tif"
    stripes = RNG.integers(0, 255, (4, 4, 5)).astype(np.float32)
    path.write_bytes(tiff(stripes, photometric="minisblack", planarconfig="contig"))
    data = bytearray(path.read_bytes())
    place = data.index(struct.pack("<HHIH", 259, 3, 1, 1))
    data[place + 8] = 5  # LZW
    path.write_bytes(data)
    with pytest.raises(ImageError, match=r"stack\.tif' .*(LZW.*imagecodecs.*\[tiff\]|damaged)"):
        load_image(path)
    raw = tiff(TWELVE, extratags=[])
    raw = raw.replace(struct.pack("<HHIH", 262, 3, 1, 1), struct.pack("<HHIH", 262, 3, 1, 32803))
    with pytest.raises(UnreadableImageError, match=r"raw camera data \(CFA\).*develop it"):
        load_image(raw)
    with pytest.raises(ImageTooLargeError, match=r"7 x 5 pixels.*max_pixels=34.*--max-pixels"):
        load_image(tiff(COLOURS, photometric="rgb"), max_pixels=34)
    many = tiff(np.zeros((5, 7, 40), np.float32), photometric="minisblack", planarconfig="contig")
    with pytest.raises(ImageTooLargeError, match="40 bands"):
        load_image(many, max_pixels=35)


@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.9])
def test_cut_deep_files_are_refused(share):
    for data in (
        tiff(RNG.integers(0, 4000, (40, 30, 3)).astype(np.uint16), photometric="rgb"),
        ffmpeg(RNG.integers(0, 4000, (40, 30, 3)).astype(np.uint16), "rgb48be", "png"),
    ):
        with pytest.raises(ImageError):
            load_image(data[: int(len(data) * share)])


def test_hostile_deep_files_give_a_picture_or_our_error():
    refused = 0
    for data in (
        tiff(COLOURS, photometric="rgb"),
        tiff(np.stack([COUNTS] * 5), photometric="minisblack", planarconfig="separate"),
        ffmpeg(COLOURS, "rgb48be", "png"),
        tiff(TWELVE.astype(np.float32), compression="zlib"),
    ):
        for _ in range(80):
            hostile = bytearray(data)
            for place in RNG.integers(0, len(data), 3):
                hostile[place] = RNG.integers(256)
            try:
                pixels = load_image(bytes(hostile), max_pixels=10_000)
            except ImageError:
                refused += 1
            else:
                assert pixels.dtype == np.uint8
                assert pixels.ndim == 3
    assert refused > 50


def test_bits_of_a_png_that_are_less_than_sixteen_are_no_deep_picture():
    rows = zlib.compress(b"".join(b"\0" + bytes([0b00011011]) for _ in range(2)))
    chunks = b""
    for kind, body in (
        (b"IHDR", struct.pack(">IIBBBBB", 4, 2, 2, 0, 0, 0, 0)), (b"IDAT", rows), (b"IEND", b""),
    ):  # fmt: skip
        chunks += struct.pack(">I", len(body)) + kind + body
        chunks += struct.pack(">I", zlib.crc32(kind + body))
    picture = load_image(b"\x89PNG\r\n\x1a\n" + chunks)
    assert picture[0, :, 0].tolist() == [0, 85, 170, 255]


def test_settings_that_make_no_sense_are_refused():
    for options, message in (
        ({"stretch": "5:3"}, "stretch must be one of"),
        ({"stretch": "log"}, "LOW:HIGH"),
        ({"bands": "0,1,2"}, "bands must be three numbers"),
        ({"max_pixels": 0}, "max_pixels must be 1 or more"),
    ):
        with pytest.raises(ValueError, match=message):
            PictureSettings(**options)


@pytest.mark.parametrize("colours", [1, 3])
def test_the_colour_that_a_png_of_16_bits_calls_transparent_is_white(colours):
    values = np.full((2, 3, colours), 5000, ">u2")
    values[0, 0], values[0, 1] = 0, 65_535
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", 3, 2, 16, 2 if colours == 3 else 0, 0, 0, 0)),
        (b"tRNS", struct.pack(">H", 0) * colours),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks
    )
    assert load_image(data)[0, :, 0].tolist() == [255, 255, round(5000 / 257)]


@pytest.mark.parametrize("nothing", [np.nan, np.inf, np.finfo(np.float32).min])
def test_floats_without_a_value_are_black_and_told(nothing):
    values = np.linspace(0, 1, 35, dtype=np.float32).reshape(5, 7)
    values[0, 0] = nothing
    picture = read_picture(tiff(values))
    assert picture.pixels[..., 0].tolist()[0][:2] == [0, round(255 / 34)]
    assert "2.9 % have no value" in " ".join(picture.notes)


def test_a_tiff_of_complex_numbers_is_refused():
    with pytest.raises(UnreadableImageError, match="TIFF of complex64"):
        load_image(tiff(np.ones((4, 4), np.complex64)))


def test_arrays_of_the_other_byte_order_are_the_same():
    assert np.array_equal(load_image(COLOURS.astype(">u2")), load_image(COLOURS.astype("<u2")))
