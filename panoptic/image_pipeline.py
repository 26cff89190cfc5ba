"""ImagePipeline: words and a picture in, every pixel labelled out."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from detectors.base import (
    Boxes,
    Heatmaps,
    StuffDetector,
    ThingDetector,
    ThingSegmenter,
    ThingSettings,
)
from detectors.clipseg import StuffSettings
from panoptic.checkpoints import locate
from panoptic.compose.candidates import (
    Candidate,
    as_image_masks,
    automatic_candidates,
    thing_candidates,
    within,
)
from panoptic.compose.find_stuff import find_stuff, stuff_regions
from panoptic.compose.kept_stages import Keep, anew
from panoptic.compose.merge import explain_merge
from panoptic.compose.quality import QualityModel
from panoptic.compose.trace import Trace
from panoptic.devices import choose_device
from panoptic.io.images import ImageLike, load_image
from panoptic.presets import DEFAULT_MODELS, PRESETS, Preset, find_preset, is_large, levels_of
from panoptic.results.segmentation import PanopticSegmentation
from panoptic.settings.tree import Settings, SettingsLike, layer_of, resolve
from prompts import Vocabulary
from sam2core import ImageMasks, ImageSegmenter, Segmenter

if TYPE_CHECKING:
    from typing_extensions import Self


log = logging.getLogger("panoptic")


class ImagePipeline:
    """Zero-shot panoptic labelling by composition.

    Boxes of the thing words prompt SAM 2 for the thing masks; heatmaps of the stuff words, minus
    the things, are sampled for points that prompt it for the stuff masks; one merge settles every
    pixel. Same picture, words and settings: same result, to the byte. Several threads may use one
    pipeline: what is computed of a picture belongs to the call.
    """

    def __init__(
        self,
        things: ThingDetector,
        stuff: StuffDetector,
        segmenter: Segmenter,
        settings: SettingsLike | None = None,
        quality: QualityModel | None = None,
    ) -> None:
        self.things = things
        self.stuff = stuff
        self.segmenter = segmenter
        self._settings = Settings()
        if isinstance(settings, Settings):
            self.settings = settings
        elif settings is not None:
            source, changes = layer_of(settings)
            self.settings = self.settings.changed(changes, source)
        self.quality = quality or QualityModel()
        self.loaded_with: dict[str, Any] | None = None
        """What ``from_pretrained`` is to be called with for another one like it. ``device`` is
        None if none was asked for, ``dtype`` what came out of "auto"."""

    @property
    def settings(self) -> Settings:
        """All levels, those of the detectors as they are now. They can be replaced at any time:
        ``pipeline.settings = pipeline.settings.changed({"detector.box_threshold": 0.3})``."""
        own: dict[str, Any] = {}
        if isinstance(level := getattr(self.things, "settings", None), ThingSettings):
            own["detector"] = level
        if isinstance(level := getattr(self.stuff, "settings", None), StuffSettings):
            own["stuff"] = level
        return replace(self._settings, **own)

    @settings.setter
    def settings(self, settings: Settings) -> None:
        for part, kind, name in (
            (self.things, ThingSettings, "detector"),
            (self.stuff, StuffSettings, "stuff"),
        ):
            own = getattr(settings, name)
            if isinstance(getattr(part, "settings", None), kind):
                part.settings = own  # type: ignore[union-attr]
            elif own != getattr(self._settings, name):
                raise ValueError(
                    f"{type(part).__name__} has no settings to be replaced by those of {name}: "
                    "set up the detector itself"
                )
        self._settings = settings

    @classmethod
    def from_pretrained(
        cls,
        source: str | Path | None = None,
        *,
        things: str | None = None,
        stuff: str | None = None,
        sam2: str | None = None,
        device: str | torch.device | None = None,
        dtype: torch.dtype | str | None = "auto",
        settings: SettingsLike | None = None,
        quantise: bool = False,
        compile: bool = False,
    ) -> Self:
        """Load the models of a preset ("demo", "tiny", "small", "base", "large") or a folder.

        Without a name they are those of "tiny", as on the command line, and the log says so.

        ``things``, ``stuff`` and ``sam2`` replace single parts by hub ids or paths; ``things``
        may be of any kind that ``detectors.load`` knows: Grounding DINO (``.pth`` files too), MM
        Grounding DINO, OWLv2, OmDet-Turbo, SAM 3, whose masks are used as they are.

        ``device`` is where they run: "cpu", "cuda", "cuda:1", "mps"; by default the CPU. The
        workers of ``label_dataset`` run there too; where nothing was said they take GPUs in turn.
        ``dtype`` is what is computed in, a ``torch.dtype`` or its name; "auto" is bfloat16 on
        devices made for it, float32 elsewhere, and on some CPUs the one or the other by the size of
        the models (see ``sam2core.precision``). Weights stay float32.

        ``quantise`` computes Grounding DINO's largest layers in 8-bit numbers, on CPUs: a third
        of its time less, and some labels change. ``compile`` hands SAM 2, and Grounding DINO where
        that is the detector, to ``torch.compile``, for GPUs: the first pictures, and the first of
        each size, take minutes, and the log says what they wait for (docs/performance.md).

        ``settings`` change what suits the preset's models, or the detector that takes the place
        of its own: a mapping of keys, ``{"detector.box_threshold": 0.3, "video.detect_every": 1}``,
        or a YAML file. A whole ``Settings`` is taken as it is. ``pipeline.settings`` is what came
        out.

        ``ValueError`` for a source that isn't known, or whose models are neither on this machine
        nor to be had from the hub, for a device that isn't there, for a dtype that isn't one of
        these, and for ``quantise`` with a detector or a device that can't.
        """
        import sam2core
        from detectors.clipseg import ClipSeg
        from detectors.load import PACKAGE, compiles, default_settings, load_thing_detector
        from sam2core.precision import choose_dtype

        if source is None:
            source = DEFAULT_MODELS
            log.warning('no models are named: using "%s"; others: %s', source, ", ".join(PRESETS))
        preset = find_preset(source, things=things, stuff=stuff, sam2=sam2)
        where = "cpu" if device is None else str(device)
        choose_device(where)  # refuses what isn't there, before anything is fetched
        dtype = choose_dtype(where, dtype, is_large(preset))
        given = [] if settings is None else [layer_of(settings)]
        resolve(given)  # what is wrong with it is told before anything is fetched
        package = PACKAGE if preset.things.startswith(PACKAGE) else ""
        paths = locate(
            {
                "things": preset.things.removeprefix(PACKAGE),
                "stuff": preset.stuff,
                "sam2": preset.sam2,
            }
        )
        detector = package + paths["things"]
        levels = levels_of(preset, default_settings(detector), source)
        resolved = resolve([*levels, *given]).settings
        both = compile and compiles(detector)
        if compile:
            parts = "Grounding DINO and SAM 2" if both else "SAM 2, but not this detector,"
            log.warning("compile: %s will be compiled when first used, for minutes", parts)
        pipeline = cls(
            load_thing_detector(
                *(detector, where, dtype, resolved.detector), quantise=quantise, compile=both
            ),
            ClipSeg.from_pretrained(paths["stuff"], where, dtype, resolved.stuff),
            ImageSegmenter(
                sam2core.load(paths["sam2"], device=where, dtype=dtype, compile=compile)
            ),
            resolved,
            _quality_of(preset),
        )
        pipeline.loaded_with = {
            **{"source": source, "things": things, "stuff": stuff, "sam2": sam2},
            **{"device": None if device is None else where, "dtype": dtype},
            **{"quantise": quantise, "compile": compile},
        }
        return pipeline

    def segment(self, image: ImageLike, vocabulary: Vocabulary) -> PanopticSegmentation:
        """Label one picture: a path, PIL picture or array, see
        ``panoptic.io.images.load_image``."""
        return _explained(self.trace(image, vocabulary))

    def segment_batch(
        self, images: Sequence[ImageLike], vocabulary: Vocabulary
    ) -> list[PanopticSegmentation]:
        """As :meth:`segment` for each picture; the detectors take them together."""
        return [_explained(trace) for trace in self._traces(images, vocabulary)]

    def trace(self, image: ImageLike, vocabulary: Vocabulary) -> Trace:
        """As :meth:`segment`, with every step on the way kept, to be looked at."""
        return next(self._traces([image], vocabulary))

    def _traces(self, images: Sequence[ImageLike], vocabulary: Vocabulary) -> Iterator[Trace]:
        check_vocabulary(vocabulary)
        pictures = [load_image(image, settings=self.settings.pictures) for image in images]
        things = self.find_things(pictures, vocabulary)
        sizes = [within(picture.shape, self.settings.region_side) for picture in pictures]
        heatmaps = self.stuff.heatmaps_batch(pictures, vocabulary, sizes)
        for picture, (boxes, masks), heat in zip(pictures, things, heatmaps, strict=True):
            yield self.compose(picture, boxes, masks, heat, vocabulary)

    def find_things(
        self, pictures: Sequence[np.ndarray], vocabulary: Vocabulary
    ) -> list[tuple[Boxes, ImageMasks | None]]:
        """Boxes for each picture, with their masks where the detector makes them itself."""
        if not isinstance(self.things, ThingSegmenter):
            found = self.things.detect_batch(pictures, vocabulary)
            return [
                (boxes.clipped(*picture.shape[:2]), None)
                for boxes, picture in zip(found, pictures, strict=True)
            ]
        return [
            (found.boxes, as_image_masks(found, picture.shape[:2]) if len(found) else None)
            for found, picture in zip(
                self.things.segment_batch(pictures, vocabulary), pictures, strict=True
            )
        ]

    def compose(
        self,
        picture: np.ndarray,
        boxes: Boxes,
        thing_masks: ImageMasks | None,
        heatmaps: Heatmaps,
        vocabulary: Vocabulary,
        keep: Keep = anew,
    ) -> Trace:
        """What :meth:`trace` does once the detectors have spoken: masks, regions, the merge.

        ``thing_masks`` are those of a detector that segments. What ``keep`` has of an earlier call
        isn't computed again (``panoptic.explore`` tries levels that way).
        """
        settings = self.settings
        size = (picture.shape[0], picture.shape[1])
        # What is computed of a picture stays in this call: other threads have theirs.
        asks_for_things = len(boxes) > 0 and thing_masks is None
        encoded = None
        if asks_for_things or len(heatmaps):
            encoded = keep("embedding", (), lambda: self.segmenter.encode(picture))
        if asks_for_things:
            thing_masks = keep(
                "thing masks",
                (boxes.xyxy.tobytes(),),
                lambda: self.segmenter.segment(boxes=boxes.xyxy, image=encoded),
            )
        levels = settings.regions, settings.sampling, settings.merge.named_twice, settings.seed
        where = (boxes.xyxy.tobytes(), settings.region_side, *levels)
        regions = keep(
            "regions", where, lambda: stuff_regions(thing_masks, heatmaps, settings, keep)
        )
        stuff = keep(
            "stuff masks",
            (*where, settings.stuff_masks),
            lambda: find_stuff(
                self.segmenter, regions, heatmaps, encoded, vocabulary, settings, keep
            ),
        )
        candidates = [*thing_candidates(boxes, thing_masks, vocabulary), *stuff.candidates]
        unknown: list[Candidate] = []
        if settings.fill_unknown:
            given = settings.automatic, settings.region_side
            unknown = keep(
                *("unknown", given),
                lambda: automatic_candidates(self.segmenter, picture, *given),
            )
        report = explain_merge(
            candidates,
            size,
            settings.merge,
            unknown=unknown,
            quality=self.quality,
            left_out={
                number: f"its mask is the area of {vocabulary.by_id(word).name!r} (IoU {iou:.2f})"
                for number, (word, iou) in regions.named_twice.items()
            },
        )
        result = report.result.with_image(picture)
        return Trace(
            picture, vocabulary, boxes, thing_masks, heatmaps, regions.covered, regions.regions,
            regions.prompt, stuff.masks, tuple(candidates), replace(report, result=result),
            settings,
        )  # fmt: skip


def _explained(trace: Trace) -> PanopticSegmentation:
    return trace.result.with_explanation(trace.explain())


def _quality_of(preset: Preset) -> QualityModel | None:
    if preset.quality is None or not preset.quality.is_file():
        return None
    return QualityModel.from_dict(json.loads(preset.quality.read_text(encoding="utf-8")))


def check_vocabulary(vocabulary: Vocabulary) -> None:
    """Raises ``ValueError`` for what is no vocabulary, or an empty one."""
    if not isinstance(vocabulary, Vocabulary):
        raise ValueError(
            f"expected a Vocabulary, got {type(vocabulary).__name__}; "
            'Vocabulary.parse("car, person; road, sky") makes one of text'
        )
    if not len(vocabulary):
        raise ValueError("the vocabulary is empty: ask for at least one thing or stuff word")
