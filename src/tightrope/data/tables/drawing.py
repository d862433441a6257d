"""A sheet of small bar charts, a column of the table each: the data in grey, the rows in question as outlines in red."""

from __future__ import annotations

import functools

import numpy as np
from jaxtyping import Float32, Float64, Int64, UInt8
from PIL import Image, ImageDraw, ImageFont

from tightrope.data.points import REAL_COLOUR, SAMPLE_COLOUR
from tightrope.data.tables.encoding import Codec
from tightrope.data.tables.marginals import REST, Marginal, marginal

WIDTH, HEIGHT = 232, 150  # pixels of a chart
MARGIN = 12
TITLE, FOOT = 20, 16
LETTERS, SMALL = 13, 10
INK, PALE = (40, 44, 52), (125, 130, 140)
MOST = 60  # charts
ACROSS = 5
LEGIBLE = 24  # pixels from which on a name is cut, and not left out


def marginals(codec: Codec, rows: Float32[np.ndarray, "n w"]) -> UInt8[np.ndarray, "H W 3"]:
    """The learned columns of encoded rows side by side, the first `MOST` of them."""
    return marginals_of(codec, *codec.values(codec.shrink(rows)))


def marginals_of(
    codec: Codec, levels: Int64[np.ndarray, "n c"], values: Float64[np.ndarray, "n c"]
) -> UInt8[np.ndarray, "H W 3"]:
    """The same of rows that are decoded."""
    learned = [i for i, column in enumerate(codec.columns) if column.learned][:MOST]
    across = min(ACROSS, len(learned)) if len(learned) != 6 else 3
    down = -(-len(learned) // across)
    sheet = Image.new("RGB", (across * WIDTH, down * HEIGHT), "white")
    draw = ImageDraw.Draw(sheet)
    for place, i in enumerate(learned):
        corner = place % across * WIDTH, place // across * HEIGHT
        column = codec.columns[i]
        _chart(draw, corner, column.name, marginal(column, levels[:, i], values[:, i]))
    return np.asarray(sheet)


def _chart(draw: ImageDraw.ImageDraw, corner: tuple[int, int], name: str, bars: Marginal) -> None:
    left, top = corner[0] + MARGIN, corner[1] + TITLE + 4
    width, height = WIDTH - 2 * MARGIN, HEIGHT - TITLE - FOOT - 12
    draw.text((left, corner[1] + 4), _fitting(name, width, LETTERS), INK, _font(LETTERS))
    edges = _edges(bars, left, width)
    top_share = max(float(max(bars.real.max(), bars.made.max())), 1e-9)
    floor = top + height
    for (start, stop), share in zip(edges, bars.real, strict=True):
        if share:
            draw.rectangle((start, floor - _tall(share, top_share, height), stop, floor), fill=REAL_COLOUR)
    _outline(draw, edges, bars, floor, top_share, height)
    draw.line((left, floor, left + width, floor), fill=PALE)
    _feet(draw, edges, bars, floor + 3)


def _tall(share: float, most: float, height: int) -> int:
    """A bar that is there is seen, however rare."""
    return max(1, round(share / most * height))


def _edges(bars: Marginal, left: int, width: int) -> list[tuple[int, int]]:
    """Where each bar begins and ends: intervals touch, single values stand apart."""
    count = len(bars.real) + (0.8 if 0 < bars.cut < len(bars.real) else 0)
    pitch = width / count
    edges = []
    for place in range(len(bars.real)):
        apart = place >= bars.cut
        start = left + pitch * (place + (0.8 if apart and bars.cut else 0))
        gap = min(0.15 * pitch, 4) if apart else 0
        edges.append((round(start + gap), round(start + pitch - gap) - 1))
    return edges


def _outline(
    draw: ImageDraw.ImageDraw, edges: list[tuple[int, int]], bars: Marginal, floor: int, most: float, height: int
) -> None:
    tops = [floor - _tall(share, most, height) if share else floor for share in bars.made]
    line = [
        point for (start, stop), top in zip(edges[: bars.cut], tops, strict=False) for point in ((start, top), (stop + 1, top))
    ]
    if line:
        draw.line([(line[0][0], floor), *line, (line[-1][0], floor)], fill=SAMPLE_COLOUR, width=2)
    for (start, stop), top in zip(edges[bars.cut :], tops[bars.cut :], strict=True):
        if top < floor:
            draw.line([(start, floor), (start, top), (stop, top), (stop, floor)], fill=SAMPLE_COLOUR, width=2)


def _feet(draw: ImageDraw.ImageDraw, edges: list[tuple[int, int]], bars: Marginal, y: int) -> None:
    """Names below: of the first and the last interval, and of single values where they fit."""
    font = _font(SMALL)
    if bars.cut:
        draw.text((edges[0][0], y), _fitting(bars.names[0], WIDTH // 3, SMALL), PALE, font)
        last = _fitting(bars.end, WIDTH // 3, SMALL)
        draw.text((edges[bars.cut - 1][1] - font.getlength(last), y), last, PALE, font)
    for name, (start, stop) in list(zip(bars.names, edges, strict=True))[bars.cut :]:
        room = stop - start + 4 if not bars.cut else 30
        text = _fitting("…" if name == REST else name, room, SMALL)
        if text != name and room < LEGIBLE:
            continue
        draw.text(((start + stop) / 2 - font.getlength(text) / 2, y), text, PALE, font)


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


@functools.lru_cache(4096)  # a preview at every tick has the same names
def _fitting(text: str, width: float, size: int) -> str:
    """As much of a text as there is room for."""
    font = _font(size)
    text = "".join(c if c.isprintable() else " " for c in text)
    while text and font.getlength(text) > width:
        text = text[:-1]
    return text


def shares(values: Float64[np.ndarray, " b"], most: int = 24) -> str:
    """Bars as one line of block letters, the greatest the tallest; what is there is never blank."""
    blocks = "▁▂▃▄▅▆▇█"
    top = max(float(values.max()), 1e-9)
    return "".join(blocks[min(7, int(value / top * 7.999))] if value else " " for value in values[:most])
