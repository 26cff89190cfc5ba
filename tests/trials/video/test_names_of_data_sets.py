"""VIPSeg, DAVIS 2017 and SA-V as published: one command labels them, one measures the labels.

The layouts are those of the data sets' own pages and tools (VIPSeg-Dataset's
``create_panoptic_video_labels.py``, ``davis2017-evaluation``, ``sav_dataset``), written by hand.
"""

import json

import numpy as np
import pytest
import supervision
from PIL import Image

from panoptic.cli import main
from panoptic.formats.davis import palette
from tests.panoptic.conftest import (  # noqa: F401
    clipseg_folder,
    grounding_dino_folder,
    models_folder,
)

WORDS = ["--things", "car, dog", "--stuff", "road, sky"]
SIZE = (48, 64)


def drifting(frames, seed=0):
    """Coarse colours that drift, RGB uint8 (T, H, W, 3)."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (4, 5, 3), dtype=np.uint8).repeat(16, 0).repeat(16, 1)
    return [np.roll(coarse, i, 1)[: SIZE[0], : SIZE[1]] for i in range(frames)]


def jpegs(folder, names, seed=0):
    folder.mkdir(parents=True)
    for name, frame in zip(names, drifting(len(names), seed), strict=True):
        Image.fromarray(frame).save(folder / f"{name}.jpg")
    return folder


@pytest.fixture
def label(models_folder, tmp_path):  # noqa: F811
    """``panoptic video`` with tiny models into ``out``."""

    def run(*given):
        levels = ["--box-threshold", "0.5", "--text-threshold", "0.5", "--detect-every", "0.12"]
        line = ["video", *map(str, given), *WORDS, *levels, "--models", str(models_folder)]
        assert main([*line, "-o", str(tmp_path / "out")]) == 0
        return tmp_path / "out"

    return run


def evaluated(tmp_path, *arguments):
    """The numbers of ``panoptic eval``, which must end well."""
    numbers = tmp_path / "numbers.json"
    assert main(["eval", *map(str, arguments), "--json", str(numbers)]) == 0
    return json.loads(numbers.read_text())


def png_of_ids(path, ids):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.stack([ids & 255, ids >> 8 & 255, ids >> 16], -1).astype(np.uint8)).save(
        path
    )


def read_png_of_ids(path):
    r, g, b = np.moveaxis(np.asarray(Image.open(path)).astype(int), -1, 0)
    return r + 256 * g + 65536 * b


# VIPSeg counts categories from 0, things and stuff mixed, and has more than anybody asks for.
VIPSEG = [
    *({"id": 0, "name": "wall", "isthing": 0, "color": [120, 120, 120]},),
    *({"id": 1, "name": "sky", "isthing": 0, "color": [6, 230, 230]},),
    *({"id": 2, "name": "car", "isthing": 1, "color": [4, 200, 3]},),
    *({"id": 3, "name": "road", "isthing": 0, "color": [140, 140, 140]},),
    *({"id": 4, "name": "dog", "isthing": 1, "color": [204, 5, 255]},),
]


def vipseg_truth(root, videos):
    """``videos`` has of each a list of (frame name, ids, {id: category id})."""
    content = {"videos": [], "annotations": [], "categories": VIPSEG}
    for video, frames in videos.items():
        images, annotations = [], []
        for name, ids, meaning in frames:
            png_of_ids(root / "panomasksRGB" / video / f"{name}.png", ids)
            height, width = ids.shape
            size = {"width": width, "height": height}
            images.append({"id": name, **size, "file_name": f"{name}.png"})
            infos = [
                {"id": i, "category_id": c, "iscrowd": 0, "area": int((ids == i).sum())}
                for i, c in meaning.items()
            ]
            annotations.append(
                {"image_id": name, "file_name": f"{name}.png", "segments_info": infos}
            )
        content["videos"].append({"video_id": video, "images": images})
        content["annotations"].append({"video_id": video, "annotations": annotations})
    (root / "panoptic_gt_VIPSeg_val.json").write_text(json.dumps(content))


def test_vipseg_is_labelled_and_evaluated_with_its_own_frame_names(label, tmp_path, capsys):
    root = tmp_path / "VIPSeg_720P"
    names = {"127_abc": ["00000136", "00000141", "00000146"], "200_short": ["00000007"]}
    folders = [jpegs(root / "images" / v, n, seed=i) for i, (v, n) in enumerate(names.items())]
    out = label(*folders, "--format", "vipseg")
    assert [p.name for p in sorted((out / "vipseg/pan_pred/127_abc").iterdir())] == [
        f"{name}.png" for name in names["127_abc"]
    ]
    # A truth in which the labels are right, under VIPSeg's category ids and other segment ids.
    pred = json.loads((out / "vipseg" / "pred.json").read_text())
    words = {c["id"]: c["name"] for c in pred["categories"]}
    ids = {c["name"]: c["id"] for c in VIPSEG}
    videos = {}
    for video in pred["annotations"]:
        for frame in video["annotations"]:
            found = read_png_of_ids(
                out / "vipseg/pan_pred" / video["video_id"] / frame["file_name"]
            )
            meaning = {i["id"] * 7: ids[words[i["category_id"]]] for i in frame["segments_info"]}
            entry = (frame["image_id"], found * 7, meaning)
            videos.setdefault(video["video_id"], []).append(entry)
    assert any(meaning for _, _, meaning in videos["127_abc"])
    vipseg_truth(root, videos)
    numbers = evaluated(tmp_path, out, root, "--layout", "vipseg", "--by-name")
    assert (numbers["videos"], numbers["frames"]) == (2, 4)
    assert numbers["vpq"]["all"]["vpq"] == 1.0
    assert "2 of 2 videos are shorter than 6 frames" in capsys.readouterr().out


def test_a_prediction_of_every_frame_is_compared_on_those_the_truth_has(tmp_path, capsys):
    ids = np.full(SIZE, 5)
    frames = [(f"{n:08}", ids, {5: 3}) for n in range(0, 12, 4)]
    vipseg_truth(tmp_path / "truth", {"clip": frames})
    every = [(f"{n:08}", ids if n % 4 == 0 else ids + 1, {5 + (n % 4 > 0): 3}) for n in range(12)]
    vipseg_truth(tmp_path / "found", {"clip": every})
    numbers = evaluated(tmp_path, tmp_path / "found", tmp_path / "truth", "--layout", "vipseg")
    assert (numbers["frames"], numbers["vpq"]["all"]["vpq"]) == (3, 1.0)
    assert "left out, having no truth: 9 predicted frames" in capsys.readouterr().out
    counted = [(f"{n:05}", ids, {5: 3}) for n in range(3)]
    vipseg_truth(tmp_path / "counted", {"clip": counted})
    assert (
        main(["eval", *(str(tmp_path / n) for n in ("counted", "truth")), "--layout", "vipseg"])
        == 2
    )
    assert "the prediction's are called '00000.png' and so on" in capsys.readouterr().err


def davis_png(path, indices):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(indices.astype(np.uint8))
    image.putpalette(palette())
    image.save(path)


def test_davis_is_labelled_and_evaluated_with_its_own_frame_names(label, tmp_path):
    root = tmp_path / "DAVIS"
    names = {"bear": ["00000", "00005", "00010", "00015"], "swan": ["00000", "00001"]}
    folders = [
        jpegs(root / "JPEGImages" / "480p" / sequence, n, seed=i)
        for i, (sequence, n) in enumerate(names.items())
    ]
    out = label(*folders, "--format", "davis")
    assert sorted(p.name for p in (out / "davis" / "bear").iterdir()) == [
        f"{name}.png" for name in names["bear"]
    ]
    for sequence, frames in names.items():
        found = [np.asarray(Image.open(out / f"davis/{sequence}/{n}.png")) for n in frames]
        most = max(int(indices.max()) for indices in found)
        for name, indices in zip(frames, found, strict=True):
            turned = np.where(indices > 0, 1 + most - indices, 0)  # other ids, same objects
            davis_png(root / "Annotations_unsupervised/480p" / sequence / f"{name}.png", turned)
    (root / "ImageSets" / "2017").mkdir(parents=True)
    (root / "ImageSets" / "2017" / "val.txt").write_text("bear\nswan\n")
    numbers = evaluated(tmp_path, out, root, "--layout", "davis-unsupervised")
    assert (numbers["videos"], numbers["frames"]) == (2, 6)
    assert numbers["jf"]["all"]["jf"] == 1.0


def test_sa_v_is_labelled_and_evaluated_on_every_fourth_frame(label, tmp_path):
    root = tmp_path / "sav_val"
    names = [f"{n:05}" for n in range(9)]
    folder = jpegs(root / "JPEGImages_24fps" / "sav_000123", names)
    out = label(folder, "--format", "sa-v", "--sa-v-every", "4")
    content = json.loads((out / "sa-v" / "sav_000123_auto.json").read_text())
    assert (len(content["masklet"]), content["annotated_frames"]) == (3, [0, 4, 8])
    annotations = root / "Annotations_6fps" / "sav_000123"
    for row, name in zip(content["masklet"], names[::4], strict=True):
        for place, rle in enumerate(reversed(row)):
            path = annotations / f"{place:03}" / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            mask = supervision.rle_to_mask(rle["counts"], SIZE[::-1])
            Image.fromarray(mask.astype(np.uint8)).save(path)
    (root / "sav_val.txt").write_text("sav_000123\n")
    numbers = evaluated(tmp_path, out, root, "--layout", "sa-v-unsupervised")
    assert (numbers["videos"], numbers["frames"]) == (1, 3)
    assert numbers["jf"]["all"]["jf"] == 1.0


def masklets(path, ids, frames, **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        [{"size": list(SIZE), "counts": supervision.mask_to_rle(m, compressed=True)} for m in masks]
        for masks in frames
    ]
    content = {"video_id": path.stem.rpartition("_")[0], "masklet_id": ids, "masklet": rows}
    path.write_text(json.dumps({**content, **more}))


def test_masklets_of_every_frame_meet_a_truth_of_every_fourth(tmp_path):
    def at(frame):
        mask = np.zeros(SIZE, bool)
        mask[10:20, frame : frame + 10] = True
        return mask

    counted = {"video_frame_count": 18.0}
    truth = [[at(frame)] for frame in range(0, 18, 4)]
    masklets(tmp_path / "truth" / "sav_000001_manual.json", [3], truth, **counted)
    found = [[at(frame)] for frame in range(18)]
    masklets(tmp_path / "found" / "sav_000001_auto.json", [3], found, **counted)
    numbers = evaluated(tmp_path, tmp_path / "found", tmp_path / "truth", "--layout", "sa-v")
    assert (numbers["frames"], numbers["jf"]["all"]["jf"]) == (3, 1.0)


def test_one_very_short_clip_does_not_fail_the_set(tmp_path, capsys):
    root, found = tmp_path / "DAVIS", tmp_path / "found"
    square = np.zeros(SIZE)
    square[10:20, 10:20] = 1
    for sequence, count in (("bear", 4), ("swan", 2)):
        for number in range(count):
            davis_png(root / "Annotations" / "480p" / sequence / f"{number:05}.png", square)
            davis_png(found / sequence / f"{number:05}.png", square)
    (root / "ImageSets" / "2017").mkdir(parents=True)
    (root / "ImageSets" / "2017" / "val.txt").write_text("bear\nswan\n")
    numbers = evaluated(tmp_path, found, root, "--layout", "davis")
    assert (numbers["videos"], numbers["frames"], numbers["jf"]["all"]["jf"]) == (1, 2, 1.0)
    assert "left out: sequence 'swan' has 2 annotated frames" in capsys.readouterr().out
    sav = tmp_path / "sav"
    masks = [[square > 0]]
    masklets(sav / "sav_1_manual.json", [0], masks * 2)
    masklets(sav / "sav_2_manual.json", [0], masks * 5)
    numbers = evaluated(tmp_path, sav, sav, "--layout", "sa-v")
    assert (numbers["videos"], numbers["frames"]) == (1, 3)
    assert "object 0 of video 'sav_1' has 2 annotated frames" in capsys.readouterr().out


def test_ids_of_our_own_are_not_taken_for_the_truths_without_a_word(tmp_path, capsys):
    mask = np.zeros(SIZE, bool)
    mask[10:20, 10:20] = True
    masklets(tmp_path / "truth" / "sav_1_manual.json", [0], [[mask]] * 3)
    ours = {"annotated_frames": [0, 1, 2], "masklet_category": ["car"]}
    masklets(tmp_path / "found" / "sav_1_auto.json", [7], [[mask]] * 3, **ours)
    sides = [tmp_path / "found", tmp_path / "truth"]
    assert evaluated(tmp_path, *sides, "--layout", "sa-v")["jf"]["all"]["jf"] == 0.0
    assert "see sa-v-unsupervised" in capsys.readouterr().out
    numbers = evaluated(tmp_path, *sides, "--layout", "sa-v-unsupervised")
    assert numbers["jf"]["all"]["jf"] == 1.0
