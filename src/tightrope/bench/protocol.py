"""What a benchmark is to the runner: a table of methods, cases, and tables of results. No torch here.

    METHODS = {"gan": "the plain loop"}            # a literal, read without importing the file
    SEEDS = 10                                     # by default
    NEEDS_DATA = "a folder with MNIST's IDX files" # only where the user's files are needed
    DATA = ("ring8", "grid25")                     # only where --data chooses among sets of the benchmark's own

    def cases(ask: Ask) -> list[Case]: ...
    def run(case: Case, folder: Path) -> Figures: ...
    def tables(results: list[Result]) -> list[Table]: ...

and where they say more: `picture(results, folder) -> uint8 (H, W, 3)`, and `evaluate(path, ask) -> Figures` for
`tightrope bench NAME --evaluate RUN`. `folder` is the case's own and stays when a run is interrupted: what `run` leaves there
(a run directory, say) is found again by the same case, and removed by the runner when the case is done, but for `KEEP`.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, Protocol

import numpy as np

Figures = dict[str, Any]  # name -> number, or a short list of numbers


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ask:
    """What the user asked for.

    Attributes:
        methods: some of the benchmark's, in its order.
        seeds: how many; the seeds are 0 ... seeds - 1.
        scale: of the published amount of training; None is the benchmark's default.
        data: the user's files, where the benchmark needs them.
        names: some of the benchmark's own data sets, where it has several; empty: all.
        storm: number of the draw, where configurations are drawn.
    """

    methods: tuple[str, ...]
    seeds: int
    scale: float | None = None
    data: Path | None = None
    names: tuple[str, ...] = ()
    storm: int = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    """One training (or one measurement): everything that decides its outcome. `settings` hold plain JSON values."""

    benchmark: str
    method: str
    seed: int
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def key(self) -> str:
        """Equal for equal cases."""
        return json.dumps([self.benchmark, self.method, self.seed, self.settings], sort_keys=True)

    @property
    def label(self) -> str:
        """For people: the method, the setting where settings hold one of that name, the seed."""
        setting = [str(self.settings["setting"])] if "setting" in self.settings else []
        return " ".join([self.method, *setting, f"seed {self.seed}"])


@dataclasses.dataclass(frozen=True, kw_only=True)
class Result:
    """A case that is done: one line of results.jsonl."""

    case: Case
    figures: Figures
    cpu_seconds: float
    versions: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        return {
            **dataclasses.asdict(self.case), "figures": self.figures,
            "cpu_seconds": self.cpu_seconds, "versions": self.versions,
        }  # fmt: skip

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Result:
        case = Case(**{key: record[key] for key in ("benchmark", "method", "seed", "settings")})
        return cls(case=case, **{key: record[key] for key in ("figures", "cpu_seconds", "versions")})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Table:
    """A table of strings: a title, a head, rows, and sentences below it."""

    title: str
    head: tuple[str, ...]
    rows: list[tuple[str, ...]]
    notes: tuple[str, ...] = ()

    def markdown(self) -> str:
        """For a file of Markdown."""
        lines = [f"### {self.title}", "", _line(self.head), _line(("---",) * len(self.head)), *map(_line, self.rows), ""]
        return "\n".join([*lines, *[f"{note}\n" for note in self.notes]])

    def text(self) -> str:
        """For a terminal: columns in line."""
        widths = [max(len(row[i]) for row in [self.head, *self.rows]) for i in range(len(self.head))]
        both = (zip(row, widths, strict=True) for row in [self.head, *self.rows])
        lines = ["  ".join(f"{cell:<{width}}" for cell, width in row).rstrip() for row in both]
        return "\n".join([self.title, "", lines[0], "-" * len(lines[0]), *lines[1:], "", *self.notes])


def _line(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


class Benchmark(Protocol):
    """A module of this package (or a file of the user's)."""

    METHODS: dict[str, str]
    SEEDS: int

    def cases(self, ask: Ask) -> list[Case]:
        """All cases, those first that should be run first."""
        ...

    def run(self, case: Case, folder: Path) -> Figures:
        """One case, in one thread. A training that diverges is a result (figures that say so), not an error."""
        ...

    def tables(self, results: list[Result]) -> list[Table]:
        """Ours beside the published; called with the results there are, which may be some of the cases only."""
        ...


def spread(values: list[float], digits: int = 1) -> str:
    """Mean and standard error, `7.9 ± 0.1`; the value alone where there is one; a dash where there is none."""
    if not values:
        return "–"
    mean = f"{np.mean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ± {np.std(values, ddof=1) / len(values) ** 0.5:.{digits}f}"


def of(results: list[Result], name: str, **wanted: Any) -> list[float]:
    """One figure of the results whose method or settings are as wanted; None among them (not a number) is left out."""

    def fits(case: Case) -> bool:
        return all((case.method if key == "method" else case.settings.get(key)) == value for key, value in wanted.items())

    chosen = (result.figures.get(name) for result in results if fits(result.case))
    return [float(value) for value in chosen if value is not None]
