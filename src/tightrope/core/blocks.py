"""What the numbers of an encoded row are: blocks, so that a network can end in tanh here and in softmax there. No torch."""

from __future__ import annotations

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True, kw_only=True)
class Block:
    """Neighbouring numbers of an encoded row that belong together.

    Attributes:
        column: name of the table's column; a column has one block or several, side by side.
        kind: "scalar" (one number in [-1, 1]: tanh) or "onehot" (one 1 among zeros: softmax).
        role: of a scalar "value"; of a one-hot "category" (the column's value), "mode" (which kind of value: missing, a value
            of its own, or one that the scalar says) or "digit" (a digit of the number of a category, the highest first).
        start, stop: the numbers are row[start:stop].
        gate: of a scalar: the places in the row, all in the mode before it, of which one must be 1 for the scalar to count; it
            is 0 elsewhere. () where it always counts.
    """

    column: str
    kind: str
    role: str
    start: int
    stop: int
    gate: tuple[int, ...] = ()

    @property
    def size(self) -> int:
        return self.stop - self.start

    @property
    def slice(self) -> slice:
        return slice(self.start, self.stop)

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Block:
        return cls(**{**record, "gate": tuple(record.get("gate", ()))})
