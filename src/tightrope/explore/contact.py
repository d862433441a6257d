"""Contact sheets: what a direction does at every strength, and which styles make which sample. Axis: H W pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, ImageFont
from torch import Tensor

from tightrope.core.data import Modality
from tightrope.explore.directions import Direction
from tightrope.explore.mixing import joined, matrix
from tightrope.explore.movies import enlarged
from tightrope.explore.sheets import MARGIN, PAPER, drawn, headed
from tightrope.explore.spaces import Places, Space

STRENGTHS = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
LEGIBLE = 64  # pixels: smaller samples are enlarged by whole factors up to about this
LETTERS = 13  # pixels of a row's name
Sheet = UInt8[np.ndarray, "H W 3"]


def sliders(
    space: Space, modality: Modality, rows: Sequence[tuple[str, Direction, Places]], strengths: Sequence[float] = STRENGTHS
) -> Sheet:
    """A row for every name, direction and one place, a column for every strength, with headings."""
    t = torch.tensor(list(strengths))
    places = [direction.move(space, _repeated(place, len(t)), t) for _, direction, place in rows]
    samples = space.decode(joined(*places))
    return lettered(modality, samples, [name for name, _, _ in rows], [f"{s:+.3g}" if s else "0" for s in strengths])


def mixed(
    space: Space, modality: Modality, rows: Places, columns: Places, layers: Sequence[int], names: tuple[list[str], list[str]]
) -> Sheet:
    """The matrix of `mixing.matrix`, with the rows' own samples to the left and the columns' own above."""
    there = matrix(space, rows, columns, layers)
    left, above, inner = space.decode(rows), space.decode(columns), space.decode(there)
    lines = torch.cat([left[:, None], inner.unflatten(0, (len(rows), len(columns)))], 1)
    first = torch.cat([torch.ones_like(above[:1]), above])
    samples = torch.cat([first[None], lines]).flatten(0, 1)
    return lettered(modality, samples, ["", *names[0]], ["", *names[1]])


def lettered(modality: Modality, samples: Float[Tensor, "n *x"], rows: Sequence[str], columns: Sequence[str]) -> Sheet:
    """A sheet with a name above each column and to the left of each row."""
    sheet = enlarged(modality.grid(samples, len(columns)), factor(samples))
    return _sided(headed(sheet, columns), sheet.shape[0], rows)


def factor(samples: Float[Tensor, "n *x"]) -> int:
    """By how much samples are enlarged to be seen well."""
    return max(1, LEGIBLE // samples.shape[-1]) if samples.ndim == 4 else 1


def _sided(sheet: Sheet, height: int, names: Sequence[str]) -> Sheet:
    """Names to the left of the rows, which are the lowest `height` pixels of the sheet."""
    if not any(names):
        return sheet
    labels = [drawn(name, ImageFont.load_default(LETTERS)) for name in names]
    band = Image.new("RGB", (max(label.width for label in labels) + 2 * MARGIN, sheet.shape[0]), PAPER)
    top, pitch = sheet.shape[0] - height, height / len(names)
    for i, label in enumerate(labels):
        band.paste(label, (band.width - label.width - MARGIN, round(top + (i + 0.5) * pitch - label.height / 2)))
    return np.concatenate([np.asarray(band), sheet], 1)


def _repeated(place: Places, count: int) -> Places:
    return place[[0] * count]
