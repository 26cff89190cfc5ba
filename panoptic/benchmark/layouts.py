"""Where the parts of each data set lie, as it is published; what is missing is told by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from panoptic.errors import DatasetError

_SHOWN = 8


@dataclass(frozen=True)
class Pictures:
    """A panoptic set of pictures: their folder, the truth's JSON and its PNGs. ``total`` is how
    many there are, where the JSON has the truth of a part of them."""

    images: Path
    json: Path
    pngs: Path
    total: int | None = None


@dataclass(frozen=True)
class AdeParts:
    """ADE20K as it is downloaded, semantic and instance labels side by side; the panoptic truth is
    to be made of both."""

    images: Path
    semantic: Path
    instances: Path


@dataclass(frozen=True)
class Clips:
    """A set of clips: ``frames/VIDEO/00000.jpg`` and so on. ``root`` is what evaluation opens,
    ``subset`` which part of the set it is."""

    root: Path
    frames: Path
    subset: str = "val"


def find_coco(data: Path) -> Pictures:
    """COCO panoptic: ``val2017/``, ``annotations/panoptic_val2017.json`` and its PNGs, in
    ``annotations`` or, as some unpack them, beside it."""
    root = _root(data, "coco")
    pngs = ("annotations/panoptic_val2017", "panoptic_val2017")
    _require(
        "COCO panoptic, val2017",
        data,
        root,
        ("val2017", "annotations/panoptic_val2017.json", pngs),
        "val2017.zip and panoptic_annotations_trainval2017.zip (with the panoptic_val2017.zip in "
        "it unpacked) of cocodataset.org have them",
    )
    return Pictures(root / "val2017", root / "annotations/panoptic_val2017.json", _one(root, pngs))


def find_ade20k(data: Path) -> Pictures | AdeParts:
    """ADEChallengeData2016: ``images/validation`` with the panoptic JSON and PNGs that
    Mask2Former's script makes, or with the semantic and instance labels that it makes them of."""
    root = _root(data, "ADEChallengeData2016")
    ready = ("ade20k_panoptic_val.json", "ade20k_panoptic_val")
    parts = ("annotations/validation", "annotations_instance/validation")
    made = (root / ready[0]).is_file()
    hint = (
        "ADEChallengeData2016.zip and annotations_instance.tar of sceneparsing.csail.mit.edu have "
        "images and labels; of those the panoptic truth is made here, or was by "
        "datasets/prepare_ade20k_pan_seg.py of Mask2Former (ade20k_panoptic_val.json and its PNGs)"
    )
    if (root / "images/ADE").is_dir() or (root / "index_ade20k.pkl").is_file():
        hint = (
            "this is the full ADE20K; figures are published for the part of it that is called "
            "ADEChallengeData2016 (sceneparsing.csail.mit.edu)"
        )
    _require(
        "ADE20K (ADEChallengeData2016)",
        data,
        root,
        ("images/validation", *(ready if made else parts)),
        hint,
    )
    images = root / "images/validation"
    if made:
        return Pictures(images, root / ready[0], root / ready[1])
    return AdeParts(images, root / parts[0], root / parts[1])


def find_vipseg(data: Path) -> Clips:
    """VIPSeg_720P: ``images/VIDEO``, ``panomasksRGB/VIDEO`` and ``panoptic_gt_VIPSeg_val.json``."""
    root = _root(data, "VIPSeg_720P")
    hint = (
        "of the download (imgs, panomasks), the data set's own scripts change2_720p.py, "
        "create_panoptic_video_labels.py and splitjson.py make them, in this order"
    )
    _require(
        "VIPSeg (VIPSeg_720P)",
        data,
        root,
        ("images", "panomasksRGB", "panoptic_gt_VIPSeg_val.json"),
        hint,
    )
    return Clips(root, root / "images")


def find_davis(data: Path) -> Clips:
    """DAVIS 2017: ``JPEGImages/480p``, ``Annotations/480p``, ``ImageSets/2017/val.txt``."""
    root = _root(data, "DAVIS")
    _require(
        "DAVIS 2017",
        data,
        root,
        ("JPEGImages/480p", "Annotations/480p", "ImageSets/2017/val.txt"),
        "DAVIS-2017-trainval-480p.zip of davischallenge.org has them",
    )
    return Clips(root, root / "JPEGImages/480p")


def find_sav(data: Path) -> Clips:
    """SA-V's ``sav_val`` or ``sav_test``: its list of videos, ``JPEGImages_24fps`` and
    ``Annotations_6fps``. Which of the two it is, the list says."""
    inside = [f"sav_{subset}" for subset in ("val", "test") if (data / f"sav_{subset}").is_dir()]
    if len(inside) == 2:
        raise DatasetError(f"{str(data)!r} has sav_val and sav_test: say which (--data)")
    root = data / inside[0] if inside else data
    lists = ("sav_test.txt", "sav_val.txt")
    _require(
        "SA-V, val or test",
        data,
        root,
        (lists, "JPEGImages_24fps", "Annotations_6fps"),
        "sav_val.tar and sav_test.tar of SA-V have them; its training set is no part of this",
    )
    listed = _one(root, lists).stem
    return Clips(root, root / "JPEGImages_24fps", listed.removeprefix("sav_"))


def _root(data: Path, usual: str) -> Path:
    """The folder itself, or the one of the usual name in it."""
    return data / usual if (data / usual).is_dir() else data


def _one(root: Path, names: Sequence[str]) -> Path:
    return next(root / name for name in names if (root / name).exists())


def _require(
    title: str, data: Path, root: Path, parts: Sequence[str | tuple[str, ...]], hint: str
) -> None:
    """Raises ``DatasetError`` unless all parts are there; each may have several names."""
    if not data.is_dir():
        raise DatasetError(f"--data: there is no folder {str(data)!r}")
    names = [(part,) if isinstance(part, str) else part for part in parts]
    lacking = [each for each in names if not any((root / name).exists() for name in each)]
    if not lacking:
        return
    here = sorted(p.name + "/" * p.is_dir() for p in root.iterdir() if not p.name.startswith("."))
    found = ", ".join(here[:_SHOWN]) + (f" and {len(here) - _SHOWN} more" * (len(here) > _SHOWN))
    raise DatasetError(
        f"{str(root)!r} isn't {title} as it is published: expected "
        f"{', '.join(' or '.join(each) for each in names)}; missing "
        f"{', '.join(each[0] for each in lacking)}; found {found or 'nothing'}. {hint}"
    )
