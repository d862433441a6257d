"""Published benchmarks, one file each; the file's name is the benchmark's name. `tightrope bench` lists and runs them.

A benchmark's file has a docstring (one sentence; "Paper:", "Run:", "Time:" with the CPU time of the default command), the
published figures as data, and what `tightrope.bench.protocol.Benchmark` asks for: METHODS, SEEDS, `cases`, `run`, `tables`.
The catalogue reads headers from the source text: listing imports no benchmark and no torch. A benchmark of your own is run by
its path: `tightrope bench ./mine.py`.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from tightrope.core.errors import InputError
from tightrope.core.shelf import Shelf, Source

SHELF = Shelf(Path(__file__).parent, "tightrope.bench", "benchmark", mark="\nMETHODS")


@dataclass(frozen=True)
class Header:
    """What a benchmark's file says of itself.

    Attributes:
        methods: name -> what it is, in a few words.
        seeds: how many are run by default.
        needs_data: what --data must name, where the benchmark needs the user's files; "" elsewhere.
        data: the benchmark's own data sets, where --data chooses among several.
    """

    name: str
    path: Path
    sentence: str
    paper: str
    time: str
    methods: dict[str, str]
    seeds: int
    needs_data: str
    data: tuple[str, ...] = ()


def names() -> list[str]:
    """Benchmarks that come with the package: files that say which METHODS they compare."""
    return SHELF.names()


def catalogue() -> list[Header]:
    """The header of every benchmark that comes with the package."""
    return [header(name) for name in names()]


def header(name: str) -> Header:
    """Read one benchmark's header; `name` is a name of `names()` or the path of a file."""
    source = Source.read(SHELF.path(name))
    path, found = source.path, _constants(source.tree)
    if "METHODS" not in found:
        raise InputError(f"{path}: a benchmark's file has a table METHODS, name to what it is; this one has none.")
    return Header(
        name=path.stem,
        path=path,
        sentence=source.sentence,
        paper=source.paragraph("Paper:"),
        time=source.paragraph("Time:"),
        methods=found["METHODS"],
        seeds=int(found.get("SEEDS", 1)),
        needs_data=str(found.get("NEEDS_DATA", "")),
        data=tuple(found.get("DATA", ())),
    )


def find(name: str) -> ModuleType:
    """Import a benchmark."""
    return SHELF.load(SHELF.path(name))


def _constants(tree: ast.Module) -> dict[str, Any]:
    """The literals among METHODS, SEEDS, NEEDS_DATA, DATA."""
    wanted = ("METHODS", "SEEDS", "NEEDS_DATA", "DATA")
    found: dict[str, Any] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            targets, value = [node.target], node.value
        else:
            continue
        found |= {t.id: ast.literal_eval(value) for t in targets if isinstance(t, ast.Name) and t.id in wanted}
    return found
