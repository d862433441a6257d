"""CPU seconds of what a user types before anything is trained, and whether torch was imported for it.

python benchmarks/front_door.py
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys

COMMANDS = (
    ["--help"],
    ["recipes"],
    ["show", "swift"],
    ["train", "--help"],
    ["trian"],
    ["train", "swift", "fashion", "--gama", "1"],
)
CHECK = "import sys; from tightrope.cli.main import main; main(sys.argv[1:]); print('TORCH' if 'torch' in sys.modules else '')"


def cpu_seconds(command: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, capture_output=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    for words in COMMANDS:
        times = [cpu_seconds([sys.executable, "-m", "tightrope", *words]) for _ in range(7)]
        checked = subprocess.run([sys.executable, "-c", CHECK, *words], capture_output=True, text=True, check=False)
        torch = "torch imported" if "TORCH" in checked.stdout else "no torch"
        print(f"tightrope {' '.join(words):<36} {statistics.median(times):.3f} s of CPU (most {max(times):.3f}), {torch}")


if __name__ == "__main__":
    main()
