"""Resident memory over a run, and of a run on a folder of 100,000 small images.

    python benchmarks/memory.py

The first part trains the default on `fashion` and compares the memory at 10 % and at 100 % of the run, as the run's own records
tell it. The second makes a folder of 100,000 files, trains on it in a fresh process, from an empty cache, and prints the peak of
that process.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from data_folder import make

import tightrope


def growth(seen: int) -> tuple[float, float]:
    """Resident MB at 10 % and at the end of a run."""
    options = tightrope.Options(runs=Path(tempfile.mkdtemp()), judge=0, checkpoint_minutes=0.2)
    run = tightrope.train("swift", "fashion", seen=seen, options=options)
    ticks = [json.loads(line) for line in (run.path / "events.jsonl").read_text().splitlines()]
    ticks = [event for event in ticks if event["event"] == "tick"]
    early = next(event for event in ticks if event["progress"] >= 0.1)
    return early["memory_mb"], ticks[-1]["memory_mb"]


def folder_peak(folder: Path) -> float:
    """Peak resident MB of `tightrope train` on a folder, decoding included."""
    with tempfile.TemporaryDirectory() as scratch:
        words = ["train", "swift", str(folder), "--seen", "20000", "--judge", "1000", "--runs", scratch]
        environment = {**os.environ, "TIGHTROPE_CACHE": scratch}
        subprocess.run([sys.executable, "-m", "tightrope", *words], env=environment, check=True, capture_output=True)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seen", type=int, default=60_000)
    parser.add_argument("--count", type=int, default=100_000, help="files of the folder")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "images"
        make(folder, arguments.count, 32)
        print(f"training on a folder of {arguments.count:,} images: peak {folder_peak(folder):,.0f} MB", flush=True)
    early, late = growth(arguments.seen)
    print(
        f"swift on fashion, {arguments.seen:,} samples: {early:,.0f} MB at 10 %, {late:,.0f} MB at the end ({late - early:+,.0f})"
    )


if __name__ == "__main__":
    main()
