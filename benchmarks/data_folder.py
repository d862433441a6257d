"""A folder of many small images: time and memory to build the cache, time to start again, time to read batches.

    python benchmarks/data_folder.py [--count 100000] [--side 64] [--keep DIR]

Claim: 100,000 images are usable in under 2 GiB, cache build included, and a second start takes under 2 seconds.
Each row is a fresh process; memory is the peak resident set of that process (torch alone is printed for comparison).
Half the files are PNG, half JPEG, in ten class folders: smooth random pictures, different each.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

PROBE = """
import json, resource, sys, time
import torch
bare = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
from tightrope.data import load
import tightrope.data.loading
start, cpu = time.perf_counter(), time.process_time()
data = load(sys.argv[1], cache=sys.argv[2])
wall, cpu = time.perf_counter() - start, time.process_time() - cpu
loaded = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
generator = torch.Generator().manual_seed(0)
start = time.process_time()
for _ in range(1000):
    data.batch(torch.randint(len(data), (64,), generator=generator))
batch = (time.process_time() - start) / 1000
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([wall, cpu, bare, loaded, peak, batch, len(data), data.fingerprint]))
"""


def make(folder: Path, count: int, side: int) -> None:
    """Smooth noise, enlarged: compresses like a drawing, costs like a photograph."""
    random = np.random.default_rng(0)
    for i in range(count):
        place = folder / f"class-{i % 10}"
        if i < 10:
            place.mkdir(parents=True)
        picture = Image.fromarray(random.integers(0, 256, (8, 8, 3), np.uint8)).resize((side, side), Image.Resampling.BICUBIC)
        picture.save(place / f"{i:06d}.{'png' if i // 10 % 2 else 'jpg'}", compress_level=1)


def probe(folder: Path, cache: Path) -> list[float]:
    done = subprocess.run([sys.executable, "-c", PROBE, folder, cache], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--side", type=int, default=64, help="pixels a side of the files")
    parser.add_argument("--keep", type=Path, help="folder for the files; made if absent, and left there")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.keep or Path(scratch) / "images"
        if not folder.exists():
            make(folder, arguments.count, arguments.side)
        rows = [(label, probe(folder, Path(scratch) / "cache")) for label in ("first", "second", "third")]
    print("| start | seconds | CPU seconds | RSS MiB: torch | after load | after 1000 batches | microseconds a batch of 64 |")
    print("|---|---|---|---|---|---|---|")
    for label, (wall, cpu, bare, loaded, peak, batch, *_) in rows:
        memory = " | ".join(f"{kib / 1024:.0f}" for kib in (bare, loaded, peak))
        print(f"| {label} | {wall:.2f} | {cpu:.2f} | {memory} | {batch * 1e6:.0f} |")
    assert len({row[-1] for _, row in rows}) == 1, "the fingerprints differ"
    print(f"{rows[0][1][6]} images; the same fingerprint each time")


if __name__ == "__main__":
    main()
