"""A picture as its file has it: colour or grey of 8 or 16 bits, alpha, profile. Axes: H W pixels, C channels (1 or 3).

Any shape and size up to `data.decode.MOST_PIXELS`; the first frame; EXIF's orientation is carried out.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from PIL import Image

from tightrope.core.errors import InputError
from tightrope.data.decode import FORMATS, MOST_PIXELS, eight_bits, quiet, reasons
from tightrope.data.sources import Unusable
from tightrope.translate.deep import cut, deep_pixels

FOREIGN = ("CMYK", "YCbCr", "LAB", "HSV")  # colours that are brought to RGB
TURNED = 0x0112  # EXIF's orientation


@dataclasses.dataclass(kw_only=True)
class Picture:
    """What a file holds.

    Attributes:
        pixels: uint8 or uint16, (H, W, C).
        alpha: of the same kind, (H, W); None where the picture has none.
        profile: its ICC profile.
        notes: what of the file was left out, in sentences.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    profile: bytes | None = None
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        return self.pixels.shape[0], self.pixels.shape[1]


def read(path: Path) -> Picture:
    """The picture of a file.

    Raises:
        InputError: the file is none.
    """
    try:
        with quiet(), reasons(), Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise Unusable(f"{image.width}x{image.height} pixels; at most {MOST_PIXELS / 1e6:.0f} million are decoded")
            return _decoded(image, path)
    except Unusable as error:
        raise InputError(f"{path}: {error}; name a picture (PNG, JPEG, WebP, BMP, TIFF or GIF).") from error


def _decoded(image: Image.Image, path: Path) -> Picture:
    notes = ["animated: its first frame alone is translated."] if getattr(image, "n_frames", 1) > 1 else []
    profile = image.info.get("icc_profile")
    turn = image.getexif().get(TURNED, 1)
    pixels = deep_pixels(image, path)
    if pixels is None:
        if image.mode in FOREIGN:
            notes.append(f"{image.mode} colours are brought to RGB, without their profile.")
            profile = None
        if cut(image, path):
            notes.append("is read with 8 of its bits; as a PNG in grey, RGB or RGBA all 16 are.")
        pixels = _shallow(image)
    pixels = turned(pixels, turn)
    channels = pixels.shape[2]
    alpha = np.ascontiguousarray(pixels[..., -1]) if channels in (2, 4) else None
    if alpha is not None:
        pixels = np.ascontiguousarray(pixels[..., : channels - 1])
        alpha = None if alpha.min() == np.iinfo(alpha.dtype).max else alpha
    return Picture(pixels=pixels, alpha=alpha, profile=profile, notes=tuple(notes))


def _shallow(image: Image.Image) -> np.ndarray:
    """Pixels of 8 bits, (H, W, C) with C from 1 to 4."""
    if image.has_transparency_data:
        image = image.convert("LA" if image.mode in ("1", "L", "LA", "La") else "RGBA")
    else:
        image = eight_bits(image)
    pixels = np.asarray(image)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Upright, from what EXIF's orientation says: 2 to 4 mirror or turn by 180 degrees, 5 to 8 exchange the sides as well."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels
