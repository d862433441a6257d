"""Reading an architecture off a state dict: shapes, counts of layers, and a clear sentence where they are not there."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from typing import Any

from torch import Tensor

from tightrope.core.errors import InputError


class Tensors:
    """The tensors of a file, asked for their shapes.

    Attributes:
        state: under the reference's keys.
        written: the keys as they stand in the file.
    """

    def __init__(self, state: Mapping[str, Tensor], written: Collection[str] = ()) -> None:
        self.state, self.written = state, written or state

    def __contains__(self, key: str) -> bool:
        return key in self.state

    def shape(self, key: str, dims: int) -> tuple[int, ...]:
        """The shape of a tensor that must be there and have so many axes, none of them empty.

        Raises:
            InputError: it is not, or has not.
        """
        if key not in self.state:
            first = ", ".join(list(self.state)[:3]) or "nothing"
            raise InputError(f"{key} is missing (the file holds {first} ...); take the system that the file is of.")
        found = tuple(self.state[key].shape)
        if len(found) != dims or 0 in found:
            raise InputError(f"{key} has the shape {found}, where {dims} axes belong; take the system that the file is of.")
        return found

    def matching(self, pattern: str) -> list[str]:
        """Keys that match the pattern from their beginning to their end, numbers in them in order of size."""
        found = [key for key in self.state if re.fullmatch(pattern, key)]
        return sorted(found, key=lambda key: [(int(part) if part.isdigit() else 0, part) for part in re.split(r"(\d+)", key)])

    def kernels(self, pattern: str, dims: int, least: int = 2) -> list[tuple[int, ...]]:
        """Shapes of the matching tensors that have more than one axis, in order.

        Raises:
            InputError: there are fewer than `least`, or one has another number of axes.
        """
        found = [self.shape(key, dims) for key in self.matching(pattern) if self.state[key].dim() > 1]
        if len(found) < least:
            first = ", ".join(list(self.state)[:3]) or "nothing"
            raise InputError(
                f"there are {len(found)} layers and {least} belong there at least (the file holds {first} ...); "
                "take the system that the file is of."
            )
        return found

    def count(self, pattern: str) -> int:
        """How many different numbers the pattern's one group takes.

        Raises:
            InputError: none, or not those from 0 on.
        """
        found = {int(match[1]) for key in self.state if (match := re.match(pattern, key))}
        if not found or found != set(range(len(found))):
            numbers = ", ".join(map(str, sorted(found)[:8])) or "none"
            raise InputError(
                f"of {pattern.replace(chr(92), '')} there are {numbers}, where 0, 1, 2 ... belong: layers are missing."
            )
        return len(found)


def agree(hints: Mapping[str, Any], **found: Any) -> None:
    """Refuse hints that the tensors contradict.

    Raises:
        InputError: names the first.
    """
    for name, value in found.items():
        hint = hints.get(name)
        if hint is not None and (list(hint) if isinstance(hint, (list, tuple)) else hint) != value:
            raise InputError(f"the hint {name}={hint!r} does not fit the tensors, which say {value!r}; leave it out.")


def picture(values: int, hints: Mapping[str, Any]) -> tuple[int, int, int]:
    """(channels, side, side) of square pictures of so many values: of as many channels as hinted ("nc"), else three, else one.

    Raises:
        InputError: there are no such pictures.
    """
    for channels in [hints["nc"]] if hints.get("nc") else [3, 1]:
        side = math.isqrt(values // channels)
        if side > 1 and channels * side * side == values:
            return channels, side, side
    raise InputError(f"{values} values make no square picture of 3 or 1 channels; give the hint nc, the number of channels.")
