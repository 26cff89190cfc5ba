"""Words and places as prompts: vocabulary, captions, points and boxes, regions, sampling.

Part of panoptic-anything.
"""

from prompts.caption import Caption, Span, captions
from prompts.regions import Region, RegionSettings, find_regions, likeliest_words
from prompts.sampling import SamplingSettings, sample_prompts, spread_points
from prompts.spatial import Prompt
from prompts.vocabulary import Category, UnknownCategory, Vocabulary

__all__ = [
    "Caption",
    "Category",
    "Prompt",
    "Region",
    "RegionSettings",
    "SamplingSettings",
    "Span",
    "UnknownCategory",
    "Vocabulary",
    "captions",
    "find_regions",
    "likeliest_words",
    "sample_prompts",
    "spread_points",
]
