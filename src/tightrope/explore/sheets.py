"""Names above the columns of a sheet of samples. Axis: H W pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

INK, PAPER = (30, 34, 40), (255, 255, 255)
SMALLEST, LARGEST = 11, 20  # pixels of the letters
MARGIN = 3
LONGEST = 24  # letters of a name that are shown


def headed(sheet: UInt8[np.ndarray, "H W 3"], names: Sequence[str]) -> UInt8[np.ndarray, "H2 W 3"]:
    """A sheet of equally wide columns with a name above each; upright ones where they do not fit beside each other."""
    if not any(names):
        return sheet
    pitch = sheet.shape[1] / len(names)
    font = ImageFont.load_default(min(LARGEST, max(SMALLEST, int(pitch / 6))))
    labels = [drawn(name if len(name) <= LONGEST else name[: LONGEST - 1] + "…", font) for name in names]
    if max(label.width for label in labels) > pitch - MARGIN:
        labels = [label.transpose(Image.Transpose.ROTATE_90) for label in labels]
    band = Image.new("RGB", (sheet.shape[1], max(label.height for label in labels) + 2 * MARGIN), PAPER)
    for i, label in enumerate(labels):
        band.paste(label, (round((i + 0.5) * pitch - label.width / 2), band.height - label.height - MARGIN))
    return np.concatenate([np.asarray(band), sheet])


def drawn(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> Image.Image:
    """A line of text, as high as the font whatever its letters."""
    low, high = font.getbbox("Äg")[1], font.getbbox("Äg")[3]
    label = Image.new("RGB", (max(1, math.ceil(font.getlength(text)) + 1), round(high - low)), PAPER)
    ImageDraw.Draw(label).text((0, -low), text, INK, font)
    return label
