"""Can a classifier tell generated rows from real ones? The classifier two-sample test (Lopez-Paz and Oquab 2017).

Axes: n rows of each table.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from tightrope.core.errors import InputError
from tightrope.metrics.intervals import Interval, bootstrap
from tightrope.metrics.memorisation import mann_whitney
from tightrope.metrics.tables.columns import Table, coded, joined
from tightrope.metrics.tables.learning import BOOSTING, Learner

FOLDS = 5
RESAMPLES = 200


def two_sample_auc(
    real: Table, fake: Table, *, learner: Learner = BOOSTING, folds: int = FOLDS, most: int = 10_000, seed: int = 0
) -> Interval:
    """The AUC of real against generated rows by a classifier that has not seen them (cross-validation); 0.5 where it cannot tell.

    The larger table is cut at random to the size of the smaller one. The null is the same figure of real against held-out rows;
    it may lie a little below 0.5. The interval is over the rows asked about.

    Args:
        most: rows of each table that are looked at.

    Raises:
        InputError: different columns, or fewer rows than 2 a fold in either table.
    """
    a, b = coded(real, fake)
    size, draw = min(len(a), len(b), most), np.random.default_rng(seed)
    if size < 2 * folds:
        raise InputError(f"two_sample_auc: {size} rows of each do not make {folds} folds; give {2 * folds} at least.")
    both = joined([table.take(draw.permutation(len(table))[:size]) for table in (a, b)])
    label = np.repeat([0, 1], size)
    fold = np.tile(np.arange(size) % folds, 2)  # rows are in random order: every fold holds as many of either kind
    score = np.empty(2 * size)
    for k in range(folds):
        seen, asked = fold != k, fold == k
        score[asked] = learner.classify(both.take(seen), label[seen], both.take(asked), 2, seed)[:, 1]
    of_real, of_fake = torch.from_numpy(score[:size]), torch.from_numpy(score[size:])
    return bootstrap(_auc, of_fake, of_real, resamples=RESAMPLES)


def _auc(fake: Tensor, real: Tensor) -> float:
    return mann_whitney(fake, real).auc
