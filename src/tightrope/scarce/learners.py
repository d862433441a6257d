"""The two classifiers (or regressors) that tell ways apart, class weights, and SMOTE: more rows without a GAN.

    pip install "tightrope[tables]"

Axes: n rows, d columns, k classes.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from tightrope.core.errors import InputError
from tightrope.metrics.tables.columns import Coded
from tightrope.metrics.tables.learning import one_hot, ordinal
from tightrope.metrics.tables.utility import macro_f1, r2
from tightrope.scarce.classifier import balanced_accuracy

BOOSTING, LINEAR = "gradient boosting", "linear model"
LEARNERS = (BOOSTING, LINEAR)  # the first one decides
TREES = 100  # of boosting, a class
NEIGHBOURS = 5  # of SMOTE (Chawla et al. 2002), fewer where a class has fewer rows
MISSING_EXTRA = 'augment needs scikit-learn and imbalanced-learn for tables: pip install "tightrope[tables]".'


def figures(learner: str, train: Coded, test: Coded, target: str, weighted: bool, seed: int) -> dict[str, float]:
    """What a learner of `train` reaches on `test`: balanced accuracy and macro F1 of classes, R2 of numbers.

    Args:
        weighted: classes weigh the same, however many rows they have.
    """
    plain, asked = train.without(target), test.without(target)
    classes = target in train.codes
    model = _model(learner, plain, classes, weighted, seed)
    x, rows = (ordinal(plain, t)[0] if learner == BOOSTING else one_hot(plain, t) for t in (plain, asked))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a linear model that has not settled: all ways have the same iterations
        model.fit(x, train.codes[target] if classes else train.numbers[target])
    answers = torch.from_numpy(model.predict(rows))
    if not classes:
        return {"R2": r2(torch.from_numpy(test.numbers[target]), answers[:, None])}
    truth, many = torch.from_numpy(test.codes[target].astype(np.int64)), len(train.levels[target])
    hot = torch.nn.functional.one_hot(answers.long(), many).double()
    return {
        "balanced accuracy": balanced_accuracy(answers.long(), truth, many),
        "macro F1": macro_f1(truth, hot),
    }


def _model(learner: str, train: Coded, classes: bool, weighted: bool, seed: int) -> Any:
    try:
        from sklearn import ensemble, linear_model
    except ImportError as error:
        raise InputError(MISSING_EXTRA) from error
    weights = {"class_weight": "balanced"} if weighted and classes else {}
    if learner == LINEAR:
        return (
            linear_model.LogisticRegression(max_iter=300, random_state=seed, **weights)
            if classes
            else linear_model.Ridge(random_state=seed)
        )
    kind = ensemble.HistGradientBoostingClassifier if classes else ensemble.HistGradientBoostingRegressor
    return kind(max_iter=TREES, categorical_features=ordinal(train, train)[1], random_state=seed, **weights)


def smote(train: Coded, target: str, groups: Int[np.ndarray, " n"], wanted: Mapping[int, int], seed: int) -> Coded:
    """`wanted[g]` new rows of each group, between near rows of it: SMOTE, or SMOTENC where there are categories (Chawla et al.
    2002). A missing number is the median for this.

    Args:
        groups: the classes; of a number that is predicted, its quarters, and the number lies between those of the rows.
    """
    try:
        from imblearn import over_sampling
    except ImportError as error:
        raise InputError(MISSING_EXTRA) from error
    counts = np.bincount(groups)
    names = [name for name in train.names if name != target or name in train.numbers]
    categories = np.array([name in train.codes for name in names])
    x = np.stack([train.codes[name].astype(float) if name in train.codes else _filled(train.numbers[name]) for name in names], 1)
    goal = {g: int(counts[g]) + many for g, many in wanted.items() if many > 0}
    if not goal:
        return train.take(np.arange(0))
    how: dict[str, Any] = {
        "sampling_strategy": goal, "random_state": seed, "k_neighbors": max(1, min(NEIGHBOURS, min(counts[g] for g in goal) - 1)),
    }  # fmt: skip
    if categories.all():
        sampler = over_sampling.SMOTEN(**how)
    elif categories.any():
        sampler = over_sampling.SMOTENC(categorical_features=categories.nonzero()[0].tolist(), **how)
    else:
        sampler = over_sampling.SMOTE(**how)
    rows, of = (part[len(x) :] for part in sampler.fit_resample(x, groups))
    columns = {name: rows[:, i] for i, name in enumerate(names)}
    numbers = {name: columns[name] for name in train.numbers}
    codes = {name: of if name == target else columns[name].round().astype(np.int64) for name in train.codes}
    return Coded(numbers, codes, train.levels, train.names, len(rows))


def _filled(column: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    there = column[np.isfinite(column)]
    return np.where(np.isfinite(column), column, np.median(there) if len(there) else 0.0)
