"""Quality of every image recipe after the same time: one thread of a CPU, by its own clock, on `fashion` and `emoji` at 32 px.

    python benchmarks/recipes.py --cpu-seconds 60 --seeds 0 1 2 --jobs 2

Each recipe's speed is measured first; it is then trained, with the fields of `FIELDS` or its defaults, on as many samples as
it sees in the budget, so that the same seed gives the same run whatever else the machine does. A stopped benchmark goes on
where it was: finished runs are lines of OUT/results.jsonl, begun ones continue from their checkpoints. At the end the tables,
the sample grids and the contact sheets are written (`--tables` does only that).
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import shutil
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported, here and in the processes that are begun

import recipe_tables
import torch

import tightrope
from tightrope import data as data_room
from tightrope import recipes
from tightrope.core.errors import TightropeError
from tightrope.training import probe
from tightrope.training.budget import Budget
from tightrope.training.engine import Engine
from tightrope.training.feed import Feed
from tightrope.training.game import Game
from tightrope.training.loop import play
from tightrope.training.meter import Meter

COUNT = 2_000  # samples that are judged
SIZE = 32
METRICS = ("frechet", "coverage", "recall", "precision", "near-duplicates")
FIELDS: dict[str, dict[str, Any]] = {"r3gan": {"width": 64, "blocks": 1, "batch": 16}}  # for a CPU; its defaults are a GPU's
PLACES = (0.1, 0.3, 0.5, 0.7, 0.9)  # of a run, where its speed is measured
PATIENCE = 0.6  # seconds of CPU at each of them
Job = dict[str, Any]


class Slice(Budget):
    """Rounds at one place of a run, for so many seconds of CPU, one round at least."""

    def __init__(self, place: float, seconds: float) -> None:
        super().__init__(seen=1)
        self.place, self.until, self.rounds = place, time.process_time() + seconds, -1

    def progress(self, seen: int) -> float:
        return self.place

    def done(self, seen: int) -> bool:
        self.rounds += 1
        return self.rounds > 0 and time.process_time() > self.until


def speed(game: Game, feed: Feed, cpu_seconds: float) -> float:
    """Samples a second of CPU, averaged over a run: a recipe that grows is slower at its end."""

    def cost(place: float, total: float, patience: float) -> float:
        """Seconds a sample, a share `place` of the way through a run of `total` samples."""
        game.seen = before = int(place * total)
        start = time.process_time()
        play(game, feed, Slice(place, patience), Meter(), lambda knobs: None)
        return (time.process_time() - start) / (game.seen - before)

    cost(0.0, 0.0, 0.0)  # the first round warms up
    first = cost(0.5, 0.0, PATIENCE / 2)
    for _ in range(2):  # the second time with a good idea of how long the run is
        places = PLACES if first * game.recipe.batch < PATIENCE else PLACES[2:3]
        costs = [cost(place, cpu_seconds / first, PATIENCE) for place in places]
        first = sum(costs) / len(costs)
    return 1 / first


def calibrate(job: Job) -> Job:
    """How many samples a recipe sees in the budget, and in which precision."""
    torch.set_num_threads(1)
    dataset = data_room.load(job["data"], size=SIZE)
    try:
        built = recipes.build(job["recipe"], dataset.spec, fields=FIELDS.get(job["recipe"], {}))
        precision = probe.choose(probe.measure(built, dataset, Engine("cpu")))
        engine = Engine("cpu", precision)
        rate = speed(Game(built, dataset.spec, engine, seed=0), Feed(built, dataset, engine, seed=0), job["cpu_seconds"])
    except TightropeError as error:
        return job | {"kind": "speed", "failed": str(error)}
    seen = max(1, round(rate * job["cpu_seconds"] / built.batch)) * built.batch
    return job | {"kind": "speed", "arithmetic": precision, "rate": rate, "seen": seen, "batch": built.batch}


def work(job: Job) -> Job:
    """Train one recipe with one seed, judge it, draw its grid; everything but the checkpoints is kept."""
    torch.set_num_threads(1)
    folder, clock = Path(job["folder"]), {"begun": math.nan, "ended": math.nan}

    def listen(event: dict[str, Any]) -> None:
        if event["event"] in ("start", "resume"):
            clock["begun"] = time.process_time()
        elif event["event"] == "end":
            clock["ended"] = time.process_time()

    resumed = (folder / "run.json").exists()
    result = {key: job[key] for key in ("recipe", "data", "seed", "cpu_seconds", "seen", "arithmetic")} | {"kind": "run"}
    options = tightrope.Options(
        size=SIZE, precision=job["arithmetic"], threads=1, judge=0, watch=False, tick=max(1, job["seen"] // 10),
        listeners=(listen,),
    )  # fmt: skip
    try:
        run = tightrope.train(
            job["recipe"], job["data"], run=folder, seen=job["seen"], seed=job["seed"], options=options,
            **FIELDS.get(job["recipe"], {}),
        )  # fmt: skip
    except TightropeError as error:
        return result | {"failed": str(error)}
    result |= {"seconds": None if resumed else round(clock["ended"] - clock["begun"], 1)}
    for record in tightrope.evaluate(run.path, count=COUNT, out=folder / "judged.jsonl"):
        name = record["name"].split("[")[0]
        if name in METRICS and "at infinite" not in record["name"]:
            null = record.get("null")
            result |= {name: record["value"], f"{name} of real": null["value"] if isinstance(null, dict) else null}
            result["extractor"] = record["name"].split("[")[1].split("]")[0]
    recipe_tables.grid(run, folder / "grid.png")
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    return result


def read(path: Path) -> list[Job]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def in_turn(function: Any, jobs: list[Job], workers: int, path: Path) -> None:
    """Every job in a process of its own; each result is written at once. One that breaks does not stop the others."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, max_tasks_per_child=1) as pool:
        running = {pool.submit(function, job): job for job in jobs}
        for number, future in enumerate(as_completed(running), 1):
            error = future.exception()
            if error is not None:
                job = running[future]
                print(
                    f"{number}/{len(jobs)}  {job['recipe']} {job['data']} broke, and is tried again by the next call: {error!r}"
                )
                continue
            with open(path, "a") as file:
                file.write(json.dumps(future.result()) + "\n")
            print(f"{number}/{len(jobs)}  {line(future.result())}", flush=True)


