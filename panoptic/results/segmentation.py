"""The result type: one id map without overlaps and the list of its segments."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from panoptic.results.id_map import Box, checked_ids, measure
from panoptic.results.segment import CategoryLike, Segment

if TYPE_CHECKING:
    import supervision
    from PIL import Image

    from panoptic.io.images import ImageLike
    from prompts import Vocabulary


class Explains(Protocol):
    """How a result came about; ``panoptic.results.explanation.Explanation`` tells it."""

    def sheet(self) -> Image.Image: ...
    def text(self) -> str: ...
    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path: ...


@dataclass(frozen=True, eq=False)
class PanopticSegmentation:
    """What every pixel of a picture is: ``ids`` and the ``segments`` that they point to.

    ``ids`` is an int32 map (H, W), 0 where nothing is labelled (void); it is made read-only.
    ``image`` is the picture itself, RGB uint8 (H, W, 3), where it is known: only displays use it.
    ``explanation`` is how a pipeline came to this result, see ``explain``; neither it nor the image
    counts when results are compared.

    Raises ``ValueError`` if the ids of map and list differ, an id comes twice, an area or a box is
    not that of the map, or one category id has two names.
    """

    ids: np.ndarray
    segments: tuple[Segment, ...]
    image: np.ndarray | None = field(default=None, repr=False)
    explanation: Explains | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        ids = checked_ids(self.ids)
        self._settle(ids, tuple(self.segments), measure(ids))

    def _settle(
        self, ids: np.ndarray, segments: tuple[Segment, ...], measured: dict[int, tuple[int, Box]]
    ) -> None:
        object.__setattr__(self, "ids", ids)
        object.__setattr__(self, "segments", segments)
        _check_segments(segments, measured)
        self._check_image()

    def _check_image(self) -> None:
        if self.image is not None and (
            self.image.dtype != np.uint8 or self.image.shape != (*self.ids.shape, 3)
        ):
            raise ValueError(
                f"the image must be uint8 of shape {(*self.ids.shape, 3)} like the id map, "
                f"got {self.image.dtype} {self.image.shape}"
            )

    @classmethod
    def empty(cls, height: int, width: int) -> PanopticSegmentation:
        """Nothing found: all void."""
        return cls(np.zeros((height, width), np.int32), ())

    @classmethod
    def from_ids(
        cls, ids: np.ndarray, segments: Iterable[Segment], image: np.ndarray | None = None
    ) -> PanopticSegmentation:
        """An id map (H, W) with described segments: areas and boxes are measured here.

        Segments without a pixel are left out; a pixel value that no segment describes is an error.
        """
        ids = checked_ids(ids)
        measured = measure(ids)
        kept = tuple(
            replace(segment, area=measured[segment.id][0], box=measured[segment.id][1])
            for segment in segments
            if segment.id in measured
        )
        result = cls.__new__(cls)  # without __init__, which would measure once more
        object.__setattr__(result, "image", image)
        object.__setattr__(result, "explanation", None)
        result._settle(ids, kept, measured)
        return result

    @classmethod
    def from_masks(
        cls,
        masks: np.ndarray | Sequence[np.ndarray],
        categories: Sequence[CategoryLike],
        scores: Sequence[float] | None = None,
        image: np.ndarray | None = None,
    ) -> PanopticSegmentation:
        """Bool masks (N, H, W) that do not overlap, one category each; ids are 1 to N in order.

        Raises ``ValueError`` on overlaps (``panoptic.compose.merge`` settles those) and on empty
        masks.
        """
        if len(masks) == 0:
            raise ValueError("no masks, so no size: use PanopticSegmentation.empty(height, width)")
        scores = [1.0] * len(masks) if scores is None else scores
        if not len(masks) == len(categories) == len(scores):
            raise ValueError(
                "masks, categories and scores must be equally many, "
                f"got {len(masks)}, {len(categories)} and {len(scores)}"
            )
        ids = np.zeros(np.shape(masks[0]), np.int32)
        segments = []
        for i, (mask, category, score) in enumerate(zip(masks, categories, scores, strict=True), 1):
            mask = np.asarray(mask, bool)
            if mask.shape != ids.shape:
                raise ValueError(f"mask {i - 1} has shape {mask.shape}, the first has {ids.shape}")
            if not mask.any():
                raise ValueError(f"mask {i - 1} ({category.name}) is empty: leave it out")
            if ids[mask].any():
                other = int(ids[mask].max()) - 1
                raise ValueError(
                    f"masks {other} and {i - 1} overlap: panoptic.compose.merge decides "
                    "contested pixels"
                )
            ids[mask] = i
            segments.append(Segment(i, category.id, category.name, category.is_thing, float(score)))
        return cls.from_ids(ids, segments, image)

    # -- looking inside ---------------------------------------------------------------------

    @property
    def height(self) -> int:
        return self.ids.shape[0]

    @property
    def width(self) -> int:
        return self.ids.shape[1]

    @property
    def things(self) -> tuple[Segment, ...]:
        return tuple(s for s in self.segments if s.is_thing)

    @property
    def stuff(self) -> tuple[Segment, ...]:
        return tuple(s for s in self.segments if not s.is_thing)

    @cached_property
    def _by_id(self) -> dict[int, Segment]:
        return {s.id: s for s in self.segments}

    def segment(self, id: int) -> Segment:
        """The segment of this id; ``KeyError`` if there is none."""
        if id not in self._by_id:
            raise KeyError(f"no segment has id {id}; there are {sorted(self._by_id)}")
        return self._by_id[id]

    def mask(self, id: int) -> np.ndarray:
        """The pixels of one segment, bool (H, W)."""
        self.segment(id)
        return self.ids == id

    def category_map(self) -> np.ndarray:
        """The category id of every pixel, int32 (H, W). Void is -1 (0 is ``UNKNOWN_ID``)."""
        known = np.array([0] + [s.id for s in self.segments])
        values = np.array([-1] + [s.category_id for s in self.segments], np.int32)
        order = np.argsort(known)
        return values[order][np.searchsorted(known[order], self.ids)]

    def __iter__(self) -> Iterator[Segment]:
        return iter(self.segments)

    def __len__(self) -> int:
        return len(self.segments)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PanopticSegmentation):
            return NotImplemented
        return self.segments == other.segments and np.array_equal(self.ids, other.ids)

    __hash__ = None  # type: ignore[assignment]

    # -- the forms that others read ---------------------------------------------------------

    def to_detections(self) -> supervision.Detections:
        """supervision's form: boxes, masks (N, H, W), scores, category ids, one row a segment.

        ``data`` holds ``class_name``, ``is_thing``, ``segment_id`` and ``quality`` (nan where
        nobody judged), so that ``d[d.data["is_thing"]]`` are the things alone.
        """
        from panoptic.results.conversions import to_detections

        return to_detections(self.ids, self.segments)

    def to_transformers(self) -> dict[str, Any]:
        """The keys of transformers' ``post_process_panoptic_segmentation``.

        ``segmentation`` is an int32 tensor (H, W), 0 where void; each of ``segments_info`` has
        ``id``, ``label_id`` (the category id), ``was_fused`` (stuff is) and ``score``.
        """
        from panoptic.results.conversions import to_transformers

        return to_transformers(self.ids, self.segments)

    def save(
        self,
        folder: str | Path,
        name: str = "panoptic",
        *,
        file_name: str = "",
        overwrite: bool = False,
    ) -> Path:
        """Writes COCO panoptic, ``folder/name.json`` and ``folder/name.png``; returns the JSON.

        ``file_name`` is the picture's own file name, as the JSON's ``images`` list names it.
        Raises ``OutputError`` where files of these names hold anything else, such as another
        result or what ``panoptic image`` wrote, unless ``overwrite``.
        """
        from panoptic.formats.coco_panoptic import save_result

        return save_result(self, Path(folder), name, file_name, overwrite=overwrite)

    @classmethod
    def load(cls, path: str | Path, image_id: int | str | None = None) -> PanopticSegmentation:
        """Reads COCO panoptic back; ``image_id`` says which image, where the JSON has several."""
        from panoptic.formats.coco_panoptic import CocoPanoptic

        return CocoPanoptic.open(path).load(image_id)

    def explain(self) -> Explains:
        """How the pipeline came to this result: boxes, heatmaps, regions, points, masks, merge.

        ``ValueError`` for a result that no pipeline made, such as one read from a file.
        """
        if self.explanation is None:
            raise ValueError(
                "this result carries no explanation: it was read from a file or made by hand; "
                "PanopticPipeline.segment gives results that do"
            )
        return self.explanation

    def with_explanation(self, explanation: Explains) -> PanopticSegmentation:
        """The same result, carrying an explanation (nothing is measured anew)."""
        explained = copy.copy(self)
        object.__setattr__(explained, "explanation", explanation)
        return explained

    def with_image(self, image: np.ndarray | None) -> PanopticSegmentation:
        """The same result, carrying this picture (nothing is measured anew)."""
        seen = copy.copy(self)
        object.__setattr__(seen, "image", image)
        seen._check_image()
        return seen

    def overlay(
        self,
        image: ImageLike | None = None,
        *,
        colors: Vocabulary | Mapping[int, tuple[int, int, int]] | None = None,
        shades: Mapping[int, tuple[int, int, int]] | None = None,
        thing_opacity: float | None = None,
        stuff_opacity: float | None = None,
        outlines: bool | None = None,
        names: bool | None = None,
        scores: bool | None = None,
        ids: bool | None = None,
        legend: bool | None = None,
        min_side: int | None = None,
        max_side: int | None = None,
    ) -> Image.Image:
        """The picture with segments, names and legend: see ``panoptic.show.overlay.overlay``.

        What isn't given is as in its ``ShowSettings``.
        """
        from panoptic.show.overlay import overlay

        return overlay(
            *(self, image), colors=colors, shades=shades, thing_opacity=thing_opacity,
            stuff_opacity=stuff_opacity, outlines=outlines, names=names, scores=scores, ids=ids,
            legend=legend, min_side=min_side, max_side=max_side,
        )  # fmt: skip

    def _repr_png_(self) -> bytes:
        from panoptic.show.notebook import to_png

        return to_png(self)

    def _repr_html_(self) -> str:
        from panoptic.show.notebook import to_html

        return to_html(self)


def _check_segments(segments: tuple[Segment, ...], measured: dict[int, tuple[int, Box]]) -> None:
    listed = [s.id for s in segments]
    if len(set(listed)) != len(listed):
        raise ValueError(f"segment ids must be unique, got {listed}")
    if set(listed) != set(measured):
        raise ValueError(
            "map and list must hold the same ids; only in the map: "
            f"{sorted(set(measured) - set(listed))}, only in the list: "
            f"{sorted(set(listed) - set(measured))}"
        )
    names: dict[int, tuple[str, bool]] = {}
    for s in segments:
        if (s.area, s.box) != measured[s.id]:
            raise ValueError(
                f"segment {s.id}: area and box {(s.area, s.box)} are not those of the map, "
                f"{measured[s.id]}; PanopticSegmentation.from_ids measures them"
            )
        known = names.setdefault(s.category_id, (s.category, s.is_thing))
        if known != (s.category, s.is_thing):
            raise ValueError(
                f"category id {s.category_id} is {known} and {(s.category, s.is_thing)}: "
                "one id, one name, thing or stuff"
            )
