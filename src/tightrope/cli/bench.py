"""`tightrope bench`: list the published benchmarks and run them. Listing imports no torch."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from argparse import Namespace
from pathlib import Path

from tightrope import bench as room
from tightrope.cli.parsing import Parser, nearest
from tightrope.core.errors import InputError


def arguments(parser: Parser) -> None:
    """The verb's flags."""
    parser.description = "Run a published benchmark and write a table beside the published one; without a name, list them."
    parser.epilog = """The same command again goes on: what is finished is not run twice.

examples:
  tightrope bench ring8                                  every method, 10 seeds
  tightrope bench grid25 --methods relativistic,gan --seeds 3 --minutes 20
  tightrope bench stacked_mnist --data ./mnist --methods swift
  tightrope bench stacked_mnist --data ./mnist --evaluate runs/00003-swift-stacked-mnist
  tightrope bench storm --configs 40 --seed 1 --data ring8,grid25 --json"""
    add = parser.add_argument
    add("name", nargs="?", metavar="NAME", help="a benchmark, or the path of a file of your own")
    add("--seeds", metavar="N", type=int, help="runs of each method (default: as published, see the list)")
    add("--methods", metavar="A,B", help="some of the benchmark's methods (default: all)")
    add("--minutes", metavar="M", type=float, help="stop after so long; what is left is said (default: until all is done)")
    add("--jobs", metavar="J", type=int, help="processes at once, of one thread each (default: the cores)")
    add("--out", metavar="DIR", type=Path, help="where results go (default: bench/NAME)")
    add("--data", metavar="PATH|A,B", help="your files, where it needs some; some of its data sets, where it has several")
    add("--configs", metavar="N", type=int, help="how many configurations, where the benchmark draws them (then as --seeds)")
    add("--seed", metavar="S", type=int, default=0, help="which draw of them (storm: 0 to develop on, others to test on)")
    add("--scale", metavar="S", type=float, help="share of the published amount of training, where it can be chosen")
    add("--evaluate", metavar="RUN", type=Path, help="only take the figures of a run or a generator.safetensors")


def bench(asked: Namespace) -> None:
    """List, evaluate or run."""
    if asked.name is None:
        _list(asked.json)
        return
    header = room.header(asked.name)
    _check(asked, header)
    from tightrope.bench.protocol import Ask

    methods = _methods(asked.methods, header)
    names, data = _data(asked.data, header)
    seeds = asked.configs or asked.seeds or header.seeds
    ask = Ask(methods=methods, seeds=seeds, scale=asked.scale, data=data, names=names, storm=asked.seed)
    if asked.evaluate is not None:
        _evaluate(asked, ask)
    else:
        _run(asked, header, ask)


def _run(asked: Namespace, header: room.Header, ask: object) -> None:
    from tightrope.bench import runner
    from tightrope.bench.protocol import Ask

    assert isinstance(ask, Ask)
    out = asked.out or Path("bench") / header.name
    jobs = asked.jobs or int(getattr(room.find(asked.name), "JOBS", 0)) or os.cpu_count() or 1
    tell = (lambda text: print(text, file=sys.stderr, flush=True)) if asked.json else (lambda text: print(text, flush=True))
    outcome = runner.run(asked.name, ask, out, jobs=jobs, minutes=asked.minutes, tell=tell)
    if asked.json:
        tables = [{"title": t.title, "head": t.head, "rows": t.rows, "notes": t.notes} for t in outcome.tables]
        record = {"benchmark": header.name, "done": len(outcome.results), "left": len(outcome.left), "out": str(out)}
        print(json.dumps({**record, "failures": outcome.failures, "tables": tables}, ensure_ascii=False))
    else:
        for table in outcome.tables:
            print(f"\n{table.text()}")
        where = f"; {out / 'table.md'}" if outcome.tables else ""
        print(f"\n{len(outcome.results)} of {len(outcome.results) + len(outcome.left)} cases are done{where}")
        if outcome.left:
            print(f"left: {_counted([case.method for case in outcome.left])}. The same command goes on.")
    if outcome.failures:
        more = f" (and {len(outcome.failures) - 1} more)" if len(outcome.failures) > 1 else ""
        raise InputError(f"{header.name}: a case could not be run{more}: {outcome.failures[0]}")


def _evaluate(asked: Namespace, ask: object) -> None:
    module = room.find(asked.name)
    if not hasattr(module, "evaluate"):
        raise InputError(f"bench {asked.name}: has no --evaluate; `tightrope evaluate RUN` judges any run.")
    figures = module.evaluate(asked.evaluate, ask)
    if asked.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:<24}{value:.4f}" if isinstance(value, float) else f"{name:<24}{value}")


def _check(asked: Namespace, header: room.Header) -> None:
    if asked.configs is not None and not header.data:
        raise InputError(f"--configs: bench {header.name} draws no configurations; say --seeds.")
    if asked.configs is not None and asked.seeds is not None:
        raise InputError("--configs and --seeds say the same here; leave one out.")
    for flag, least in (("seeds", 1), ("configs", 1), ("jobs", 1)):
        value = getattr(asked, flag)
        if value is not None and value < least:
            raise InputError(f"--{flag} {value}: must be at least {least}.")
    for flag in ("minutes", "scale"):
        value = getattr(asked, flag)
        if value is not None and not 0 < value < 1e7:
            raise InputError(f"--{flag} {value}: must be above 0.")
    if header.needs_data and asked.data is None:
        raise InputError(f"bench {header.name} needs {header.needs_data}: --data PATH.")
    if asked.out is not None and asked.out.exists() and not asked.out.is_dir():
        raise InputError(f"--out {asked.out}: is a file; name a directory.")


def _data(text: str | None, header: room.Header) -> tuple[tuple[str, ...], Path | None]:
    """(some of the benchmark's own data sets, the user's files): one of them is asked for."""
    if text is None or not header.data:
        return (), None if text is None else Path(text)
    names = tuple(word.strip() for word in text.split(",") if word.strip())
    for name in names:
        if name not in header.data:
            raise nearest(name, list(header.data), f"bench {header.name}: the data set")
    return names, None


def _methods(text: str | None, header: room.Header) -> tuple[str, ...]:
    if text is None:
        return tuple(header.methods)
    wanted = [word.strip() for word in text.split(",") if word.strip()]
    for word in wanted:
        if word not in header.methods:
            raise nearest(word, list(header.methods), f"bench {header.name}: the method")
    if not wanted:
        raise InputError(f"--methods {text!r}: names none; there are {', '.join(header.methods)}.")
    return tuple(method for method in header.methods if method in wanted)


def _list(as_json: bool) -> None:
    headers = room.catalogue()
    if as_json:
        keys = ("name", "sentence", "paper", "time", "methods", "seeds", "needs_data")
        print(json.dumps([{key: getattr(header, key) for key in keys} for header in headers], indent=2))
        return
    for header in headers:
        print(_wrapped(header.name, header.sentence))
        print(_wrapped("", header.paper))
        print(
            _wrapped("", f"{len(header.methods)} methods, {header.seeds} seed{'s' * (header.seeds > 1)}; {header.time}"),
            end="\n\n",
        )


def _wrapped(label: str, text: str, width: int = 15) -> str:
    return textwrap.fill(text, 110, initial_indent=f"{label:<{width}} ", subsequent_indent=" " * (width + 1))


def _counted(words: list[str]) -> str:
    """`gan 3, unrolled 10`."""
    return ", ".join(f"{word} {words.count(word)}" for word in dict.fromkeys(words))
