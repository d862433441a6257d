"""Random numbers that a latent determines: a G that draws stays a function. Axes: n latents, z numbers of each, m drawn."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor

GOLDEN = -7046029254386353131  # splitmix64's increment and multipliers, as signed integers
FIRST, SECOND = -4658895280553007687, -7723592293110705685


def uniform(z: Float[Tensor, "n z"], m: int, skip: int = 0) -> Float[Tensor, "n m"]:
    """Numbers in (0, 1), those after the first `skip`: splitmix64 (Steele, Lea & Flood 2014) of the latent's bits and the
    number's place, two numbers of 23 bits from each of 64.

    The same on every device and in every batch; no gradient passes to the latent.
    """
    bits = z.detach().float().contiguous().view(torch.int32).long()
    weights = _mixed(torch.arange(1, bits.shape[1] + 1, device=z.device) * GOLDEN) | 1
    seeds = _mixed((bits * weights).sum(1, keepdim=True))
    first, last = skip // 2, (skip + m + 1) // 2
    drawn = _mixed(seeds + torch.arange(first + 1, last + 1, device=z.device) * GOLDEN)
    halves = drawn.view(torch.int32)[:, skip - 2 * first :][:, :m]
    return (((halves >> 9) & 0x7FFFFF).float() + 0.5) * 2.0**-23


def gumbel(z: Float[Tensor, "n z"], m: int) -> Float[Tensor, "n m"]:
    """Standard Gumbel numbers: a one-hot drawn with the probabilities softmax(x) is argmax(x + gumbel)."""
    return -(-uniform(z, m).log()).log()


def _mixed(x: Int64[Tensor, "*n"]) -> Int64[Tensor, "*n"]:
    x = (x ^ _shifted(x, 30)) * FIRST
    x = (x ^ _shifted(x, 27)) * SECOND
    return x ^ _shifted(x, 31)


def _shifted(x: Int64[Tensor, "*n"], by: int) -> Int64[Tensor, "*n"]:
    """Right, without the sign."""
    return (x >> by) & ((1 << (64 - by)) - 1)
