"""Label Studio's smart tools: a click or a box of a person, answered by the mask of what is there.

Its *interactive preannotations* send what was drawn with a keypoint or a rectangle that is
``smart="true"``, in percent of the picture. All that comes together is one prompt: points that
belong to it (``is_positive``) or don't, within a box.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from panoptic.results.segmentation import PanopticSegmentation
from panoptic.serve.labelling_config import Asked
from panoptic.serve.predictions import prediction_of
from panoptic.serve.refusals import Refused
from panoptic.serve.service import Gone, Service
from panoptic.web.requests import field, mapping

_KEPT = 4
"""Pictures whose embeddings are kept: the next click on one comes in a moment."""
_POINT, _BOX = "keypointlabels", "rectanglelabels"


class SmartTools:
    """Answers them. Threads may share it."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._encoded: OrderedDict[bytes, Any] = OrderedDict()

    def answer(
        self,
        picture: np.ndarray,
        drawn: Sequence[Any],
        asked: Asked,
        version: str,
        is_gone: Callable[[], bool],
    ) -> dict[str, Any]:
        """A prediction of one region, of the label that was drawn with. ``Refused`` (422)."""
        height, width = picture.shape[:2]
        word, prompt = _prompt(drawn, asked, width, height)
        with self._service.turns.turn():
            if is_gone():
                raise Gone
            segmenter = self._service.pipeline.segmenter
            answers = segmenter.segment(
                **prompt, multimask="labels" in prompt and len(prompt["labels"][0]) == 1,
                image=self._embedding(picture),
            ).best()  # fmt: skip
            mask = next(iter(answers))[0]
            score = float(answers.iou[0, 0].clamp(0, 1))
        if not mask.any():
            return {"model_version": version, "score": 0.0, "result": []}
        result = PanopticSegmentation.from_masks(
            mask[None], [asked.vocabulary.by_id(word)], [score]
        )
        prediction = prediction_of(result, asked, version)
        # Others in the task are called by their segments.
        region = {**prediction["result"][0], "id": f"smart-{secrets.token_hex(5)}"}
        return {**prediction, "score": score, "result": [region]}

    def _embedding(self, picture: np.ndarray) -> Any:
        """The picture as the segmenter sees it. Only whose turn it is may ask."""
        key = hashlib.blake2b(picture.tobytes() + str(picture.shape).encode()).digest()
        if key not in self._encoded:
            self._encoded[key] = self._service.pipeline.segmenter.encode(picture)
        self._encoded.move_to_end(key)
        while len(self._encoded) > _KEPT:
            self._encoded.popitem(last=False)
        return self._encoded[key]


def _prompt(
    drawn: Sequence[Any], asked: Asked, width: int, height: int
) -> tuple[int, dict[str, Any]]:
    """The category's id, and what the segmenter is asked."""
    points: list[list[float]] = []
    signs: list[int] = []
    boxes: list[list[float]] = []
    labels: set[str] = set()
    for each in drawn:
        region: Mapping[str, Any] = each if isinstance(each, dict) else {}
        kind, value = region.get("type"), mapping(region, "value")
        if kind not in (_POINT, _BOX):
            raise Refused(
                422, f"{str(kind)[:40]!r} was drawn: smart tools here are KeyPointLabels and "
                "RectangleLabels"
            )  # fmt: skip
        x, y = (field(value, name, float) for name in ("x", "y"))
        x, y = _within(x, width), _within(y, height)
        if kind == _POINT:
            points.append([x, y])
            signs.append(int(bool(region.get("is_positive", 1))))
        else:
            across, down = (field(value, name, float) for name in ("width", "height"))
            boxes.append([x, y, x + across * width / 100, y + down * height / 100])
        labels.update(label for label in value.get(kind) or () if isinstance(label, str))
    if len(labels) != 1 or len(boxes) > 1:
        raise Refused(422, "expected one label, and one box at most, in what was drawn")
    (label,) = labels
    ids = [id for id, name in asked.labels.items() if name == label]
    if not ids:
        raise Refused(
            422, f"the label {label[:40]!r} was drawn with, and no BrushLabels, PolygonLabels or "
            f"RectangleLabels has it, which draw the answer; they have "
            f"{', '.join(asked.labels.values())}"
        )  # fmt: skip
    prompt: dict[str, Any] = {}
    if points:
        prompt |= {"points": np.array([points]), "labels": np.array([signs])}
    if boxes:
        limit = [width, height, width, height]
        prompt["boxes"] = np.clip(np.array(boxes), 0, limit)
    return ids[0], prompt


def _within(percent: float, side: int) -> float:
    """The pixel at so many percent of a side."""
    return min(max(percent, 0.0) * side / 100, side - 1)
