"""What the guardian costs, and whether it leaves the recipes' own runs alone: the same run with and without it, interleaved.

    OMP_NUM_THREADS=1 python benchmarks/guardian.py [--repeats 3]

Cost: CPU seconds of training (judging and report excluded), with the guardian acting over without it; ratio of interleaved
repeats. Harm: how many remedies were applied, and whether the weights at the end are equal to the last bit.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import torch

import tightrope
from tightrope.api import Options
from tightrope.training import checkpoint

COST = (("swift", "fashion", 8_000), ("swift", "ring8", 150_000))
HARM = (
    ("swift", "ring8", 100_000), ("gan", "ring8", 150_000), ("lsgan", "ring8", 150_000), ("dragan", "ring8", 60_000),
    ("swift", "fashion", 6_000), ("dcgan", "fashion", 6_000), ("lsgan", "fashion", 6_000), ("sngan", "fashion", 3_000),
    ("swift", "emoji", 3_000),
)  # fmt: skip


def played(recipe: str, data: str, seen: int, guard: str, folder: Path, seed: int = 0) -> tuple[float, Path]:
    """CPU seconds and the run's directory."""
    options = Options(judge=0, threads=1, precision="fp32", guard=guard, watch=guard != "off", checkpoint_minutes=1e6)
    start = time.process_time()
    run = tightrope.train(recipe, data, seen=seen, seed=seed, run=folder / f"{recipe}-{data}-{guard}-{seed}", options=options)
    return time.process_time() - start, run.path


def weights(run: Path) -> dict[str, torch.Tensor]:
    return {
        name: value for name, value in checkpoint.newest(run / "checkpoints")[0].items() if name.startswith(("net/", "average/"))
    }


def told(run: Path, event: str) -> list[dict]:
    lines = (run / "events.jsonl").read_text(encoding="utf-8").splitlines()
    return [record for record in map(json.loads, lines) if record["event"] == event]


def cost(repeats: int, folder: Path) -> None:
    print(f"{'recipe':<8}{'data':<9}{'samples':>9}  {'without, CPU s':>14}  {'cost, median':>12}  of {repeats}")
    for recipe, data, seen in COST:
        played(recipe, data, max(seen // 10, 500), "act", folder / "warm")
        ratios, plain = [], []
        for repeat in range(repeats):
            without, _ = played(recipe, data, seen, "off", folder, seed=repeat)
            guarded, _ = played(recipe, data, seen, "act", folder, seed=repeat)
            plain.append(without)
            ratios.append(guarded / without - 1)
        spread = " ".join(f"{ratio:+.1%}" for ratio in sorted(ratios))
        print(
            f"{recipe:<8}{data:<9}{seen:>9,}  {statistics.median(plain):>14.1f}  {statistics.median(ratios):>+12.1%}  {spread}",
            flush=True,
        )


def harm(folder: Path) -> None:
    print(f"\n{'recipe':<8}{'data':<9}{'samples':>9}  {'remedies':>8}  {'weights equal':<14}verdicts")
    for recipe, data, seen in HARM:
        _, without = played(recipe, data, seen, "off", folder, seed=10)
        _, guarded = played(recipe, data, seen, "act", folder, seed=10)
        a, b = weights(without), weights(guarded)
        equal = all(torch.equal(a[name], b[name]) for name in a)
        names = [record["name"] for record in told(guarded, "verdict")]
        print(
            f"{recipe:<8}{data:<9}{seen:>9,}  {len(told(guarded, 'remedy')):>8}  {equal!s:<14}{', '.join(names) or 'healthy'}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", choices=("cost", "harm"))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        if asked.only != "harm":
            cost(asked.repeats, Path(folder))
        if asked.only != "cost":
            harm(Path(folder))


if __name__ == "__main__":
    main()
