"""The marginal of a column: shares of its categories, or of equal intervals of its numbers, in the data and in other rows.

What the data's shares are is known from the column itself, without the data. Axes: n rows, b bars.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from tightrope.data.tables.columns import Column

BARS = 20  # intervals of numbers
MOST = 16  # categories; the rest is one bar
TAIL = 0.005  # share of the numbers beyond each end of the intervals; they count to the last ones
REST = "others"


@dataclasses.dataclass(frozen=True)
class Marginal:
    """Bars, from left to right.

    Attributes:
        names: a category, or where an interval begins.
        real, made: shares of the rows; they sum to 1.
        cut: bars before this one are intervals that touch; those after stand for single values.
        end: where the last interval ends, its last value included.
    """

    names: tuple[str, ...]
    real: Float64[np.ndarray, " b"]
    made: Float64[np.ndarray, " b"]
    cut: int
    end: str = ""

    def to_json(self) -> dict[str, Any]:
        return {name: round(float(share), 6) for name, share in zip(self.names, self.real, strict=True)}


def marginal(column: Column, levels: Int64[np.ndarray, " n"], values: Float64[np.ndarray, " n"]) -> Marginal:
    """Of a learned column, beside rows that were read with it."""
    return _numbers(column, levels, values) if column.quantiles is not None else _levels(column, levels, values)


def _levels(column: Column, levels: Int64[np.ndarray, " n"], values: Float64[np.ndarray, " n"]) -> Marginal:
    counts = np.asarray(column.counts, np.float64)
    places = _nearest(column, levels, values)
    made = np.bincount(places, minlength=len(counts)).astype(np.float64)
    if len(counts) > MOST:
        kept = np.sort(np.argsort(-counts, kind="stable")[: MOST - 1])
        counts, made = (np.append(c[kept], c.sum() - c[kept].sum()) for c in (counts, made))
        return _shares([*(column.texts[i].strip() for i in kept), REST], counts, made, 0)
    return _shares([text.strip() for text in column.texts], counts, made, 0)


def _nearest(column: Column, levels: Int64[np.ndarray, " n"], values: Float64[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
    """The level of each row; of a number that a constraint has moved off all levels, the nearest."""
    worth = np.nan_to_num(np.asarray(column.worth), nan=np.inf)
    says = ~np.isnan(values)
    places = np.where(says, 0, levels)
    known = np.argsort(worth, kind="stable")
    edges = worth[known][np.isfinite(worth[known])]
    if len(edges):
        middles = (edges[1:] + edges[:-1]) / 2
        places[says] = known[np.searchsorted(middles, values[says])]
    return places


def _numbers(column: Column, levels: Int64[np.ndarray, " n"], values: Float64[np.ndarray, " n"]) -> Marginal:
    assert column.quantiles is not None and column.form is not None
    x, u = column.quantiles.x, column.quantiles.u
    own, worth = np.asarray(column.counts, np.float64), np.asarray(column.worth, np.float64)
    numbers = ~np.isnan(worth)
    inner = _edges(column, np.concatenate([np.interp([TAIL, 1 - TAIL], u, x), worth[numbers]]))
    inside = np.concatenate([[0.0], np.interp(inner[1:-1], x, u), [1.0]])
    free = max(column.rows - own.sum(), 0.0)
    real = np.diff(inside) * free
    np.add.at(real, _bar(inner, worth[numbers]), own[numbers])
    says = ~np.isnan(values)
    made = np.bincount(_bar(inner, values[says]), minlength=len(real)).astype(np.float64)
    words = np.flatnonzero(~numbers)
    starts = inner[:-1] + column.step / 2
    names = column.form.write(column.settle(starts)) + [column.texts[i].strip() for i in words]
    made = np.concatenate([made, [float((levels[~says] == i).sum()) for i in words]])
    return _shares(names, np.concatenate([real, own[words]]), made, len(starts), _end(column, inner))


def _end(column: Column, edges: Float64[np.ndarray, " e"]) -> str:
    assert column.form is not None
    return column.form.write(column.settle(edges[-1:] - column.step / 2))[0].strip()


def _edges(column: Column, reached: Float64[np.ndarray, " m"]) -> Float64[np.ndarray, " e"]:
    """Of at most `BARS` equal intervals between the least and the greatest value reached, each of whole steps."""
    low, high, step = float(reached.min()), float(reached.max()), column.step
    if not step:
        return np.linspace(low, high, BARS + 1)
    first = column.anchor + (np.floor((low - column.anchor) / step) - 0.5) * step
    wide = max(1.0, np.ceil((high - first) / step / BARS)) * step
    return first + np.arange(int(np.ceil((high - first) / wide)) + 1) * wide


def _bar(edges: Float64[np.ndarray, " e"], values: Float64[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
    return np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)


def _shares(
    names: list[str], real: Float64[np.ndarray, " b"], made: Float64[np.ndarray, " b"], cut: int, end: str = ""
) -> Marginal:
    return Marginal(tuple(name or "(none)" for name in names), real / max(real.sum(), 1), made / max(made.sum(), 1), cut, end)
