"""ring8 and grid25 with the default recipe's networks, ten seeds a set: the same as `tightrope bench`, one after the other.

python benchmarks/points.py --seeds 10
"""

from __future__ import annotations

import sys

from tightrope.cli.main import main

if __name__ == "__main__":
    codes = [main(["bench", name, "--methods", "relativistic", *sys.argv[1:]]) for name in ("ring8", "grid25")]
    raise SystemExit(max(codes))
