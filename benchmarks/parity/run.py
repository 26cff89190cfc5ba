"""Running cases on both sides, and all of them on one model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from torch import Tensor

from benchmarks.parity.cases import ClipCase, ImageCase, clip_cases, image_cases
from benchmarks.parity.compare import Distance, compare_clips, compare_images
from benchmarks.parity.reference import Reference
from benchmarks.parity.scenes import Scene
from benchmarks.parity.shapes import ModelShape
from benchmarks.parity.subject import Subject

Row = dict[str, Any]


def check_image(case: ImageCase, subject: Subject, reference: Reference, scene: Scene) -> Distance:
    """Both sides' answers to one case on a single image."""
    return compare_images(subject.segment(case, scene), reference.segment(case, scene))


def check_clip(
    case: ClipCase,
    subject: Subject,
    reference: Reference,
    scene: Scene,
    *,
    stream: bool = False,
) -> Distance:
    """Both sides' answers to one case on a clip."""
    ours = subject.track(case, scene, stream=stream)
    run = reference.track(case, scene, ours)
    return compare_clips(ours, run.answers, run.memory_effect(), run.ties)


def compare_model(
    shape: ModelShape,
    version: str,
    state: dict[str, Tensor],
    *,
    clip_size: int,
    seed: int = 0,
    device: str = "cpu",
    random_weights: bool = True,
    wanted: Callable[[str], bool] = lambda name: True,
) -> Iterator[Row]:
    """The rows of one model: images at the shape's own size, clips at `clip_size`; of the cases
    whose name is `wanted`."""

    def row(kind: str, case: str, size: int, distance: Distance, failures: list[str]) -> Row:
        return {
            "model": f"{shape.name} {version}",
            "kind": kind,
            "case": case,
            "size": size,
            **asdict(distance),
            "failures": failures,
        }

    for kind, size in (("image", shape.image_size), ("clip", clip_size)):
        scene = Scene(size, seed=seed)
        at = shape.at(size)
        reference = Reference(at, version, state, device=device)
        subject = Subject(at, version, state, device=device)
        if kind == "image":
            for image in filter(lambda case: wanted(case.name), image_cases(scene)):
                distance = check_image(image, subject, reference, scene)
                yield row(kind, image.name, size, distance, distance.failures)
            continue
        for clip in filter(lambda case: wanted(case.name), clip_cases(scene)):
            distance = check_clip(clip, subject, reference, scene)
            failures = distance.failures
            if clip.absent and random_weights and not 0 < distance.absent < distance.answers:
                failures = [*failures, "presence has one sign only, so the case shows nothing"]
            yield row(kind, clip.name, size, distance, failures)
