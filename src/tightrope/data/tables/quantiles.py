"""Numbers to [-1, 1] by their quantiles: what comes out is a normal distribution cut at the ends, whatever went in.

The distribution function F is piecewise linear, between at most `KNOTS` quantiles that lie evenly in the normal's units (so that
tails are as fine as the middle). A value v that the file writes in steps of d stands for all of [v - d/2, v + d/2]; it is laid
at a place of its own within F of that interval, so that a column of ties is as smooth as any, and rounding brings v back.
No mixture is fitted. Axis: n cells, k knots.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64

KNOTS = 512
MARGIN = 0.05  # of an interval, left free at both sides
ROOM = 1e-3  # of the places, shared out evenly over the range: single values far out stay apart in fp32
SLIM = 1e-4  # share of the rows up to which a value is no tie that has to be smoothed: it lies in the middle of its interval
_MIX = np.uint64(0x9E3779B97F4A7C15)


def normal_quantile(u: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """Standard normal quantiles."""
    return torch.special.ndtri(torch.from_numpy(np.ascontiguousarray(u, np.float64))).numpy()


def normal_share(z: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """Standard normal distribution function."""
    return torch.special.ndtr(torch.from_numpy(np.ascontiguousarray(z, np.float64))).numpy()


@dataclasses.dataclass(frozen=True)
class Quantiles:
    """A distribution function: F(x[i]) = u[i], linear between; `step` of the values, `reach` of the normal's units."""

    x: Float64[np.ndarray, " k"]
    u: Float64[np.ndarray, " k"]
    step: float
    reach: float

    @classmethod
    def fit(cls, values: Float64[np.ndarray, " n"], counts: Float64[np.ndarray, " n"], step: float) -> Quantiles:
        """Of different values in ascending order, each so often."""
        total = counts.sum()
        above = np.cumsum(counts) / total
        reach = float(normal_quantile(np.asarray([1 - max(0.5 / total, 1e-7)]))[0])
        few = 2 * len(values) <= KNOTS
        if few and not step:  # a sliver of its own for each value, thinner than the digits that are written
            step = float(np.diff(values).min()) * 1e-3
        half = step / 2
        if few:
            x = np.stack([values - half, values + half], axis=1).ravel()
            u = np.stack([above - counts / total, above], axis=1).ravel()
        else:
            u = normal_share(np.linspace(-reach, reach, KNOTS))
            x = values[np.minimum(np.searchsorted(above, u), len(values) - 1)]
            x[0], x[-1], u[0] = values[0] - half, values[-1] + half, 0.0
            u = (1 - ROOM) * u + ROOM * (x - x[0]) / (x[-1] - x[0])
        u[-1] = 1.0
        return cls(x, u, step, reach)

    def encode(self, values: Float64[np.ndarray, " n"], chance: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
        """Values to [-1, 1]; `chance` in [0, 1] says where within its step each one lies."""
        low, high = (np.interp(values + side * self.step / 2, self.x, self.u) for side in (-1, 1))
        margin = np.where(high - low > SLIM, MARGIN, 0.5)
        inside = low + (high - low) * (margin + (1 - 2 * margin) * chance)
        return np.clip(normal_quantile(np.clip(inside, 1e-9, 1 - 1e-9)) / self.reach, -1, 1)

    def decode(self, places: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
        """[-1, 1] to values, not rounded."""
        return np.interp(normal_share(np.clip(places, -1, 1) * self.reach), self.u, self.x)

    def edges(self, modes: int) -> Float64[np.ndarray, " m"]:
        """Ends of so many intervals of [-1, 1] that hold equally many values."""
        inner = normal_quantile(np.arange(1, modes) / modes) / self.reach
        return np.concatenate([[-1.0], np.clip(inner, -1, 1), [1.0]])

    def to_json(self) -> dict[str, Any]:
        x, u = ([float(f"{v:.12g}") for v in values] for values in (self.x, self.u))
        return {"x": x, "u": u, "step": self.step, "reach": self.reach}

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Quantiles:
        return cls(np.asarray(record["x"], np.float64), np.asarray(record["u"], np.float64), record["step"], record["reach"])


def chance(first: int, n: int, column: int) -> Float64[np.ndarray, " n"]:
    """Numbers in [0, 1) for the rows from `first` of a column, always the same: splitmix64 of (column, row)."""
    with np.errstate(over="ignore"):
        x = (np.arange(first, first + n, dtype=np.uint64) + np.uint64(column + 1) * np.uint64(1 << 40)) * _MIX
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return ((x ^ (x >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) * 2.0**-53
