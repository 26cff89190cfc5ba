"""Reads what comes back from CVAT as "CVAT for images 1.1" or "CVAT for video 1.1".

Of a video, CVAT lists in every frame each track that is seen in it, and once more, as ``outside``,
where it ends. A frame of which a track says nothing, though it goes on later, is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, ParseError

from panoptic.errors import CorrectionError
from panoptic.formats.cvat_shapes import region_of, segment_id
from panoptic.formats.fields import Fields, at, shown
from panoptic.formats.regions import (
    AnnotatedPicture,
    Notes,
    Region,
    Size,
    Target,
    paint,
    size_checked,
)
from panoptic.results.segmentation import PanopticSegmentation

_MOST_FRAMES = 10_000_000


def parsed_xml(data: bytes, place: str) -> Element:
    """The root of an XML file in whatever encoding. Raises ``CorrectionError``.

    Nothing is expanded and nothing fetched: a file with a DOCTYPE is refused.
    """
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        root: Element = fromstring(data, forbid_dtd=True)
    except DefusedXmlException as error:
        raise CorrectionError(
            at(place, "it has a DOCTYPE or entities, which no annotation tool writes")
        ) from error
    except (ParseError, ValueError, LookupError) as error:
        raise CorrectionError(at(place, f"it is damaged XML: {error}")) from error
    return root


def read_pictures(root: Element, place: str) -> list[AnnotatedPicture]:
    """The pictures of an XML file, or the frames of its video. Raises ``CorrectionError``."""
    if root.tag != "annotations":
        reason = "PASCAL VOC's, which hold boxes only" if root.tag == "annotation" else "none"
        raise CorrectionError(
            at(place, f"its root is {shown(root.tag)}, not CVAT's 'annotations' ({reason})")
        )
    pictures = [_picture(image, place) for image in root.findall("image")]
    return [*pictures, *_frames(root, place)]


def _picture(image: Element, place: str) -> AnnotatedPicture:
    name = image.get("name", "")
    here = at(place, f"image {image.get('id', '?')} ({shown(name)})")

    def read(target: Target) -> PanopticSegmentation:
        fields = Fields(image.attrib, here, texts=True)
        size_checked(here, (fields.integer("height"), fields.integer("width")), target.size)
        return paint(list(_regions(image, here, target.notes)), target)

    return AnnotatedPicture(here, (name,) if name else (), read)


def _regions(image: Element, place: str, notes: Notes) -> Iterator[Region]:
    shapes = [(_z_order(shape, place), number, shape) for number, shape in enumerate(image, 1)]
    for _, number, shape in sorted(shapes, key=lambda each: each[:2]):
        label = shape.get("label", "")
        where = at(place, f"{shape.tag} {number} ({shown(label)})")
        group = shape.get("group_id", "0")
        grouped = f"CVAT's group {group}" if group not in ("", "0") else None
        region = region_of(shape, where, label, grouped, notes)
        if region is not None:
            yield region


def _z_order(shape: Element, place: str) -> int:
    fields = Fields(shape.attrib, place, texts=True)
    return fields.integer("z_order") if fields.has("z_order") else 0


@dataclass(frozen=True)
class _Task:
    """What the head says of a video."""

    names: tuple[str, ...]
    first: int
    last: int
    step: int
    size: Size | None

    @classmethod
    def of(cls, root: Element, place: str) -> _Task:
        tasks = [e for path in ("meta/task", "meta/job") for e in root.findall(path)]
        tasks += root.findall("meta/project/tasks/task")
        if len(tasks) != 1:
            raise CorrectionError(
                at(place, f"it holds the tracks of {len(tasks)} tasks: export one task at a time")
            )
        texts = _texts(tasks[0])
        fields = Fields(texts, at(place, "meta"), texts=True)
        first, last = fields.integer("start_frame"), fields.integer("stop_frame")
        if not 0 <= first <= last < _MOST_FRAMES:
            raise CorrectionError(
                at(place, f"its task begins with frame {first} and ends with {last}")
            )
        step = _step(texts.get("frame_filter", ""), place)
        if texts.get("size"):  # Datumaro's stop_frame is one too many
            last = min(last, first + max(fields.integer("size") - 1, 0) * step)
        original = tasks[0].find("original_size")
        original = root.find("meta/original_size") if original is None else original
        size = None
        if original is not None:
            given = Fields(_texts(original), at(place, "original_size"), texts=True)
            size = given.integer("height"), given.integer("width")
        return cls(
            tuple(name for name in (texts.get("name"), texts.get("source")) if name),
            first,
            last,
            step,
            size,
        )

    def covers(self, frame: int) -> bool:
        return self.first <= frame <= self.last and (frame - self.first) % self.step == 0


def _texts(element: Element) -> dict[str, str]:
    return {child.tag: (child.text or "").strip() for child in element}


def _step(text: str, place: str) -> int:
    if not text:
        return 1
    name, _, number = text.partition("=")
    if name.strip() != "step" or not number.strip().isdecimal() or not int(number):
        raise CorrectionError(at(place, f"its frame_filter is {shown(text)}, expected 'step=N'"))
    return int(number)


@dataclass(frozen=True)
class _TrackShape:
    place: str
    frame: int
    shape: Element
    label: str
    group: str


def _frames(root: Element, place: str) -> list[AnnotatedPicture]:
    tracks = root.findall("track")
    if not tracks:
        return []
    task = _Task.of(root, place)
    ids = frozenset(id for track in tracks for shape in track if (id := segment_id(shape)))
    shown_in: dict[int, list[_TrackShape]] = {}
    untold: dict[int, str] = {}
    for track in tracks:
        for found in _seen(track, task, place, untold):
            shown_in.setdefault(found.frame, []).append(found)
    return [
        _frame(frame, task, shown_in.get(frame, ()), untold.get(frame), place, ids)
        for frame in range(task.first, task.last + 1, task.step)
    ]


def _seen(track: Element, task: _Task, place: str, untold: dict[int, str]) -> Iterator[_TrackShape]:
    """The shapes of a track that are seen; ``untold`` gets the frames that it doesn't speak of."""
    label, number = track.get("label", ""), track.get("id", "?")
    group = track.get("group_id", "0")
    lasting = f"CVAT's group {group}" if group not in ("", "0") else f"CVAT's track {number}"
    here = at(place, f"track {number} ({shown(label)})")
    shapes: dict[int, Element] = {}
    for shape in track:
        frame = Fields(shape.attrib, here, texts=True).integer("frame")
        if frame in shapes:
            raise CorrectionError(f"{here}: it is twice in frame {frame}")
        shapes[frame] = shape
    before: int | None = None
    for frame, shape in sorted(shapes.items()):
        if before is not None and frame - before > task.step:
            for gap in range(before + task.step, frame, task.step):
                untold[gap] = (
                    f"{here}: nothing is said of frame {gap}, between {before} and {frame}; "
                    "CVAT's own export lists every frame"
                )
        outside = shape.get("outside", "0")
        if outside not in ("0", "1"):
            raise CorrectionError(f"{here}, frame {frame}: 'outside' is {shown(outside)}")
        before = None if outside == "1" else frame
        if outside == "0":
            if not task.covers(frame):
                raise CorrectionError(
                    f"{here}: frame {frame} is none of its task's, {task.first} to {task.last}"
                )
            yield _TrackShape(f"{here}, frame {frame}", frame, shape, label, lasting)
    # A shape of one frame alone has no end where that would be the video's last frame.
    alone = len(shapes) == 1 and before is not None and before + task.step >= task.last
    if before is not None and not alone:
        for gap in range(before + task.step, task.last + 1, task.step):
            untold[gap] = (
                f"{here}: it ends with frame {before} and doesn't say that it is outside then; "
                "CVAT's own export lists every frame"
            )


def _frame(
    frame: int,
    task: _Task,
    found: Sequence[_TrackShape],
    untold: str | None,
    place: str,
    ids: frozenset[int],
) -> AnnotatedPicture:
    here = at(place, f"frame {frame}")

    def read(target: Target) -> PanopticSegmentation:
        if untold is not None:
            raise CorrectionError(untold)
        if task.size is not None:
            size_checked(here, task.size, target.size)
        ordered = sorted(found, key=lambda each: _z_order(each.shape, each.place))
        regions = [region_of(s.shape, s.place, s.label, s.group, target.notes) for s in ordered]
        return paint([r for r in regions if r is not None], target)

    return AnnotatedPicture(here, task.names, read, frame=frame, ids=ids)
