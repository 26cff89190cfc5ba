"""Reads what comes back from Label Studio: its JSON and its JSON-MIN.

Of a task the annotation counts that is marked as ground truth, else the latest; skipped ones, those
that a reviewer rejected (Label Studio Enterprise), drafts and predictions never do. Shapes are in
percent of the picture, rectangles turn about their upper left corner.
(https://labelstud.io/guide/export, https://labelstud.io/tags, the SDK's annotation_review.py)
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timezone
from typing import Any

from panoptic.errors import CorrectionError
from panoptic.formats.fields import Fields, at, shown
from panoptic.formats.label_studio_regions import MIN, regions_of
from panoptic.formats.regions import AnnotatedPicture, Target, paint
from panoptic.results.segmentation import PanopticSegmentation
from prompts.text_files import posix_name

_NOT_REJECTED = ("updated", "accepted", "fixed_and_accepted", "deleted_review")
"""What may happen to an annotation after a review, or be one, that leaves it standing."""
_REGION = {"original_width", "original_height", "rle", "points", "radiusX", "rotation"}


def read_pictures(content: Any, place: str) -> list[AnnotatedPicture]:
    """The tasks of an export. A task that is damaged is told when it is read."""
    tasks = content if isinstance(content, list) else [content]
    placed = [(task, _place(task, number, place)) for number, task in enumerate(tasks, 1)]
    if any(isinstance(task, Mapping) and "data" in task for task in tasks):
        return [_task(task, where) for task, where in placed]
    return list(_min_tasks(placed))


def looks_like_tasks(content: Any) -> bool:
    """Whether it is what Label Studio exports, by the fields of the first task."""
    first = content[0] if isinstance(content, list) and content else content
    if not isinstance(first, Mapping):
        return False
    whole = "data" in first and ("annotations" in first or "completions" in first)
    return whole or "predictions" in first or "annotation_id" in first


def _place(task: Any, number: int, place: str) -> str:
    given = task.get("id") if isinstance(task, Mapping) else None
    known = isinstance(given, int | str)
    return at(place, f"task {shown(given)}" if known else f"task {number} of the file")


def _task(task: Any, place: str) -> AnnotatedPicture:
    data = task.get("data") if isinstance(task, Mapping) else None
    if not isinstance(data, Mapping):
        return _broken(place, f"{place}: expected a task with 'data', got {shown(task)}")
    return _picture(data, place, *_chosen(task, place))


Read = Callable[[Target], PanopticSegmentation]


def _chosen(task: Mapping[str, Any], place: str) -> tuple[Read, str | None]:
    """How to read the annotation of a task that counts; and why there is none, if so."""
    listed = task.get("annotations", task.get("completions"))
    listed = [] if listed is None else listed
    if not isinstance(listed, list) or not all(isinstance(a, Mapping) for a in listed):
        return _refusing(f"{place}: 'annotations' must be a list, got {shown(listed)}"), None
    skipped = [a for a in listed if a.get("was_cancelled") or a.get("skipped")]
    submitted = [a for a in listed if not (a.get("was_cancelled") or a.get("skipped"))]
    try:
        counted = [a for a in submitted if not _rejected(a, place)]
    except CorrectionError as error:
        return _refusing(str(error)), None
    rejected = len(submitted) - len(counted)
    unsaved = task.get("drafts")
    drafts = len(unsaved) if isinstance(unsaved, list) else int(bool(unsaved))
    drafts += sum(bool(a.get("draft")) for a in listed)
    passed = ((len(skipped), "skipped"), (rejected, "rejected in review"), (drafts, "drafts"))
    said = [f"{count} {what}" for count, what in passed if count]
    if not counted:
        if task.get("predictions"):
            said.append("predictions, which nobody judged")
        reason = f"it has no annotation that counts ({'; '.join(said) or 'none at all'})"
        return _refusing(at(place, reason)), at(place, reason)

    def read(target: Target) -> PanopticSegmentation:
        truths = [a for a in counted if a.get("ground_truth") is True]
        latest = max(truths or counted, key=lambda a: _when(a, place))
        if len(counted) > 1:
            which = "the one marked as ground truth" if truths else "the latest"
            target.notes.say(f"{place}: of {len(counted)} annotations {which} counts")
        for text in said:
            target.notes.say(f"{place}: {text}, left out")
        results = Fields(latest, at(place, f"annotation {latest.get('id', '?')}")).list("result")
        return paint(list(regions_of(results, target, place)), target)

    return read, None


def _rejected(annotation: Mapping[str, Any], place: str) -> bool:
    """Whether a reviewer's last word was no. Of several reviews the latest is it, unless the
    annotation's ``last_action`` says that it was changed or judged anew since."""
    last = annotation.get("last_action")
    if last == "rejected" or last in _NOT_REJECTED:
        return last == "rejected"
    reviews = annotation.get("reviews") or []
    if not isinstance(reviews, list) or not all(isinstance(r, Mapping) for r in reviews):
        raise CorrectionError(f"{place}: 'reviews' must be a list, got {shown(reviews)}")
    judged = [r for r in reviews if isinstance(r.get("accepted"), bool)]
    if not judged:
        return False
    return max(judged, key=lambda r: _when(r, place))["accepted"] is False


