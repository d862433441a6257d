"""Whether generated rows help a classifier of few rows: ways side by side, how much chosen on real rows alone.

Every way trains the same learners; what differs is which rows they learn from, and what these weigh. Of a seed, real rows that
were kept apart say which is better; how many rows are added was chosen before, on folds of the other real rows, and no GAN has
seen the fold that judges it.

Axes: n rows, m generated ones.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from tightrope.core.errors import InputError
from tightrope.core.seeds import derive
from tightrope.metrics.tables.columns import Coded, Columns, coded, joined
from tightrope.scarce import outcome as outcomes
from tightrope.scarce.learners import LEARNERS, figures, smote
from tightrope.scarce.memorised import Audit, audit
from tightrope.scarce.outcome import Outcome
from tightrope.scarce.rows import Cells, Maker, Rows, below

AMOUNTS = (0.0, 0.5, 1.0, 2.0)  # rows of each class after filling up / those of the largest; of a number, rows added / rows
FOLDS = 2
TEST = 0.3  # of the rows, kept apart by each seed


class Way(NamedTuple):
    """One way to make more of few rows: where rows come from, and whether classes weigh the same."""

    name: str
    source: str | None = None
    weighted: bool = False


GAN, SMOTE = "GAN", "SMOTE"
WAYS = (
    Way("none"),
    Way("class weights", weighted=True),
    Way(SMOTE, SMOTE),
    Way(GAN, GAN),
    Way("GAN + class weights", GAN, weighted=True),
)
GENERATED = tuple(way.name for way in WAYS if way.source == GAN)
Scores = dict[str, dict[str, dict[str, float]]]  # way -> learner -> figure -> value
Asked = Mapping[tuple[str, str], Sequence[float]]  # (way, learner) -> amounts to be scored


@dataclasses.dataclass(frozen=True)
class Trial:
    """What one seed says.

    Attributes:
        scores: on the rows kept apart, at the amount chosen.
        amounts: way -> learner -> the amount that the folds chose.
        made, copied: how many rows the GANs made, and how many of them were copies and dropped.
    """

    scores: Scores
    amounts: dict[str, dict[str, float]]
    made: int
    copied: int


def ways(rows: Rows) -> tuple[Way, ...]:
    """Those that there are for the target: numbers have no class weights."""
    return WAYS if rows.of_classes else tuple(way for way in WAYS if not way.weighted)


def figure_of(rows: Rows) -> str:
    """The figure that decides."""
    return "balanced accuracy" if rows.of_classes else "R2"


# ---------------------------------------------------------------- how many
def missing(rows: Rows, amount: float) -> dict[int, int]:
    """How many rows of each class fill it up to `amount` times the largest; of a number, how many join each quarter."""
    counts = np.bincount(rows.groups, minlength=len(rows.classes))
    goal = counts.max() if rows.of_classes else 0
    return {
        k: max(0, math.ceil(amount * goal) - int(n)) if rows.of_classes else round(amount * int(n)) for k, n in enumerate(counts)
    }


class Pool(NamedTuple):
    """Rows that a GAN made, without copies, and which were dropped."""

    cells: Cells
    columns: Columns | None
    copied: Bool[np.ndarray, " m"]

    def of(self, rows: Rows, wanted: Mapping[int, int]) -> np.ndarray:
        """Indices of as many of each class as are wanted and there; of a number as many as are wanted together."""
        if self.columns is None:
            return np.arange(0)
        if not rows.of_classes:
            return np.arange(min(sum(wanted.values()), len(self.columns)))
        values = self.columns.values[rows.target]
        return np.concatenate([(values == rows.classes[k]).nonzero()[0][:many] for k, many in wanted.items()]).astype(np.int64)


def pool(rows: Rows, maker: Maker, seed: int, amount: float = AMOUNTS[-1]) -> Pool:
    """Train a GAN on these rows and draw what the largest amount needs; copies are dropped."""
    wanted = missing(rows, amount)
    cells = maker(rows, wanted if rows.of_classes else {0: sum(wanted.values())}, seed)
    if not cells:
        return Pool({}, None, np.zeros(0, bool))
    columns = rows.read(cells)
    copied = audit(rows.columns, columns).copied
    keep = (~copied).nonzero()[0]
    kept = {name: [column[i] for i in keep.tolist()] for name, column in cells.items()}
    return Pool(kept, columns.take(keep) if len(keep) else None, copied)


# ---------------------------------------------------------------- comparing
def scored(train: Rows, test: Rows, made: Pool, asked: Asked, seed: int) -> dict[tuple[str, str, float], dict[str, float]]:
    """The figures of ways at amounts; where two come to the same rows and weights they are learned once."""
    tables = coded(train.columns, test.columns, *([made.columns] if made.columns is not None else []))
    known: dict[tuple[str | None, bool, str, float], dict[str, float]] = {}
    found = {}
    for way in ways(train):
        for learner in LEARNERS:
            for amount in asked[way.name, learner]:
                key = (way.source if amount else None, way.weighted, learner, amount if way.source else 0.0)
                if key not in known:
                    rows = _rows(way, train, tables, made, amount, seed)
                    known[key] = figures(learner, rows, tables[1], train.target, way.weighted, seed)
                found[way.name, learner, amount] = known[key]
    return found


def _rows(way: Way, train: Rows, tables: Sequence[Coded], made: Pool, amount: float, seed: int) -> Coded:
    """What a way learns from."""
    wanted = missing(train, amount)
    if way.source is None or not any(wanted.values()):
        return tables[0]
    if way.source == SMOTE:
        groups = tables[0].codes[train.target] if train.of_classes else train.groups
        by_code = {int(groups[train.groups == k][0]): many for k, many in wanted.items()}
        return joined([tables[0], smote(tables[0], train.target, groups, by_code, seed)])
    return joined([tables[0], tables[2].take(made.of(train, wanted))]) if len(tables) > 2 else tables[0]


def chosen(rows: Rows, maker: Maker, seed: int, told: Callable[[], None] = lambda: None) -> dict[tuple[str, str], float]:
    """The amount of every way and learner that did best on folds of real rows; the least of equals. `FOLDS` trainings."""
    every = {(way.name, learner): AMOUNTS if way.source else (0.0,) for way in ways(rows) for learner in LEARNERS}
    parts, runs = rows.folds(FOLDS, seed), []
    for i, held in enumerate(parts):
        rest = rows.at(np.sort(np.concatenate([part for k, part in enumerate(parts) if k != i])))
        of = derive(seed, "fold", i) % 2**31
        runs.append(scored(rest, rows.at(held), pool(rest, maker, of), every, of))
        told()
    key = figure_of(rows)

    def mean(name: tuple[str, str], amount: float) -> float:
        return statistics.fmean(run[(*name, amount)][key] for run in runs)

    return {name: max(amounts, key=lambda amount: mean(name, amount)) for name, amounts in every.items()}


def trial(train: Rows, test: Rows, maker: Maker, seed: int, told: Callable[[], None] = lambda: None) -> Trial:
    """Every way of one seed: amounts chosen on folds of `train`, scores on `test`. `FOLDS` + 1 trainings."""
    amounts = chosen(train, maker, seed, told)
    made = pool(train, maker, seed)
    told()
    values = scored(train, test, made, {name: (amount,) for name, amount in amounts.items()}, seed)
    scores: Scores = {}
    kept: dict[str, dict[str, float]] = {}
    for (way, learner, amount), value in values.items():
        scores.setdefault(way, {})[learner] = value
        kept.setdefault(way, {})[learner] = amount
    return Trial(scores, kept, len(made.copied), int(made.copied.sum()))


def split(rows: Rows, seed: int) -> tuple[Rows, Rows]:
    """The rows that a seed learns from, and those that it keeps apart."""
    train, test = rows.dealt((1 - TEST, TEST), derive(seed, "split") % 2**31)
    return rows.at(train), rows.at(test)


def judged(rows: Rows, trials: Sequence[Trial], repeated: float = TEST / (1 - TEST)) -> dict[str, dict[str, Outcome]]:
    """learner -> figure -> what came of it. The first of both decides."""
    found: dict[str, dict[str, Outcome]] = {}
    for learner in LEARNERS:
        for figure in trials[0].scores["none"][learner]:
            scores = [{way: of[learner][figure] for way, of in trial.scores.items()} for trial in trials]
            found.setdefault(learner, {})[figure] = outcomes.outcome(
                f"{figure} of {learner}", scores, GENERATED, repeated=repeated
            )
    return found


# ---------------------------------------------------------------- rows to be written
def added(rows: Rows, maker: Maker, amount: float, seed: int) -> tuple[Cells, Audit | None]:
    """Rows that fill the table up, copies dropped, and what the audit said of all that were made.

    Raises:
        InputError: the audit fails; nothing may be written.
    """
    wanted = missing(rows, amount)
    cells = maker(rows, wanted if rows.of_classes else {0: sum(wanted.values())}, seed)
    if not cells:
        return {}, None
    columns = rows.read(cells)
    found = audit(rows.columns, columns)
    if found.fails:
        raise InputError(f"{rows.name}: {found.fails[:-1]}; nothing is written, give more rows.")
    keep = (~found.copied).nonzero()[0]
    kept = {name: [column[i] for i in keep.tolist()] for name, column in cells.items()}
    index = Pool(kept, columns.take(keep), found.copied).of(rows, wanted)
    return {name: [column[i] for i in index.tolist()] for name, column in kept.items()}, found


def augmented(rows: Rows, made: Cells) -> Cells:
    """The real rows as they are, then the generated ones, and a column `synthetic` of 0 and 1."""
    many = len(next(iter(made.values()), ()))
    like = {name: made.get(name, [""] * many) for name in rows.cells}
    return {**below([rows.cells, like]), "synthetic": ["0"] * len(rows) + ["1"] * many}
