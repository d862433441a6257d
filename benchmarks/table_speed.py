"""Speed on 30,000 rows of 10 columns of Adult: first step, step, sampling; memory with a column of 20,000 categories.

    OMP_NUM_THREADS=1 python benchmarks/table_speed.py ../shared/data/tables --peer PEER/bin/python

CPU time of one thread where it says CPU. The step is measured in turns, ours and the peer's, and the median is printed: the
peer's is its epoch (six of them less one, by five) over its steps. The first step of ours is counted from the process's start.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from tables import BATCH, cells_of

from tightrope import data as room
from tightrope import recipes
from tightrope.core.data import Dataset
from tightrope.data.tables.modality import write_csv
from tightrope.training.budget import Budget
from tightrope.training.engine import Engine
from tightrope.training.feed import Feed
from tightrope.training.game import Game
from tightrope.training.loop import play
from tightrope.training.meter import Meter

ROWS, COLUMNS = 30_000, 10
NAMES = 20_000  # categories of the wide column


class Ours:
    """A recipe in the loop."""

    def __init__(self, recipe: str, dataset: Dataset, **fields: Any) -> None:
        built, engine = recipes.find(recipe)(**fields), Engine("cpu", "fp32")
        self.game, self.feed, self.meter = Game(built, dataset.spec, engine, 0), Feed(built, dataset, engine, 0), Meter()

    def steps(self, count: int) -> float:
        """CPU seconds of so many."""
        start = time.process_time()
        play(self.game, self.feed, Budget(seen=self.game.seen + count * self.game.recipe.batch), self.meter, lambda knobs: None)
        return time.process_time() - start


def child(part: str, *more: str) -> dict[str, float]:
    """A part in a process of its own."""
    command = [sys.executable, __file__, "-", "--part", part, "--more", *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{part}: {done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def first(recipe: str, table: str) -> dict[str, float]:
    """The table read, typed and encoded, the game built, one step played."""
    with tempfile.TemporaryDirectory() as cache:
        os.environ["TIGHTROPE_CACHE"] = cache
        Ours(recipe, room.load(table)).steps(1)
    return {"cpu_seconds": time.process_time()}


def sampled(recipe: str, table: str, rows: int) -> dict[str, float]:
    """Rows drawn and decoded, constraints and all, by a generator that is barely trained."""
    from tightrope.api import Options
    from tightrope.explore import rows as drawing
    from tightrope.synthesizer import TableSynthesizer

    dataset = room.load(table)
    made = TableSynthesizer(recipe, seen=2 * BATCH, options=Options(judge=0, threads=1)).fit(dataset)
    wall, cpu = time.perf_counter(), time.process_time()
    many = sum(len(some.values) for some in drawing.draw(made.generator, dataset.codec, rows))  # type: ignore[attr-defined]
    return {"rows": many, "seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}


def memory(recipe: str, table: str) -> dict[str, float]:
    """Peak of the process, MiB, after 20 steps on a table with a column of 20,000 categories."""
    dataset = room.load(table)
    Ours(recipe, dataset).steps(20)
    return {"MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "numbers": dataset.spec.shape[0]}


def peer_cost(peer: str, table: Path, discrete: list[str]) -> dict[str, float]:
    script = Path(__file__).with_name("table_peers.py")
    command = [peer, str(script), "CTGAN", str(table), "-", json.dumps(discrete), "--cost"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(said: argparse.Namespace, work: Path) -> None:
    table = dict(list(cells_of(said.folder / "adult.csv.gz").items())[-COLUMNS:])
    table = {name: column[:ROWS] for name, column in table.items()}
    path, wide = work / "adult.csv", work / "wide.csv"
    write_csv(path, table)
    write_csv(wide, {**table, "name": [f"name{i * 7919 % NAMES}" for i in range(ROWS)]})
    wide.with_suffix(".json").write_text(json.dumps({"columns": {"name": "category"}}))  # else it would be left out as text
    discrete = [name for name, column in table.items() if not column[0].lstrip("-").isdigit()]
    for recipe in ("tabular", "ctgan"):
        print(f"{recipe}: first step after {child('first', recipe, str(path))['cpu_seconds']:.1f} CPU s")
    dataset = room.load(f"table:{path}")
    ours = {recipe: Ours(recipe, dataset) for recipe in ("tabular", "ctgan")}
    for loop in ours.values():
        loop.steps(3)
    times: dict[str, list[float]] = {"tabular": [], "ctgan": [], "peer": []}
    starts = []
    for _ in range(said.repeats):
        cost = peer_cost(said.peer, path, discrete)
        starts.append(cost["start"])
        times["peer"].append(1000 * cost["epoch"] / (ROWS // BATCH))
        for recipe, loop in ours.items():
            times[recipe].append(1000 * loop.steps(30) / 30)
    print(f"peer CTGAN: first step after {statistics.median(starts):.1f} CPU s")
    for name, found in times.items():
        print(f"{name}: {statistics.median(found):.1f} CPU ms a step ({min(found):.1f} to {max(found):.1f})")
    ratios = [p / o for p, o in zip(times["peer"], times["ctgan"], strict=True)]
    print(f"ctgan's step is {statistics.median(ratios):.2f} times as fast as the peer's ({min(ratios):.2f} to {max(ratios):.2f})")
    for recipe in ("tabular", "ctgan"):
        found = child("sampled", recipe, str(path), str(said.rows))
        print(f"{recipe}: {found['rows']:,.0f} rows in {found['seconds']:.1f} s ({found['cpu_seconds']:.1f} CPU s)")
        found = child("memory", recipe, f"table:{wide},{wide.with_suffix('.json')}")
        print(f"{recipe}: a column of {NAMES:,} categories: {found['MiB']:.0f} MiB at most, {found['numbers']:.0f} numbers a row")


def main() -> None:
    parser = argparse.ArgumentParser(description="Speed of generators of tables.")
    parser.add_argument("folder", type=Path, help="with adult.csv.gz")
    parser.add_argument("--peer", help="python of the environment that has ctgan")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--part", choices=("first", "sampled", "memory"), help=argparse.SUPPRESS)
    parser.add_argument("--more", nargs="*", help=argparse.SUPPRESS)
    said = parser.parse_args()
    torch.set_num_threads(1)
    if said.part == "first":
        print(json.dumps(first(*said.more)))
    elif said.part == "sampled":
        print(json.dumps(sampled(*said.more[:2], int(said.more[2]))))
    elif said.part == "memory":
        print(json.dumps(memory(*said.more)))
    elif said.peer:
        with tempfile.TemporaryDirectory() as work:
            measure(said, Path(work))
    else:
        parser.error("--peer PYTHON is needed")


if __name__ == "__main__":
    main()
