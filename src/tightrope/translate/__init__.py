"""Pictures into pictures: by imported networks and by what was trained here, of any size, in little memory.

from tightrope import translate

network = translate.opened("x4plus/G.safetensors")
translate.files(network, ["photos"], "large")            # files, folders, patterns
large = translate.array(network, pixels)                 # uint8 or uint16, (H, W, C)
"""

from __future__ import annotations

import numpy as np

from tightrope.core.errors import InputError
from tightrope.core.translation import Translator
from tightrope.translate.batch import Outcome, Settings
from tightrope.translate.batch import translate as files
from tightrope.translate.opening import between, opened
from tightrope.translate.picture import Picture
from tightrope.translate.pixels import Work

__all__ = ["Outcome", "Picture", "Settings", "Translator", "array", "between", "files", "opened"]


def array(network: Translator, pixels: np.ndarray, *, tile: int | None = None, overlap: int | None = None) -> np.ndarray:
    """One picture in memory: uint8 or uint16, (H, W), (H, W, 1) or (H, W, 3), to the same kind, (s H, s W, C).

    Args:
        tile, overlap: pixels a side of a window, and beyond what is used of it; None are what fits in memory, and the usual.

    Raises:
        InputError: the array is no picture, or none that the network takes.
    """
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3) or pixels.dtype not in (np.uint8, np.uint16) or not pixels.size:
        raise InputError(f"an array of {pixels.dtype} {pixels.shape}: give uint8 or uint16, (H, W), (H, W, 1) or (H, W, 3).")
    work = Work(network, Picture(pixels=pixels), tile=tile, overlap=overlap, deep=pixels.dtype == np.uint16)
    return np.concatenate(list(work.bands()))
