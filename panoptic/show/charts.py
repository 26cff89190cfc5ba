"""Charts as SVG: bars, a histogram, a reliability diagram, a matrix.

Text and lines have the page's colour. Colours are given as attributes, so that they show under a
content security policy that allows no styles. Shades go from light to dark in one hue, which
colour-blind eyes tell apart. What is pointed at tells its numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

BLUE, DEEP = "#2f7fe0", "#1b4f9c"
_LINE = 22
_INK = "currentColor"


@dataclass(frozen=True)
class Bar:
    """``share`` in [0, 1] is the length, ``told`` is written beside it."""

    name: str
    share: float
    told: str
    color: str = BLUE


@dataclass(frozen=True)
class Point:
    """Of a reliability diagram: a mean quality, the share that is right, and of how many."""

    quality: float
    right: float
    count: int


def bars(rows: Sequence[Bar], width: int = 460, names: int = 120) -> str:
    """A bar a row."""
    room = width - names - 92
    parts = []
    for place, row in enumerate(rows):
        y = place * _LINE
        long = max(room * min(max(row.share, 0.0), 1.0), 1.0)
        parts += [
            _text(names - 8, y + 15, _short(row.name, 17), "end"),
            _rect(names, y + 4, room, 14, _INK, 0.06),
            _rect(names, y + 4, long, 14, row.color, 1.0, f"{row.name}: {row.told}"),
            _text(names + room + 8, y + 15, row.told, "start", 0.75),
        ]
    return _svg(width, max(len(rows), 1) * _LINE + 2, parts)


def columns(counts: Sequence[int], width: int = 420, height: int = 120) -> str:
    """A histogram over 0 to 1."""
    most, step = max(*counts, 1), (width - 20) / len(counts)
    parts = [_line(10, height + 4, width - 10, height + 4, 0.4)]
    for place, count in enumerate(counts):
        high = height * count / most
        told = f"{place / len(counts):.2f} to {(place + 1) / len(counts):.2f}: {count}"
        parts.append(_rect(10 + place * step, 4 + height - high, step - 2, high, BLUE, 1, told))
    ends = (("0", 10, "start"), ("0.5", width / 2, "middle"), ("1", width - 10, "end"))
    parts += [_text(x, height + 20, text, anchor, 0.7) for text, x, anchor in ends]
    return _svg(width, height + 26, parts)


def reliability(points: Sequence[Point], side: int = 300) -> str:
    """Qualities against the share that was right, with how many there are of each; on the
    diagonal a quality is the probability that a segment is right."""
    left, top, foot = 44, 8, 64
    base = top + side
    parts = [_tag("line", x1=left, y1=base, x2=left + side, y2=top, stroke=_INK,
                  stroke_opacity=0.5, stroke_dasharray="5 4")]  # fmt: skip
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = top + side * (1 - share)
        parts += [
            _line(left, y, left + side, y, 0.12),
            _text(left - 6, y + 4, f"{share:g}", "end", 0.7),
            _text(left + side * share, base + 16, f"{share:g}", "middle", 0.7),
        ]
    most = max([point.count for point in points], default=1)
    places = [(left + p.quality * side, top + side * (1 - p.right)) for p in points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    parts.append(_tag("polyline", points=path, fill="none", stroke=BLUE, stroke_width=2))
    for point, (x, y) in zip(points, places, strict=True):
        told = f"quality {point.quality:.2f}: {point.right:.0%} right of {point.count}"
        part = point.count / most
        parts += [
            _rect(x - 10, base + foot - 34 * part - 4, 20, 34 * part, BLUE, 0.35, told),
            _tag("circle", told, cx=x, cy=y, r=4 + 7 * part**0.5, fill=BLUE, fill_opacity=0.85),
        ]
    parts += [
        _text(left + side / 2, base + foot + 14, "quality", "middle", 0.8),
        _turned(-90, 12, top + side / 2, "share that is right", "middle", 0.8),
    ]
    return _svg(left + side + 16, base + foot + 22, parts)


def matrix(rows: Sequence[str], columns: Sequence[str], shares: Sequence[Sequence[float]]) -> str:
    """Shares (rows, columns) in [0, 1] as squares, the darker the more."""
    cell, left, top = 30, 108, 92
    parts = []
    for y, (name, row) in enumerate(zip(rows, shares, strict=True)):
        down = top + y * cell
        parts.append(_text(left - 8, down + 19, _short(name, 14), "end"))
        for x, (word, share) in enumerate(zip(columns, row, strict=True)):
            along = left + x * cell
            parts.append(_rect(along, down, cell - 2, cell - 2, _INK, 0.05))
            if share < 0.005:  # nothing, in percent
                continue
            # By the square root, what is little shows, too.
            shade, opacity = DEEP if share > 0.5 else BLUE, 0.1 + 0.9 * share**0.5
            told = f"{name} labelled {word}: {share:.1%}"
            parts.append(_rect(along, down, cell - 2, cell - 2, shade, opacity, told))
            ink = "#fff" if share > 0.2 else _INK
            parts.append(_text(along + 14, down + 18, f"{share * 100:.0f}", "middle", 1, ink))
    for x, word in enumerate(columns):
        parts.append(_turned(-45, left + x * cell + 14, top - 8, _short(word, 14), "start", 1))
    return _svg(left + len(columns) * cell + 40, top + len(rows) * cell + 4, parts)


def _svg(width: float, height: float, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'role="img">{"".join(parts)}</svg>'
    )


def _tag(name: str, told: str = "", text: str = "", /, **attributes: float | str) -> str:
    """An element; ``told`` shows where it is pointed at."""
    written = "".join(
        f' {key.replace("_", "-")}="{value if isinstance(value, str) else f"{value:.4g}"}"'
        for key, value in attributes.items()
    )
    inside = escape(text) + (f"<title>{escape(told)}</title>" if told else "")
    return f"<{name}{written}>{inside}</{name}>"


def _rect(
    x: float, y: float, width: float, height: float, color: str, opacity: float, told: str = ""
) -> str:
    return _tag("rect", told, x=x, y=y, width=width, height=height, rx=3, fill=color,
                fill_opacity=opacity)  # fmt: skip


def _line(x1: float, y1: float, x2: float, y2: float, opacity: float) -> str:
    return _tag("line", x1=x1, y1=y1, x2=x2, y2=y2, stroke=_INK, stroke_opacity=opacity)


def _text(x: float, y: float, text: str, anchor: str, opacity: float = 1.0, ink: str = _INK) -> str:
    return _tag("text", "", text, x=x, y=y, font_size=12, text_anchor=anchor, fill=ink,
                fill_opacity=opacity, font_family="system-ui, DejaVu Sans, sans-serif",
                pointer_events="none")  # fmt: skip


def _turned(degrees: float, x: float, y: float, text: str, anchor: str, opacity: float) -> str:
    written = _text(x, y, text, anchor, opacity)
    return f'<g transform="rotate({degrees:g} {x:.4g} {y:.4g})">{written}</g>'


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
