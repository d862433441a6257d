"""Published benchmarks, one file each; the file's name is the benchmark's name. `tightrope bench` lists and runs them.

A benchmark's file has a docstring (one sentence; "Paper:", "Run:", "Time:" with the CPU time of the default command), the
published figures as data, and what `tightrope.bench.protocol.Benchmark` asks for: METHODS, SEEDS, `cases`, `run`, `tables`.
The catalogue reads headers from the source text: listing imports no benchmark and no torch. A benchmark of your own is run by
its path: `tightrope bench ./mine.py`.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from tightrope.core.errors import InputError

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Header:
    """What a benchmark's file says of itself.

    Attributes:
        methods: name -> what it is, in a few words.
        seeds: how many are run by default.
        needs_data: what --data must name, where the benchmark needs the user's files; "" elsewhere.
    """

    name: str
    path: Path
    sentence: str
    paper: str
    time: str
    methods: dict[str, str]
    seeds: int
    needs_data: str


def names() -> list[str]:
    """Benchmarks that come with the package: files that say which METHODS they compare."""
    return sorted(path.stem for path in HERE.glob("*.py") if "\nMETHODS" in path.read_text(encoding="utf-8"))


def catalogue() -> list[Header]:
    """The header of every benchmark that comes with the package."""
    return [header(name) for name in names()]


def header(name: str) -> Header:
    """Read one benchmark's header; `name` is a name of `names()` or the path of a file."""
    path = _path(name)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    text = ast.get_docstring(tree) or ""
    found = _constants(tree)
    if "METHODS" not in found:
        raise InputError(f"{path}: a benchmark's file has a table METHODS, name to what it is; this one has none.")
    return Header(
        name=path.stem,
        path=path,
        sentence=" ".join(text.split("\n\n")[0].split()),
        paper=_paragraph(text, "Paper:"),
        time=_paragraph(text, "Time:"),
        methods=found["METHODS"],
        seeds=int(found.get("SEEDS", 1)),
        needs_data=str(found.get("NEEDS_DATA", "")),
    )


def find(name: str) -> ModuleType:
    """Import a benchmark."""
    path = _path(name)
    if path.parent == HERE:
        return importlib.import_module(f"tightrope.bench.{path.stem}")
    known = f"tightrope_bench_{path.stem}"
    if known in sys.modules:
        return sys.modules[known]
    spec = importlib.util.spec_from_file_location(known, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[known] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def _path(name: str) -> Path:
    if name in names():
        return HERE / f"{name}.py"
    path = Path(name)
    if path.suffix == ".py":
        if path.is_file():
            return path.resolve()
        raise InputError(f"{name}: no such benchmark file.")
    near = difflib.get_close_matches(name, names(), n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names())}, or the path of a .py file."
    raise InputError(f"no benchmark is called {name!r}: {hint}")


def _constants(tree: ast.Module) -> dict[str, Any]:
    """The literals among METHODS, SEEDS, NEEDS_DATA."""
    wanted = ("METHODS", "SEEDS", "NEEDS_DATA")
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


def _paragraph(text: str, word: str) -> str:
    """One paragraph of the header, like "Paper:", on one line."""
    lines = text.splitlines()
    start = next((i for i, line in enumerate(lines) if line.startswith(word)), None)
    if start is None:
        return ""
    rest = [lines[start].removeprefix(word)]
    for line in lines[start + 1 :]:
        if not line.startswith(" "):
            break
        rest.append(line)
    return " ".join(" ".join(rest).split())
