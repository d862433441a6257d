"""Pixels of 16 bits. Pillow keeps grey ones and drops half of the bits of coloured ones; here they are read whole.

A coloured PNG is decoded twice, once for the upper and once for the lower bytes of its samples.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

DEPTH = 24  # a PNG's byte that says its bits, and behind it the byte of its kind of colour
BITS = 258  # TIFF's tag for the bits of each channel
COLOURED = {2: "RGB", 6: "RGBA"}  # kinds of colour of PNG whose lower bytes can be asked for


def deep_pixels(image: Image.Image, path: Path) -> np.ndarray | None:
    """uint16 (H, W, C) of a picture just opened; None where it has not 16 bits."""
    if image.mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16)[..., None]
    if image.format != "PNG":
        return None
    bits, kind = _header(path)
    if bits != 16 or kind not in COLOURED or "transparency" in image.info:
        return None
    upper, lower = (_bytes(path, COLOURED[kind], order) for order in ("16B", "16L"))
    deep = upper.astype(np.uint16)
    deep <<= 8
    deep |= lower
    return deep


def cut(image: Image.Image, path: Path) -> bool:
    """Whether a picture that `deep_pixels` does not read has 16 bits all the same, and loses the lower ones."""
    if image.format == "TIFF":
        return max(image.tag_v2.get(BITS, (8,))) > 8  # type: ignore[attr-defined]
    return image.format == "PNG" and _header(path)[0] == 16


def _header(path: Path) -> tuple[int, int]:
    """(bits, kind of colour) of a PNG."""
    with open(path, "rb") as file:
        bits, kind = file.read(DEPTH + 2)[DEPTH:]
    return bits, kind


def _bytes(path: Path, mode: str, order: str) -> np.ndarray:
    """The most significant bytes of the samples, read as of this order: those of the other one are the least significant."""
    with Image.open(path, formats=("PNG",)) as image:
        image.tile = [tile._replace(args=f"{mode};{order}") for tile in image.tile]
        return np.asarray(image)
