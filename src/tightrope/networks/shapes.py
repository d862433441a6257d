"""What every family shares: a check of the sizes it can make, and outputs that are never bf16."""

from __future__ import annotations

import torch
from torch import Tensor

from tightrope.core.errors import InputError


def doublings(size: int, *, start: int, family: str, low: int = 8) -> int:
    """How often `start` pixels double to reach `size`; InputError when they never do."""
    count = (size // start).bit_length() - 1
    if size < low or start << count != size:
        sizes = ", ".join(str(start << k) for k in range(1, 7) if start << k >= low)
        raise InputError(f"{family} makes square images of {sizes} ... px, the data has {size} px: choose one with --size.")
    return count


def widened(x: Tensor) -> Tensor:
    """bf16 becomes fp32, anything else stays: losses and pixels need more than 8 bits of mantissa."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def packed(shape: tuple[int, ...], m: int, batch: int) -> tuple[int, ...]:
    """The shape of m samples side by side (PacGAN); InputError where m does not divide the batch."""
    if batch % m:
        raise InputError(f"--pack {m}: a batch of {batch} cannot be shown in packs of {m}; choose a multiple with --batch.")
    return (m * shape[0], *shape[1:])
