"""Rows of a table are their own features: one-hots hardened, and a differing category as far as two scalars usually are.

Axes: N rows, w encoded numbers, d features.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from tightrope.core.blocks import Block
from tightrope.core.seeds import generator
from tightrope.metrics.extractor import Extractor, Reading

MOST = 256  # features; wider rows are projected at random (Johnson and Lindenstrauss 1984)
TYPICAL = 0.27  # the usual distance of two scalars: normal quantiles in [-1, 1]


def load(blocks: Sequence[Block]) -> Extractor:
    """The rows that these blocks make up."""
    blocks, width = tuple(blocks), blocks[-1].stop
    wide = width > MOST
    directions = torch.randn(width, MOST, generator=generator(0, "rows", width)) / MOST**0.5 if wide else None

    def read(stored: np.ndarray) -> Reading:
        rows = hardened(torch.from_numpy(np.ascontiguousarray(stored)).float(), blocks)
        return Reading(rows if directions is None else rows @ directions)

    rule = f"encoded rows, one-hots hardened and times {TYPICAL} / sqrt(2)" + (f", projected to {MOST} at random" * wide)
    return Extractor(id="rows", dimensions=MOST if wide else width, input_rule=rule, read=read)


def hardened(rows: Float[Tensor, "N w"], blocks: Sequence[Block]) -> Float[Tensor, "N w"]:
    """Rows as a file would hold them: the greatest number of a one-hot alone, and 0 for a scalar that does not count."""
    found, scale = rows.clamp(-1, 1), TYPICAL / 2**0.5
    for block in blocks:
        if block.kind == "onehot":
            most = rows[:, block.slice].argmax(1, keepdim=True)
            found[:, block.slice] = torch.zeros_like(rows[:, block.slice]).scatter_(1, most, scale)
    for block in blocks:
        if block.gate:
            found[:, block.start] *= (found[:, list(block.gate)] > 0).any(1)
    return found
