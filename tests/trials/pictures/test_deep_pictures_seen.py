"""Pictures of more than 8 bits, very large ones, and what isn't one, as users met them."""

import io

import av
import numpy as np
import pytest
import tifffile
from PIL import Image

from panoptic import load_image
from panoptic.errors import ImageTooLargeError
from panoptic.formats.coco_panoptic import read_ids, write_ids

RAMP = np.linspace(0, 4095, 64 * 48).astype(np.uint16).reshape(48, 64)


def tiff(values, **options):
    stream = io.BytesIO()
    tifffile.imwrite(stream, values, **options)
    return stream.getvalue()


def test_twelve_bits_of_a_camera_are_not_dark():
    stream = io.BytesIO()
    Image.fromarray(RAMP).save(stream, "PNG")
    for data in (stream.getvalue(), tiff(RAMP)):
        assert load_image(data).max() == 255


def test_deep_colours_are_not_dark():
    stream = io.BytesIO()
    with av.open(stream, "w", format="image2pipe") as container:
        video = container.add_stream("png", rate=1)
        video.width, video.height, video.pix_fmt = 64, 48, "rgb48be"
        frame = av.VideoFrame.from_ndarray(np.stack([RAMP] * 3, -1), format="rgb48be")
        for packet in (*video.encode(frame), *video.encode()):
            container.mux(packet)
    for data in (stream.getvalue(), tiff(np.stack([RAMP] * 3, -1), photometric="rgb")):
        assert load_image(data).max() == 255


def test_white_is_zero_in_sixteen_bits_is_no_negative():
    pixels = load_image(tiff(RAMP * 16, photometric="miniswhite"))
    assert pixels[0, 0, 0] > pixels[-1, -1, 0]


def test_signed_heights_and_many_bands_are_not_refused():
    heights = load_image(tiff(RAMP.astype(np.int16) - 400))
    assert (heights.min(), heights.max()) == (0, 255)
    bands = np.stack([RAMP >> 4] * 6, -1).astype(np.uint8)
    many = load_image(tiff(bands, photometric="minisblack", planarconfig="contig"))
    assert np.array_equal(many, bands[..., :3])


def test_what_was_done_is_said(caplog):
    load_image(tiff(RAMP), name="scan.tif")
    (record,) = caplog.records
    assert "scan.tif: 16 bits, 0 to 4095: read as 12 bits" in record.getMessage()


@pytest.mark.filterwarnings("error")
def test_more_than_eighty_nine_megapixels_are_read_when_asked_for():
    """One bit a pixel, so that it is quick; Pillow's own limit is half of it."""
    stream = io.BytesIO()
    Image.new("1", (20_000, 10_000), 1).save(stream, "PNG")
    before = Image.MAX_IMAGE_PIXELS
    with pytest.raises(ImageTooLargeError, match="max_pixels"):
        load_image(stream.getvalue())
    pixels = load_image(stream.getvalue(), max_pixels=200_000_000)
    assert pixels.shape == (10_000, 20_000, 3)
    assert before == Image.MAX_IMAGE_PIXELS


@pytest.mark.filterwarnings("error")
def test_labels_of_large_pictures_are_read_again(tmp_path, monkeypatch):
    """Pillow's limit stands for one that the label is above."""
    ids = np.arange(1, 31, dtype=np.int32).reshape(5, 6)
    write_ids(tmp_path / "label.png", ids)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert np.array_equal(read_ids(tmp_path / "label.png"), ids)
