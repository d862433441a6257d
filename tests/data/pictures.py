"""Pictures for the tests of the data room."""

from __future__ import annotations

import numpy as np
from PIL import Image


def picture(seed: int = 0, width: int = 32, height: int = 32, mode: str = "RGB") -> Image.Image:
    """A smooth picture with something different in every corner."""
    noise = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC).convert(mode)
