"""Results into files: PNG as they come, other formats by Pillow once they are whole. Axes: H W pixels, C channels and alpha."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from tightrope.core.errors import InputError
from tightrope.core.files import write_atomically
from tightrope.translate import png

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF", ".bmp": "BMP"}
OTHERS = {
    ".gif": ".png",
    ".apng": ".png",
    ".jpe": ".jpg",
    ".jfif": ".jpg",
    ".dib": ".bmp",
}  # input -> result
LONGEST = {"JPEG": 65_535, "WEBP": 16_383}  # pixels of a side
HELD = 160_000_000  # pixels of a picture that is written by Pillow, which has it in memory twice
WITHOUT_ALPHA = ("JPEG", "BMP")
QUALITY = 95


def deep(suffix: str, channels: int, alpha: bool) -> bool:
    """Whether files of this kind can have 16 bits."""
    return FORMATS[suffix] == "PNG" or (FORMATS[suffix] == "TIFF" and channels == 1 and not alpha)


def require(path: Path, size: tuple[int, int]) -> None:
    """Raise InputError where a picture of this size, (H, W), cannot be written as this kind of file."""
    kind = FORMATS[path.suffix.lower()]
    longest = png.MOST if kind == "PNG" else LONGEST.get(kind, png.MOST)
    if max(size) > longest or (kind != "PNG" and size[0] * size[1] > HELD):
        raise InputError(
            f"{path}: {size[1]} x {size[0]} px are too many for a {kind} here; take PNG, which is written as it is made."
        )


def write(path: Path, bands: Iterable[np.ndarray], size: tuple[int, int], profile: bytes | None) -> None:
    """Write bands (some lines, W, C) of a picture of (H, W) atomically."""
    kind = FORMATS[path.suffix.lower()]
    if kind in WITHOUT_ALPHA:
        bands = _over_white(bands)
    if kind == "PNG":
        write_atomically(path, lambda partial: png.write(partial, bands, size, profile))
    else:
        write_atomically(path, lambda partial: _by_pillow(partial, bands, size, profile, kind))


def _by_pillow(path: Path, bands: Iterable[np.ndarray], size: tuple[int, int], profile: bytes | None, kind: str) -> None:
    whole: np.ndarray | None = None
    done = 0
    for band in bands:
        if whole is None:
            whole = np.empty((*size, band.shape[2]), band.dtype)
        whole[done : done + len(band)] = band
        done += len(band)
    assert whole is not None
    options = {"quality": QUALITY} if kind in LONGEST else {"compression": "tiff_lzw"} if kind == "TIFF" else {}
    image = Image.fromarray(whole[..., 0] if whole.shape[2] == 1 else whole)
    image.save(path, format=kind, icc_profile=profile, **options)


def _over_white(bands: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    for band in bands:
        if band.shape[2] in (1, 3):
            yield band
            continue
        share = band[..., -1:].astype(np.float32) / 255
        yield np.rint(band[..., :-1] * share + 255 * (1 - share)).astype(np.uint8)
