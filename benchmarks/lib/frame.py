"""The one shape of all benchmarks: options, where results go, the verdict and the exit code.

A module hands its options and its measure to a :class:`Benchmark`, whose ``run`` does the rest:

- the machine is named first, with what its processor has, and the verdict is the last line;
- ``--quick`` puts small values where none were given, and leaves ``benchmarks/results`` alone;
- ``--json FILE`` writes everything, ``--results DIR`` numbers and tables as NAME.json and NAME.md;
- the exit code is 0, or 1 where a bound is missed, or 2 where nothing could be measured.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.lib.host import describe
from panoptic.commands.options import hide_advice, quiet

hide_advice()  # before the benchmark imports what gives some

RESULTS = Path(__file__).parents[1] / "results"
PASSED, MISSED, UNABLE = 0, 1, 2


class NotMeasured(Exception):
    """What a benchmark needs isn't there; the message says what to do."""


@dataclass(frozen=True)
class Bound:
    """A figure with what it must reach, ``least``, or must not pass, ``most``."""

    name: str
    value: float
    least: float | None = None
    most: float | None = None

    @property
    def missed(self) -> bool:
        """A figure that is not a number reaches nothing."""
        above = self.least is None or self.value >= self.least
        below = self.most is None or self.value <= self.most
        return not (above and below)

    def __str__(self) -> str:
        asked = [
            f"{word} {value:.6g}"
            for word, value in (("at least", self.least), ("at most", self.most))
            if value is not None
        ]
        return f"{self.name} {self.value:.4g} ({' and '.join(asked)})"


@dataclass(frozen=True)
class Outcome:
    """What was measured: ``numbers`` as JSON holds them, ``text`` as Markdown, the verdict in a
    sentence, and the bounds, none of them where figures are only told.

    ``stem`` names the files of results where it isn't the benchmark's name, and None writes none:
    only a part was asked for.
    """

    numbers: Mapping[str, Any]
    text: str
    verdict: str
    bounds: Sequence[Bound] = ()
    stem: str | None = ""

    @property
    def missed(self) -> list[Bound]:
        return [bound for bound in self.bounds if bound.missed]

    def sentence(self, name: str) -> str:
        """The verdict in one line, with the bounds that are missed."""
        if self.missed:
            return f"{name}: MISSED: {'; '.join(map(str, self.missed))}. {self.verdict}"
        kind = "PASS" if self.bounds else "measured only, no bound"
        return f"{name}: {kind}: {self.verdict}"


@dataclass(frozen=True)
class Benchmark:
    """A command. ``measure`` gives an outcome, or one after another: each is written as it comes,
    so that an end before the end leaves what there is, and the last is judged.

    Beside its own options, ``measure`` gets ``quick``, ``device`` by its full name ("cpu" where
    there is no such option), ``machine`` in words and ``results``, the folder or None.
    """

    module: str
    about: str
    measure: Callable[[argparse.Namespace], Outcome | Iterator[Outcome]]
    options: Callable[[argparse.ArgumentParser], None] = lambda parser: None
    quick: Mapping[str, Any] = field(default_factory=dict)
    """Values of options in a quick run, where they aren't given."""
    quick_means: str = ""
    """What a quick run leaves out or judges less strictly, for the help and for its output."""
    keeps_results: bool = True
    """Whether a whole run writes to ``benchmarks/results`` without being told to."""

    @property
    def name(self) -> str:
        return self.module.rpartition(".")[2]

    def parser(self) -> argparse.ArgumentParser:
        parser = argparse.ArgumentParser(
            prog=f"python -m {self.module}",
            description=self.about,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        add = parser.add_argument
        means = f": {self.quick_means}" if self.quick_means else ""
        add("--quick", action="store_true", help=f"under a minute on two cores{means}")
        add("--json", type=Path, metavar="FILE", help="write all that was measured to this file")
        default = "benchmarks/results unless --quick" if self.keeps_results else "none"
        add("--results", type=Path, metavar="DIR", help=f"for numbers and tables ({default})")
        add("--no-results", action="store_true", help="write none")
        self.options(parser)
        return parser

    def run(self, argv: Sequence[str] | None = None) -> int:
        parser = self.parser()
        arguments = parser.parse_args(argv)
        if arguments.quick:
            parser.set_defaults(**self.quick)
            arguments = parser.parse_args(argv)
        given = {name: _plain(value) for name, value in vars(arguments).items()}
        self._prepare(arguments)
        print(arguments.machine, flush=True)
        if arguments.quick and self.quick_means:
            print(f"Quick: {self.quick_means}.", flush=True)
        start, busy = time.perf_counter(), _processor_seconds()
        outcome = None
        try:
            found = self.measure(arguments)
            for outcome in [found] if isinstance(found, Outcome) else found:
                seconds = time.perf_counter() - start
                content = {
                    "benchmark": self.module,
                    "machine": arguments.machine,
                    "arguments": given,
                    "seconds": round(seconds, 1),
                    "processor_seconds": round(_processor_seconds() - busy, 1),
                    "verdict": outcome.sentence(self.name),
                    "bounds": [vars(bound) | {"missed": bound.missed} for bound in outcome.bounds],
                    "numbers": outcome.numbers,
                }
                self._write(arguments, outcome, content)
        except NotMeasured as error:
            print(f"{self.name}: NOT MEASURED: {error}")
            return UNABLE
        if outcome is None:
            raise RuntimeError(f"{self.module} measured nothing")
        print(f"\n{outcome.text.rstrip()}\n\n{content['seconds']:.0f} seconds.")
        print(outcome.sentence(self.name))
        return MISSED if outcome.missed else PASSED

    def _prepare(self, arguments: argparse.Namespace) -> None:
        """Adds what every measure gets."""
        import torch

        from panoptic.devices import choose_device

        quiet()
        arguments.device = (
            choose_device(arguments.device) if hasattr(arguments, "device") else "cpu"
        )
        if arguments.quick and arguments.device == "cpu":
            torch.set_num_threads(1)  # what is small only loses time to threads
        arguments.machine = describe(arguments.device)
        if arguments.no_results:
            arguments.results = None
        elif arguments.results is None and self.keeps_results and not arguments.quick:
            arguments.results = RESULTS

    def _write(
        self, arguments: argparse.Namespace, outcome: Outcome, content: Mapping[str, Any]
    ) -> None:
        as_json = partial(json.dumps, indent=1, ensure_ascii=False)
        if arguments.json:
            arguments.json.parent.mkdir(parents=True, exist_ok=True)
            arguments.json.write_text(as_json(content) + "\n", encoding="utf-8")
        if arguments.results and outcome.stem is not None:
            arguments.results.mkdir(parents=True, exist_ok=True)
            file = arguments.results / f"{outcome.stem or self.name}.json"
            file.write_text(as_json(outcome.numbers) + "\n", encoding="utf-8")
            text = (
                f"{outcome.text.rstrip()}\n\n{content['verdict']}\n\n"
                f"{content['seconds']:.0f} seconds on {arguments.machine}.\n"
            )
            file.with_suffix(".md").write_text(text, encoding="utf-8")


def add_device(parser: argparse.ArgumentParser, default: str | None = None) -> None:
    """The option ``--device``, for what runs on others than the processor too."""
    parser.add_argument(
        "--device", default=default, help=f"default: {default or 'a GPU if there is one'}"
    )


def _processor_seconds() -> float:
    """Of this process and of those that it started and that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _plain(value: Any) -> Any:
    """As JSON can hold it."""
    if isinstance(value, list | tuple | range):
        return [_plain(each) for each in value]
    return value if value is None or isinstance(value, bool | int | float) else str(value)
