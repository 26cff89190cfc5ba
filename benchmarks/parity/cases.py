"""What is asked of both sides, as data. Coordinates are in units of the side, both axes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.parity.scenes import Scene


@dataclass(frozen=True)
class Ask:
    """One prompt for one object. `mask` is a (blob, frame) of the scene; it excludes the rest."""

    points: tuple[tuple[float, float], ...] = ()
    labels: tuple[int, ...] = ()
    box: tuple[float, float, float, float] | None = None
    mask: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if len(self.points) != len(self.labels):
            raise ValueError(f"{len(self.points)} points but {len(self.labels)} labels")
        if self.mask is not None and (self.points or self.box):
            raise ValueError("a mask comes alone")


@dataclass(frozen=True)
class ImageCase:
    """Prompts on frame 0, all of one form (so that they make one batch).

    `again` repeats the call with the logits of the first one and these further prompts.
    """

    name: str
    asks: tuple[Ask, ...]
    multimask: bool = False
    again: tuple[Ask, ...] = ()


@dataclass(frozen=True)
class Visit:
    """One pass over a frame: first the prompts by object id, then every other known object.

    With `correct` it ends after the prompts, which are for objects that were tracked there.
    """

    frame: int
    asks: tuple[tuple[int, Ask], ...] = ()
    reverse: bool = False
    correct: bool = False


@dataclass(frozen=True)
class ClipCase:
    """Visits in order. `known_length` tells the model how many frames there are (else a stream);
    `max_prompted` limits the prompted memories that are used; holes of up to `fill_hole_area`
    cells are filled. `absent`: only counts if objects were found absent as well as present."""

    name: str
    visits: tuple[Visit, ...]
    known_length: int | None = None
    max_prompted: int | None = None
    fill_hole_area: int = 0
    absent: bool = field(default=False, kw_only=True)

    @property
    def length(self) -> int:
        """Frames of the clip. Where its length must not count: as many as pointers reach back."""
        last = max(visit.frame for visit in self.visits)
        return self.known_length or max(16, last + 1)


class Prompts:
    """Prompts that fit the blobs of a scene."""

    def __init__(self, scene: Scene):
        self.scene = scene

    def point(self, blob: int, frame: int = 0) -> Ask:
        return Ask((self.scene.centre(blob, frame),), (1,))

    def points(self, blob: int, frame: int = 0) -> Ask:
        x, y = self.scene.centre(blob, frame)
        other = self.scene.centre((blob + 1) % self.scene.blobs, frame)
        return Ask(((x, y), (x - 0.04, y + 0.03), other), (1, 1, 0))

    def box(self, blob: int, frame: int = 0) -> Ask:
        return Ask(box=self.scene.box(blob, frame))

    def box_and_points(self, blob: int, frame: int = 0) -> Ask:
        x, y = self.scene.centre(blob, frame)
        return Ask(((x, y), (x + 0.15, y - 0.12)), (1, 0), self.scene.box(blob, frame))

    def mask(self, blob: int, frame: int = 0) -> Ask:
        return Ask(mask=(blob, frame))


def image_cases(scene: Scene) -> tuple[ImageCase, ...]:
    """The rows for single images."""
    make = Prompts(scene)

    def all_blobs(kind: Callable[[int], Ask]) -> tuple[Ask, ...]:
        return tuple(kind(blob) for blob in range(scene.blobs))

    return (
        ImageCase("point", all_blobs(make.point)),
        ImageCase("points ±", all_blobs(make.points)),
        ImageCase("box", all_blobs(make.box)),
        ImageCase("box + points", all_blobs(make.box_and_points)),
        ImageCase("mask", all_blobs(make.mask)),
        ImageCase("previous logits", all_blobs(make.point), again=all_blobs(make.points)),
        ImageCase("multimask", all_blobs(make.point), multimask=True),
    )


def clip_cases(scene: Scene) -> tuple[ClipCase, ...]:
    """The rows for clips."""
    make = Prompts(scene)
    five = tuple(
        (blob + 1, kind(blob))
        for blob, kind in enumerate(
            (make.mask, make.point, make.box, make.points, make.box_and_points)
        )
    )

    def onward(first: int, last: int) -> tuple[Visit, ...]:
        return tuple(Visit(frame) for frame in range(first, last + 1))

    def back(first: int, last: int) -> tuple[Visit, ...]:
        return tuple(Visit(frame, reverse=True) for frame in range(first, last - 1, -1))

    return (
        ClipCase("mask", (Visit(0, ((1, make.mask(0)),)), *onward(1, 4))),
        ClipCase("points", (Visit(0, ((1, make.point(1)),)), *onward(1, 4))),
        ClipCase("box", (Visit(0, ((1, make.box(2)),)), *onward(1, 4))),
        ClipCase("five objects", (Visit(0, five), *onward(1, 5))),
        ClipCase(
            "late object",
            (
                Visit(0, ((7, make.box(0)),)),
                *onward(1, 2),
                Visit(3, ((3, make.points(1, 3)),)),
                *onward(4, 6),
            ),
        ),
        ClipCase(
            "click on a later frame",
            (
                Visit(0, ((1, make.point(0)), (2, make.box(1)))),
                *onward(1, 4),
                Visit(3, ((1, make.points(0, 3)),), correct=True),
                *onward(4, 5),
                Visit(6, ((2, make.point(1, 6)),)),
                *onward(7, 8),
            ),
        ),
        ClipCase(
            "backward",
            (Visit(6, ((1, make.mask(0, 6)), (2, make.point(2, 6)))), *back(5, 0)),
        ),
        ClipCase(
            "forth and back",
            (Visit(3, ((1, make.box(0, 3)),)), *onward(4, 5), *back(2, 0)),
        ),
        ClipCase(
            "occlusion",
            (Visit(0, five[:3]), *onward(1, 6)),
            absent=True,
        ),
        ClipCase(
            "more frames than the bank",
            (Visit(0, ((1, make.box(0)),)), *onward(1, 18)),
        ),
        ClipCase(
            "back to the middle",  # further back than what any frame after it sees
            (
                Visit(0, ((1, make.box(0)), (2, make.point(1)), (3, make.mask(2)))),
                *onward(1, 22),
                Visit(6, ((1, make.points(0, 6)),), correct=True),
                *onward(7, 13),
                Visit(17, ((2, make.points(1, 17)),), correct=True),
                *back(16, 14),
                *back(5, 1),
            ),
        ),
        ClipCase(
            "from the middle to both ends",
            (
                Visit(0, ((1, make.box(0)), (2, make.point(1)))),
                *onward(1, 19),  # the whole clip
                Visit(10, ((1, make.points(0, 10)),), correct=True),
                *onward(11, 19),
                *back(9, 1),
            ),
        ),
        ClipCase(
            "more prompted than selected",
            (
                Visit(0, ((1, make.box(0)),)),
                Visit(1),
                Visit(2, ((1, make.mask(0, 2)),)),
                Visit(3, ((1, make.points(0, 3)),)),
                Visit(4),
                Visit(5, ((1, make.point(0, 5)),)),
                *onward(6, 19),  # the first prompt is further away than pointers reach
            ),
            max_prompted=2,
        ),
        ClipCase(
            "prompts ahead",
            (
                Visit(0, ((1, make.box(0)),)),
                Visit(5, ((1, make.points(0, 5)),)),
                *onward(1, 3),
            ),
        ),
        ClipCase(
            "small holes filled",
            (
                Visit(0, ((1, make.point(0)), (2, make.box(1)), (3, make.mask(2)))),
                *onward(1, 3),
                Visit(3, ((1, make.points(0, 3)),), correct=True),
                *onward(4, 5),
            ),
            fill_hole_area=8,
        ),
        ClipCase(
            "known short length",
            (Visit(0, ((1, make.point(0)),)), *onward(1, 4)),
            known_length=5,
        ),
    )
