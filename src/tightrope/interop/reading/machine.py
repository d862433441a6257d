"""The state of one pickle that is read, and what its instructions take from its bytes."""

from __future__ import annotations

import struct

from tightrope.interop.reading.errors import DamagedFile
from tightrope.interop.reading.limits import DIGITS, LINE, TEXT, Budget, within
from tightrope.interop.reading.records import Bag, Pointer, Value


class Machine:
    """The state of one pickle that is read: position, stack, stacks below marks, memo."""

    def __init__(self, data: memoryview, budget: Budget, pointers: list[Pointer] | None) -> None:
        self.data, self.at, self.budget, self.pointers = data, 0, budget, pointers
        self.stack: list[Value] = []
        self.below: list[list[Value]] = []
        self.memo: dict[int, Value] = {}

    def take(self, size: int) -> memoryview:
        """The next `size` bytes."""
        within(size, len(self.data) - self.at, "a value")
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, form: str) -> int:
        """The next number, of struct's format `form`."""
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def line(self, most: int = LINE) -> str:
        """The next line of a text pickle."""
        width, end = DIGITS, -1
        while end < 0:
            window = bytes(self.data[self.at : self.at + width + 1])
            end = window.find(b"\n")
            if end < 0 and (width >= most or len(window) <= width):
                raise DamagedFile("a line of its pickle has no end.")
            width *= 8
        self.at += end + 1
        self.budget.run(end >> TEXT)
        return window[:end].decode("latin-1")

    def marked(self) -> list[Value]:
        """What was put since the last mark."""
        above, self.stack = self.stack, self.below.pop()
        return above

    def pay(self, *values: Value) -> None:
        """Values that an instruction goes through count as instructions, that it cannot go through the same ones for ever."""
        for value in values:
            if type(value) in (list, tuple, dict, Bag):
                self.budget.run(len(value) >> 2)
            elif type(value) is str:
                self.budget.run(len(value) >> TEXT)
