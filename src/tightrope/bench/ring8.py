"""Eight Gaussians on a circle, sigma 0.01: modes, quality and reverse KL in PacGAN's protocol.

Paper:  Lin, Khetan, Fanti & Oh, "PacGAN: the power of two samples in generative adversarial networks", NeurIPS 2018,
        arXiv:1712.04086, table 1.
Run:    tightrope bench ring8
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

_TABLE = "PacGAN, table 1 (10 runs)"
_VEEGAN = "VEEGAN, table 1 (5 runs)"
PUBLISHED = {
    "gan": Published((6.3, 0.5), (98.2, None), (0.45, 0.09), _TABLE),
    "pacgan2": Published((7.9, 0.1), (95.6, None), (0.07, None), _TABLE),
    "pacgan3": Published((7.8, 0.1), (97.7, None), (0.10, None), _TABLE),
    "pacgan4": Published((7.8, 0.1), (95.9, None), (0.07, None), _TABLE),
    "ALI": Published((6.6, 0.3), (97.6, None), (0.36, None), _TABLE),
    "unrolled": Published((7.6, None), (35.6, None), (None, None), _VEEGAN),
    "VEEGAN": Published((8, None), (52.9, None), (None, None), _VEEGAN),
}


def cases(ask: Ask) -> list[Case]:
    return points.cases("ring8", ask)


def tables(results: list[Result]) -> list[Table]:
    return points.tables(results, METHODS, PUBLISHED, 8)


def picture(results: list[Result], out: Path) -> np.ndarray | None:
    return points.picture(results, out)
