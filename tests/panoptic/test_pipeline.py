"""The pipeline on tiny random models: what goes in, what comes out, the same every time."""

import io
import json
import zlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from panoptic import PanopticPipeline, Vocabulary
from panoptic.compose.quality import QualityModel
from panoptic.errors import ImageError
from panoptic.io.images import load_image
from sam2core.automatic import AutomaticSettings


def same(one, other):
    """Equal maps and segments, scores to within what batched arithmetic may differ by."""
    assert np.array_equal(one.ids, other.ids)
    assert [(s.id, s.category) for s in one] == [(s.id, s.category) for s in other]
    for a, b in zip(one, other, strict=True):
        assert a.score == pytest.approx(b.score, abs=1e-4)
        assert a.quality == pytest.approx(b.quality, abs=1e-3)


def test_a_picture_is_labelled_with_things_and_stuff(tiny, words, picture):
    result = tiny.segment(picture, words)
    assert result.ids.shape == picture.shape[:2]
    assert {s.category for s in result.things} <= {c.name for c in words.things}
    assert {s.category for s in result.stuff} <= {c.name for c in words.stuff}
    assert len(result.things) >= 2
    assert len(result.stuff) >= 2
    assert len({s.category for s in result.stuff}) == len(result.stuff)
    assert all(s.quality is not None for s in result)
    assert np.array_equal(result.image, picture)


def test_same_seed_same_bytes(tiny, words, picture):
    first, second = tiny.trace(picture, words), tiny.trace(picture, words)
    assert first.prompt.points_nk2.tobytes() == second.prompt.points_nk2.tobytes()
    assert first.result.ids.tobytes() == second.result.ids.tobytes()
    assert first.result.segments == second.result.segments


def test_the_seed_moves_the_points_of_large_regions(tiny):
    large = np.full((200, 300, 3), 90, np.uint8)
    points = []
    for seed in (0, 1):
        tiny.settings = replace(tiny.settings, seed=seed)
        trace = tiny.trace(large, Vocabulary(stuff=["road"]))
        assert len(trace.regions) == 1
        points.append(trace.prompt.points_nk2)
    assert not np.array_equal(*points)


def test_batch_equals_single(tiny, words, picture):
    pictures = [picture, picture[::-1].copy(), picture[:60], picture[:, :40], picture[:1, :1]]
    together = tiny.segment_batch(pictures, words)
    assert len(together) == len(pictures)
    for result, image in zip(together, pictures, strict=True):
        same(result, tiny.segment(image, words))


def test_one_image_pass_and_one_decoder_pass_for_things_and_one_for_stuff(tiny, words, picture):
    passes = []
    model = tiny.segmenter.model
    for name in ("image_encoder", "mask_decoder"):
        getattr(model, name).register_forward_hook(lambda *_, name=name: passes.append(name))
    trace = tiny.trace(picture, words)
    assert passes == ["image_encoder", "mask_decoder", "mask_decoder"]
    assert len(trace.boxes) > 1
    assert len(trace.regions) > 1
    tiny.trace(picture, Vocabulary(stuff=["road", "sky"]))
    assert passes[3:] == ["image_encoder", "mask_decoder"]


def test_things_alone_and_stuff_alone(tiny, picture):
    things = tiny.segment(picture, Vocabulary(things=["car", "dog"]))
    assert len(things.things) > 0
    assert not things.stuff
    stuff = tiny.segment(picture, Vocabulary(stuff=["road", "sky"]))
    assert len(stuff.stuff) > 0
    assert not stuff.things


def test_nothing_found_is_all_void(tiny, words, picture):
    tiny.things.settings = replace(tiny.things.settings, box_threshold=1.0)
    tiny.settings = replace(tiny.settings, regions=replace(tiny.settings.regions, background=0.99))
    result = tiny.segment(picture, words)
    assert len(result) == 0
    assert not result.ids.any()
    assert "No box above" in result.explain().text()


def test_unknown_segments_fill_what_no_word_names(tiny, words, picture):
    tiny.things.settings = replace(tiny.things.settings, max_boxes=1)
    tiny.settings = replace(tiny.settings, regions=replace(tiny.settings.regions, background=0.99))
    named = tiny.segment(picture, words)
    easy = AutomaticSettings(points_per_side=4, min_iou=0.5, min_stability=0.2)
    tiny.settings = replace(tiny.settings, fill_unknown=True, automatic=easy)
    filled = tiny.segment(picture, words)
    assert any(s.is_unknown for s in filled)
    assert (filled.ids == 0).sum() < (named.ids == 0).sum()


@pytest.mark.parametrize(
    "size", [(1, 1), (1, 40), (30, 200), (200, 30), (3, 3)], ids=lambda s: "{}x{}".format(*s)
)
def test_any_shape(tiny, words, size):
    image = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    assert tiny.segment(image, words).ids.shape == size


def test_a_picture_of_8000_by_200(tiny, words):
    image = np.random.default_rng(2).integers(0, 256, (25, 1000, 3), dtype=np.uint8)
    image = image.repeat(8, 0).repeat(8, 1)
    result = tiny.segment(image, words)
    assert result.ids.shape == (200, 8000)
    upright = tiny.segment(image.transpose(1, 0, 2).copy(), words)
    assert upright.ids.shape == (8000, 200)


