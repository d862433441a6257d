"""All figures of a generated table in one call, in the order people read them, each with its null: held-out rows in its place.

    figures(train, held_out, fake, target="income")

Distances look at 10,000 rows of each table, drawn at random. Learners need scikit-learn; without it they are left out and a note
says so.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping

import numpy as np

from tightrope.metrics.intervals import Interval, share_interval
from tightrope.metrics.suite import Figure
from tightrope.metrics.tables import privacy
from tightrope.metrics.tables.columns import Coded, Columns, coded
from tightrope.metrics.tables.constraints import Constraint, violations
from tightrope.metrics.tables.fidelity import fidelity
from tightrope.metrics.tables.quality import quality, quality_interval
from tightrope.metrics.tables.rare import rare_survival
from tightrope.metrics.tables.shapes import missing_similarity
from tightrope.metrics.tables.two_sample import two_sample_auc
from tightrope.metrics.tables.utility import utility

MOST = 10_000  # rows of each table whose neighbours are looked up


def figures(
    train: Columns,
    held_out: Columns,
    fake: Columns,
    *,
    target: str | None = None,
    constraints: Mapping[str, Constraint] | None = None,
    seed: int = 0,
) -> list[Figure]:
    """Every figure for which the rows are enough.

    Args:
        train: real rows, those the generator learnt from.
        held_out: real rows it never saw, drawn like them.
        fake: generated rows.
        target: a column to be predicted; without it usefulness is not measured.
        constraints: what must hold, by name.

    Raises:
        InputError: the tables have different columns, or too few rows.
    """
    a, h, f = coded(train, held_out, fake)
    found = quality_figures(a, h, f, seed) + rare_figures(a, h, f)
    if constraints:
        broken = violations(fake, constraints)
        null = violations(held_out, constraints)
        found += [
            Figure(f"violations[{name}]", v.share.value, "lower", {}, _ends(v.share), null[name].share.value)
            for name, v in broken.items()
        ]
    learners = importlib.util.find_spec("sklearn") is not None
    if learners:
        found += [two_sample_figure(h, a, f, seed)]
        found += utility_figures(a, h, f, target, seed) if target else []
    else:
        note = 'Two-sample AUC and usefulness were left out: pip install "tightrope[tables]".'
        found[0] = found[0]._replace(notes=(*found[0].notes, note))
    return found + fidelity_figures(a, h, f, seed) + privacy_figures(a, h, f, seed)


def quality_figures(train: Coded, held_out: Coded, fake: Coded, seed: int) -> list[Figure]:
    """Shapes, trends, their mean and missing values, of the generated rows against the training rows."""
    found, null = quality(train, fake), quality(train, held_out)
    interval = quality_interval(train, fake, seed=seed)
    gaps, fresh = missing_similarity(train, fake), missing_similarity(train, held_out)
    rows = [
        Figure("shape-and-trend score", found.overall, "higher", {}, _ends(interval), null.overall),
        Figure("column shapes", found.shapes, "higher", {}, null=null.shapes),
    ]
    if found.trends == found.trends:
        rows.append(Figure("pair trends", found.trends, "higher", {}, null=null.trends))
        shared, usual = (quality(train, table, shared=True).trends for table in (fake, held_out))
        rows.append(Figure("pair trends, bins shared", shared, "higher", {}, null=usual))
    if gaps:
        worst = min(fresh.values()) if fresh else 1.0
        rows.append(Figure("missing values, worst column", min(gaps.values()), "higher", {}, null=worst))
    return rows


def rare_figures(train: Coded, held_out: Coded, fake: Coded) -> list[Figure]:
    """What became of rare categories; nothing where there are none."""
    found, null = rare_survival(train, fake), rare_survival(train, held_out)
    if found.survived != found.survived:
        return []
    lost = tuple(f"No generated row has {name} = {level}; {rows} real rows do." for name, level, rows, _ in found.lost[:3])
    return [
        Figure("rare categories that survive", found.survived, "higher", {}, null=null.survived, notes=lost),
        Figure("rare categories' share of rows, over the real", found.mass, None, {}, null=null.mass),
    ]


def two_sample_figure(held_out: Coded, train: Coded, fake: Coded, seed: int) -> Figure:
    """Generated against held-out rows, so that copies of training rows win nothing."""
    found, null = two_sample_auc(held_out, fake, seed=seed), two_sample_auc(held_out, train, seed=seed)
    return Figure("two-sample AUC", found.value, "lower", {"learner": "gradient boosting"}, _ends(found), null.value)


def utility_figures(train: Coded, held_out: Coded, fake: Coded, target: str, seed: int) -> list[Figure]:
    """Train on generated rows, test on held-out real ones; the null trains on real rows."""
    return [
        Figure(
            f"usefulness[{found.learner}, {found.figure}]",
            found.synthetic.value,
            "higher",
            {"target": target, "trivial": found.trivial},
            _ends(found.synthetic),
            found.real.value,
        )
        for found in utility(train, fake, held_out, target, seed=seed)
    ]


def fidelity_figures(train: Coded, held_out: Coded, fake: Coded, seed: int) -> list[Figure]:
    found, null = fidelity(train, fake, seed=seed), fidelity(train, held_out, seed=seed)
    return [
        Figure("alpha-precision", found.precision, "higher", {}, null=null.precision),
        Figure("beta-recall", found.recall, "higher", {}, null=null.recall),
    ]


def privacy_figures(train: Coded, held_out: Coded, fake: Coded, seed: int) -> list[Figure]:
    """Distances, copies, authenticity and the attack. All training rows are looked through; of the others at most 10,000."""
    draw = np.random.default_rng(seed)
    h, f = (table.take(draw.permutation(len(table))[:MOST]) for table in (held_out, fake))
    found = privacy.distances(train, h, f)
    near, copied = privacy.closest(train, h, f, found=found), privacy.near_copies(train, h, f, found=found)
    real, usual = (privacy.authentic_rows(train, rows) for rows in (f, h))
    authentic = share_interval(int(real.sum()), len(real))
    some = train.take(draw.permutation(len(train))[:MOST])
    attack = privacy.membership(some, h, f)
    tpr = share_interval(round(attack.tpr * len(some)), len(some))
    said = (f"More rows lie near to training rows than chance would have it: p = {copied.p:.1g}.",) if copied.caught else ()
    return [
        Figure("distance to the closest row, median", near.median.value, None, {}, _ends(near.median), near.null.value),
        Figure("near-copies", copied.share.value, "lower", {}, _ends(copied.share), copied.null.value, notes=said),
        Figure("equal to a training row", copied.equal, "lower", {}, null=copied.null_equal),
        Figure("authenticity", authentic.value, None, {}, _ends(authentic), float(usual.mean())),
        Figure("membership AUC", attack.auc, "lower", {}, null=0.5),
        Figure("membership TPR at 1 % FPR", attack.tpr, "lower", {}, _ends(tpr), 0.01),
    ]


def _ends(interval: Interval) -> tuple[float, float]:
    return interval.low, interval.high
