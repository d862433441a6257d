"""Generators of tables, ours and the peers', on the same rows, for the same time, by the same judge.

    python -m venv PEER && PEER/bin/pip install ctgan==0.12.1           # BUSL-1.1: an interpreter of its own
    OMP_NUM_THREADS=1 python benchmarks/tables.py ../shared/data/tables --peer PEER/bin/python
    ... --sets adult --seeds 3 --steps 600                              # `ctgan` and the peer's CTGAN at equal steps

Adult: 10,000 rows to learn from, 10,000 others to test on; King County and German credit: 80 and 20 %. Each seed splits anew.
`tabular`, `ctgan` (with 10 modes a number, the paper's most), CTGAN and TVAE of the peer at its own 300 epochs and at equal time,
SMOTENC (as many interpolated rows as there are real ones), and real rows in the place of generated ones.

Equal time is --minutes of CPU time of one thread, whatever else the machine does, from reading the file (ours) and from `fit`
(the peers') on; both are stopped by the clock. Every case is a line of --out as it ends, and the same command goes on from
there. F1 (mean of both learners; R2), overall (shapes and trends, bins of each table's own) and shared (bins of the real table)
are best high, AUC at 0.5; distance and copies are read beside real rows'.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from tightrope import recipes
from tightrope.data import load
from tightrope.data.tables.modality import write_csv
from tightrope.metrics.tables import privacy
from tightrope.metrics.tables.columns import Columns
from tightrope.metrics.tables.constraints import implied
from tightrope.metrics.tables.quality import quality
from tightrope.metrics.tables.two_sample import two_sample_auc
from tightrope.metrics.tables.utility import utility
from tightrope.training.budget import Budget
from tightrope.training.engine import Engine
from tightrope.training.feed import Feed
from tightrope.training.game import Game
from tightrope.training.loop import play
from tightrope.training.meter import Meter

Cells = dict[str, list[str]]
LOOKED = 5_000  # rows of a table whose distances are measured
CHUNK = 2_000  # rows made at once
TICK = 100  # rounds
BATCH = 500  # of CTGAN, ours and the peer's
GANS = ("tabular", "ctgan", "peer CTGAN", "peer TVAE")
BETTER = {"F1/R2": 1, "boosting": 1, "linear": 1, "overall": 1, "shared": 1, "AUC": -1, "distance": 0, "copies": -1, "broken": -1}


class Set(NamedTuple):
    """A table: where it is, what is to be predicted, which columns are categories beside those that are no numbers."""

    file: str
    target: str
    codes: tuple[str, ...] = ()
    train: int = 0  # rows; 0: 80 %


SETS = {
    "adult": Set("adult.csv.gz", "income", train=10_000),
    "king": Set("king-county-houses.csv.gz", "price", ("waterfront", "view", "condition", "grade", "zipcode")),
    "german": Set("german-credit.csv", ""),
}


class Table(NamedTuple):
    """A split: files that every generator reads, and what the judge compares."""

    train: Path
    test: Cells
    target: str
    categories: list[str]
    rows: int  # of the file


def cells_of(path: Path) -> Cells:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", newline="") as file:
        head, *rows = [[cell.strip() for cell in row] for row in csv.reader(file) if row]
    return dict(zip(head, map(list, zip(*rows, strict=True)), strict=True))


def split(folder: Path, work: Path, name: str, seed: int) -> Table:
    """Identifiers are left out, for everybody."""
    said, table = SETS[name], cells_of(folder / SETS[name].file)
    table.pop("id", None)
    rows = len(next(iter(table.values())))
    order, many = np.random.default_rng(seed).permutation(rows), said.train or round(0.8 * rows)
    parts = [{key: [column[i] for i in part] for key, column in table.items()} for part in (order[:many], order[many : 2 * many])]
    target = said.target or list(table)[-1]
    codes = [key for key, column in table.items() if key in said.codes or not all(map(_is_number, column))]
    categories = sorted({*codes, *([target] if name == "german" else [])}, key=list(table).index)
    path = work / f"{name}-{seed}.csv"
    write_csv(path, parts[0])
    return Table(path, parts[1], target, categories, many)


def columns(cells: Cells, table: Table) -> Columns:
    """As the judge reads them: "?" is missing."""
    values: dict[str, Any] = {}
    for name in table.test:
        if name in table.categories:
            values[name] = np.array([None if cell in ("", "?") else _plain(cell) for cell in cells[name]], object)
        else:
            values[name] = np.array([float(cell) if _is_number(cell) else np.nan for cell in cells[name]])
    return Columns(values, {name: "category" if name in table.categories else "number" for name in table.test})


def _plain(cell: str) -> str:
    return f"{float(cell):g}" if _is_number(cell) else cell


def _is_number(cell: str) -> bool:
    try:
        return np.isfinite(float(cell))
    except ValueError:
        return False


# ---------------------------------------------------------------- generators
class Spent(Budget):
    """A budget of this process's CPU seconds, counted from when the table began to be read."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seen=1)
        self.total, self.start = seconds, time.process_time()

    def progress(self, seen: int) -> float:
        return min(1.0, (time.process_time() - self.start) / self.total)

    def done(self, seen: int) -> bool:
        return self.progress(seen) >= 1


