"""Speed of the `dcgan` recipe against the plain loop, same networks and batch, interleaved in one run; and the loop's own share.

python benchmarks/speed.py --threads 2
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from typing import Any

import torch
from plain_dcgan import BATCH, PlainLoop
from torch import Tensor

from tightrope import data as data_room
from tightrope.recipes.dcgan import DCGAN
from tightrope.training import optimizers
from tightrope.training.budget import Budget
from tightrope.training.engine import Engine
from tightrope.training.feed import Feed
from tightrope.training.game import Game
from tightrope.training.loop import play
from tightrope.training.meter import Meter


class Ours:
    """The recipe in Tightrope's loop."""

    def __init__(self, dataset: Any) -> None:
        recipe, engine = DCGAN(batch=BATCH), Engine("cpu", "bf16")
        self.game, self.feed, self.meter = Game(recipe, dataset.spec, engine, 0), Feed(recipe, dataset, engine, 0), Meter()

    def steps(self, count: int) -> None:
        play(self.game, self.feed, Budget(seen=self.game.seen + count * BATCH), self.meter, lambda knobs: None)
        self.meter.read()


def share_of_the_loop(dataset: Any, steps: int) -> float:
    """Share of the time that is neither a phase's terms, nor backward, nor an optimizer's step."""
    ours, inside = Ours(dataset), [0.0]

    def timed(function: Any) -> Any:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            result = function(*args, **kwargs)
            inside[0] += time.perf_counter() - start
            return result

        return wrapper

    d_terms, g_terms, backward, step = DCGAN.d_terms, DCGAN.g_terms, Tensor.backward, optimizers.Optimizer.step
    try:
        DCGAN.d_terms, DCGAN.g_terms = timed(d_terms), timed(g_terms)
        Tensor.backward, optimizers.Optimizer.step = timed(backward), timed(step)
        ours.steps(3)
        inside[0], start = 0.0, time.perf_counter()
        ours.steps(steps)
        return 1 - inside[0] / (time.perf_counter() - start)
    finally:
        DCGAN.d_terms, DCGAN.g_terms, Tensor.backward, optimizers.Optimizer.step = d_terms, g_terms, backward, step


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--steps", type=int, default=8)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(f"load before: {os.getloadavg()[0]:.2f}; {arguments.threads} threads; torch {torch.__version__}")
    for data, size in (("fashion", 32), ("emoji", 64)):
        dataset = data_room.load(data, size=size)
        plain, ours = PlainLoop(dataset.batch(torch.arange(len(dataset)))), Ours(dataset)
        times: dict[str, list[float]] = {"plain": [], "ours": []}
        for repeat in range(arguments.repeats + 1):
            start = time.perf_counter()
            for _ in range(arguments.steps):
                plain.step()
            middle = time.perf_counter()
            ours.steps(arguments.steps)
            if repeat:  # the first warms up
                times["plain"].append((middle - start) / arguments.steps)
                times["ours"].append((time.perf_counter() - middle) / arguments.steps)
        ratios = [p / o for p, o in zip(times["plain"], times["ours"], strict=True)]
        a, b = (statistics.median(times[name]) * 1000 for name in ("plain", "ours"))
        print(
            f"{data} {size} px batch {BATCH}: plain {a:.0f} ms, tightrope {b:.0f} ms a step; {BATCH / b * 1000:.0f} images/s; "
            f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        )
        print(f"{data} {size} px: the loop itself takes {share_of_the_loop(dataset, 3 * arguments.steps):.2%} of the time")


if __name__ == "__main__":
    main()
