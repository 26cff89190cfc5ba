"""How results show themselves in notebooks: as a picture, and as a picture with a table."""

from __future__ import annotations

import base64
import html
import io

from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation
from panoptic.show.drawing import Color
from panoptic.show.overlay import category_colors, overlay, segment_colors


def to_png(result: PanopticSegmentation, max_side: int = 1024) -> bytes:
    """The overlay as PNG, for notebooks: its longer side is at most ``max_side``."""
    stream = io.BytesIO()
    overlay(result, max_side=max_side).save(stream, format="PNG")
    return stream.getvalue()


def to_html(result: PanopticSegmentation, max_side: int = 1024, max_rows: int = 40) -> str:
    """The overlay and a table of the segments as one piece of HTML."""
    stream = io.BytesIO()
    drawn = overlay(result, max_side=max_side, legend=False)
    drawn.save(stream, format="PNG")
    source = base64.b64encode(stream.getvalue()).decode()
    shades = segment_colors(result, category_colors(result))
    pixels = result.height * result.width
    rows = [_html_row(s, shades[s.id], pixels) for s in result.segments[:max_rows]]
    if len(result) > max_rows:
        rows.append(f"<tr><td></td><td colspan=6>and {len(result) - max_rows} more</td></tr>")
    head = "".join(f"<th>{t}</th>" for t in ("", "category", "", "score", "quality", "area", "id"))
    return (
        f'<div style="display:flex;flex-wrap:wrap;gap:1em;align-items:flex-start">'
        f'<img alt="panoptic segmentation" style="max-width:100%" '
        f'src="data:image/png;base64,{source}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _html_row(s: Segment, color: Color, pixels: int) -> str:
    swatch = f'<div style="width:1em;height:1em;border-radius:3px;background:rgb{color}"></div>'
    quality = "" if s.quality is None else f"{s.quality:.2f}"
    cells = (
        *(swatch, html.escape(s.category), "thing" if s.is_thing else "stuff"),
        *(f"{s.score:.2f}", quality, f"{100 * s.area / pixels:.1f} %", str(s.id)),
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
