"""Pictures of benchmarks: labelled tiles in rows, and heat maps. Axes: H W pixels."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

GAP, HEAD = 8, 22  # pixels between tiles; height of a label
GOOD, BAD, NONE = (38, 130, 142), (253, 231, 37), (225, 225, 225)


def tiles(pictures: dict[str, UInt8[np.ndarray, "H W 3"]], side: int = 256, columns: int = 4) -> UInt8[np.ndarray, "H W 3"]:
    """Pictures with their labels above them, `columns` in a row."""
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * (side + GAP) + GAP, rows * (side + HEAD + GAP) + GAP), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for place, (label, pixels) in enumerate(pictures.items()):
        row, column = divmod(place, columns)
        left, top = GAP + column * (side + GAP), GAP + row * (side + HEAD + GAP)
        draw.text((left, top), label, fill=(40, 40, 40), font=font)
        sheet.paste(Image.fromarray(pixels).resize((side, side), Image.Resampling.LANCZOS), (left, top + HEAD))
    return np.asarray(sheet)


def heat_map(
    rows: list[str], columns: list[str], values: dict[tuple[str, str], list[float]], threshold: float, most: float
) -> UInt8[np.ndarray, "H W 3"]:
    """One cell a row and column, one bar a value (a seed): dark below the threshold, paler towards `most`; grey where missing."""
    label, cell, height = 150, 110, 30
    sheet = Image.new("RGB", (label + len(columns) * cell + GAP, HEAD + GAP + len(rows) * height + GAP), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for column, name in enumerate(columns):
        draw.text((label + column * cell + cell // 2 - 4, GAP // 2), name, fill=(40, 40, 40), font=font)
    for row, name in enumerate(rows):
        top = HEAD + GAP + row * height
        draw.text((GAP, top + 5), name, fill=(40, 40, 40), font=font)
        for column, other in enumerate(columns):
            left, found = label + column * cell, sorted(values.get((name, other), []))
            width = (cell - 4) / max(1, len(found))
            if not found:
                draw.rectangle((left, top, left + cell - 5, top + height - 4), fill=NONE)
            for place, value in enumerate(found):
                edges = (left + place * width, top, left + (place + 1) * width - 1, top + height - 4)
                draw.rectangle(edges, fill=_shade(value, threshold, most))
    return np.asarray(sheet)


def _shade(value: float, threshold: float, most: float) -> tuple[int, int, int]:
    if value <= threshold:
        return GOOD
    share = min(1.0, (value - threshold) / max(most - threshold, 1e-9))
    return tuple(round(a + (b - a) * (0.35 + 0.65 * share)) for a, b in zip((122, 209, 81), BAD, strict=True))  # type: ignore[return-value]