def ours(name: str, table: Table, seed: int, seconds: float | None, steps: int | None) -> tuple[Cells, dict[str, float]]:
    """Rows, and what they took, from reading the file on."""
    budget = Spent(seconds or 1.0)
    place = f"table:{table.train}"
    if name == "ctgan":
        schema = table.train.with_suffix(".modes.json")
        schema.write_text(json.dumps({"modes": 10}))
        place += f",{schema}"
    data = load(place)
    recipe = recipes.build(name, data.spec, None, {}, data.name)
    engine = Engine("cpu")
    game = Game(recipe, data.spec, engine, seed)
    feed, meter = Feed(recipe, data, engine, seed), Meter()

    def after(_: object) -> None:
        if game.round % TICK == 0:
            meter.take()  # it keeps what it was told until it is read

    play(game, feed, budget if seconds else Budget(seen=(steps or 1) * BATCH), meter, after)
    took, dice = time.process_time() - budget.start, torch.Generator().manual_seed(seed)
    with torch.inference_mode():
        made = [
            recipe.sample(game.average.nets, recipe.latents(min(CHUNK, table.rows - start), dice))
            for start in range(0, table.rows, CHUNK)
        ]
    return data.codec.cells(torch.cat(made).numpy()), {"cpu_seconds": took, "seen": game.seen}


def peers(model: str, table: Table, seed: int, peer: str, *more: str) -> tuple[Cells, dict[str, float]]:
    out = table.train.with_suffix(".made.csv")
    script = Path(__file__).with_name("table_peers.py")
    command = [peer, str(script), model, str(table.train), str(out), json.dumps(table.categories), "--seed", str(seed), *more]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False)
    if done.returncode:
        raise SystemExit(f"{model}: {done.stderr[-2000:]}")
    return cells_of(out), json.loads(done.stdout.splitlines()[-1])


def smotenc(table: Table, seed: int) -> tuple[Cells, dict[str, float]]:
    """As many rows of each class (of a number: each quarter) as there are, between real ones."""
    from imblearn.over_sampling import SMOTENC
    from pandas import DataFrame, qcut

    start, frame = time.process_time(), DataFrame(cells_of(table.train))
    for name in set(frame) - set(table.categories):
        frame[name] = frame[name].astype(float)
    y = frame[table.target] if table.target in table.categories else qcut(frame[table.target], 4, labels=False)
    wanted = {label: 2 * count for label, count in y.value_counts().items()}
    sampler = SMOTENC([name for name in table.categories if name in frame], sampling_strategy=wanted, random_state=seed)
    made = sampler.fit_resample(frame, y)[0].iloc[len(frame) :]
    return {name: [str(v) for v in made[name]] for name in made}, {"cpu_seconds": time.process_time() - start}


# ---------------------------------------------------------------- the judge
def figures(table: Table, made: Cells | None, seed: int) -> dict[str, float]:
    """Of generated rows; None: of real ones (training rows are learnt from, test rows compared with the training rows)."""
    train, test = columns(cells_of(table.train), table), columns(table.test, table)
    fake = test if made is None else columns(made, table)
    learnt = {
        (one.learner, one.figure): one.synthetic.value
        for one in utility(train, train if made is None else fake, test, table.target, seed=seed)
    }
    useful = {learner: value for (learner, figure), value in learnt.items() if figure in ("macro F1", "R2")}
    draw = np.random.default_rng(seed)
    held, some = (part.take(draw.permutation(len(part))[:LOOKED]) for part in (test, fake))
    found = privacy.distances(train, held, some)
    broken = np.zeros(len(fake), bool)
    for rule in implied(train).values():
        broken |= rule.broken(fake)
    return {
        "F1/R2": statistics.mean(useful.values()),
        "boosting": useful["gradient boosting"],
        "linear": useful["linear model"],
        "overall": quality(train, fake).overall,
        "shared": quality(train, fake, shared=True).overall,
        "AUC": two_sample_auc(test, train if made is None else fake, seed=seed).value,
        "distance": privacy.closest(train, held, some, found=found).median.value,
        "copies": privacy.near_copies(train, held, some, found=found).share.value,
        "broken": float(broken.mean()),
    }


def cases(said: argparse.Namespace) -> list[str]:
    if said.steps:
        return [f"ctgan, {said.steps} steps", f"peer CTGAN, {said.steps} steps", "real rows"]
    equal = [f"{name}, {said.minutes:g} min" for name in said.gans]
    own = ["peer CTGAN, 300 epochs", "peer TVAE, 300 epochs"] if said.own else []
    return [*equal, *own, "SMOTENC", "real rows"]


