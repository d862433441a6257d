"""Drawing rows of a table: any number of them, under conditions, the same ones for the same seed.

Latents are drawn in blocks whose size the width of a row decides, so that neither memory nor rows depend on how many are asked
for. Axes: m rows of a block, z latent, w encoded numbers, c columns, k parts.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64

from tightrope.core import seeds as seeding
from tightrope.core.errors import InputError
from tightrope.explore.generator import Generator

MOST, LEAST = 4096, 64  # rows of a block
NUMBERS = 1 << 20  # encoded ones of a block, where that leaves LEAST rows
AT_ONCE = 512  # rows that pass through the networks together: what they leave behind stays in a core's cache
Where = str | Sequence[str] | Mapping[str, Any]


class Asked(Protocol):
    """What rows are asked for, by the table's own account. `tightrope.data.tables.wanted.Wanted`."""

    known: Float32[np.ndarray, "k w"] | None

    @property
    def left(self) -> int: ...

    def parts(self, m: int, random: np.random.Generator) -> Int64[np.ndarray, " m"]: ...

    def take(
        self, rows: Float32[np.ndarray, "m w"], parts: Int64[np.ndarray, " m"] | None
    ) -> tuple[Int64[np.ndarray, "m c"], Float64[np.ndarray, "m c"]]: ...


class Table(Protocol):
    """What rows mean. `tightrope.data.tables.encoding.Codec`."""

    def wanted(
        self, n: int | None, where: Where | None = None, balance: str | None = None, counts: Mapping[str, int] | None = None
    ) -> Asked: ...

    def write(
        self, levels: Int64[np.ndarray, "n c"], values: Float64[np.ndarray, "n c"], first: int = 0
    ) -> dict[str, list[str]]: ...


@dataclasses.dataclass(frozen=True)
class Drawn:
    """Some of the rows, decoded: levels and values as a table's columns have them.

    `first` is the number of their first row among all; `made` is how many rows the generator has made so far, those that did not
    meet the conditions among them.
    """

    levels: Int64[np.ndarray, "m c"]
    values: Float64[np.ndarray, "m c"]
    first: int
    made: int

    def __len__(self) -> int:
        return len(self.values)


def draw(
    generator: Generator,
    table: Table,
    n: int | None = None,
    *,
    where: Where | None = None,
    balance: str | None = None,
    counts: Mapping[str, int] | None = None,
    seed: int = 0,
) -> Iterator[Drawn]:
    """Draw rows, block by block; every one meets its conditions, and all of them the constraints of the table's schema.

    What can be given to a generator that completes rows is given to it. The rest is found among the rows that it makes.

    Args:
        n: how many rows.
        where: conditions that every row meets: "COLUMN=VALUE" ("missing" for a cell that says nothing), "age>=50", "grade!=low",
            or several of them; or a mapping of columns to values, {"income": ">50K"}.
        balance: a column of few values, each of which as many rows have, one more the first of them where n has a rest.
        counts: in place of n how many rows there are of each condition, {"income=>50K": 300, "income=<=50K": 700}.
        seed: the same seed gives the same rows; of 10 rows and of 1,000 the first 10 are the same, unless they are balanced.

    Raises:
        InputError: what is asked for cannot be, or hardly ever comes out; before the first row or later.
    """
    if generator.spec.modality != "table":
        raise InputError(f"{generator.name} makes {generator.spec.modality}; rows are drawn from a generator of a table.")
    wanted = table.wanted(n, where, balance, counts)
    return _blocks(generator, wanted, seed)


def cells(generator: Generator, table: Table, n: int | None = None, **asked: Any) -> dict[str, list[str]]:
    """All rows at once, by column, as the table's file writes them; what can be asked is `draw`'s."""
    found: dict[str, list[str]] = {}
    for some in draw(generator, table, n, **asked):
        for name, column in table.write(some.levels, some.values, some.first).items():
            found.setdefault(name, []).extend(column)
    return found


def _blocks(generator: Generator, wanted: Asked, seed: int) -> Iterator[Drawn]:
    known = torch.from_numpy(wanted.known) if wanted.known is not None and generator.recipe.COMPLETES else None
    many = block_of(generator.spec.shape[0])
    alike = known is None or len(known) == 1  # what the next block is made for does not depend on what is taken of this one

    def block(number: int) -> tuple[Float32[np.ndarray, "m w"], Int64[np.ndarray, " m"] | None]:
        if known is None:
            return made(generator, seed, number, many, None), None
        parts = wanted.parts(many, np.random.default_rng(seeding.derive(seed, "parts", number)))
        return made(generator, seed, number, many, known[torch.from_numpy(parts)]), parts

    first = 0
    with ThreadPoolExecutor(1) as beside:  # a block is made while the one before it is decoded, and written by who asked
        ahead: Future[tuple[Any, Any]] = beside.submit(block, 0)
        for number in itertools.count(1):
            rows, parts = ahead.result()
            early = alike and wanted.left > many  # this block cannot be the last
            if early:
                ahead = beside.submit(block, number)
            levels, values = wanted.take(rows, parts)
            if wanted.left and not early:
                ahead = beside.submit(block, number)
            if len(values):
                yield Drawn(levels, values, first, number * many)
            first += len(values)
            if not wanted.left:
                return


def block_of(width: int) -> int:
    """Rows of a block: a power of two, fewer of wide ones."""
    return int(max(LEAST, min(MOST, 1 << max(0, (NUMBERS // width).bit_length() - 1))))


@torch.inference_mode()
def made(generator: Generator, seed: int, block: int, m: int, labels: torch.Tensor | None) -> Float32[np.ndarray, "m w"]:
    """The encoded rows of a block.

    Raises:
        InputError: they are not finite.
    """
    z = generator.recipe.latents(m, seeding.generator(seed, "rows", block))
    parts = zip(z.split(AT_ONCE), [None] * len(z) if labels is None else labels.split(AT_ONCE), strict=False)
    rows = torch.cat([generator.recipe.sample(generator.nets, *part).float().cpu() for part in parts]).numpy()
    if not np.isfinite(rows).all():
        raise InputError(
            f"{generator.name}: the generator makes numbers that are not finite; take an earlier checkpoint (--best)."
        )
    return rows
