"""One page of HTML about a labelled data set: what is in it, and what to look at first."""

from __future__ import annotations

import base64
import io
import itertools
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path

from panoptic.dataset.html_parts import STYLE, bars, cells, columns, number, percent, table
from panoptic.dataset.review import DoubtfulLabel, worst_segments
from panoptic.dataset.statistics import Histogram, Statistics
from panoptic.dataset.store import DatasetStore
from panoptic.errors import OutputError
from panoptic.io.files import whole_file
from panoptic.io.names import printable
from panoptic.io.progress import Progress, shown
from panoptic.io.writer_lock import only_one_beside
from panoptic.results.labelled import LabelledItem
from panoptic.results.segmentation import PanopticSegmentation

log = logging.getLogger("panoptic.dataset")

_SIDE, _JPEG_QUALITY = 480, 85


@dataclass(frozen=True)
class ReportSettings:
    """How much the page shows; each overlay adds some 40 KB to it."""

    worst: int = 24
    failures: int = 200

    def __post_init__(self) -> None:
        if self.worst < 0 or self.failures < 0:
            raise ValueError(f"numbers of things to show are 0 or more, got {self}")


def write_report(
    store: DatasetStore,
    path: str | Path | None = None,
    settings: ReportSettings | None = None,
    *,
    progress: bool | Progress = True,
) -> Path:
    """Writes the page (``report.html`` of the data set if no path is given); returns its path.

    It needs no other file and no network: pictures and drawings are in it. The same data set gives
    the same bytes. A label or picture that is gone or damaged is told on the page, and to the log
    ``panoptic.dataset`` as a warning. ``progress`` shows a bar on a terminal; a callback in its
    place is called with the steps done and their number: one for every item read, and one for
    every drawing.

    An earlier page is replaced; ``OutputError`` where another file has its name, or where it can't
    be written, and ``DatasetError`` while another is being written there.
    """
    path = Path(path) if path is not None else store.root / "report.html"
    settings = settings or ReportSettings()
    if path.exists() and not _is_page(path):
        raise OutputError(f"{str(path)!r} is there, and is no report: give the page another name")
    try:
        with (
            only_one_beside(path, f"writing {path.name!r} into"),
            whole_file(path) as part,
            part.open("w", encoding="utf-8") as file,
            shown(progress, "steps") as tell,
        ):
            for text in _page(store, settings, tell):
                file.write(text)
    except OSError as error:
        raise OutputError(
            f"the page {str(path)!r} can't be written: {error.strerror or error}; it may be "
            "written elsewhere (-o FILE)"
        ) from error
    return path


