"""safetensors, read and written as its format says: a length, a header in JSON, the tensors' bytes. No torch."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Iterable
from typing import Any, BinaryIO

import numpy as np

from tightrope.interop.reading import arrays
from tightrope.interop.reading.arrays import FORMS, Tensor
from tightrope.interop.reading.errors import DamagedFile, UnknownFile, shown
from tightrope.interop.reading.limits import NAME, TENSORS, Budget, within

HEADER = 4 << 20  # bytes at most
CHUNK = 16 << 20


def is_safetensors(data: memoryview) -> bool:
    """Whether a file begins as one."""
    return len(data) > 9 and data[8] == ord("{") and struct.unpack("<Q", data[:8])[0] <= len(data) - 8


def read(data: memoryview) -> tuple[dict[str, Tensor], dict[str, str]]:
    """(tensors, metadata)."""
    (length,) = struct.unpack("<Q", data[:8])
    within(length, min(len(data) - 8, HEADER), "the header")
    try:
        header = json.loads(bytes(data[8 : 8 + length]))
    except (ValueError, RecursionError) as error:
        raise DamagedFile(f"its header is no JSON ({shown(error)}).") from None
    if type(header) is not dict or len(header) > TENSORS:
        raise DamagedFile("its header is no dictionary of tensors.")
    said = header.pop("__metadata__", {})
    body = data[8 + length :]
    metadata = {k: v for k, v in said.items() if type(v) is str} if type(said) is dict else {}
    return {name: _tensor(name, entry, body) for name, entry in header.items()}, metadata


def _tensor(name: str, entry: Any, body: memoryview) -> Tensor:
    shape, between = (entry.get("shape"), entry.get("data_offsets")) if type(entry) is dict else (None, None)
    if type(shape) is not list or type(between) is not list or len(between) != 2 or len(name) > NAME:
        raise DamagedFile(f"its header says no shape and place of {shown(name)}.")
    if any(type(n) is not int or n < 0 for n in (*shape, *between)):
        raise DamagedFile(f"its header says shape {shown(shape)} and place {shown(between)} of {shown(name)}.")
    form = entry.get("dtype")
    if form not in FORMS:
        raise UnknownFile(f"{shown(name)} holds numbers of the type {shown(form)}, which is not read.")
    begin, end = between
    within(end, len(body), shown(name))
    within(begin, end, shown(name))
    steps = [math.prod(shape[i + 1 :]) for i in range(len(shape))]
    return arrays.view(form, body[begin:end], 0, tuple(shape), tuple(steps))


def write(file: BinaryIO, named: Iterable[tuple[str, Tensor]], budget: Budget, told: Callable[[int, int], None]) -> None:
    """All tensors into `file`. Nothing is written before all are known to be within the budget.

    Args:
        told: is called with (bytes written, of how many).
    """
    header, tensors, at = {}, list(named), 0
    for name, tensor in tensors:
        size = tensor.array.size * tensor.array.itemsize
        budget.spend(tensor.array.size, size)
        header[name] = {"dtype": tensor.form, "shape": list(tensor.shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    file.write(struct.pack("<Q", len(text)) + text)
    done = 0
    for name, tensor in tensors:
        del name
        plain = np.ascontiguousarray(tensor.array, tensor.array.dtype.newbyteorder("<"))
        flat = plain.reshape(-1).view(np.uint8).data if plain.size else memoryview(b"")
        for begin in range(0, len(flat), CHUNK):
            file.write(flat[begin : begin + CHUNK])
        done += len(flat)
        told(done, at)