def line(found: Job) -> str:
    name = f"{found['recipe']} {found['data']}"
    if "failed" in found:
        return f"{name}: {found['failed']}"
    if found["kind"] == "speed":
        return f"{name}: {found['rate']:,.0f} samples a second of CPU in {found['arithmetic']}, so {found['seen']:,}"
    return f"{name} seed {found['seed']}: frechet {found['frechet']:.3f}, coverage {found['coverage']:.3f}, {found['seconds']} s"


def key(job: Job) -> tuple[Any, ...]:
    return tuple(job.get(name) for name in ("recipe", "data", "cpu_seconds", "seed"))


def run_all(arguments: argparse.Namespace, path: Path) -> None:
    """The speeds that are missing, then the runs that are missing, all recipes with the first seed first."""
    known = {key(row) for row in read(path)}
    pairs = [(name, data) for data in arguments.data for name in arguments.recipes]
    jobs: list[Job] = [{"recipe": name, "data": data, "cpu_seconds": arguments.cpu_seconds} for name, data in pairs]
    in_turn(calibrate, [job for job in jobs if key(job) not in known], arguments.jobs, path)
    speeds = {key(row): row for row in read(path) if row["kind"] == "speed" and "failed" not in row}
    runs: list[Job] = []
    for seed in arguments.seeds:
        for job in jobs:
            if key(job) in speeds and key(job | {"seed": seed}) not in known:
                folder = arguments.out / f"{job['recipe']}-{job['data']}-{arguments.cpu_seconds:g}s-{seed}"
                runs.append(speeds[key(job)] | {"seed": seed, "folder": str(folder)})
    in_turn(work, runs, arguments.jobs, path)


def main() -> None:
    images = [header.name for header in recipes.catalogue() if "images" in header.modalities]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cpu-seconds", type=float, default=60, help="budget of a run (default: 60)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--data", nargs="+", default=["fashion", "emoji"])
    parser.add_argument("--recipes", nargs="+", default=images, help="default: all that make images")
    parser.add_argument("--jobs", type=int, default=2, help="processes of one thread each (default: 2)")
    parser.add_argument("--out", type=Path, default=Path("runs/recipes"), help="results.jsonl and the runs")
    parser.add_argument("--docs", type=Path, default=Path(__file__).parent.parent / "docs")
    parser.add_argument("--tables", action="store_true", help="only write the tables and pictures of what is there")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    path = arguments.out / "results.jsonl"
    if not arguments.tables:
        run_all(arguments, path)
    rows = [row for row in read(path) if row["cpu_seconds"] == arguments.cpu_seconds and row["recipe"] in arguments.recipes]
    recipe_tables.write(rows, arguments, FIELDS, COUNT, SIZE)


if __name__ == "__main__":
    main()
