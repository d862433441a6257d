"""The paths of theta and psi as small multiples, drawn with Pillow alone: early rounds pale, late ones dark."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from PIL import Image, ImageDraw, ImageFont

COLUMNS, PANEL, LABEL, GAP, MARGIN = 7, 168, 40, 14, 30
SCALE = 3  # drawn larger and shrunk, for smooth lines
REACH = 1.8  # theta and psi from -REACH to REACH
INK, FAINT, PAPER, FIELD = (28, 30, 36), (150, 154, 164), (255, 255, 255), (246, 247, 249)
COLOURS = {
    "converges": (18, 128, 92),
    "G arrives": (18, 128, 92),
    "closes in": (38, 98, 184),
    "circles": (196, 128, 12),
    "stalls": (128, 84, 160),
    "diverges": (198, 46, 46),
}
PALE = 0.78  # how much of the first round's colour is paper


def sheet(paths: Mapping[str, np.ndarray], verdict: Callable[[np.ndarray], str]) -> np.ndarray:
    """(H, W, 3) uint8: one panel a method."""
    rows = -(-len(paths) // COLUMNS)
    width = 2 * MARGIN + COLUMNS * (PANEL + GAP) - GAP
    height = 2 * MARGIN + 66 + rows * (PANEL + LABEL + GAP)
    image = Image.new("RGB", (width * SCALE, height * SCALE), PAPER)
    draw = ImageDraw.Draw(image)
    _text(draw, MARGIN, MARGIN - 6, "DiracGAN: 1,000 rounds from theta = psi = 1", 22, INK)
    _legend(draw)
    for index, (name, path) in enumerate(paths.items()):
        row, column = divmod(index, COLUMNS)
        x, y = MARGIN + column * (PANEL + GAP), MARGIN + 66 + row * (PANEL + LABEL + GAP)
        word, (first, *rest) = verdict(path), name.split(", ")
        image.paste(_panel(path, word), (x * SCALE, y * SCALE))
        _text(draw, x, y + PANEL + 5, first, 14, INK)
        _text(draw, x, y + PANEL + 21, ": ".join([*rest, word]), 12, FAINT)
    return np.asarray(image.resize((width, height), Image.Resampling.LANCZOS))


def _legend(draw: ImageDraw.ImageDraw) -> None:
    x = MARGIN
    for word, colour in COLOURS.items():
        if word == "G arrives":
            continue
        draw.ellipse([SCALE * v for v in (x, MARGIN + 33, x + 11, MARGIN + 44)], fill=colour)
        label = "converges (or G does)" if word == "converges" else word
        _text(draw, x + 17, MARGIN + 29, label, 15, INK)
        x += 17 + int(_font(15).getlength(label) / SCALE) + 26
    _text(draw, x, MARGIN + 29, "across: theta (G); up: psi (D); cross: the equilibrium", 15, FAINT)


def _panel(path: np.ndarray, word: str) -> Image.Image:
    """One path; one that diverges is drawn until it leaves the panel."""
    colour = COLOURS[word]
    side = PANEL * SCALE
    panel = Image.new("RGB", (side, side), FIELD)
    pen = ImageDraw.Draw(panel)
    half = side / 2
    pen.line([half, 0, half, side], fill=(226, 228, 233), width=SCALE)
    pen.line([0, half, side, half], fill=(226, 228, 233), width=SCALE)
    inside = path[: _leaves(path) + 1] if word == "diverges" else path
    points = [(half + half * theta / REACH, half - half * psi / REACH) for theta, psi in inside]
    for index in range(len(points) - 1):
        blend = PALE * (1 - index / len(path))
        shade = tuple(round(c + (f - c) * blend) for c, f in zip(colour, FIELD, strict=True))
        pen.line([*points[index], *points[index + 1]], fill=shade, width=int(1.7 * SCALE))
    (sx, sy), (ex, ey) = points[0], points[-1]
    pen.ellipse([sx - 9, sy - 9, sx + 9, sy + 9], outline=INK, width=3, fill=PAPER)
    for a, b in ((-1, -1), (-1, 1)):
        pen.line([half + 9 * a, half + 9 * b, half - 9 * a, half - 9 * b], fill=INK, width=3)
    if len(inside) == len(path):
        pen.ellipse([ex - 11, ey - 11, ex + 11, ey + 11], fill=colour, outline=PAPER, width=3)
    return panel


def _leaves(path: np.ndarray) -> int:
    """The first point out of the panel, or the last of all."""
    out = np.abs(path).max(1) > 1.2 * REACH
    return int(out.argmax()) if out.any() else len(path) - 1


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size * SCALE)


def _text(draw: ImageDraw.ImageDraw, x: int, y: int, words: str, size: int, colour: tuple[int, int, int]) -> None:
    draw.text((x * SCALE, y * SCALE), words, fill=colour, font=_font(size))
