"""Ways to say what a thing looks like in numbers: image features of each model, pooled in its mask.

A method is a map of features and what is kept of it within a mask. Colours are such a map, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

from panoptic.pipeline import PanopticPipeline
from sam2core.looks import look_within
from sam2core.transforms import as_rgb, to_pixels

Pool = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Of features (c, h, w) and the share of each cell that is meant (h, w), a vector."""
_COLOURS = 128  # pixels of a picture along each side that are counted
_BINS = 4  # of the histogram, along each of red, green and blue


@dataclass(frozen=True)
class Method:
    """``features`` names the map, ``pool`` what is kept of it."""

    name: str
    features: str
    pool: Pool


def mean(features: np.ndarray, share: np.ndarray) -> np.ndarray:
    return unit(_flat(features) @ _weights(share))


def mean_and_spread(features: np.ndarray, share: np.ndarray) -> np.ndarray:
    flat, weights = _flat(features), _weights(share)
    middle = flat @ weights
    spread = np.sqrt(np.maximum((flat - middle[:, None]) ** 2 @ weights, 0))
    return unit(np.concatenate([middle, spread]))


def histogram(colours: np.ndarray, share: np.ndarray) -> np.ndarray:
    """The square root of a histogram in which every pixel counts for the bins around it."""
    inside = share.ravel() >= 0.5
    places = _flat(colours)[:, inside].T * (_BINS / 256) - 0.5
    low = np.floor(places).astype(int)
    part = places - low
    counts = np.zeros(_BINS**3)
    for corner in np.ndindex(2, 2, 2):
        weights = np.prod(np.where(corner, part, 1 - part), axis=1)
        cells = np.clip(low + corner, 0, _BINS - 1) @ np.array([_BINS * _BINS, _BINS, 1])
        counts += np.bincount(cells, weights, minlength=_BINS**3)
    return unit(np.sqrt(counts))


COLOURS = Method("colours: histogram", "colours", histogram)
OURS = Method("SAM 2, stride 4: covariance", "stride 4", look_within)
METHODS = (
    COLOURS,
    OURS,
    Method("SAM 2, stride 4: mean", "stride 4", mean),
    Method("SAM 2, stride 4: mean and spread", "stride 4", mean_and_spread),
    Method("SAM 2, stride 8: mean", "stride 8", mean),
    Method("SAM 2, stride 8: covariance", "stride 8", look_within),
    Method("SAM 2, stride 16: mean", "stride 16", mean),
    Method("SAM 2, stride 16: mean and spread", "stride 16", mean_and_spread),
    Method("SAM 2, object pointer", "pointer", mean),
    Method("detector's image features: mean", "detector", mean),
    Method("detector's image features: covariance", "detector", look_within),
    Method("CLIPSeg's image features: mean", "CLIPSeg", mean),
    Method("CLIPSeg's image features: mean and spread", "CLIPSeg", mean_and_spread),
)


class FeatureMaps:
    """What the models of the demo see of a picture: maps of features (c, h, w) by name."""

    def __init__(self, pipeline: PanopticPipeline) -> None:
        detector: Any = pipeline.things
        stuff: Any = pipeline.stuff
        segmenter: Any = pipeline.segmenter
        self._detector, self._clip, self._sam = detector, stuff, segmenter.model

    @torch.inference_mode()
    def of(self, image: np.ndarray, mask: np.ndarray) -> Mapping[str, np.ndarray]:
        """Of an RGB uint8 picture; the pointer, which there is of a mask alone, as a map of one
        cell."""
        side = self._sam.config.image_size
        embedding = self._sam.encode_image(to_pixels(as_rgb(image), side))
        pixels = self._detector.transform(image)[None]
        seen = torch.ones(1, *pixels.shape[2:], dtype=torch.bool)
        backbone = self._detector.model.model.backbone.conv_encoder(pixels, seen)[0][0]
        vision = self._clip.model.clip.vision_model(
            self._clip.transform(image)[None],
            interpolate_pos_encoding=True,
            output_hidden_states=True,
        )
        tokens = vision.hidden_states[2][0, 1:]
        square = round(len(tokens) ** 0.5)
        inside = functional.interpolate(
            torch.from_numpy(mask)[None, None].float(), size=(side, side), mode="area"
        )
        maps = {
            "stride 4": embedding.fine[0][0],
            "stride 8": embedding.fine[1][0],
            "stride 16": embedding.features[0],
            "pointer": self._sam.adopt(embedding, (inside >= 0.5).float()).pointer.reshape(
                -1, 1, 1
            ),
            "detector": backbone[0],
            "CLIPSeg": tokens.T.reshape(-1, square, square),
        }
        found = {name: map.float().numpy() for name, map in maps.items()}
        small = Image.fromarray(image).resize((_COLOURS, _COLOURS), Image.Resampling.BOX)
        found["colours"] = np.asarray(small).transpose(2, 0, 1).astype(np.float32)
        return found


def unit(vector: np.ndarray) -> np.ndarray:
    norm = np.linalg.norm(vector)
    return (vector / (norm or 1.0)).astype(np.float32)


def _flat(features: np.ndarray) -> np.ndarray:
    return features.reshape(len(features), -1).astype(np.float64)


def _weights(share: np.ndarray) -> np.ndarray:
    return share.ravel().astype(np.float64) / max(float(share.sum()), 1e-9)
