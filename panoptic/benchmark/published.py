"""What was published of others on each data set, with its source, and what may be compared.

Figures are in percent, as their sources print them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Figure:
    """A published value of a set's measure: of what, from where, and what the method was given."""

    method: str
    value: float
    given: str
    source: str


@dataclass(frozen=True)
class PublishedSet:
    """A data set: its title, how many pictures or clips it has as published, its measure, the
    figures of others, and sentences on what may be compared."""

    title: str
    size: int
    measure: str
    figures: tuple[Figure, ...]
    comparable: tuple[str, ...]


_FCCLIP_5 = "FC-CLIP, arXiv 2308.02487, table 5"
_ON_ADE = "trained on ADE20K's panoptic labels"
_ON_COCO = "trained on COCO's panoptic labels"
_FIRST_MASKS = "masks of the first frame"
_SAM3_6 = "SAM 3, arXiv 2511.16719, table 6"
_SAM2_README = "README of facebookresearch/sam2, SAM 2.1 checkpoints"
_SAM2LONG = "SAM2Long, arXiv 2410.16268, table 1 and README"

_WORDS_ALONE = (
    "The methods beside it were trained on masks of another data set with words for every pixel; "
    "this pipeline is put together from models of which none was trained to label every pixel."
)
_MASKS_GIVEN = (
    "Both are given the true masks of each object's first frame and no words: it is SAM 2 as "
    "implemented here that is measured, not what finds objects by words."
)
_NOTHING_FILLED = (
    "As in the evaluation of its authors, holes of masks aren't filled (their vos_inference.py "
    "without --apply_postprocessing)."
)

PUBLISHED: Mapping[str, PublishedSet] = MappingProxyType(
    {
        "coco": PublishedSet(
            "COCO panoptic, val2017",
            5000,
            "PQ",
            (
                Figure("FreeSeg", 16.5, _ON_ADE, _FCCLIP_5),
                Figure("ODISE", 25.0, _ON_ADE, _FCCLIP_5),
                Figure("FC-CLIP (ConvNeXt-L)", 27.0, _ON_ADE, _FCCLIP_5),
            ),
            (
                _WORDS_ALONE,
                "Zero-shot on COCO means: trained without COCO's labels. That holds for the "
                "detectors of the presets tiny and small (Grounding DINO tiny: Objects365, GoldG, "
                "Cap4M), but not for those of base and large: Grounding DINO base was trained on "
                "COCO's boxes as well. CLIPSeg's phrases (PhraseCut) are of Visual Genome, about "
                "half of whose pictures are COCO's.",
            ),
        ),
        "ade20k": PublishedSet(
            "ADE20K panoptic (ADEChallengeData2016), validation",
            2000,
            "PQ",
            (
                Figure(
                    "ODISE (caption)",
                    23.4,
                    "trained on COCO's masks and captions",
                    "ODISE, arXiv 2303.04803, and README of NVlabs/ODISE",
                ),
                Figure(
                    "FC-CLIP (ConvNeXt-L)",
                    26.8,
                    _ON_COCO,
                    "FC-CLIP, arXiv 2308.02487, abstract and README of bytedance/fc-clip",
                ),
                Figure(
                    "RetCLIP",
                    30.9,
                    f"{_ON_COCO}, and a database of other pictures and words",
                    "RetCLIP, arXiv 2601.12779, abstract",
                ),
            ),
            (
                _WORDS_ALONE,
                "ADE20K is zero-shot to all of them and to every preset here. The words differ: "
                "each asks for phrases of its own for the 150 categories.",
            ),
        ),
        "vipseg": PublishedSet(
            "VIPSeg (720P), validation",
            343,
            "VPQ",
            (
                Figure(
                    "OV-DVIS++ (R50, online)",
                    24.4,
                    f"{_ON_COCO}; 480P",
                    "DVIS++, arXiv 2312.13305, and MODEL_ZOO of zhang-tao-whu/DVIS_Plus",
                ),
                Figure(
                    "OV-DVIS++ (ConvNeXt-L, offline)",
                    30.4,
                    f"{_ON_COCO}; 480P; sees the whole video",
                    "DVIS++, arXiv 2312.13305, and MODEL_ZOO of zhang-tao-whu/DVIS_Plus",
                ),
            ),
            (
                _WORDS_ALONE,
                "Their offline model sees a whole video before it labels its first frame, this one "
                "goes forward. VPQ is the mean over windows of 1, 2, 4 and 6 frames, as in theirs.",
            ),
        ),
        "davis": PublishedSet(
            "DAVIS 2017, val, semi-supervised, 480p",
            30,
            "J&F",
            (Figure("SAM 2.1 large", 90.7, _FIRST_MASKS, _SAM3_6),),
            (
                _MASKS_GIVEN,
                _NOTHING_FILLED,
                "SAM 2 was trained on the training videos of DAVIS, among others, so it isn't "
                "zero-shot.",
            ),
        ),
        "sa-v val": PublishedSet(
            "SA-V, val, semi-supervised",
            155,
            "J&F",
            (
                Figure("SAM 2.1 large", 77.9, _FIRST_MASKS, _SAM3_6),
                Figure("SAM 2.1 large, run anew", 78.6, _FIRST_MASKS, _SAM2LONG),
            ),
            (_MASKS_GIVEN, _NOTHING_FILLED),
        ),
        "sa-v test": PublishedSet(
            "SA-V, test, semi-supervised",
            150,
            "J&F",
            (
                Figure("SAM 2.1 tiny", 76.5, _FIRST_MASKS, _SAM2_README),
                Figure("SAM 2.1 small", 76.6, _FIRST_MASKS, _SAM2_README),
                Figure("SAM 2.1 base+", 78.2, _FIRST_MASKS, _SAM2_README),
                Figure("SAM 2.1 large", 79.5, _FIRST_MASKS, _SAM2_README),
                Figure("SAM 2.1 large, run anew", 79.6, _FIRST_MASKS, _SAM2LONG),
                Figure("SAM 2.1 large, in a later paper", 78.4, _FIRST_MASKS, _SAM3_6),
            ),
            (
                _MASKS_GIVEN,
                _NOTHING_FILLED,
                "Its authors print 79.5 and, in a later paper, 78.4 for SAM 2.1 large: differences "
                "of a point say little.",
            ),
        ),
    }
)