def make(case: str, table: Table, seed: int, said: argparse.Namespace) -> tuple[Cells | None, dict[str, float]]:
    name, _, budget = case.partition(", ")
    seconds = 60 * said.minutes if budget.endswith("min") else None
    if name == "real rows":
        return None, {}
    if name == "SMOTENC":
        return smotenc(table, seed)
    if not name.startswith("peer"):
        return ours(name, table, seed, seconds, said.steps)
    epochs = 300 if not said.steps else max(1, round(said.steps / max(1, table.rows // BATCH)))
    more = ("--cpu-seconds", str(seconds)) if seconds else ("--epochs", str(epochs))
    return peers(name.removeprefix("peer "), table, seed, said.peer, *more)


def run(said: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Every case of every set and seed, those that are done from the file."""
    known = [json.loads(line) for line in said.out.read_text().splitlines()] if said.out.exists() else []
    done = {(one["set"], one["seed"], one["case"]): one for one in known}
    with tempfile.TemporaryDirectory() as work:
        for seed in range(said.seeds):
            for name in said.sets:
                table = split(said.folder, Path(work), name, seed)
                for case in cases(said):
                    if (name, seed, case) not in done:
                        made, cost = make(case, table, seed, said)
                        record = {"set": name, "seed": seed, "case": case, **cost, "figures": figures(table, made, seed)}
                        with open(said.out, "a") as file:
                            file.write(json.dumps(record) + "\n")
                        done[name, seed, case] = record
                        if not said.json:
                            print(f"{name} {seed} {case}: {json.dumps(record['figures'])}", flush=True)
                    yield done[name, seed, case]


# ---------------------------------------------------------------- the table
def interval(values: list[float]) -> tuple[float, float, float]:
    """The mean over seeds and its 95 % bootstrap interval."""
    x = np.asarray(values)
    means = x[np.random.default_rng(0).integers(len(x), size=(2_000, len(x)))].mean(1)
    return float(x.mean()), *np.quantile(means, [0.025, 0.975]).tolist()


def summary(records: list[dict[str, Any]], said: argparse.Namespace) -> list[dict[str, Any]]:
    found = []
    for name in said.sets:
        for case in cases(said):
            mine = [one for one in records if one["set"] == name and one["case"] == case]
            spans = {key: interval([one["figures"][key] for one in mine]) for key in BETTER}
            seconds = [one["cpu_seconds"] for one in mine if "cpu_seconds" in one]
            found.append({"set": name, "case": case, "seeds": len(mine), "cpu_seconds": seconds, "figures": spans})
    gans = [case for case in cases(said) if case not in ("SMOTENC", "real rows")]
    for name in said.sets:
        ranks: dict[str, list[int]] = {case: [] for case in gans}
        for key in ("F1/R2", "overall", "AUC"):
            for seed in range(said.seeds):
                of = {o["case"]: o["figures"][key] for o in records if o["set"] == name and o["seed"] == seed}
                for rank, case in enumerate(sorted(gans, key=lambda one: -BETTER[key] * of[one]), 1):
                    ranks[case].append(rank)
        for one in found:
            if one["set"] == name and one["case"] in gans:
                one["mean_rank"] = statistics.mean(ranks[one["case"]])
    return found


def show(found: list[dict[str, Any]]) -> None:
    print(f"{'':26}{'CPU s':>7}" + "".join(f"{key:>22}" for key in BETTER) + f"{'mean rank':>11}")
    for one in found:
        spans = "".join(f"{m:8.3f} [{a:5.3f}, {b:5.3f}]" for m, a, b in one["figures"].values())
        took = f"{statistics.mean(one['cpu_seconds']):7.0f}" if one["cpu_seconds"] else " " * 7
        print(f"{one['set'] + ' ' + one['case']:26.26}{took}{spans}{one.get('mean_rank', float('nan')):11.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Generators of tables beside the peers'.")
    parser.add_argument("folder", type=Path, help="with the three tables")
    parser.add_argument("--peer", required=True, help="python of the environment that has ctgan")
    parser.add_argument("--sets", nargs="+", choices=tuple(SETS), default=list(SETS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=5.0, help="of CPU time of one thread")
    parser.add_argument("--steps", type=int, help="equal steps of the two CTGANs in place of equal time")
    parser.add_argument("--gans", nargs="+", choices=GANS, default=list(GANS), help="those of equal time")
    parser.add_argument("--no-own", dest="own", action="store_false", help="leave out the peers at their 300 epochs")
    parser.add_argument("--out", type=Path, default=Path("results.jsonl"))
    parser.add_argument("--json", action="store_true")
    said = parser.parse_args()
    torch.set_num_threads(1)
    records = list(run(said))
    found = summary(records, said)
    print(json.dumps(found)) if said.json else show(found)


if __name__ == "__main__":
    main()
