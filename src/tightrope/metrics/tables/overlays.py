"""What a report draws of two tables, as plain data: marginals laid over each other, associations, pairs of numbers as points.

Everything is JSON: it can be kept beside a run and drawn later. No single row is in it but those of `clouds`; where rows are not
to be shown, leave the clouds away.

Axes: n real rows, m generated rows, c columns.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from tightrope.core.errors import InputError
from tightrope.metrics.tables.columns import Coded, Table, coded, missing
from tightrope.metrics.tables.pairs import associations, pair_trends
from tightrope.metrics.tables.shapes import column_shapes

BINS = 32  # of a number
LEVELS = 10  # categories that have a bar of their own
TAIL = 0.005  # of the real numbers at either end, gathered in the outermost bins where the range would hide the rest
MAPPED = 40  # columns of a map
POINTS = 400  # rows of a cloud
OTHERS = "others"


def marginals(real: Table, fake: Table) -> list[dict[str, Any]]:
    """A column each: name, kind, score, shares of missing values; and shares of bins, or of "levels", the commonest first.

    Raises:
        InputError: the tables have different columns.
    """
    a, b = coded(real, fake)
    scores = column_shapes(a, b)
    found = []
    for name in a.names:
        gaps = [float(missing(table, name).mean()) for table in (a, b)]
        shown = _bins(a, b, name) if name in a.numbers else _bars(a, b, name)
        found.append({"name": name, "score": _plain(scores[name]), "missing": gaps} | shown)
    return found


def association(real: Table, fake: Table, *, most: int = MAPPED) -> dict[str, Any]:
    """Names of the first `most` columns and `associations` of both tables, None where a column is constant.

    Raises:
        InputError: the tables have different columns.
    """
    a, b = coded(real, fake)
    names = list(a.names[:most])
    square = [[[_plain(v) for v in row] for row in associations(table, names)] for table in (a, b)]
    return {"names": names, "real": square[0], "fake": square[1]}


def clouds(real: Table, fake: Table, *, many: int = 4, seed: int = 0) -> list[dict[str, Any]]:
    """The pairs of numbers that are most strongly correlated among the real rows, or whose correlation is most wrong: up to
    400 rows of each table as points.

    Raises:
        InputError: the tables have different columns.
    """
    a, b = coded(real, fake)
    pairs = {names: pair for names, pair in pair_trends(a, b).items() if pair.real == pair.real}
    telling = sorted(pairs, key=lambda names: max(abs(pairs[names].real), 2 * (1 - pairs[names].score or 0.0)), reverse=True)
    draw = np.random.default_rng(seed)
    some = [table.take(draw.permutation(len(table))[:POINTS]) for table in (a, b)]
    found = []
    for x, y in telling[:many]:
        points = [[_plain_rows(table.numbers[name]) for name in (x, y)] for table in some]
        r = [_plain(pairs[x, y].real), _plain(pairs[x, y].fake)]
        found.append({"x": x, "y": y, "real": points[0], "fake": points[1], "r": r})
    return found


def _bins(a: Coded, b: Coded, name: str) -> dict[str, Any]:
    x, y = (column[np.isfinite(column)] for column in (a.numbers[name], b.numbers[name]))
    edges = bin_edges(x if len(x) else np.zeros(1))
    shares = []
    for column in (x, y):
        counts = np.histogram(np.clip(column, edges[0], edges[-1]), edges)[0]
        shares.append((counts / max(1, len(column))).tolist())
    gathered = [bool(len(x) and x.min() < edges[0]), bool(len(x) and x.max() > edges[-1])]
    ends = [float(edges[0]), float(edges[-1])]
    if edges[0] % 1 == 0.5 and edges[1] - edges[0] == 1:  # a bin a whole number
        ends = [ends[0] + 0.5, ends[1] - 0.5]
    return {"kind": "number", "edges": edges.tolist(), "ends": ends, "real": shares[0], "fake": shares[1], "gathered": gathered}


def bin_edges(x: Float[np.ndarray, " n"], many: int = BINS) -> Float[np.ndarray, " e"]:
    """Bins of one width over the range, less tails that would stretch it threefold; a bin a value where there are few whole ones.

    Raises:
        InputError: no number at all.
    """
    if not len(x):
        raise InputError("bin_edges: an empty column has no range; give at least one number.")
    low, high = np.quantile(x, [TAIL, 1 - TAIL])
    low, high = (float(x.min()), float(x.max())) if np.ptp(x) <= 3 * (high - low) or high == low else (float(low), float(high))
    if (x == np.round(x)).all() and high - low < many:
        return np.arange(np.floor(low), np.ceil(high) + 2) - 0.5
    return np.linspace(low, high, many + 1) if high > low else np.array([low - 0.5, low + 0.5])


def _bars(a: Coded, b: Coded, name: str) -> dict[str, Any]:
    levels = a.levels[name]
    p, q = (np.bincount(table.codes[name], minlength=len(levels))[1:] / len(table) for table in (a, b))
    order = np.argsort(-p, kind="stable")
    own = LEVELS if len(order) > LEVELS + 1 else len(order)
    first, rest = order[:own], order[own:]
    names = [levels[k + 1] for k in first] + ([f"{len(rest)} {OTHERS}"] if len(rest) else [])
    sides = [[*v[first].tolist(), *([float(v[rest].sum())] if len(rest) else [])] for v in (p, q)]
    return {"kind": "category", "levels": names, "real": sides[0], "fake": sides[1]}


def _plain(value: float) -> float | None:
    return None if value != value else round(float(value), 4)


def _plain_rows(column: np.ndarray) -> list[float | None]:
    return [float(f"{v:.6g}") if np.isfinite(v) else None for v in column.tolist()]