def _when(annotation: Mapping[str, Any], place: str) -> tuple[datetime, int]:
    """When an annotation was changed last; of equal times the higher number is later."""
    text = annotation.get("updated_at") or annotation.get("created_at")
    time = datetime.min.replace(tzinfo=timezone.utc)
    if isinstance(text, int | float) and not isinstance(text, bool):  # seconds, as of old
        time = datetime.fromtimestamp(text, timezone.utc)
    elif text is not None:
        try:
            time = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
        except ValueError as error:
            raise CorrectionError(f"{place}: 'updated_at' is no time: {shown(text)}") from error
    number = annotation.get("id", annotation.get("annotation_id"))
    known = isinstance(number, int) and not isinstance(number, bool)
    time = time if time.tzinfo else time.replace(tzinfo=timezone.utc)
    return time, number if known and isinstance(number, int) else 0


def _min_tasks(placed: list[tuple[Any, str]]) -> Iterator[AnnotatedPicture]:
    """JSON-MIN has a record an annotation, whose regions stand beside the fields of the data."""
    by_task: dict[str, list[Mapping[str, Any]]] = {}
    for record, place in placed:
        if isinstance(record, Mapping):
            by_task.setdefault(place, []).append(record)
        else:
            yield _broken(place, f"{place}: expected a task, got {shown(record)}")
    for place, records in by_task.items():
        yield _min_picture(records, place)


def _min_picture(records: list[Mapping[str, Any]], place: str) -> AnnotatedPicture:
    done = [r for r in records if r.get("annotation_id") is not None]
    if not done:
        reason = at(place, "it has no annotation")
        return _picture(records[0], place, _refusing(reason), reason)

    def read(target: Target) -> PanopticSegmentation:
        latest = max(done, key=lambda r: _when({**r, "id": r["annotation_id"]}, place))
        if len(done) > 1:
            target.notes.say(f"{place}: of {len(done)} annotations the latest counts")
        results: list[Any] = []
        for name, values in latest.items():
            if isinstance(values, list) and any(map(_is_region, values)):
                for n, value in enumerate(values, 1):
                    region = Fields(value, at(place, f"{name!r}, {n}")).content
                    results.append({**region, "type": MIN, "from_name": name, "value": region})
        return paint(list(regions_of(results, target, place)), target)

    return _picture(done[-1], place, read, None)


def _is_region(value: Any) -> bool:
    """JSON-MIN tells regions from the data's own fields by nothing but their fields."""
    return isinstance(value, Mapping) and bool(_REGION & value.keys())


def _picture(
    data: Mapping[str, Any], place: str, read: Read, unsaid: str | None
) -> AnnotatedPicture:
    """``key`` and ``frame`` are in the data of tasks that we exported."""
    frame, key = data.get("frame"), data.get("key")
    if frame is not None:
        text = str(frame)
        if not (text.isascii() and text.isdecimal() and len(text) < 10):
            return _broken(place, f"{place}: 'frame' must be a number, got {shown(frame)}", key)
        frame = int(text)
    key = key if isinstance(key, str) else None
    if key is not None and frame is None:
        frame = 0
    names = tuple(name for v in data.values() if isinstance(v, str) for name in _names(v))
    return AnnotatedPicture(place, names, read, key=key, frame=frame, unsaid=unsaid)


def _names(text: str) -> Iterator[str]:
    """What a task's path or URL calls its picture."""
    if len(text) > 2000 or "." not in text:
        return
    try:
        url = urllib.parse.urlsplit(text)
        local = urllib.parse.parse_qs(url.query).get("d")
        path = posix_name(local[0] if local else urllib.parse.unquote(url.path))
    except ValueError:  # no URL after all
        path = posix_name(text)
    yield path


def _refusing(reason: str) -> Read:
    def read(target: Target) -> PanopticSegmentation:
        raise CorrectionError(reason)

    return read


def _broken(place: str, reason: str, key: Any = None) -> AnnotatedPicture:
    return AnnotatedPicture(place, (), _refusing(reason), key=key if isinstance(key, str) else None)
