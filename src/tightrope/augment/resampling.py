"""Images moved by one affine map each, and their frequency bands amplified: without aliasing, and as if mirrored for ever.

Karras et al. 2020 (ADA), appendix B.2: an image is made twice as fine with the symlet filter "sym6", read bilinearly at the
mapped places, and halved with the filter's mirror image. What lies outside is the image reflected at its border pixels' centres.

A reflected row of W pixels repeats itself after 2 (W - 1). So the finer image is made of one period, and places are taken
modulo the period: no margin has to be measured, and nothing waits for the device. All filters along an axis, reflection
included, are one constant matrix. Axis: N batch, C channel, H W pixels.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from tightrope.augment.diffaugment import Images

# Daubechies' least asymmetric wavelets ("Ten lectures on wavelets", 1992, table 6.3): low-pass, 6 and 2 vanishing moments
SYM6 = (
    0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633,
    0.4910559419267466, 0.787641141030194, 0.3379294217276218, -0.07263752278646252,
    -0.021060292512300564, 0.04472490177066578, 0.0017677118642428036, -0.007800708325034148,
)  # fmt: skip
SYM2 = (-0.12940952255092145, 0.22414386804185735, 0.836516303737469, 0.48296291314469025)
TAPS = len(SYM6)
RIM = TAPS // 4  # pixels around the output that the halving filter reads


def _folded(index: int, side: int) -> int:
    """Where a pixel outside of a row lies after reflection at the border pixels' centres."""
    period = max(1, 2 * (side - 1))
    index %= period
    return min(index, period - index)


def _placed(matrix: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
    return matrix.to(device=device, dtype=dtype)


@functools.lru_cache(maxsize=32)
def _refine(side: int, device: torch.device, dtype: torch.dtype) -> Float[Tensor, "period side"]:
    """From a row's pixels to one period of its mirrored, twice as fine row, and the first pixel of the next."""
    total = sum(SYM6)
    matrix = torch.zeros(4 * (side - 1) + 1, side, dtype=torch.float64)
    for fine in range(len(matrix)):
        for tap in range((fine + 1) % 2, TAPS, 2):
            matrix[fine, _folded((fine + TAPS // 2 - 1 - tap) // 2, side)] += 2 * SYM6[tap] / total
    return _placed(matrix, device, dtype)


@functools.lru_cache(maxsize=32)
def _halve(side: int, device: torch.device, dtype: torch.dtype) -> Float[Tensor, "side fine"]:
    """From the finer pixels that the filter reads to a row."""
    matrix = torch.zeros(side, 2 * side + TAPS - 2, dtype=torch.float64)
    for pixel in range(side):
        matrix[pixel, 2 * pixel : 2 * pixel + TAPS] = torch.tensor(SYM6, dtype=torch.float64) / sum(SYM6)
    return _placed(matrix, device, dtype)


class _Read(torch.autograd.Function):
    """Bilinear reading at fixed places; linear in the image, so that its gradient is its transpose."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, places: Tensor) -> Tensor:
        ctx.save_for_backward(places)
        ctx.shape = x.shape
        return torch.grid_sampler_2d(x, places, 0, 0, True)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        return _Spread.apply(g, ctx.saved_tensors[0], ctx.shape), None


class _Spread(torch.autograd.Function):
    """The transpose of `_Read`."""

    @staticmethod
    def forward(ctx: Any, g: Tensor, places: Tensor, shape: torch.Size) -> Tensor:
        ctx.save_for_backward(places)
        empty = g.new_zeros(()).expand(shape)  # only its shape is used
        return torch.ops.aten.grid_sampler_2d_backward(g.contiguous(), empty, places, 0, 0, True, [True, False])[0]

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        return _Read.apply(g, ctx.saved_tensors[0]), None, None


@functools.lru_cache(maxsize=32)
def _lattice(h: int, w: int, device: torch.device) -> Float[Tensor, "yx 3"]:
    """(x, y, 1) of each finer pixel around the output, in pixels about the centre."""
    # sym6 moves what it makes finer by half a finer pixel; halving moves it back
    y, x = ((torch.arange(2 * side + TAPS - 2, device=device) + 2 - 2 * RIM - side) / 2 for side in (h, w))
    return torch.stack([*torch.meshgrid(x, y, indexing="xy"), torch.ones(len(y), len(x), device=device)], 2).flatten(0, 1)


def _places(to_input: Float[Tensor, "n 3 3"], h: int, w: int) -> Float[Tensor, "n y x 2"]:
    """For each finer pixel around the output, where to read one period of the finer input, from -1 to 1."""
    sides = torch.tensor([w, h], device=to_input.device)
    period = 4 * (sides - 1)
    to_periods = to_input[:, :2] * (2 / period)[:, None]
    to_periods = to_periods + F.pad(((sides - 1) / period)[:, None], (2, 0))
    turns = _lattice(h, w, to_input.device) @ to_periods.mT
    return turns.sub_(turns.floor()).mul_(2).sub_(1).view(len(turns), 2 * h + TAPS - 2, 2 * w + TAPS - 2, 2)


def resampled(x: Images, to_input: Float[Tensor, "n 3 3"]) -> Images:
    """Each image moved by its matrix, which takes an output place to an input place in pixels about the centre."""
    h, w = x.shape[2:]
    fine = _refine(h, x.device, x.dtype) @ (x @ _refine(w, x.device, x.dtype).t())
    read: Tensor = _Read.apply(fine, _places(to_input.float(), h, w).to(x.dtype))
    return _halve(h, x.device, x.dtype) @ (read @ _halve(w, x.device, x.dtype).t())


def filter_bank() -> Float[Tensor, "4 43"]:
    """Four octaves that sum to the identity, by the wavelet "sym2" (appendix B.4): low-pass repeated, high-pass added."""
    low = torch.tensor(SYM2, dtype=torch.float64)
    high = low * torch.tensor([1.0, -1.0, 1.0, -1.0], dtype=torch.float64)
    low2, high2 = (_convolved(f, f.flip(0)) / 2 for f in (low, high))
    bank = [torch.ones(1, dtype=torch.float64)]
    for _ in range(3):
        spread = [torch.stack([f, torch.zeros_like(f)], 1).flatten()[:-1] for f in bank]
        bank = [_convolved(f, low2) for f in spread]
        middle = torch.zeros_like(bank[0])
        start = (len(middle) - len(high2)) // 2
        middle[start : start + len(high2)] = high2
        bank.append(middle)
    return torch.stack(bank)


def _convolved(a: Tensor, b: Tensor) -> Tensor:
    return F.conv1d(a[None, None], b.flip(0)[None, None], padding=len(b) - 1)[0, 0]


@functools.lru_cache(maxsize=32)
def _bands(side: int, device: torch.device, dtype: torch.dtype) -> Float[Tensor, "4 side side"]:
    """Each octave's filter along a mirrored row."""
    bank = filter_bank()
    matrix = torch.zeros(len(bank), side, side, dtype=torch.float64)
    reach = bank.shape[1] // 2
    for pixel in range(side):
        for tap in range(bank.shape[1]):
            matrix[:, pixel, _folded(pixel + tap - reach, side)] += bank[:, tap]
    return _placed(matrix, device, dtype)


def amplified(x: Images, gains: Float[Tensor, "n 4"]) -> Images:
    """Each image's octaves times its gains, along both axes."""
    rows, columns = (torch.einsum("nb,bij->nij", gains, _bands(side, x.device, x.dtype)) for side in x.shape[2:])
    return rows[:, None] @ x @ columns[:, None].mT
