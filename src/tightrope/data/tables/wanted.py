"""What rows are asked for: how many of which, what is known of them beforehand, and which of those drawn are taken.

Rows come in blocks from a generator. Of one that can complete rows each is made for a *part* (rows that are to meet the same
conditions), around the values it asks for; else any row counts for the part that it happens to meet. Every row is checked on
the values that will be written. Axes: m rows of a block, w encoded numbers, c columns, k parts.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from tightrope.core.errors import InputError
from tightrope.data.catalog import shown
from tightrope.data.tables.columns import Column
from tightrope.data.tables.keeping import Keeping
from tightrope.data.tables.where import Asked, Condition, conditions

if TYPE_CHECKING:
    from tightrope.data.tables.encoding import Codec

TRIES = 1 << 18  # rows drawn for a part before it is judged to be hopeless
RARE = 1000  # rows drawn for one that is taken, from which on it is
Decoded = tuple[Int64[np.ndarray, "m c"], Float64[np.ndarray, "m c"]]


@dataclasses.dataclass
class Part:
    """So many rows that meet all of these conditions; `left` are not there yet, `tried` were drawn for it."""

    conditions: tuple[Condition, ...]
    count: int
    left: int = 0
    tried: int = 0

    def __post_init__(self) -> None:
        self.left = self.count

    def fits(self, levels: Int64[np.ndarray, "m c"], values: Float64[np.ndarray, "m c"]) -> Bool[np.ndarray, " m"]:
        rows = np.ones(len(values), bool)
        for one in self.conditions:
            rows &= one.holds(levels[:, one.place], values[:, one.place])
        return rows

    def facts(self) -> dict[int, Condition]:
        """The values that are asked for, by column."""
        return {one.place: one for one in self.conditions if one.sign == "="}


class Wanted:
    """`n` rows that meet `where`; see `tightrope.explore.rows.draw` for what can be asked.

    Attributes:
        known: of each part the encoded row as far as it is asked for, NaN elsewhere; None where no value is.
        drawn: rows that were looked at.
    """

    def __init__(
        self, codec: Codec, n: int | None, where: Asked | None, balance: str | None, counts: Mapping[str, int] | None
    ) -> None:
        self.codec, self.drawn, self.lost = codec, 0, 0
        self._parts = [part for part in _parts(codec, n, where, balance, counts) if part.count]
        self.known = self._known()
        self._met: dict[Condition, int] = {one: 0 for part in self._parts for one in part.conditions}
        pinned = {place for part in self._parts for place in part.facts()}
        self._keeping = Keeping(codec.rules, codec.columns, self.count, pinned)

    @property
    def count(self) -> int:
        return sum(part.count for part in self._parts)

    @property
    def left(self) -> int:
        """Rows that are not there yet."""
        return sum(part.left for part in self._parts)

    def _known(self) -> Float32[np.ndarray, "k w"] | None:
        rows = [self.codec.known({place: (one.level, one.value) for place, one in part.facts().items()}) for part in self._parts]
        known = np.stack(rows)
        return None if np.isnan(known).all() else known

    def parts(self, m: int, random: np.random.Generator) -> Int64[np.ndarray, " m"]:
        """The part that each of the next m rows is for: in proportion to what is left, and some of every part."""
        left = np.asarray([part.left for part in self._parts])
        order = np.argsort(-left, kind="stable")[: int((left > 0).sum())]
        shares = np.ceil(left[order] * m / left.sum()).astype(np.int64)
        return random.permutation(np.repeat(order, shares)[:m])

    def take(self, rows: Float32[np.ndarray, "m w"], parts: Int64[np.ndarray, " m"] | None) -> Decoded:
        """Levels and values of the rows that are taken, all constraints and conditions met.

        Args:
            parts: what each row was made for, as `parts` said; None where nothing was known of it.

        Raises:
            InputError: too few rows come out as asked.
        """
        levels, values = self.codec.values(self.codec.shrink(rows))
        if parts is not None:
            self._settle(values, parts)
        right = self._keeping.mend(values)
        chosen = self._chosen(levels, values, parts, right)
        rows_taken = np.flatnonzero(chosen >= 0)
        levels, values, chosen = levels[rows_taken], values[rows_taken], chosen[rows_taken]
        if self._keeping.keys:
            fine = self._keeping.place(values)
            for i in np.unique(chosen):  # a key that moved may be what was asked for
                mine = chosen == i
                fine[mine] &= self._parts[i].fits(levels[mine], values[mine])
            self.lost += int((~fine).sum())
            levels, values, chosen = levels[fine], values[fine], chosen[fine]
            self._keeping.add(values)
        for i, many in enumerate(np.bincount(chosen, minlength=len(self._parts))):
            self._parts[i].left -= int(many)
        self._require_hope()
        return levels, values

    def _settle(self, values: Float64[np.ndarray, "m c"], parts: Int64[np.ndarray, " m"]) -> None:
        """A number that was given and came back as fp32 has it becomes the very number again, in place."""
        for i in np.unique(parts):
            for place, one in self._parts[i].facts().items():
                if one.level < 0 and self.known is not None:
                    through = self.codec.values(self.codec.shrink(np.nan_to_num(self.known[i : i + 1])))[1][0, place]
                    values[(parts == i) & (values[:, place] == through), place] = one.value

    def _chosen(
        self, levels: Int64[np.ndarray, "m c"], values: Float64[np.ndarray, "m c"], parts: Int64[np.ndarray, " m"] | None,
        right: Bool[np.ndarray, " m"],
    ) -> Int64[np.ndarray, " m"]:  # fmt: skip
        """The part that each row is taken for, the first of those it meets; -1 for none."""
        self.drawn += len(values)
        self.lost += int((~right).sum())
        for one in self._met:
            self._met[one] += int(one.holds(levels[:, one.place], values[:, one.place]).sum())
        chosen = np.full(len(values), -1, np.int64)
        for i, part in enumerate(self._parts):
            mine = right & (chosen < 0) if parts is None else right & (parts == i)
            if not part.left or not mine.any():
                continue
            part.tried += len(values) if parts is None else int((parts == i).sum())
            chosen[np.flatnonzero(mine & part.fits(levels, values))[: part.left]] = i
        return chosen

    def _require_hope(self) -> None:
        for part in self._parts:
            found = part.count - part.left
            if part.left and part.tried >= TRIES and found * RARE < part.tried:
                raise InputError(self._hopeless(part, found))

    def _hopeless(self, part: Part, found: int) -> str:
        """Why too few rows came out, in one sentence."""
        asked = " and ".join(shown(one.text) for one in part.conditions) or "the table"
        alone = [f"{one.text} holds in {_share(self._met[one], self.drawn)}" for one in part.conditions]
        if self.lost > 0.5 * self.drawn or not alone:
            alone.append(f"constraints or keys rule out {_share(self.lost, self.drawn)}")
        return (
            f"{asked}: {found:,} of {part.count:,} rows were found in {part.tried:,} that the generator made "
            f"({', '.join(alone)} of what it makes); ask for fewer rows or for less of them."
        )


def _share(some: int, of: int) -> str:
    percent = 100 * some / max(of, 1)
    return "none" if not some else f"{percent:.0f} %" if percent >= 10 else f"{percent:.2g} %"


def _parts(codec: Codec, n: int | None, where: Asked | None, balance: str | None, counts: Mapping[str, int] | None) -> list[Part]:
    shared = conditions(where, codec.columns)
    if counts:
        if balance is not None or n is not None:
            raise InputError(
                f"{'balance' if balance is not None else 'n'}: the counts say how many rows there are; leave it out."
            )
        found = [Part(conditions(_joined(where, text), codec.columns), _whole(many, text)) for text, many in counts.items()]
    else:
        count = _whole(n, "n")
        found = [Part(shared, count)] if balance is None else _balanced(codec, count, shared, balance)
    if not sum(part.count for part in found):
        raise InputError("no rows are asked for; say how many.")
    return found


def _joined(where: Asked | None, text: str) -> Sequence[str]:
    if isinstance(where, Mapping):
        raise InputError("counts: give where as texts beside them, like ['age>=50'].")
    return [*([where] if isinstance(where, str) else where or ()), text]


def _whole(many: object, what: str) -> int:
    if isinstance(many, bool) or not isinstance(many, int | np.integer) or many < (1 if what == "n" else 0):
        raise InputError(f"{what}: {many!r} rows; give a whole number from 1 on.")
    return int(many)


def _balanced(codec: Codec, n: int, shared: tuple[Condition, ...], name: str) -> list[Part]:
    """As many rows of each value of a column that the conditions leave, one more of the first of them where n has a rest."""
    place, column = codec.column(name)
    levels = _values(column)
    own = [one for one in shared if one.place == place]
    each = [
        Condition(text=f"{name}={column.texts[level].strip()}", place=place, sign="=", level=level, value=column.worth[level])
        for level in levels
    ]
    each = [one for one in each if all(other.holds(np.asarray([one.level]), np.asarray([one.value])).all() for other in own)]
    if not each:
        raise InputError(f"balance {shown(name)!r}: the conditions leave none of its values; leave one of them out.")
    share, rest = divmod(n, len(each))
    return [Part((*shared, one), share + (k < rest)) for k, one in enumerate(each)]


def _values(column: Column) -> list[int]:
    """The levels of a column that has nothing else, missing cells left out.

    Raises:
        InputError: it has no values that could be balanced.
    """
    if not column.learned or column.quantiles is not None:
        what = f"{column.type} with many values" if column.learned else f"{column.type}, not learned"
        raise InputError(f"balance {shown(column.name)!r}: the column is no category ({what}); name one with few values.")
    return list(range(len(column.texts) - (column.missing is not None)))
