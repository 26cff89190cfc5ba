"""An explanation in numbers: plain tables, for terminals and files."""

from __future__ import annotations

from panoptic.results.explanation import Explanation, Fate, KeptMask
from panoptic.show.tables import table


def describe(steps: Explanation) -> str:
    """All steps as text, with a hint where a word came to nothing."""
    result = steps.result
    things = ", ".join(c.name for c in steps.vocabulary.things) or "none"
    stuff = ", ".join(c.name for c in steps.vocabulary.stuff) or "none"
    void = 100 * float((result.ids == 0).mean())
    parts = [
        f"Picture of {result.width} x {result.height} pixels\nThings asked: {things}\n"
        f"Stuff asked: {stuff}",
        f"1. Boxes of things, and the masks they gave: {len(steps.boxes)}\n{_things(steps)}",
        f"2. Heatmaps of stuff: {len(steps.words)} words\n{_words(steps)}",
        f"3. Regions of stuff, and the masks they gave: {len(steps.regions)}\n{_regions(steps)}",
        f"4. Result: {len(result)} segments, {void:.1f} % of the pixels without a label\n"
        f"{_segments(steps)}",
    ]
    return "\n\n".join(parts)


def _things(steps: Explanation) -> str:
    head = ("#", "word", "score", "box", *_MASK_HEAD, "became")
    rows = [
        (
            str(i + 1),
            steps.vocabulary.by_id(int(steps.boxes.category_ids[i])).name,
            f"{steps.boxes.scores[i]:.2f}",
            " ".join(f"{v:.0f}" for v in steps.boxes.xyxy[i]),
            *_mask(mask),
            _became(fate),
        )
        for i, (mask, fate) in enumerate(zip(steps.thing_masks, steps.thing_fates, strict=True))
    ]
    lines = [table(head, rows)] if rows else []
    found = set(steps.boxes.category_ids.tolist())
    missed = [c.name for c in steps.vocabulary.things if c.id not in found]
    if missed:
        lines.append(
            f"No box above the detector's thresholds: {', '.join(missed)}. "
            "If one is there: a lower box threshold, or another word for it."
        )
    return "\n".join(lines) or "No things were asked for."


def _words(steps: Explanation) -> str:
    if not steps.words:
        return "No stuff was asked for."
    counts: dict[int, int] = {}
    for region in steps.regions:
        counts[region.category.id] = counts.get(region.category.id, 0) + 1
    rows = []
    for word in sorted(steps.words, key=lambda w: (-w.share, -w.highest)):
        number = counts.get(word.category.id, 0)
        note = ""
        if word.highest < steps.background:
            note = f"below the background level of {steps.background:g} everywhere"
        elif not word.share:
            note = "another word is likelier everywhere, or things cover it"
        elif not number:
            note = "only in pieces too small for a region"
        rows.append(
            (
                word.category.name,
                f"{word.highest:.2f}",
                f"{word.mean:.2f}",
                f"{100 * word.share:.1f} %",
                str(number),
                note,
            )
        )
    return table(("word", "highest", "mean", "likeliest in", "regions", ""), rows)


def _regions(steps: Explanation) -> str:
    rows = []
    for i, region in enumerate(steps.regions):
        taken = (
            "the heat alone" if region.chosen is None else f"SAM 2's {region.chosen + 1}., and heat"
        )
        rows.append(
            (
                str(i + 1),
                region.category.name,
                f"{100 * region.area:.1f} %",
                f"{region.score:.2f}",
                str(len(steps.points[i])),
                taken,
                *_mask(region.mask),
                _became(region.fate),
            )
        )
    head = ("#", "word", "area", "heat", "points", "mask taken", *_MASK_HEAD, "became")
    return table(head, rows) if rows else "No regions."


def _segments(steps: Explanation) -> str:
    pixels = steps.result.height * steps.result.width
    rows = [
        (
            str(s.id),
            s.category,
            "thing" if s.is_thing else "stuff",
            f"{s.score:.2f}",
            "" if s.quality is None else f"{s.quality:.2f}",
            f"{100 * s.area / pixels:.1f} %",
        )
        for s in steps.result
    ]
    return table(("id", "word", "", "score", "quality", "area"), rows) if rows else "No segments."


_MASK_HEAD = ("SAM 2's own IoU", "stable", "fits")


def _mask(mask: KeptMask) -> tuple[str, str, str]:
    values = (mask.predicted_iou, mask.stability, mask.agreement)
    first, second, third = ("-" if v is None else f"{v:.2f}" for v in values)
    return first, second, third


def _became(fate: Fate) -> str:
    return f"segment {fate.segment_id}" if fate.segment_id is not None else fate.reason
