"""``panoptic review``: labels that need a look, and verdicts on them."""

from __future__ import annotations

import json
import sys
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from panoptic.commands.command import add, report
from panoptic.commands.terminal import show
from panoptic.io.names import printable
from panoptic.show.tables import Table

if TYPE_CHECKING:
    from panoptic.dataset.corrections import Correction
    from panoptic.dataset.review import DoubtfulLabel
    from panoptic.dataset.store import DatasetStore
    from panoptic.results.labelled import Verdict

COMMAND = "panoptic review"
VERDICTS = "Verdicts"
HEAD = ("key", "quality", "verdict", "worst segments", "picture")
_OPTIONS = {"accept": "--accept", "reject": "--reject", "corrected": "--correct", None: "--forget"}
EPILOG = """\
Without verdicts it lists the labels whose quality is below --below and that nobody judged yet, the
worst first. A segment's quality is the probability that it is right (the right word, and an IoU of
0.75 or more with what is there), a label's the share of its segments that is expected to be.

With verdicts it records them: they last through further runs, and decide what is exported.
Rejected ones never are, accepted and corrected ones always. To accept a corrected label is to
accept the correction; --reject and --forget withdraw it (docs/labels.md has all of it).

  panoptic review out --below 0.4
  panoptic review out --accept street/17 --accept street/18 --reject blurred
  panoptic review out --correct street/19=edited/street--19.json
  panoptic review out --corrections cvat_export.zip
  panoptic review out --verdicts verdicts.jsonl

A corrected file is COCO panoptic (JSON, or a PNG of the first label's ids) or COCO instances,
LabelMe's JSON, Label Studio's JSON or JSON-MIN, or CVAT's XML; a folder or zip of these will do.
--corrections finds the items by the names of their pictures. What a label can't hold, such as a
point, is left out and told. To get files to correct: panoptic export.

A line of verdicts.jsonl is {"key": "street/17", "verdict": "accept", "note": "ok"}, for a
correction with "file". Exit code 1 if some of the verdicts could not be taken.
"""


@dataclass(frozen=True)
class Asked:
    """One verdict that was asked for; ``file`` is the corrected one."""

    key: str
    verdict: Verdict | None
    note: str
    file: Path | None = None


def register(app: typer.Typer) -> None:
    add(app, "review", run, panel="Use", epilog=EPILOG)


def run(
    dataset: Annotated[Path, Argument(metavar="OUT", help="What panoptic dataset wrote.")],
    below: Annotated[
        float,
        Option(
            metavar="Q",
            min=0,
            max=1,
            help="List labels of which less than this share is expected to be right.",
        ),
    ] = 0.5,
    most: Annotated[int, Option(metavar="N", min=1, help="List no more than these.")] = 40,
    decided: Annotated[bool, Option("--decided", help="List those with a verdict, too.")] = False,
    as_json: Annotated[bool, Option("--json", help="List as JSON, a line an item.")] = False,
    accept: Annotated[
        list[str] | None, Option(metavar="KEY", help="It is right.", rich_help_panel=VERDICTS)
    ] = None,
    reject: Annotated[
        list[str] | None, Option(metavar="KEY", help="It is useless.", rich_help_panel=VERDICTS)
    ] = None,
    correct: Annotated[
        list[str] | None,
        Option(metavar="KEY=FILE", help="This is right instead.", rich_help_panel=VERDICTS),
    ] = None,
    corrections: Annotated[
        list[Path] | None,
        Option(
            metavar="FILE", help="All labels of a file, folder or zip.", rich_help_panel=VERDICTS
        ),
    ] = None,
    forget: Annotated[
        list[str] | None,
        Option(metavar="KEY", help="Take a verdict back.", rich_help_panel=VERDICTS),
    ] = None,
    verdicts: Annotated[
        Path | None,
        Option(metavar="FILE", help="Verdicts from JSON lines.", rich_help_panel=VERDICTS),
    ] = None,
    note: Annotated[
        str, Option(metavar="TEXT", help="Kept with the verdicts.", rich_help_panel=VERDICTS)
    ] = "",
) -> int:
    """List labels that need a look, or take verdicts on them."""
    from panoptic.dataset.review import doubtful_labels
    from panoptic.dataset.store import DatasetStore

    for text in correct or ():
        if "=" not in text:
            raise ValueError(f"--correct takes KEY=FILE, got {text!r}")
    listed = _read(verdicts) if verdicts is not None else []
    with DatasetStore.open(dataset) as store:
        asked = [Asked(_key(text), "accept", note) for text in accept or ()]
        asked += [Asked(_key(text), "reject", note) for text in reject or ()]
        asked += [_correction(text, store, note) for text in correct or ()]
        asked += [Asked(_key(text), None, note) for text in forget or ()]
        _refuse_two(asked)
        asked += listed
        if asked or corrections:
            failed = _record(store, asked)
            failed += sum(_correct_all(store, path, note) for path in corrections or ())
            return 1 if failed else 0
        found, total = doubtful_labels(store, below, most=most, decided=decided)
        if as_json:
            for label in found:
                print(json.dumps(_json(label), ensure_ascii=False))
            return 0
        if found:
            show(Table(HEAD, [_row(label, store) for label in found], numbers={1}))
            print()
        rest = "" if decided else " and wait for a verdict"
        more = f", of which {len(found)} are shown" if len(found) < total else ""
        print(f"{total} of {len(store)} labels are below {below:g}{rest}{more}")
    return 0


