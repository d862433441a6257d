"""The verbs that touch data or networks. Each is what `tightrope.api` does in one call, and prints the outcome."""

from __future__ import annotations

import json
import os
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tightrope import api
from tightrope import data as data_room
from tightrope.cli import console
from tightrope.cli.judging import metrics_table
from tightrope.cli.parsing import seed_list
from tightrope.core.errors import InputError
from tightrope.core.files import write_atomically

ARC = 12  # frames of an interpolation from one seed to the next


def train(arguments: Namespace, recipe: str, data: str, fields: dict[str, Any]) -> None:
    """Train, judge, report; then say where everything is and what to do next."""
    options = {
        key: getattr(arguments, key)
        for key in ("runs", "size", "device", "precision", "threads", "tick", "checkpoint_minutes", "judge", "watch")
    }
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
        print(f"samples  tightrope sample {run.path} --seeds 0-63 --out samples --grid")


def report(arguments: Namespace) -> None:
    """Write the report."""
    path = api.Run(arguments.run).report()
    print(json.dumps({"report": str(path)}) if arguments.json else path)


def sample(arguments: Namespace) -> None:
    """Write samples, and what was asked for beside them."""
    seeds = seed_list(arguments.seeds)
    out = Path(arguments.out)
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out}: is a file; name a directory.")
    generator = (
        api.Run(arguments.run, arguments.recipe).generator(best=True)
        if arguments.best
        else api.load(arguments.run, arguments.recipe)
    )
    modality = data_room.modality_of(generator.spec)
    samples = generator.sample(seeds=seeds)
    out.mkdir(parents=True, exist_ok=True)
    written = modality.save(samples, [f"{seed:06d}" for seed in seeds], out)
    if arguments.grid:
        written.append(_picture(out / "grid.png", modality.grid(samples)))
    if arguments.npz:
        array = modality.to_array(samples)
        written.append(out / "samples.npz")
        write_atomically(written[-1], lambda p: _save_npz(p, samples=array, seeds=np.array(seeds)))
    if arguments.gif:
        written.append(out / "interpolation.gif")
        path = generator.interpolate(seeds[:16], ARC)  # each cell walks the same closed path, an arc ahead of its neighbour
        cells = torch.arange(min(16, len(seeds))) * ARC
        frames = [modality.grid(path[(frame + cells) % len(path)]) for frame in range(len(path))]
        write_atomically(written[-1], lambda p: _save_gif(p, frames))
    if arguments.json:
        print(json.dumps([str(path) for path in written]))
    else:
        print(f"{len(written)} files in {out}: {written[0].name} ... {written[-1].name}" if len(written) > 1 else written[0])


def data(arguments: Namespace) -> None:
    """List the embedded sets, or show one source."""
    if arguments.data is None:
        names = data_room.names()
        if arguments.json:
            print(json.dumps(names, indent=2))
        else:
            print("\n".join(f"{name:<10}{about}" for name, about in names.items()))
        return
    facts = data_room.inspect(arguments.data, size=arguments.size)
    if arguments.grid:
        loaded = data_room.load(arguments.data, size=arguments.size)
        index = data_room.pick(loaded, 64 if not loaded.modality.exact else 2500, 0)
        _picture(arguments.grid, loaded.modality.grid(loaded.batch(index)))
    print(json.dumps(facts, indent=2, ensure_ascii=False, default=str) if arguments.json else _facts(facts))


def _facts(facts: dict[str, Any], indent: str = "") -> str:
    """A nested dictionary as aligned lines; long lists are cut with their count."""
    lines = []
    for key, value in facts.items():
        if isinstance(value, dict):
            lines += [f"{indent}{key}", _facts(value, indent + "  ")] if value else []
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


def _save_npz(path: Path, **arrays: np.ndarray) -> None:
    with open(path, "wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def _save_gif(path: Path, frames: list[np.ndarray]) -> None:
    from PIL import Image

    pictures = [Image.fromarray(frame) for frame in frames]
    pictures[0].save(path, format="GIF", save_all=True, append_images=pictures[1:], duration=80, loop=0)
