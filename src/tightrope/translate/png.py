"""PNG line by line (W3C, "Portable Network Graphics", third edition): of pictures of any size a few lines are in memory.

Every line is written as differences from Paeth's prediction (section 9.4), which is good for pictures.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np

KIND = {1: 0, 2: 4, 3: 2, 4: 6}  # channels -> the format's number for it
LINES = 64  # lines that are filtered together
EFFORT = 4  # of the compression, 0 to 9
PAETH = 4  # the filter's number
MOST = (1 << 31) - 1  # pixels of a side


def write(path: Path, bands: Iterable[np.ndarray], size: tuple[int, int], profile: bytes | None = None) -> None:
    """Write bands (some lines, W, C) of uint8 or uint16 as they come; `size` is (H, W)."""
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        packer = zlib.compressobj(EFFORT)
        above: np.ndarray | None = None
        for band in bands:
            if above is None:
                _begin(file, size, band, profile)
                above = np.zeros(band.shape[1] * band.shape[2] * band.itemsize, np.uint8)
            step = band.shape[2] * band.itemsize
            for k in range(0, len(band), LINES):
                part = np.ascontiguousarray(band[k : k + LINES])
                lines = part.astype(part.dtype.newbyteorder(">"), copy=False).view(np.uint8).reshape(len(part), -1)
                _chunk(file, b"IDAT", packer.compress(_filtered(lines, above, step)))
                above = lines[-1]
        _chunk(file, b"IDAT", packer.flush())
        _chunk(file, b"IEND", b"")


def _begin(file: BinaryIO, size: tuple[int, int], band: np.ndarray, profile: bytes | None) -> None:
    head = struct.pack(">IIBBBBB", size[1], size[0], 8 * band.itemsize, KIND[band.shape[2]], 0, 0, 0)
    _chunk(file, b"IHDR", head)
    if profile:
        _chunk(file, b"iCCP", b"ICC\0\0" + zlib.compress(profile))


def _chunk(file: BinaryIO, name: bytes, data: bytes) -> None:
    if data or name == b"IEND":
        file.write(struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)))


def _filtered(lines: np.ndarray, above: np.ndarray, step: int) -> bytes:
    """Differences from the prediction by the pixels to the left, above, and above to the left; `step` bytes a pixel."""
    count, width = lines.shape
    framed = np.zeros((count + 1, width + step), np.int16)
    framed[0, step:], framed[1:, step:] = above, lines
    left, up, corner = framed[1:, :-step], framed[:-1, step:], framed[:-1, :-step]
    to_left, to_up = np.abs(up - corner), np.abs(left - corner)  # |p - left|, |p - up| with p = left + up - corner
    to_corner = np.abs(left + up - 2 * corner)
    guess = np.where((to_left <= to_up) & (to_left <= to_corner), left, np.where(to_up <= to_corner, up, corner))
    out = np.empty((count, width + 1), np.uint8)
    out[:, 0], out[:, 1:] = PAETH, (framed[1:, step:] - guess).astype(np.uint8)
    return out.tobytes()
