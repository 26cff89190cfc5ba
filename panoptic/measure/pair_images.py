"""Which predicted image belongs to which true one: by image id or by file name, never by a guess.

Ids hold if every true image has its prediction under the same id and no file name contradicts:
two runs that both count from 1 share ids without sharing pictures. Otherwise file names decide.
They may differ in case, in the ending (.jpg, .png) and in the folders before them; where a name
comes in several folders, the folders must tell which is meant.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from panoptic.formats.coco_panoptic import CocoPanoptic

PairBy = Literal["auto", "id", "name"]
_ENDING = re.compile(r"(?<=.)\.[a-z0-9]{2,5}$")


@dataclass(frozen=True, eq=False)
class CocoImage:
    """One annotated image of a file; ``names`` are what its picture is called, there or where it
    came from. Where none is listed, the PNG of its labels is, which most name like the picture."""

    file: CocoPanoptic
    id: int | str
    names: tuple[str, ...]
    png: str = ""

    @property
    def called(self) -> tuple[str, ...]:
        return self.names or ((self.png,) if self.png else ())

    @property
    def label(self) -> str:
        """The image in a message."""
        return f"image {self.id!r}" + (f" ({self.names[0]!r})" if self.names else "")


@dataclass(frozen=True)
class ImagePairs:
    """(prediction, truth) in the order of the truth, how they were told, and who is alone."""

    pairs: tuple[tuple[CocoImage, CocoImage], ...]
    how: str
    missing: tuple[CocoImage, ...] = ()
    unused: int = 0


def coco_images(files: Sequence[CocoPanoptic]) -> list[CocoImage]:
    """All annotated images of the files, in their order."""
    found = []
    for file in files:
        for image_id, annotation in file.annotations.items():
            image = file.images.get(image_id, {})
            named = (image.get("source_file_name"), image.get("file_name"))
            names = dict.fromkeys(name for name in named if isinstance(name, str) and name.strip())
            found.append(CocoImage(file, image_id, tuple(names), annotation["file_name"]))
    return found


def pair_images(
    predicted: Sequence[CocoImage],
    true: Sequence[CocoImage],
    by: PairBy = "auto",
    *,
    skip_missing: bool = False,
) -> ImagePairs:
    """Finds the prediction of every true image; with ``skip_missing`` some may have none.

    Raises ``ValueError`` where neither ids nor names fit, or where the one asked for doesn't.
    """
    if by not in get_args(PairBy):
        raise ValueError(f"images are paired by one of {', '.join(get_args(PairBy))}, got {by!r}")
    if not true:
        raise ValueError("the ground truth lists no image: there is nothing to compare with")
    ids, names = _by_id(predicted, true), _by_name(predicted, true)
    chosen = _chosen(ids, names, by)
    if not chosen.fits(skip_missing):
        raise ValueError(_refusal(ids, names, by, len(true)))
    return ImagePairs(
        tuple(chosen.pairs),
        chosen.how,
        tuple(chosen.missing),
        len(predicted) - len(chosen.pairs),
    )


@dataclass(frozen=True)
class _Way:
    """What one way of pairing gives; ``doubt`` says what is against all of it."""

    how: str
    pairs: list[tuple[CocoImage, CocoImage]]
    missing: list[CocoImage]
    doubt: str = ""
    contradiction: str = ""
    is_firm: bool = True  # no contradiction by names of PNGs either

    def fits(self, skip_missing: bool) -> bool:
        return not self.doubt and bool(self.pairs) and (skip_missing or not self.missing)


def _chosen(ids: _Way, names: _Way, by: PairBy) -> _Way:
    if by != "auto":
        return ids if by == "id" else names
    if not ids.contradiction and ids.fits(skip_missing=False):
        return ids if ids.is_firm or not names.fits(skip_missing=False) else names
    if names.fits(skip_missing=False):
        return names
    # Neither is complete: the one that finds more, if nothing is against it.
    if ids.contradiction or len(names.pairs) >= len(ids.pairs):
        return names
    return ids


def _by_id(predicted: Sequence[CocoImage], true: Sequence[CocoImage]) -> _Way:
    how = "image id"
    theirs = {image.id for image in true}
    found: dict[int | str, CocoImage] = {image.id: image for image in predicted}
    number = int if not theirs & found.keys() else None  # "17" and 17, if nothing else agrees
    found, doubt = _keyed(predicted, number)
    _, more = _keyed(true, number)
    pairs, missing = [], []
    for image in true:
        partner = found.get(_key(image, number))
        if partner is None:
            missing.append(image)
        else:
            pairs.append((partner, image))
    against = [pair for pair in pairs if not _agree(pair[0].names, pair[1].names)]
    is_firm = all(_agree(one.called, other.called) for one, other in pairs)
    contradiction = ""
    if against:
        one, other = against[0]
        contradiction = (
            f"{one.label} of the prediction is {other.names[0]!r} in the ground truth"
            + (f", and so on for {len(against)} images" if len(against) > 1 else "")
        )
    return _Way(how, pairs, missing, doubt or more, contradiction, is_firm)


def _keyed(
    images: Sequence[CocoImage], number: type[int] | None
) -> tuple[dict[int | str, CocoImage], str]:
    found: dict[int | str, CocoImage] = {}
    doubt = ""
    for image in images:
        first = found.setdefault(_key(image, number), image)
        if first is not image:
            doubt = f"image id {image.id!r} comes twice"
    return found, doubt


def _key(image: CocoImage, number: type[int] | None) -> int | str:
    if number is not None and isinstance(image.id, str) and image.id.isdecimal():
        return int(image.id)
    return image.id


def _agree(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether the names of two images may be those of one picture; true where one has none."""
    if not one or not other:
        return True
    return any(_is_end(a, b) for a in map(_parts, one) for b in map(_parts, other))


