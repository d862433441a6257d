"""The default preset on points: modes, high-quality share and CPU seconds, ten seeds a set.

python benchmarks/points.py
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import tightrope

SEEN = 1_024_000
BARS = {"ring8": 0.90, "grid25": 0.85}  # high-quality share, with every mode captured


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--seen", type=int, default=SEEN, help="real samples of a run")
    parser.add_argument("--data", nargs="+", default=["ring8", "grid25"])
    arguments = parser.parse_args()
    for data in arguments.data:
        bar = BARS[data]
        passed = 0
        for seed in range(arguments.seeds):
            options = tightrope.Options(runs=Path(tempfile.mkdtemp()), judge=0, threads=1)
            start = time.process_time()
            run = tightrope.train("swift", data, seed=seed, seen=arguments.seen, options=options)
            cpu = time.process_time() - start
            values = {r["name"]: r["value"] for r in tightrope.evaluate(run.path, quick=True)}
            modes, share = int(values["modes"]), values["high-quality share"]
            good = modes == int(data[4:]) and share >= bar
            passed += good
            note = "" if good else "  <-- below the bar"
            print(f"{data} seed {seed}: {modes} modes, {share:.1%} high quality, {cpu:.0f} CPU s{note}", flush=True)
        print(f"{data}: {passed} of {arguments.seeds} seeds reach every mode and {bar:.0%}")


if __name__ == "__main__":
    main()
