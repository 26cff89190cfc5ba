"""Tables and drawings of the report, as HTML and SVG."""

from __future__ import annotations

from collections.abc import Sequence

STYLE = """
:root{color-scheme:light dark;--ink:#1c2330;--quiet:#667085;--line:#d9dee7;--back:#fff;
--fill:#3b6fd6}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ef;--quiet:#98a2b3;--line:#344054;
--back:#12161e;--fill:#7aa2f7}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--back);margin:2rem auto;
max-width:1180px;padding:0 1rem}
h1{font-size:1.6rem;margin:0}h2{font-size:1.15rem;margin:2.2rem 0 .8rem}
.quiet,figcaption em{color:var(--quiet)}p{margin:.4rem 0}
.facts{display:flex;flex-wrap:wrap;gap:.7rem;margin:1.2rem 0}
.facts div{border:1px solid var(--line);border-radius:8px;padding:.6rem 1rem;min-width:6rem}
.facts b{display:block;font-size:1.4rem;font-variant-numeric:tabular-nums}
.facts span{color:var(--quiet);font-size:.85rem}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th{color:var(--quiet);font-weight:500;text-align:left;font-size:.85rem}
td,th{padding:.25rem .8rem .25rem 0;border-bottom:1px solid var(--line);vertical-align:middle;
overflow-wrap:anywhere}
td i{display:inline-block;width:.8em;height:.8em;border-radius:3px;margin-right:.5em}
.charts{display:flex;flex-wrap:wrap;gap:1.2rem}figure{margin:0}
figcaption{font-size:.85rem;overflow-wrap:anywhere}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(340px,1fr));gap:1.2rem}
.cards img{width:100%;border-radius:6px;display:block;margin-bottom:.3rem}
pre{overflow:auto;font-size:.8rem}summary{cursor:pointer;margin-top:2rem}
"""


def number(value: int) -> str:
    """With thin spaces between thousands."""
    return f"{value:,}".replace(",", "\u202f")


def percent(share: float) -> str:
    return f"{100 * share:.1f}\u202f%"


def cells(*texts: str) -> str:
    """A row of a table; the texts are HTML."""
    return "<tr>" + "".join(f"<td>{text}</td>" for text in texts) + "</tr>"


def table(head: Sequence[str], rows: Sequence[str]) -> str:
    titles = "".join(f"<th>{title}</th>" for title in head)
    return f"<table>\n<tr>{titles}</tr>\n" + "\n".join(rows) + "\n</table>\n"


def bars(share: float, color: str) -> str:
    """A bar of 0 to 1 of its full length."""
    return (
        '<svg width="120" height="10" role="img">'
        f'<rect width="{120 * share:.1f}" height="10" rx="2" style="fill:{color}"/></svg>'
    )


def columns(counts: Sequence[int], color: str = "var(--fill)", *, small: bool = False) -> str:
    """A histogram over 0 to 1. Columns tell their range and count when pointed at."""
    width, height, foot = (100, 22, 0) if small else (220, 110, 16)
    most = max(*counts, 1)
    step = width / len(counts)
    parts = [f'<svg width="{width}" height="{height + foot}" role="img">']
    for place, count in enumerate(counts):
        tall = height * count / most
        if count:
            tall = max(tall, 1.0)
        low, high = place / len(counts), (place + 1) / len(counts)
        parts.append(
            f'<rect x="{place * step:.1f}" y="{height - tall:.1f}" width="{step - 1:.1f}" '
            f'height="{tall:.1f}" style="fill:{color}"><title>{low:.2f} to {high:.2f}: {count}'
            "</title></rect>"
        )
    if not small:
        parts.append(f'<line x2="{width}" y1="{height}" y2="{height}" stroke="currentColor"/>')
        for text, x, anchor in (("0", 0, "start"), ("1", width, "end")):
            parts.append(
                f'<text x="{x}" y="{height + 13}" font-size="11" fill="currentColor" '
                f'text-anchor="{anchor}">{text}</text>'
            )
    return "".join(parts) + "</svg>"