def _by_name(predicted: Sequence[CocoImage], true: Sequence[CocoImage]) -> _Way:
    found: dict[str, list[CocoImage]] = defaultdict(list)
    alike: dict[str, int] = defaultdict(int)
    for image in predicted:
        for stem in _stems(image):
            found[stem].append(image)
    for image in true:
        for stem in _stems(image):
            alike[stem] += 1
    pairs: list[tuple[CocoImage, CocoImage]] = []
    missing: list[CocoImage] = []
    doubt = ""
    exact = True
    taken: dict[CocoImage, CocoImage] = {}
    for image in true:
        candidates = list({id(c): c for s in _stems(image) for c in found.get(s, ())}.values())
        is_alone = len(candidates) == 1 and all(alike[s] == 1 for s in _stems(image))
        best = candidates if is_alone else _best(image, candidates)
        if not best:
            missing.append(image)
            continue
        if len(best) > 1:
            doubt = doubt or (
                f"{image.label} may be any of " + ", ".join(c.label for c in best[:4])
            )
            continue
        if (other := taken.setdefault(best[0], image)) is not image:
            doubt = doubt or (
                f"{best[0].label} of the prediction may be {other.label} or {image.label}"
            )
            continue
        exact = exact and bool(set(best[0].called) & set(image.called))
        pairs.append((best[0], image))
    how = "file name" if exact else "file name (folder, ending or case differ)"
    return _Way(how, pairs, missing, doubt)


def _best(image: CocoImage, candidates: Sequence[CocoImage]) -> list[CocoImage]:
    """Those whose path fits best, if one is the end of the other; several where it's a tie."""
    scores = [(max(_scores(image, c), default=None), c) for c in candidates]
    known = [(score, c) for score, c in scores if score is not None]
    highest = max((score for score, _ in known), default=None)
    return [c for score, c in known if score == highest]


def _scores(one: CocoImage, other: CocoImage) -> Iterator[tuple[int, bool, bool, bool]]:
    for a in one.called:
        for b in other.called:
            left, right = _parts(a), _parts(b)
            if _is_end(left, right):
                same_ending = _tail(a).lower() == _tail(b).lower()
                same_case = _tail(a) == _tail(b)
                common = min(len(left), len(right))
                yield common, len(left) == len(right), same_ending, same_case


def _stems(image: CocoImage) -> set[str]:
    return {_parts(name)[-1] for name in image.called}


def _parts(name: str) -> tuple[str, ...]:
    """Folders and the file without its ending, in folded case."""
    text = unicodedata.normalize("NFC", name).replace("\\", "/").casefold()
    parts = [part for part in text.split("/") if part not in ("", ".")] or [text]
    return (*parts[:-1], _ENDING.sub("", parts[-1]))


def _tail(name: str) -> str:
    return unicodedata.normalize("NFC", name).replace("\\", "/").rpartition("/")[2]


def _is_end(a: Sequence[str], b: Sequence[str]) -> bool:
    length = min(len(a), len(b))
    return list(a[-length:]) == list(b[-length:])


def _refusal(ids: _Way, names: _Way, by: PairBy, count: int) -> str:
    def lack(way: _Way) -> str:
        if way.doubt or not way.missing:
            return way.doubt or way.contradiction
        return f"{len(way.missing)} of {count} images have no prediction, the first is " + (
            way.missing[0].label.removeprefix("image ")
        )

    if by != "auto":
        return f"by {by}, {lack(ids if by == 'id' else names)}"
    if ids.contradiction and not ids.missing:
        return (
            f"the image ids fit, but not the file names ({ids.contradiction}), and by file name "
            f"{lack(names)}. Say which holds: --images id or --images name (images='id' or 'name')"
        )
    both = lack(ids), lack(names)
    if names.missing and len(names.missing) == len(ids.missing) and not (names.doubt or ids.doubt):
        text = both[0] + ", neither by image id nor by file name"
    else:
        text = f"by image id, {both[0]}; by file name, {both[1]}"
    if ids.pairs or names.pairs:
        text += ". --skip-missing (skip_missing=True) evaluates those that have one"
    return text