def test_the_demo_models_take_a_wide_picture_at_their_own_size():
    """What keeps 8,000 x 200 pixels quick: no model sees more of them than of a square."""
    pipeline = PanopticPipeline.from_pretrained("demo")
    seen = []
    for model in (pipeline.things.model.model.backbone, pipeline.stuff.model.clip.vision_model):
        model.register_forward_pre_hook(
            lambda _, args, kwargs: seen.append((*args, *kwargs.values())[0].shape[-2:]),
            with_kwargs=True,
        )
    image = np.full((200, 8000, 3), (120, 180, 230), np.uint8)
    image[100:] = (60, 150, 60)
    trace = pipeline.trace(image, Vocabulary(things=["cat"], stuff=["sky", "grass"]))
    assert trace.result.ids.shape == (200, 8000)
    assert len(seen) == 2
    assert all(max(size) <= 192 for size in seen), seen
    assert trace.heatmaps.probabilities.shape == (2, 19, 768)


def encoded(image, format="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def odd_pictures(picture):
    """Files of unusual modes, and the RGB that each stands for."""
    rgb = Image.fromarray(picture)
    grey = rgb.convert("L")
    yield "grey", encoded(grey), np.asarray(grey.convert("RGB"))
    opaque = rgb.convert("RGBA")
    yield "alpha", encoded(opaque), picture
    clear = np.dstack([picture, np.zeros(picture.shape[:2], np.uint8)])
    yield "transparent", encoded(Image.fromarray(clear)), np.full_like(picture, 255)
    cmyk = rgb.convert("CMYK")
    yield "CMYK", encoded(cmyk, "TIFF"), np.asarray(cmyk.convert("RGB"))
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    yield "16 bit", encoded(deep), np.asarray(grey.convert("RGB"))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees, clockwise
    turned = np.ascontiguousarray(np.rot90(picture, 1))
    yield "EXIF", encoded(Image.fromarray(turned), exif=exif), picture


def test_pictures_of_every_mode_give_what_their_colours_give(tiny, words, picture, tmp_path):
    for name, content, rgb in odd_pictures(picture):
        path = tmp_path / name
        path.write_bytes(content)
        result = tiny.segment(path, words)
        assert np.array_equal(result.image, rgb), name
        assert result == tiny.segment(rgb, words), name


def test_unusable_pictures_are_clear_errors(tiny, words, picture, tmp_path):
    whole = encoded(Image.fromarray(picture))
    cases = {
        "truncated.png": whole[: len(whole) // 2],
        "empty.png": b"",
        "text.png": b"not a picture at all",
        "header.png": whole[:8] + b"\x00" * 64,
    }
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ImageError, match=name):
            tiny.segment(tmp_path / name, words)
    with pytest.raises(ImageError, match="no such file"):
        tiny.segment(tmp_path / "missing.png", words)


def test_a_picture_that_claims_endless_pixels_is_refused(tiny, words, tmp_path):
    bomb = bytearray(encoded(Image.new("1", (64, 64))))
    bomb[16:24] = (200_000).to_bytes(4, "big") * 2  # width and height in the PNG's header
    bomb[29:33] = zlib.crc32(bytes(bomb[12:29])).to_bytes(4, "big")
    (tmp_path / "bomb.png").write_bytes(bytes(bomb))
    with pytest.raises(ImageError, match="pixels"):
        tiny.segment(tmp_path / "bomb.png", words)


def test_vocabularies_are_checked(tiny, picture):
    with pytest.raises(ValueError, match=r"Vocabulary\.parse"):
        tiny.segment(picture, "car; road")
    with pytest.raises(ValueError, match="empty"):
        tiny.segment(picture, Vocabulary())
    with pytest.raises(ValueError, match="zeppelin"):
        tiny.segment(picture, Vocabulary(stuff=["zeppelin"]))


def test_sources_are_checked(models_folder, tmp_path):
    with pytest.raises(ValueError, match="neither a preset"):
        PanopticPipeline.from_pretrained("enormous")
    (tmp_path / "clipseg").symlink_to(models_folder / "clipseg")
    with pytest.raises(ValueError, match="grounding_dino, sam2 is not there"):
        PanopticPipeline.from_pretrained(tmp_path)
    with pytest.raises(ValueError, match="no such checkpoint on this machine"):
        PanopticPipeline.from_pretrained(models_folder, sam2=str(tmp_path / "nowhere"))


def test_parts_are_replaced_and_a_folder_brings_its_quality(models_folder, tmp_path, picture):
    (tmp_path / "sam2").symlink_to(models_folder / "sam2")
    certain = replace(
        QualityModel().things, weights=dict.fromkeys(QualityModel().things.weights, 0.0), bias=9.0
    )
    content = json.dumps(QualityModel(certain, certain).to_dict())
    (tmp_path / "quality.json").write_text(content)
    pipeline = PanopticPipeline.from_pretrained(
        tmp_path,
        things=str(models_folder / "grounding_dino"),
        stuff=str(models_folder / "clipseg"),
    )
    result = pipeline.segment(picture, Vocabulary(stuff=["road", "sky"]))
    assert len(result) > 0
    assert all(s.quality == pytest.approx(1 / (1 + np.exp(-9))) for s in result)


def test_load_image_is_what_the_pipeline_sees(tiny, words, picture, tmp_path):
    path = tmp_path / "picture.png"
    Image.fromarray(picture).save(path)
    assert tiny.segment(path, words) == tiny.segment(load_image(path), words)
    assert tiny.segment(Image.open(path), words) == tiny.segment(str(path), words)
