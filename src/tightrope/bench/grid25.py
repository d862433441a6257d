"""Twenty-five Gaussians on a grid, sigma 0.05: modes, quality and reverse KL in PacGAN's protocol.

Paper:  Lin, Khetan, Fanti & Oh, "PacGAN: the power of two samples in generative adversarial networks", NeurIPS 2018,
        arXiv:1712.04086, table 2.
Run:    tightrope bench grid25
Time:   half an hour of CPU for `--methods relativistic` and 10 seeds; some 10 hours for all methods
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tightrope.bench import points
from tightrope.bench.points import KEEP, Published, run
from tightrope.bench.protocol import Ask, Case, Result, Table

__all__ = ["KEEP", "METHODS", "SEEDS", "cases", "picture", "run", "tables"]

METHODS = {
    "relativistic": "relativistic pairing with R1 and R2, MLPs (swift's preset for points)",
    "gan": "the plain game with PacGAN's networks",
    "pacgan2": "the same, D judges 2 points at once",
    "pacgan3": "the same, 3 points",
    "pacgan4": "the same, 4 points",
    "unrolled": "G looks five steps of D ahead",
    "wgan_gp": "Wasserstein loss with a gradient penalty",
    "dragan": "the penalty around real data",
    "lsgan": "least squares",
}
SEEDS = 10

_TABLE = "PacGAN, table 2 (10 runs)"
_VEEGAN = "VEEGAN, table 1 (5 runs)"
PUBLISHED = {
    "gan": Published((17.3, 0.8), (94.8, None), (0.70, 0.07), _TABLE),
    "pacgan2": Published((23.8, 0.7), (91.3, None), (0.13, None), _TABLE),
    "pacgan3": Published((24.6, 0.4), (94.2, None), (0.06, None), _TABLE),
    "pacgan4": Published((24.8, 0.2), (93.6, None), (0.04, None), _TABLE),
    "ALI": Published((24.1, 0.4), (95.7, None), (0.14, None), _TABLE),
    "unrolled": Published((23.6, None), (16.0, None), (None, None), _VEEGAN),
    "VEEGAN": Published((24.6, None), (40.0, None), (None, None), _VEEGAN),
}


def cases(ask: Ask) -> list[Case]:
    return points.cases("grid25", ask)


def tables(results: list[Result]) -> list[Table]:
    return points.tables(results, METHODS, PUBLISHED, 25)


def picture(results: list[Result], out: Path) -> np.ndarray | None:
    return points.picture(results, out)
