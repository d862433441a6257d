"""Few rows: does a GAN help a classifier beyond class weights and SMOTE, and does `tightrope augment` say so rightly?

OMP_NUM_THREADS=1 python benchmarks/scarce_tables.py ../shared/data/tables --seeds 10

Adult (income), German credit (credit_risk) and King County (price) with 100 and 300 rows; a seed chooses them, and up to 2,000
others to test on. How much is added is chosen by cross-validation on the few. Ways are compared in pairs, and by their mean rank
over seeds (1: best; equals share their ranks). The recommendation is what `tightrope augment` says of the few rows alone
(--advice N: comparisons within them; 0 leaves it out); it is right where it is for the GAN and that gains on the test rows, or
against it and that does not. Every finished seed is a line of results.jsonl; the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tightrope.core.seeds import derive
from tightrope.metrics.intervals import Interval
from tightrope.scarce import rows, tables
from tightrope.scarce.learners import LEARNERS
from tightrope.scarce.outcome import paired
from tightrope.scarce.rows import Rows

SETS = {
    "adult": ("adult.csv.gz", "income"),
    "german": ("german-credit.csv", "credit_risk"),
    "king-county": ("king-county-houses.csv.gz", "price"),
}
TEST = 2_000
RANKED = ("none", "class weights", tables.SMOTE, tables.GAN)


def few(whole: Rows, n: int, seed: int) -> tuple[Rows, Rows]:
    """The rows that a seed keeps, classes in proportion, and those to test on."""
    share = n / len(whole)
    train, others = whole.dealt((share, 1 - share), derive(seed, "few", n) % 2**31)
    return whole.at(train), whole.at(np.random.default_rng(seed).permutation(others)[:TEST])


def one(wholes: dict[str, Rows], name: str, n: int, seed: int, advice: int) -> dict[str, Any]:
    """Every way of one seed, and what would be recommended from the few rows alone."""
    began, make = time.process_time(), rows.gan()
    train, test = few(wholes[name], n, seed)
    found = tables.trial(train, test, make, seed)
    said = None
    if advice:
        inner = [
            tables.trial(*tables.split(train, derive(seed, i) % 2**31), make, derive(seed, i) % 2**31) for i in range(advice)
        ]
        said = tables.judged(train, inner)[LEARNERS[0]][tables.figure_of(train)]
    return {
        "set": name, "n": n, "seed": seed, "advice": advice, "scores": found.scores, "amounts": found.amounts,
        "made": found.made, "copied": found.copied, "recommended": said and said.recommended, "said": said and said.words,
        "cpu_s": round(time.process_time() - began),
    }  # fmt: skip


def ranks(scores: dict[str, float]) -> dict[str, float]:
    """1 for the best; equals share the mean of theirs."""
    return {
        way: 1 + sum(other > mine for other in scores.values()) + (sum(other == mine for other in scores.values()) - 1) / 2
        for way, mine in scores.items()
    }


def of(row: dict[str, Any], learner: str) -> dict[str, float]:
    """The deciding figure of the ranked ways: class weights of a number are none."""
    scores = row["scores"]
    figure = "R2" if "R2" in scores["none"][learner] else "balanced accuracy"
    return {way: scores[way][learner][figure] for way in RANKED if way in scores}


def gap(some: Sequence[dict[str, float]], way: str, other: str) -> Interval:
    return paired([scores[way] - scores[other] for scores in some])


def summary(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row a cell and learner."""
    lines = []
    for name, n in dict.fromkeys((row["set"], row["n"]) for row in found):
        cell = [row for row in found if (row["set"], row["n"]) == (name, n)]
        for learner in LEARNERS:
            some = [of(row, learner) for row in cell]
            every = [ranks(scores) for scores in some]
            lines.append({
                "set": name, "n": n, "learner": learner, "seeds": len(cell),
                "means": {way: statistics.fmean(scores[way] for scores in some) for way in some[0]},
                "ranks": {way: statistics.fmean(rank[way] for rank in every) for way in some[0]},
                "over_none": gap(some, tables.GAN, "none"), "over_smote": gap(some, tables.GAN, tables.SMOTE),
            })  # fmt: skip
    return lines


def show(found: list[dict[str, Any]]) -> None:
    for line in summary(found):
        print(f"\n{line['set']} n={line['n']}, {line['learner']}, {line['seeds']} seeds")
        for way, mean in line["means"].items():
            print(f"  {way:<16}{mean:>8.3f}   mean rank {line['ranks'][way]:.2f}")
        for key, other in (("over_none", "none"), ("over_smote", tables.SMOTE)):
            print("  GAN - {:<10}{:+.3f} [{:+.3f}, {:+.3f}]".format(other, *line[key]))
    for learner in LEARNERS:
        every = [ranks(of(row, learner)) for row in found]
        overall = {
            way: statistics.fmean(rank[way] for rank in every if way in rank) for way in RANKED if any(way in r for r in every)
        }
        print(f"\nall cells, {learner}: mean ranks " + ", ".join(f"{way} {rank:.2f}" for way, rank in overall.items()))
    told = [row for row in found if row["said"]]
    for row in told:
        print(f"\n{row['set']} n={row['n']} seed {row['seed']}: {row['said']}")
    if told:
        print(f"\nrecommended in {sum(row['recommended'] for row in told)} of {len(told)}")
    print(f"{sum(row['copied'] for row in found)} of {sum(row['made'] for row in found)} generated rows dropped as copies; "
          f"{statistics.fmean(row['cpu_s'] for row in found):.0f} s of CPU a seed and cell")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the tables")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--rows", nargs="+", type=int, default=[100, 300])
    parser.add_argument("--advice", type=int, default=3, help="comparisons within the few rows for the recommendation; 0: none")
    parser.add_argument("--out", type=Path, default=Path("results/scarce_tables"))
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    asked.out.mkdir(parents=True, exist_ok=True)
    log = asked.out / "results.jsonl"
    known = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    cells = [(name, n, seed) for seed in range(asked.seeds) for name in asked.sets for n in asked.rows]
    found = [r for r in known if (r["set"], r["n"], r["seed"]) in cells and r["advice"] >= asked.advice]
    wholes = {name: rows.load(asked.data / SETS[name][0], SETS[name][1]) for name in asked.sets}
    for cell in cells:
        if not any((r["set"], r["n"], r["seed"]) == cell for r in found):
            found.append(one(wholes, *cell, asked.advice))
            with log.open("a") as file:
                file.write(json.dumps(found[-1]) + "\n")
    found.sort(key=lambda row: cells.index((row["set"], row["n"], row["seed"])))
    print(json.dumps({"rows": found, "summary": summary(found)}, indent=2)) if asked.json else show(found)


if __name__ == "__main__":
    main()
