"""The verbs that touch data or networks. Each is what `tightrope.api` does in one call, and prints the outcome."""

from __future__ import annotations

import json
import os
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np

from tightrope import api
from tightrope import data as data_room
from tightrope.cli import console
from tightrope.cli.judging import metrics_table
from tightrope.core.files import write_atomically


def train(arguments: Namespace, recipe: str, data: str, fields: dict[str, Any]) -> None:
    """Train, judge, report; then say where everything is and what to do next."""
    how = (
        "runs", "size", "device", "precision", "threads", "tick", "checkpoint_minutes", "judge", "watch", "care", "rate_test",
        "guard", "allow_safer", "enough", "until", "held_out", "look", "start", "freeze",
    )  # fmt: skip
    options = {key: getattr(arguments, key) for key in how}
    command = ("tightrope", *sys.argv[1:])

    def work(listeners: tuple[Any, ...]) -> api.Run:
        return api.train(
            recipe, data, preset=arguments.preset, run=arguments.run, seen=arguments.seen, minutes=arguments.minutes,
            seed=arguments.seed, options=api.Options(**options, listeners=listeners, command=command), **fields,
        )  # fmt: skip

    _watched(work, arguments.json)


def resume(arguments: Namespace) -> None:
    """Go on with a run."""
    _watched(
        lambda listeners: api.resume(arguments.run, recipe=arguments.recipe, options=api.Options(listeners=listeners)),
        arguments.json,
    )


def _watched(work: Any, as_json: bool) -> None:
    """Run `work` with a listener that shows its progress, then print the outcome."""
    if as_json:
        run = work((console.JsonLines(),))
        if api.is_chief():
            print(json.dumps({"event": "result", "run": str(run.path), "metrics": run.metrics}, default=str))
        return
    with console.Progress() as progress:
        run = work((progress,))
    if api.is_chief():
        print(metrics_table(run.metrics))
        print(f"\nreport   {run.path / 'report.html'}")
        spec = run.record["data"]["spec"]
        use = "translate {} PICTURES --out results" if spec.get("given") else "sample {} --seeds 0-63 --out samples --grid"
        use = "sample {} -n 10000 --out rows.csv" if spec["modality"] == "table" else use
        print(f"then     tightrope {use.format(run.path)}")


def report(arguments: Namespace) -> None:
    """Write the report."""
    path = api.Run(arguments.run).report()
    print(json.dumps({"report": str(path)}) if arguments.json else path)


def data(arguments: Namespace) -> None:
    """List the embedded sets, or show one source."""
    if arguments.data is None:
        names = data_room.names()
        if arguments.json:
            print(json.dumps(names, indent=2))
        else:
            print("\n".join(f"{name:<12}{about}" for name, about in names.items()))
        return
    facts = data_room.inspect(arguments.data, size=arguments.size)
    if arguments.grid:
        loaded = data_room.load(arguments.data, size=arguments.size)
        _picture(arguments.grid, data_room.sheet(loaded, 64 if not loaded.modality.exact else 2500))
    if "table" in facts and not arguments.json:
        from tightrope.data.tables.summary import text

        print(text(facts))
        return
    print(json.dumps(facts, indent=2, ensure_ascii=False, default=str) if arguments.json else _facts(facts))


def _facts(facts: dict[str, Any], indent: str = "") -> str:
    """A nested dictionary as aligned lines; long lists are cut with their count."""
    lines = []
    for key, value in facts.items():
        if isinstance(value, dict) and len(value) > 40:
            first = dict(list(value.items())[:10])
            lines += [f"{indent}{key} ({len(value)})", _facts(first, indent + "  "), f"{indent}  ... (--json lists all)"]
        elif isinstance(value, dict):
            lines += [f"{indent}{key}", _facts(value, indent + "  ")] if value else []
        elif isinstance(value, tuple) and len(value) > 40:
            lines.append(f"{indent}{key:<{24 - len(indent)}}{', '.join(map(str, value[:5]))} ... {value[-1]} ({len(value)})")
        elif isinstance(value, list):
            shown = [f"{indent}  {item}" for item in value[:20]]
            more = [f"{indent}  ... and {len(value) - 20} more (--json lists all)"] if len(value) > 20 else []
            lines += [f"{indent}{key} ({len(value)})", *shown, *more]
        elif value is not None:
            lines.append(f"{indent}{key:<{24 - len(indent)}}{value}")
    return os.linesep.join(lines)


def _picture(path: Path, pixels: np.ndarray) -> Path:
    from PIL import Image

    write_atomically(path, lambda p: Image.fromarray(pixels).save(p, format="PNG"))
    return path
