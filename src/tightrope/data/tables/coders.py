"""How a column's levels and values become numbers that networks make, and come back: one class a way.

*Packed* is a row as it is stored: a number a block, the place of the 1 of a one-hot or the scalar itself. Axes: n rows, p packed
numbers, w encoded numbers.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Protocol

import numpy as np
from jaxtyping import Float32, Float64, Int64

from tightrope.core.blocks import Block
from tightrope.data.tables.columns import Column, Levels, Values

ONEHOT = 100  # categories up to which a column is one one-hot
TWO_DIGITS = 40_000  # categories up to which two digits do


class Coder(Protocol):
    """One column's way."""

    @property
    def column(self) -> Column: ...

    def blocks(self, start: int) -> list[Block]:
        """Its blocks, the first at `start` of the encoded row."""
        ...

    def pack(self, levels: Levels, values: Values, chance: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, "n p"]: ...

    def unpack(self, packed: Float32[np.ndarray, "n p"]) -> tuple[Levels, Values]: ...


@dataclasses.dataclass(frozen=True)
class Categories:
    """A one-hot of all levels."""

    column: Column

    def blocks(self, start: int) -> list[Block]:
        stop = start + len(self.column.texts)
        return [Block(column=self.column.name, kind="onehot", role="category", start=start, stop=stop)]

    def pack(self, levels: Levels, values: Values, chance: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, "n p"]:
        return levels[:, None].astype(np.float64)

    def unpack(self, packed: Float32[np.ndarray, "n p"]) -> tuple[Levels, Values]:
        levels = np.rint(packed[:, 0]).astype(np.int64)
        return levels, np.asarray(self.column.worth)[levels]


@dataclasses.dataclass(frozen=True)
class Digits:
    """The number of a level, written with two or three digits to a base near its root: a one-hot a digit, the highest first.

    20,000 categories cost 284 numbers instead of 20,000. Levels are numbered by how frequent they are, so that the first digit
    tells the frequent from the rare.
    """

    column: Column

    @property
    def sizes(self) -> tuple[int, ...]:
        count = len(self.column.texts)
        digits = 2 if count <= TWO_DIGITS else 3
        base = math.ceil(round(count ** (1 / digits), 9))
        return (math.ceil(count / base ** (digits - 1)), *[base] * (digits - 1))

    def blocks(self, start: int) -> list[Block]:
        stops = start + np.cumsum(self.sizes)
        name = self.column.name
        return [
            Block(column=name, kind="onehot", role="digit", start=int(stop) - size, stop=int(stop))
            for size, stop in zip(self.sizes, stops, strict=True)
        ]

    def pack(self, levels: Levels, values: Values, chance: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, "n p"]:
        digits = []
        for size in reversed(self.sizes):
            digits.append(levels % size)
            levels = levels // size
        return np.stack(digits[::-1], axis=1).astype(np.float64)

    def unpack(self, packed: Float32[np.ndarray, "n p"]) -> tuple[Levels, Values]:
        levels = np.zeros(len(packed), np.int64)
        for digit, size in zip(np.rint(packed).astype(np.int64).T, self.sizes, strict=True):
            levels = levels * size + digit
        levels = np.minimum(levels, len(self.column.texts) - 1)  # numbers beyond the last are the rarest category
        return levels, np.asarray(self.column.worth)[levels]


@dataclasses.dataclass(frozen=True)
class Scale:
    """A scalar by quantiles and, where there is something to tell apart, a one-hot of levels and intervals before it."""

    column: Column

    @property
    def modes(self) -> int:
        """Size of the one-hot, 0 for none."""
        both = len(self.column.texts) + self.column.modes
        return both if both > 1 else 0

    def blocks(self, start: int) -> list[Block]:
        at, name = start + self.modes, self.column.name
        gate = tuple(range(start + len(self.column.texts), at)) if self.column.texts else ()
        scalar = Block(column=name, kind="scalar", role="value", start=at, stop=at + 1, gate=gate)
        return [Block(column=name, kind="onehot", role="mode", start=start, stop=at), scalar] if self.modes else [scalar]

    def pack(self, levels: Levels, values: Values, chance: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, "n p"]:
        column = self.column
        assert column.quantiles is not None
        free = levels < 0
        places = np.zeros(len(levels))
        places[free] = column.quantiles.encode(values[free], chance[free])
        if not self.modes:
            return places[:, None]
        edges = column.quantiles.edges(column.modes)
        mode = np.clip(np.searchsorted(edges, places, side="right") - 1, 0, column.modes - 1)
        within = 2 * (places - edges[mode]) / (edges[mode + 1] - edges[mode]) - 1
        return np.stack([np.where(free, len(column.texts) + mode, levels), np.where(free, np.clip(within, -1, 1), 0.0)], axis=1)

    def unpack(self, packed: Float32[np.ndarray, "n p"]) -> tuple[Levels, Values]:
        column = self.column
        assert column.quantiles is not None
        places = packed[:, -1].astype(np.float64)
        levels = np.full(len(packed), -1, np.int64)
        if self.modes:
            mode = np.rint(packed[:, 0]).astype(np.int64) - len(column.texts)
            levels = np.where(mode < 0, mode + len(column.texts), -1)
            edges, mode = column.quantiles.edges(column.modes), np.maximum(mode, 0)
            places = edges[mode] + (np.clip(places, -1, 1) + 1) / 2 * (edges[mode + 1] - edges[mode])
        values = np.asarray([*column.worth, np.nan])[levels]
        free = levels < 0
        values[free] = column.quantiles.decode(places[free])
        return levels, values


def coder_of(column: Column) -> Coder | None:
    """The way of a column; None for one that is not learned."""
    if not column.learned:
        return None
    if column.quantiles is not None:
        return Scale(column)
    return Digits(column) if len(column.texts) > ONEHOT else Categories(column)


def hot(row: Float32[np.ndarray, "n w"], block: Block) -> Int64[np.ndarray, " n"]:
    """Which of a one-hot's numbers is the greatest."""
    return row[:, block.slice].argmax(axis=1)
