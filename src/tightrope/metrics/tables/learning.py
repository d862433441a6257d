"""The two learners by which tables are judged: gradient boosting and a linear model, as scikit-learn has them.

Both read a table as it is used in practice: boosting takes codes and missing numbers as they are, the linear model one column a
category, standardised numbers and a mark where one is missing. What is standardised, and which categories have a column, is
learnt from the table trained on.

    pip install "tightrope[tables]"

Axes: n rows trained on, m rows read, k classes, d columns of a matrix.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from tightrope.core.errors import InputError
from tightrope.metrics.tables.columns import Coded

LEVELS = 250  # categories of a column that boosting tells apart; its bins hold 255
COLUMNS = 100  # categories of a column that get a column of the linear model
MARGIN = 1e-9

Matrix = Float[np.ndarray, "m d"]


class Learner(NamedTuple):
    """A model that is trained and asked in one call.

    Attributes:
        name: as it is printed.
        classify: (trained on, classes 0 ... k - 1 of its rows, rows to read, k, seed) -> probabilities (m, k).
        regress: (trained on, values of its rows, rows to read, seed) -> values (m).
    """

    name: str
    classify: Callable[[Coded, Int[np.ndarray, " n"], Coded, int, int], Float[np.ndarray, "m k"]]
    regress: Callable[[Coded, Float[np.ndarray, " n"], Coded, int], Float[np.ndarray, " m"]]


def ordinal(train: Coded, table: Coded) -> tuple[Matrix, Bool[np.ndarray, " d"]]:
    """Numbers as they are, categories by their rank of frequency in `train` (missing: NaN, all beyond the 250th: one); and
    which columns are categories. A category that `train` never shows is missing."""
    parts = []
    for name in table.names:
        if name in table.numbers:
            parts.append(np.where(np.isfinite(table.numbers[name]), table.numbers[name], np.nan))
        else:
            rank = _ranks(train, name)[table.codes[name]]
            parts.append(np.where(rank < 0, np.nan, np.minimum(rank, LEVELS)))
    return np.stack(parts, 1), np.array([name in table.codes for name in table.names])


def one_hot(train: Coded, table: Coded) -> Matrix:
    """Standardised numbers, 0 where missing and a column that says so; a column for each of the 100 commonest categories."""
    parts = []
    for name in table.names:
        if name in table.numbers:
            known, column = train.numbers[name], table.numbers[name]
            there = known[np.isfinite(known)]
            mean, std = (there.mean(), there.std()) if len(there) else (0.0, 1.0)
            lost = ~np.isfinite(column)
            parts.append(np.where(lost, 0.0, (np.where(lost, mean, column) - mean) / max(std, MARGIN)))
            parts.append(lost.astype(np.float64))
        else:
            rank = _ranks(train, name)[table.codes[name]]
            wide = min(int(_ranks(train, name).max()) + 1, COLUMNS)
            parts += [(rank == level).astype(np.float64) for level in range(wide)]
    return np.stack(parts, 1)


def _ranks(train: Coded, name: str) -> Int[np.ndarray, " levels"]:
    """The rank of every code by its frequency in `train`, -1 for the missing one and for what is never seen."""
    counts = np.bincount(train.codes[name], minlength=len(train.levels[name]))
    counts[0] = 0
    rank = np.empty(len(counts), np.int64)
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    return np.where(counts > 0, rank, -1)


def _boosted_classes(train: Coded, labels: np.ndarray, table: Coded, classes: int, seed: int) -> np.ndarray:
    ensemble = _sklearn("ensemble")
    x, categories = ordinal(train, train)
    model = ensemble.HistGradientBoostingClassifier(categorical_features=categories, random_state=seed)
    return _probabilities(model, x, labels, ordinal(train, table)[0], classes)


def _boosted_values(train: Coded, values: np.ndarray, table: Coded, seed: int) -> np.ndarray:
    ensemble = _sklearn("ensemble")
    x, categories = ordinal(train, train)
    model = ensemble.HistGradientBoostingRegressor(categorical_features=categories, random_state=seed)
    return model.fit(x, values).predict(ordinal(train, table)[0])


def _linear_classes(train: Coded, labels: np.ndarray, table: Coded, classes: int, seed: int) -> np.ndarray:
    model = _sklearn("linear_model").LogisticRegression(max_iter=300, random_state=seed)
    return _probabilities(model, one_hot(train, train), labels, one_hot(train, table), classes)


def _linear_values(train: Coded, values: np.ndarray, table: Coded, seed: int) -> np.ndarray:
    model = _sklearn("linear_model").Ridge(random_state=seed)
    return model.fit(one_hot(train, train), values).predict(one_hot(train, table))


def _probabilities(model: Any, x: Matrix, labels: np.ndarray, asked: Matrix, classes: int) -> np.ndarray:
    """(m, k); a class that was never seen in training has 0, and one that was alone has 1."""
    found = np.zeros((len(asked), classes))
    seen = np.unique(labels)
    found[:, seen] = 1.0 if len(seen) == 1 else model.fit(x, labels).predict_proba(asked)
    return found


def _sklearn(part: str) -> Any:
    """A part of scikit-learn, which is an extra."""
    try:
        if part == "ensemble":
            from sklearn import ensemble as found
        else:
            from sklearn import linear_model as found
    except ImportError as error:
        raise InputError('Learners need scikit-learn: pip install "tightrope[tables]".') from error
    return found


BOOSTING = Learner("gradient boosting", _boosted_classes, _boosted_values)
LINEAR = Learner("linear model", _linear_classes, _linear_values)
