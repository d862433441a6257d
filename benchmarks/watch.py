"""What looking at the samples costs a run: its share of the wall time, and the speed of runs with and without, in turns.

python benchmarks/watch.py --seen 40000 --repeats 2
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from pathlib import Path

import tightrope


def measure(watch: bool, arguments: argparse.Namespace) -> tuple[float, float]:
    """Seconds of training, and those of them that were spent looking."""
    options = tightrope.Options(runs=Path(tempfile.mkdtemp()), judge=0, watch=watch, precision=arguments.precision)
    run = tightrope.train(arguments.recipe, arguments.data, seen=arguments.seen, options=options)
    ticks = [json.loads(line) for line in (run.path / "events.jsonl").read_text().splitlines()]
    last = [tick for tick in ticks if tick["event"] == "tick"][-1]
    return last["seconds"], last["watched"]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--recipe", default="swift")
    parser.add_argument("--data", default="fashion")
    parser.add_argument("--seen", type=int, default=40_000)
    parser.add_argument("--precision", default="bf16")
    parser.add_argument("--repeats", type=int, default=2)
    arguments = parser.parse_args()
    seconds: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(arguments.repeats):
        for watch in (True, False):
            spent, looking = measure(watch, arguments)
            seconds[watch].append(spent)
            share = f", looking {looking:.2f} s = {looking / spent:.2%}" if watch else ""
            print(f"watch {watch}: {spent:.1f} s{share}, load {os.getloadavg()[0]:.1f}", flush=True)
    ratio = statistics.median(seconds[True]) / statistics.median(seconds[False])
    print(f"with / without = {ratio:.3f} (medians of {arguments.repeats})")


if __name__ == "__main__":
    main()