def _key(text: str) -> str:
    """A key as it was typed: some systems write ü as two characters, keys have one."""
    return unicodedata.normalize("NFC", text)


def _correction(text: str, store: DatasetStore, note: str) -> Asked:
    """KEY=FILE, where either may have "=" in it: the key is one that there is."""
    pairs = [
        (_key(text[:place]), Path(text[place + 1 :])) for place, c in enumerate(text) if c == "="
    ]
    known = [(key, file) for key, file in pairs if _is_known(key, store)]
    if len(known) > 1:
        known = [(key, file) for key, file in known if file.exists()] or known[:1]
    if len(known) > 1:
        raise ValueError(
            f"{text!r} may mean {' or '.join(f'{file} for {key!r}' for key, file in known)}: "
            "say which in a file for --verdicts"
        )
    key, file = (known or pairs)[0]
    return Asked(key, "corrected", note, file)


def _is_known(key: str, store: DatasetStore) -> bool:
    try:
        store.item(key)
    except (KeyError, UnicodeEncodeError):
        return False
    return True


def _read(path: Path) -> list[Asked]:
    """Verdicts from JSON lines; corrected files lie relative to theirs."""
    from prompts.text_files import path_named, read_text

    asked = []
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            key, verdict = entry["key"], entry["verdict"]
            file = path_named(path.parent, entry["file"]) if verdict == "corrected" else None
            if verdict not in ("accept", "reject", "corrected", None):
                raise ValueError(f"no verdict is called {verdict!r}")
            if not isinstance(key, str) or not isinstance(entry.get("note", ""), str):
                raise TypeError("key and note are texts")
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ValueError(
                f"{str(path)!r}, line {number}: expected key and verdict (accept, reject, null, or "
                f"corrected with a file), got {line[:80]!r}"
            ) from error
        asked.append(Asked(_key(key), verdict, entry.get("note", ""), file))
    return asked


def _correct_all(store: DatasetStore, path: Path, note: str) -> int:
    """Takes all corrections of a file; returns how many could not be taken."""
    from panoptic.dataset.review import correct_all
    from panoptic.errors import CorrectionError

    failed = 0
    try:
        for key, found in correct_all(store, path, note):
            if isinstance(found, CorrectionError):
                failed += 1
                report(COMMAND, f"{key}: {found}" if key else found)
            elif isinstance(found, str):
                print(f"{COMMAND}: {found}", file=sys.stderr)
            else:
                print(f"{key}: corrected")
                failed += _tell(key, found)
    except (CorrectionError, FileNotFoundError) as error:
        failed += 1
        report(COMMAND, error)
    return failed


def _tell(key: str, correction: Correction) -> int:
    """Says what a correction couldn't be taken of; returns how many frames that is."""
    for text in correction.notes:
        print(f"{COMMAND}: {key}: {text}", file=sys.stderr)
    for text in correction.refused:
        report(COMMAND, f"{key}: {text}")
    return len(correction.refused)


def _record(store: DatasetStore, asked: list[Asked]) -> int:
    """Takes verdicts; returns how many could not be taken."""
    from panoptic.dataset.review import correct

    failed = 0
    for each in asked:
        try:
            if each.file is not None:
                correction = correct(store, each.key, each.file, each.note)
                print(f"{each.key}: corrected")
                failed += _tell(each.key, correction)
            else:
                _give(store, each)
        except UnicodeEncodeError:  # bytes of a file name that no key has
            failed += 1
            report(COMMAND, f"no labelled item has the key {printable(each.key)!r}")
        except (KeyError, ValueError, OSError) as error:
            failed += 1
            report(COMMAND, str(error.args[0]) if error.args else str(error))
    return failed


def _give(store: DatasetStore, asked: Asked) -> None:
    """Gives a verdict, and says what became of a correction that stood."""
    before = store.corrections(asked.key)
    state = store.set_verdict(asked.key, asked.verdict, note=asked.note)
    if state == "corrected":
        told = "corrected; what is accepted is the correction (--forget takes it back)"
    else:
        told = asked.verdict or "no verdict any more"
        if before:
            files = ", ".join(map(str, list(before.values())[:3])) + (", ..." * (len(before) > 3))
            told += f"; its correction is withdrawn, --correct takes it again: {files}"
    print(f"{asked.key}: {told}")


def _refuse_two(asked: list[Asked]) -> None:
    """Options have no order, so a label can get one verdict from them."""
    verdicts: dict[str, set[str]] = {}
    for each in asked:
        verdicts.setdefault(each.key, set()).add(_OPTIONS[each.verdict])
    for key, given in verdicts.items():
        if len(given) > 1:
            raise ValueError(
                f"{key!r} is given two verdicts, {' and '.join(sorted(given))}: give one, or write "
                "them in their order into a file for --verdicts"
            )


def _row(label: DoubtfulLabel, store: DatasetStore) -> tuple[str, ...]:
    item = label.item
    reasons = label.reasons(store.vocabulary)
    return item.key, f"{item.quality:.3f}", item.verdict or "-", reasons, item.source


def _json(label: DoubtfulLabel) -> dict[str, object]:
    item = label.item
    worst = [{"id": s.id, "category_id": s.category_id, "quality": s.quality} for s in label.worst]
    return {
        **{"key": item.key, "quality": item.quality, "verdict": item.verdict},
        **{"source": item.source, "worst": worst},
    }
