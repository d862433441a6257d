"""Is the generated table of use? A model that learns from it is tested on real rows it never saw (Esteban et al. 2017, TSTR),
beside the same model that learns from the real rows (TRTR), which is what can be reached, and the best constant guess.

Axes: n rows, k classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from tightrope.core.errors import InputError
from tightrope.metrics.intervals import Interval, bootstrap
from tightrope.metrics.memorisation import mann_whitney
from tightrope.metrics.tables.columns import Coded, Table, coded, missing
from tightrope.metrics.tables.learning import BOOSTING, LINEAR, Learner

RESAMPLES = 200  # of the test rows
COMMON = 5  # rows of a class that the test needs for its AUC to count

Score = Callable[[Tensor, Tensor], float]


class Utility(NamedTuple):
    """One figure of one learner. Intervals are over the rows tested on; training once is one draw of many.

    Attributes:
        learner: its name.
        figure: "macro F1", "AUC" or "R2"; higher is better.
        synthetic: of the learner trained on the generated rows.
        real: trained on the real ones: the null.
        gap: real less synthetic, on the same test rows.
        trivial: of the commonest class or the mean, whatever the row.
    """

    learner: str
    figure: str
    synthetic: Interval
    real: Interval
    gap: Interval
    trivial: float


def utility(
    train: Table, fake: Table, test: Table, target: str, *, learners: Sequence[Learner] = (BOOSTING, LINEAR), seed: int = 0
) -> list[Utility]:
    """Macro F1 and AUC where the target is a category, R2 where it is a number. Rows without a target are left out.

    Args:
        train: real rows, the ones that the generator learnt from.
        fake: generated rows.
        test: real rows that neither has seen.
        target: the column to be predicted from all others.

    Raises:
        InputError: no such column; a table without a row that has the target; a test of one class.
    """
    tables = coded(train, fake, test)
    if target not in tables[0].names or len(tables[0].names) < 2:
        raise InputError(f"utility: {target!r} is not among the columns, or the only one; choose from {tables[0].names}.")
    tables = [table.take(~missing(table, target)) for table in tables]
    if not all(map(len, tables)):
        raise InputError(f"utility: a table has no row with a value of {target!r}; train, fake and test each need some.")
    score = _values if target in tables[0].numbers else _classes
    return [found for learner in learners for found in score(learner, tables, target, seed)]


def _classes(learner: Learner, tables: Sequence[Coded], target: str, seed: int) -> list[Utility]:
    answers = [table.codes[target] for table in tables]
    known = np.unique(np.concatenate(answers))
    train, fake, test = (np.searchsorted(known, codes) for codes in answers)
    if len(np.unique(test)) < 2:
        raise InputError(f"utility: every test row has the same {target!r}; give test rows of two classes at least.")
    plain = [table.without(target) for table in tables]
    real_p, fake_p = (
        learner.classify(rows, labels, plain[2], len(known), seed) for rows, labels in ((plain[0], train), (plain[1], fake))
    )
    guess = np.eye(len(known))[np.bincount(train).argmax()][None].repeat(len(test), 0)
    return [
        _compared(learner.name, "macro F1", macro_f1, test, fake_p, real_p, guess),
        _compared(learner.name, "AUC", auc, test, fake_p, real_p, guess),
    ]


def _values(learner: Learner, tables: Sequence[Coded], target: str, seed: int) -> list[Utility]:
    train, fake, test = (table.numbers[target] for table in tables)
    if test.min() == test.max():
        raise InputError(f"utility: every test row has the same {target!r}; R2 needs values that differ.")
    plain = [table.without(target) for table in tables]
    of_real, of_fake = (learner.regress(rows, y, plain[2], seed)[:, None] for rows, y in ((plain[0], train), (plain[1], fake)))
    return [_compared(learner.name, "R2", r2, test, of_fake, of_real, np.full((len(test), 1), train.mean()))]


def _compared(
    name: str, figure: str, score: Score, truth: np.ndarray, fake: np.ndarray, real: np.ndarray, guess: np.ndarray
) -> Utility:
    """All three on the same rows, resampled together: (truth, answers after the fake, answers after the real)."""
    wide = fake.shape[1]
    rows = torch.from_numpy(np.concatenate([truth[:, None], fake, real], 1).astype(np.float64))

    def of_fake(x: Tensor) -> float:
        return score(x[:, 0], x[:, 1 : 1 + wide])

    def of_real(x: Tensor) -> float:
        return score(x[:, 0], x[:, 1 + wide :])

    scores = (of_fake, of_real, lambda x: of_real(x) - of_fake(x))
    synthetic, reachable, gap = (bootstrap(f, rows, resamples=RESAMPLES) for f in scores)
    return Utility(name, figure, synthetic, reachable, gap, score(rows[:, 0], torch.from_numpy(guess)))


def macro_f1(truth: Float[Tensor, " n"], probabilities: Float[Tensor, "n k"]) -> float:
    """Mean over the classes that are there or named of 2 TP / (2 TP + FP + FN)."""
    many = probabilities.shape[1]
    cells = torch.bincount(truth.long() * many + probabilities.argmax(1), minlength=many * many).view(many, many).double()
    hit, either = cells.diagonal(), cells.sum(0) + cells.sum(1)
    return (2 * hit / either)[either > 0].mean().item()


def auc(truth: Float[Tensor, " n"], probabilities: Float[Tensor, "n k"]) -> float:
    """Area under the ROC curve: of two classes, or the mean of each against the rest, over classes of 5 rows at least.

    0.5 where no class has enough.
    """
    counts = torch.bincount(truth.long(), minlength=probabilities.shape[1])
    some = [k for k, count in enumerate(counts.tolist()) if COMMON <= count <= len(truth) - COMMON]
    some = some[-1:] if probabilities.shape[1] == 2 else some
    values = [mann_whitney(probabilities[truth == k, k], probabilities[truth != k, k]).auc for k in some]
    return float(np.mean(values)) if values else 0.5


def r2(truth: Float[Tensor, " n"], answers: Float[Tensor, "n 1"]) -> float:
    """1 - sum (y - f)^2 / sum (y - mean y)^2."""
    around = (truth - truth.mean()).square().sum()
    return (1 - (truth - answers[:, 0]).square().sum() / around).item() if around > 0 else float("nan")
