"""Runs inside the peers' interpreter: ctgan's CTGAN or TVAE learns a CSV and writes rows; a line of JSON says what that cost.

    PEER/bin/python benchmarks/table_peers.py CTGAN train.csv out.csv '["sex", "income"]' --cpu-seconds 300

Called by tables.py and table_speed.py. Time is the CPU's, of one thread. --cpu-seconds: training is interrupted by an alarm after
so many, from before the package's `fit` on (nothing that it offers stops it at a time), and rows are drawn by what is there then.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
import warnings
from typing import Any

import ctgan
import numpy as np
import pandas as pd
import torch

MOST = 100  # epochs of a run that measures their cost


class Over(BaseException):
    """The time is over."""


def _over(*_: object) -> None:
    raise Over


def fitted(
    name: str, table: pd.DataFrame, discrete: list[str], epochs: int, seed: int, limit: float | None = None
) -> tuple[Any, float]:
    """A model of so many epochs, or of so many CPU seconds, its other arguments at their defaults, and its CPU seconds."""
    np.random.seed(seed)
    torch.manual_seed(seed)
    model = {"CTGAN": ctgan.CTGAN, "TVAE": ctgan.TVAE}[name](epochs=10**6 if limit else epochs, enable_gpu=False)
    signal.signal(signal.SIGPROF, _over)
    signal.setitimer(signal.ITIMER_PROF, limit or 0)
    start = time.process_time()
    try:
        model.fit(table, discrete)
    except Over:
        pass
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return model, time.process_time() - start


def cost(name: str, table: pd.DataFrame, discrete: list[str]) -> tuple[float, float]:
    """CPU seconds of the start and of an epoch, after a run that warms the process up."""
    for _ in range(2):
        short, many = fitted(name, table, discrete, 1, 0)[1], 6
    while (long := fitted(name, table, discrete, many, 0)[1]) < 2 * short and many < MOST:  # else noise is measured
        many *= 2
    epoch = max(1e-3, (long - short) / (many - 1))
    return max(0.0, short - epoch), epoch


def main() -> None:
    parser = argparse.ArgumentParser(description="CTGAN or TVAE of the package ctgan.")
    parser.add_argument("model", choices=("CTGAN", "TVAE"))
    parser.add_argument("train")
    parser.add_argument("out")
    parser.add_argument("discrete", type=json.loads, help="names of the columns of categories, JSON")
    parser.add_argument("--rows", type=int, help="to be written; as many as in training")
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--cpu-seconds", type=float)
    parser.add_argument("--cost", action="store_true", help="measure the start and an epoch alone")
    parser.add_argument("--seed", type=int, default=0)
    said = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    table = pd.read_csv(said.train, keep_default_na=False, dtype=dict.fromkeys(said.discrete, str))
    if said.cost:
        start, epoch = cost(said.model, table, said.discrete)
        print(json.dumps({"start": start, "epoch": epoch}))
        return
    model, seconds = fitted(said.model, table, said.discrete, said.epochs, said.seed, said.cpu_seconds)
    begin = time.process_time()
    model.sample(said.rows or len(table)).to_csv(said.out, index=False)
    sampling = time.process_time() - begin
    print(json.dumps({"cpu_seconds": seconds, "sampling": sampling, "version": ctgan.__version__}))


if __name__ == "__main__":
    sys.exit(main())