def _is_page(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        start = file.read(400)
    return start.startswith(b"<!doctype html>") and b"<title>Labels of " in start


def _page(store: DatasetStore, settings: ReportSettings, tell: Progress) -> Iterator[str]:
    total = len(store) + min(len(store), settings.worst)
    statistics = Statistics.of(store, settings.worst, progress=lambda done, _: tell(done, total))
    name = escape(store.root.resolve().name)
    yield (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Labels of {name}</title>\n<style>{STYLE}</style>\n"
        f"<h1>Labels of {name}</h1>\n<p class=quiet>of {escape(store.source)}</p>\n"
    )
    yield from _summary(store, statistics)
    yield from _categories(store, statistics)
    yield from _histograms(store, statistics)
    yield from _worst(store, statistics, tell)
    yield from _failures(store, settings.failures)
    how = escape(json.dumps(store.settings, indent=1, ensure_ascii=False, default=str))
    yield f"<details><summary>How it was labelled</summary><pre>{how}</pre></details>\n</html>\n"


def _summary(store: DatasetStore, statistics: Statistics) -> Iterator[str]:
    counts = store.counts()
    facts = [(number(statistics.items), "labelled"), (number(counts.failed), "broken")]
    if counts.waiting:
        facts.append((number(counts.waiting), "not labelled yet"))
    if counts.gone:
        facts.append((number(counts.gone), "never labelled and no longer in the source"))
    if statistics.kinds["video"]:
        facts.append((number(statistics.kinds["video"]), "of them videos"))
    facts += [
        (number(sum(c.segments for c in statistics.categories.values())), "segments"),
        (percent(statistics.unlabelled), "of a picture unlabelled"),
        (number(statistics.empty), "without any segment"),
        (f"{statistics.item_qualities.mean:.2f}", "mean quality"),
    ]
    yield "<div class=facts>"
    for value, what in facts:
        yield f"<div><b>{value}</b><span>{what}</span></div>"
    yield "</div>\n<p>"
    splits = ", ".join(f"{name} {number(n)}" for name, n in sorted(statistics.splits.items()))
    yield f"Splits: {splits or 'none'}. "
    verdicts = ", ".join(f"{name} {number(n)}" for name, n in sorted(statistics.verdicts.items()))
    yield f"Verdicts: {verdicts or 'none yet'}.</p>\n"


def _categories(store: DatasetStore, statistics: Statistics) -> Iterator[str]:
    yield "<h2>Categories</h2>\n"
    most = max((c.segments for c in statistics.categories.values()), default=0)
    rows = []
    vocabulary = store.vocabulary
    for c in vocabulary:
        color = "rgb({},{},{})".format(*vocabulary.color(c.id))
        mark = f'<i style="background:{color}"></i>{escape(c.name)}'
        kind = "thing" if c.is_thing else "stuff"
        if c.id not in statistics.categories:
            rows.append(cells(mark, kind, "0", "", "0", "", "", "", ""))
            continue
        found = statistics.categories[c.id]
        rows.append(
            cells(
                mark,
                kind,
                number(found.segments),
                bars(found.segments / most, color),
                number(found.items),
                percent(found.share / statistics.items),
                f"{found.scores.mean:.2f}",
                f"{found.qualities.mean:.2f}" if len(found.qualities) else "",
                columns(found.qualities.counts, color, small=True),
            )
        )
    unnamed = [s for id, s in statistics.categories.items() if id not in vocabulary]
    if unnamed:
        segments, items = sum(s.segments for s in unnamed), max(s.items for s in unnamed)
        share = percent(sum(s.share for s in unnamed) / statistics.items)
        rows.append(cells("unknown", "", number(segments), "", number(items), share, "", "", ""))
    head = ("", "", "segments", "", "in items", "of pictures", "score", "quality", "qualities")
    yield table(head, rows)


def _histograms(store: DatasetStore, statistics: Statistics) -> Iterator[str]:
    yield "<h2>Scores and qualities</h2>\n<div class=charts>"
    for is_thing, kind in ((True, "things"), (False, "stuff")):
        wanted = {c.id for c in store.vocabulary if c.is_thing == is_thing}
        for title, what in (("Scores", "scores"), ("Qualities", "qualities")):
            merged = Histogram()
            for id in sorted(wanted & statistics.categories.keys()):
                other: Histogram = getattr(statistics.categories[id], what)
                pairs = zip(merged.counts, other.counts, strict=True)
                merged = Histogram([a + b for a, b in pairs])
            yield f"<figure>{columns(merged.counts)}<figcaption>{title} of {kind}</figcaption>"
            yield "</figure>"
    yield f"<figure>{columns(statistics.item_qualities.counts)}"
    yield "<figcaption>Qualities of items</figcaption></figure></div>\n"


def _worst(store: DatasetStore, statistics: Statistics, tell: Progress) -> Iterator[str]:
    yield "<h2>The worst, nobody judged yet</h2>\n"
    if not statistics.worst:
        yield "<p>None.</p>\n"
        return
    yield "<div class=cards>\n"
    read, total = statistics.items, statistics.items + len(statistics.worst)
    for drawn, item in enumerate(statistics.worst, start=1):
        source, note = _overlay(store, item)
        reasons = escape(
            DoubtfulLabel(item, worst_segments(store, item.key)).reasons(store.vocabulary)
        )
        note = f"<br><em>{escape(note)}</em>" if note else ""
        yield (
            f'<figure><img src="{source}" alt="">'
            f"<figcaption><b>{item.quality:.3f}</b> <code>{escape(item.key)}</code><br>"
            f"{reasons}{note}</figcaption></figure>\n"
        )
        tell(read + drawn, total)
    yield "</div>\n<p>Verdicts: <code>panoptic review</code>.</p>\n"


def _overlay(store: DatasetStore, item: LabelledItem) -> tuple[str, str]:
    """The drawing as a data URL, and what has to be said of it."""
    frame, note = item.frames // 2, ""
    if item.kind == "video":
        note = f"frame {frame} of {item.frames}"
    picture, label = None, PanopticSegmentation.empty(*item.size)
    try:  # whatever is odd about one, the page has the others
        label = item.load(frame)
        picture = item.picture(frame)
    except Exception as error:
        note = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        log.warning("not shown whole: %s: %s", item.key, printable(note, 2000))
    drawn = label.overlay(
        picture, colors=store.vocabulary, legend=False, min_side=_SIDE, max_side=_SIDE
    )
    buffer = io.BytesIO()
    drawn.convert("RGB").save(buffer, format="JPEG", quality=_JPEG_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}", note


def _failures(store: DatasetStore, most: int) -> Iterator[str]:
    total = store.counts().failed
    yield "<h2>Broken</h2>\n"
    if not total:
        yield "<p>None.</p>\n"
        return
    found = itertools.islice(store.failures(), most)
    yield table(("name", "reason"), [cells(escape(f.name), escape(f.error)) for f in found])
    if total > most:
        yield f"<p>and {number(total - most)} more.</p>\n"
