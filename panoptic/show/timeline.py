"""When which id was seen: a video at one glance, one row an id."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass, field

from PIL import Image, ImageDraw

from panoptic.results.frame import Event, PanopticFrame
from panoptic.results.segment import UNKNOWN_ID, Segment
from panoptic.show.drawing import INK, WHITE, Color, blend, shade, text_width, write
from panoptic.show.overlay import UNKNOWN_COLOR
from prompts import Vocabulary
from prompts.palette import palette

MOST_ROWS = 60
_ROW, _LETTERS, _HEAD, _EDGE = 22, 14, 30, 12
_GREY = blend(WHITE, INK, 0.55)
_PALE = blend(WHITE, INK, 0.07)
_CUT: Color = (205, 50, 60)


@dataclass
class Row:
    """One id: what it is, the spans of frames [start, stop) in which it has pixels, and the frames
    in which it was corrected."""

    id: int
    category_id: int
    category: str
    is_thing: bool
    spans: list[tuple[int, int]] = field(default_factory=list)
    corrected: list[int] = field(default_factory=list)

    @property
    def frames(self) -> int:
        """In how many frames it was seen."""
        return sum(stop - start for start, stop in self.spans)

    def see(self, frame: int) -> None:
        if self.spans and self.spans[-1][1] == frame:
            self.spans[-1] = (self.spans[-1][0], frame + 1)
        else:
            self.spans.append((frame, frame + 1))


class Timeline:
    """Gathers, frame by frame in rising order, when every id was seen.

    What it keeps grows with the number of ids and of their comings and goings, not with the
    frames. It shows itself in notebooks; :meth:`draw` gives the picture. ``vocabulary`` gives the
    colours of overlays.
    """

    def __init__(self, vocabulary: Vocabulary | None = None) -> None:
        self.rows: dict[int, Row] = {}
        self.cuts: list[int] = []
        self.start: int | None = None
        self.stop = 0
        self._vocabulary = vocabulary

    @classmethod
    def of(cls, frames: Iterable[PanopticFrame], vocabulary: Vocabulary | None = None) -> Timeline:
        """The timeline of frames that are at hand, or of a whole generator."""
        timeline = cls(vocabulary)
        for frame in frames:
            timeline.add(frame)
        return timeline

    def add(self, frame: PanopticFrame) -> None:
        self.add_segments(frame.index, frame.segmentation, frame.events)

    def add_segments(
        self, index: int, segments: Iterable[Segment], events: Iterable[Event] = ()
    ) -> None:
        """As :meth:`add`, without pixels. Raises ``ValueError`` if frames come out of order."""
        if self.start is not None and index < self.stop:
            raise ValueError(f"frames come in rising order: {index} came after {self.stop - 1}")
        self.start = index if self.start is None else self.start
        self.stop = index + 1
        for s in segments:
            row = self.rows.setdefault(s.id, Row(s.id, s.category_id, s.category, s.is_thing))
            row.category_id, row.category, row.is_thing = s.category_id, s.category, s.is_thing
            row.see(index)
        for event in events:
            if event.kind == "cut":
                self.cuts.append(index)
            elif event.kind == "corrected" and event.segment_id in self.rows:
                self.rows[event.segment_id].corrected.append(index)

    def draw(self, width: int = 960) -> Image.Image:
        """One bar a row from its first to its last frame, pale where it isn't seen; dots where it
        was corrected, red lines at cuts. Things first, in the order they came.

        Of more than ``MOST_ROWS`` ids those seen longest are drawn. Raises ``ValueError`` before
        the first frame.
        """
        if self.start is None:
            raise ValueError("there is no frame yet")
        chosen = sorted(self.rows.values(), key=lambda row: (-row.frames, row.id))[:MOST_ROWS]
        rows = sorted(chosen, key=lambda row: (not row.is_thing, row.spans[0][0], row.id))
        names = [f"{row.category} {row.id}" for row in rows]
        left = _EDGE * 2 + round(max([text_width(n, _LETTERS) for n in names], default=0))
        height = _HEAD + _ROW * max(len(rows), 1) + _EDGE + _ROW * (len(self.rows) > len(rows))
        picture = Image.new("RGB", (max(width, left + 100), height), WHITE)
        draw = ImageDraw.Draw(picture)
        scale = _Scale(self.start, self.stop, left, picture.width - _EDGE)
        bottom = _HEAD + _ROW * len(rows)
        self._draw_axis(draw, scale, bottom)
        colors = self._colors()
        for place, (row, name) in enumerate(zip(rows, names, strict=True)):
            middle = _HEAD + _ROW * place + _ROW // 2
            write(draw, (_EDGE, middle), name, INK, _LETTERS)
            _draw_row(draw, row, colors[row.id], scale, middle)
        for cut in self.cuts:
            x = round(scale(cut))
            draw.line((x, _HEAD - 6, x, bottom), _CUT, 2)
        if len(self.rows) > len(rows):
            text = f"and {len(self.rows) - len(rows)} more that were seen for shorter"
            write(draw, (_EDGE, bottom + _ROW // 2), text, _GREY, _LETTERS)
        return picture

    def _draw_axis(self, draw: ImageDraw.ImageDraw, scale: _Scale, bottom: int) -> None:
        for frame in scale.ticks():
            x = round(scale(frame))
            draw.line((x, _HEAD - 4, x, bottom), blend(WHITE, INK, 0.15), 1)
            text = str(frame)
            place = min(x - text_width(text, 12) / 2, scale.right - text_width(text, 12))
            write(draw, (place, 12), text, _GREY, 12)
        write(draw, (_EDGE, 12), "frame", _GREY, 12)

    def _colors(self) -> dict[int, Color]:
        kinds = sorted({(r.category_id, r.is_thing) for r in self.rows.values()})
        base = palette(kinds) | {UNKNOWN_ID: UNKNOWN_COLOR}
        if self._vocabulary is not None:
            base |= {c.id: self._vocabulary.color(c.id) for c in self._vocabulary}
        return {
            r.id: shade(base[r.category_id], r.id) if r.is_thing else base[r.category_id]
            for r in self.rows.values()
        }

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.draw().save(file, format="PNG")
        return file.getvalue()


@dataclass(frozen=True)
class _Scale:
    """From frames to pixels: frame f fills [scale(f), scale(f + 1))."""

    start: int
    stop: int
    left: int
    right: int

    def __call__(self, frame: int) -> float:
        share = (frame - self.start) / (self.stop - self.start)
        return self.left + share * (self.right - self.left)

    def ticks(self) -> range:
        """About eight frames with round numbers."""
        length = self.stop - self.start
        steps = (m * 10**e for e in range(9) for m in (1, 2, 5))
        step = next(s for s in steps if s * 8 >= length)
        return range(-(-self.start // step) * step, self.stop, step)


def _draw_row(
    draw: ImageDraw.ImageDraw, row: Row, color: Color, scale: _Scale, middle: int
) -> None:
    draw.line((scale.left, middle, scale.right, middle), _PALE, 1)
    first, last = scale(row.spans[0][0]), scale(row.spans[-1][1])
    draw.rectangle((first, middle - 2, last - 1, middle + 2), blend(color, WHITE, 0.7))
    for start, stop in row.spans:
        x0, x1 = scale(start), max(scale(stop) - 1, scale(start) + 1)
        draw.rectangle((x0, middle - 7, x1, middle + 7), color)
    for frame in row.corrected:
        x = (scale(frame) + scale(frame + 1)) / 2
        draw.ellipse((x - 3, middle - 3, x + 3, middle + 3), WHITE, INK)
