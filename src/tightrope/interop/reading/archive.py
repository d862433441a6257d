"""Zip archives as torch writes them: entries stored as they are, each a view of the file. Nothing is unpacked."""

from __future__ import annotations

import re
import struct

from tightrope.interop.reading.errors import DamagedFile, HostileFile, UnknownFile, shown
from tightrope.interop.reading.limits import ENTRIES, NAME, within

END, END64, LOCATOR, ENTRY, LOCAL = b"PK\5\6", b"PK\6\6", b"PK\6\7", b"PK\1\2", b"PK\3\4"
UNKNOWN = 0xFFFFFFFF  # "see the 64-bit field"


def entries(data: memoryview) -> dict[str, memoryview]:
    """Every entry's name and bytes.

    Raises:
        HostileFile: entries are packed, overlap, or have names that lead out of a folder.
        DamagedFile: the directory does not fit the file.
    """
    count, size, start = _directory(data)
    if count > ENTRIES:
        raise HostileFile(f"its archive has {count:,} entries.")
    within(start + size, len(data), "the archive's directory")
    found: dict[str, memoryview] = {}
    ranges: list[tuple[int, int]] = []
    at, end = start, start + size
    for _ in range(count):
        name, where, length, at = _entry(data, at, end)
        if name in found:
            raise HostileFile(f"its archive has two entries of the name {shown(name)}.")
        begin = _contents(data, where)
        within(length, start - begin, f"the archive's entry {shown(name)}")
        ranges.append((begin, begin + length))
        found[name] = data[begin : begin + length]
    ranges.sort()
    if any(before[1] > after[0] for before, after in zip(ranges, ranges[1:], strict=False)):
        raise HostileFile("entries of its archive overlap.")
    return found


def _directory(data: memoryview) -> tuple[int, int, int]:
    """(entries, bytes, offset) of the directory."""
    tail = bytes(data[max(0, len(data) - 65_557) :])
    at = tail.rfind(END)
    if at < 0 or len(tail) - at < 22:
        raise DamagedFile("it is cut off: its archive has no directory.")
    at += len(data) - len(tail)
    count, size, start = struct.unpack("<HII", data[at + 10 : at + 20])
    if (count == 0xFFFF or UNKNOWN in (size, start)) and at >= 20 and data[at - 20 : at - 16] == LOCATOR:
        (at,) = struct.unpack("<Q", data[at - 12 : at - 4])
        within(at + 56, len(data), "the archive's directory")
        if data[at : at + 4] != END64:
            raise DamagedFile("its archive's directory is not where it should be.")
        count, size, start = struct.unpack("<QQQ", data[at + 32 : at + 56])
    return count, size, start


def _entry(data: memoryview, at: int, end: int) -> tuple[str, int, int, int]:
    """(name, offset of its local header, bytes, where the next one is)."""
    if at + 46 > end or data[at : at + 4] != ENTRY:
        raise DamagedFile("its archive's directory is cut off.")
    flags, method = struct.unpack("<HH", data[at + 8 : at + 12])
    packed, length, named, extra, comment = struct.unpack("<IIHHH", data[at + 20 : at + 34])
    (where,) = struct.unpack("<I", data[at + 42 : at + 46])
    after = at + 46 + named
    within(named + extra + comment, end - at - 46, "a name of the archive")
    name = str(data[at + 46 : after], "utf-8", "replace")
    _check_name(name)
    if flags & 1:
        raise UnknownFile("its archive is encrypted.")
    if UNKNOWN in (packed, length, where):
        packed, length, where = _wide(data[after : after + extra], packed, length, where)
    if method and "/code/" in name:
        raise UnknownFile("it is a TorchScript archive, which is a program, not weights; save a state_dict instead.")
    if method or packed != length:
        raise HostileFile(f"its archive's entry {shown(name)} is compressed, to {length:,} bytes; torch stores them as they are.")
    return name, where, length, after + extra + comment


def _wide(extra: memoryview, packed: int, length: int, where: int) -> tuple[int, int, int]:
    """The 64-bit fields, of those that do not fit into 32."""
    at = 0
    while at + 4 <= len(extra):
        tag, size = struct.unpack("<HH", extra[at : at + 4])
        if tag == 1:
            field = extra[at + 4 : at + 4 + size]
            wide = [number for (number,) in struct.iter_unpack("<Q", field[: len(field) // 8 * 8])]
            given = [wide.pop(0) if number == UNKNOWN and wide else number for number in (length, packed, where)]
            return given[1], given[0], given[2]
        at += 4 + size
    raise DamagedFile("an entry of its archive has no size.")


def _contents(data: memoryview, where: int) -> int:
    """Where an entry's bytes begin, behind its local header."""
    within(where + 30, len(data), "an entry of the archive")
    if data[where : where + 4] != LOCAL:
        raise DamagedFile("an entry of its archive is not where it should be.")
    named, extra = struct.unpack("<HH", data[where + 26 : where + 30])
    return where + 30 + named + extra


def _check_name(name: str) -> None:
    if len(name) > NAME or not name.isprintable() or "\\" in name or ":" in name:
        raise HostileFile(f"its archive has an entry of the name {shown(name)}.")
    if name.startswith("/") or re.search(r"(^|/)\.\.(/|$)", name):
        raise HostileFile(f"its archive has an entry outside of itself, {shown(name)}.")
