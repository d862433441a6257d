"""The codec of a table: rows of cells <-> packed rows <-> encoded rows in [-1, 1], column by column.

One-hots are 0 and 1, scalars in [-1, 1]. Everything it needs is in `DataSpec.coding`, so a generator writes a file's own
formats without the file. Axes: n rows, p packed numbers (one a block), w encoded numbers, c columns.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64, Int64

from tightrope.core.blocks import Block
from tightrope.core.errors import InputError
from tightrope.core.spec import DataSpec
from tightrope.data.tables.coders import Coder, coder_of, hot
from tightrope.data.tables.columns import Column, Levels, Values
from tightrope.data.tables.constraints import Rule, hold, rule_from
from tightrope.data.tables.identifiers import fresh
from tightrope.data.tables.quantiles import chance
from tightrope.data.tables.wanted import Wanted
from tightrope.data.tables.where import Asked

MOST_WIDE = 20_000  # encoded numbers in a row


class Codec:
    """Columns and constraints of a table.

    Attributes:
        columns: all of the file's, in its order.
        blocks: of the encoded row.
        width: w.
        rules: what must hold in every row that comes out.
        missing: cells that say nothing, in small letters.
        delimiter: of a file that is written.
    """

    def __init__(self, columns: Sequence[Column], rules: Sequence[str], missing: Collection[str], delimiter: str = ",") -> None:
        self.columns, self.missing, self.delimiter = tuple(columns), tuple(missing), delimiter
        self.rules: tuple[Rule, ...] = tuple(rule_from(text, self.columns) for text in rules)
        self.coders: list[Coder | None] = [coder_of(column) for column in columns]
        self.blocks: tuple[Block, ...] = ()
        self._parts: list[slice] = []  # of the packed row, a column each
        for coder in self.coders:
            mine = coder.blocks(self.width) if coder else []
            self._parts.append(slice(len(self.blocks), len(self.blocks) + len(mine)))
            self.blocks += tuple(mine)

    @property
    def width(self) -> int:
        return self.blocks[-1].stop if self.blocks else 0

    def pack(self, chunk: Sequence[Sequence[str]], first: int) -> Float32[np.ndarray, "n p"]:
        """Rows of a chunk, the first of which is row `first` of the table."""
        pairs = zip(self.coders, chunk, strict=True)
        said = (None if coder is None else coder.column.read(cells, self.missing) for coder, cells in pairs)
        return self.lay(said, len(chunk[0]), first)

    def lay(self, said: Iterable[tuple[Levels, Values] | None], n: int, first: int = 0) -> Float32[np.ndarray, "n p"]:
        """Levels and values of n rows, of each column in its turn (None: it is not learned), packed."""
        packed = np.empty((n, len(self.blocks)), np.float32)
        for i, (coder, found, part) in enumerate(zip(self.coders, said, self._parts, strict=True)):
            if coder is not None and found is not None:
                packed[:, part] = coder.pack(*found, chance(first, n, i))
        return packed

    def expand(self, packed: Float32[np.ndarray, "n p"]) -> Float32[np.ndarray, "n w"]:
        """Packed rows as networks see them."""
        rows = np.zeros((len(packed), self.width), np.float32)
        scalars, hots = self._kinds
        rows[:, [self.blocks[i].start for i in scalars]] = packed[:, scalars]
        starts = np.asarray([self.blocks[i].start for i in hots], np.int64)
        rows[np.arange(len(packed))[:, None], starts + packed[:, hots].astype(np.int64)] = 1
        return rows

    def shrink(self, rows: Float32[np.ndarray, "n w"]) -> Float32[np.ndarray, "n p"]:
        """Encoded rows, of a generator for instance, packed: the greatest number of each one-hot is its 1."""
        packed = np.empty((len(rows), len(self.blocks)), np.float32)
        for i, block in enumerate(self.blocks):
            packed[:, i] = rows[:, block.start].clip(-1, 1) if block.kind == "scalar" else hot(rows, block)
        return packed

    @functools.cached_property
    def _kinds(self) -> tuple[list[int], list[int]]:
        scalars = [i for i, block in enumerate(self.blocks) if block.kind == "scalar"]
        return scalars, [i for i, block in enumerate(self.blocks) if block.kind == "onehot"]

    def values(self, packed: Float32[np.ndarray, "n p"]) -> tuple[Int64[np.ndarray, "n c"], Float64[np.ndarray, "n c"]]:
        """Levels and values of all columns, as `tables.columns` has them; -1 and NaN for what is not learned."""
        levels = np.full((len(packed), len(self.columns)), -1, np.int64)
        values = np.full((len(packed), len(self.columns)), np.nan)
        for i, (coder, part) in enumerate(zip(self.coders, self._parts, strict=True)):
            if coder is not None:
                levels[:, i], found = coder.unpack(packed[:, part])
                values[:, i] = coder.column.settle(found)
        return levels, values

    def cells(self, rows: Float32[np.ndarray, "n w"]) -> dict[str, list[str]]:
        """The columns of encoded rows as the file writes them, all constraints met.

        Rows are mended together: ask for all of them at once where keys are to be unique.

        Raises:
            InputError: a constraint cannot be met.
        """
        levels, values = self.values(self.shrink(rows))
        values, made_of = hold(values, self.rules, self.columns)
        return self.write(levels[made_of], values)

    def write(self, levels: Int64[np.ndarray, "n c"], values: Float64[np.ndarray, "n c"], first: int = 0) -> dict[str, list[str]]:
        """Levels and values as cells, by the names of the columns that are written; these are the rows from `first` on."""
        cells: dict[str, list[str]] = {}
        for i, column in enumerate(self.columns):
            if column.type == "identifier":
                cells[column.name] = fresh(column.texts[0], len(values), first)
            elif column.type == "constant":
                cells[column.name] = [column.texts[0]] * len(values)
            elif column.written:
                cells[column.name] = column.write(levels[:, i], values[:, i])
        return cells

    def known(self, facts: Mapping[int, tuple[int, float]]) -> Float32[np.ndarray, " w"]:
        """An encoded row of which some columns are known, each by its level and value; NaN elsewhere."""
        packed = np.zeros((1, len(self.blocks)), np.float32)
        for place, (level, value) in facts.items():
            coder = self.coders[place]
            assert coder is not None
            packed[:, self._parts[place]] = coder.pack(np.asarray([level]), np.asarray([value]), np.full(1, 0.5))
        row = self.expand(packed)[0]
        for place, part in enumerate(self._parts):
            for block in self.blocks[part] if place not in facts else ():
                row[block.slice] = np.nan
        return row

    def wanted(
        self, n: int | None, where: Asked | None = None, balance: str | None = None, counts: Mapping[str, int] | None = None
    ) -> Wanted:
        """What is asked for, as `tightrope.explore.rows.draw` says it.

        Raises:
            InputError: it cannot be.
        """
        return Wanted(self, n, where, balance, counts)

    def column(self, name: str) -> tuple[int, Column]:
        """A column by its name, and its place.

        Raises:
            InputError: there is none.
        """
        from tightrope.data.tables.schema import near

        names = [column.name for column in self.columns]
        if name not in names:
            raise InputError(f"the table has no column {name!r}; {near(name, names)}.")
        return names.index(name), self.columns[names.index(name)]

    def to_json(self) -> dict[str, Any]:
        return {
            "columns": [column.to_json() for column in self.columns],
            "constraints": [rule.text for rule in self.rules],
            "missing": list(self.missing),
            "delimiter": self.delimiter,
        }

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Codec:
        columns = [Column.from_json(part) for part in record["columns"]]
        return cls(columns, record["constraints"], record["missing"], record["delimiter"])

    def spec(self, count: int, coding: dict[str, Any]) -> DataSpec:
        """What recipes need to know."""
        return DataSpec(modality="table", shape=(self.width,), count=count, blocks=self.blocks, coding=coding)
