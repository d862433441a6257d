"""Pictures made of the pictures that they shall become again: lines, grey, a hole, a smaller picture, a worse one.

Pure functions in [-1, 1] of whole batches; what they make is rounded to the 256 values of a file, so that it can be written
and read without a difference. Axes: N batch, C channel, H W pixels, h w = H / f, W / f.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

from tightrope.data.degradations import degraded

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as in JPEG and in Pillow's "L"
SOBEL = ((-1.0, 0.0, 1.0), (-2.0, 0.0, 2.0), (-1.0, 0.0, 1.0))
BLACK = 1.0  # the step that is drawn black: half of the range from -1 to 1
HOLE = 0.5  # side of the hole, of the picture's (Pathak et al. 2016, Context Encoders, arXiv:1604.07379: a quarter of the area)
FACTORS = (2, 3, 4, 8)

Make = Callable[[Float[Tensor, "N C H W"], Int64[Tensor, " N"]], Float[Tensor, "N c h w"]]


@dataclasses.dataclass(frozen=True)
class Making:
    """How pictures given are made of those they shall become.

    Attributes:
        name: as the data's name begins.
        make: (pictures, one whole number each for what chance decides) -> pictures given.
        factor: f, how much smaller they are.
        grey: they have one channel.
    """

    name: str
    make: Make
    factor: int = 1
    grey: bool = False

    def __call__(self, real: Float[Tensor, "N C H W"], numbers: Int64[Tensor, " N"]) -> Float[Tensor, "N c h w"]:
        return rounded(self.make(real, numbers))

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Of a picture given, of the shape (C, H, W) of what it is made of."""
        channels, height, width = shape
        return (1 if self.grey else channels, height // self.factor, width // self.factor)


def rounded(x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N C H W"]:
    """To the nearest of the 256 values that a file holds."""
    return ((x + 1) * 127.5).round().clamp(0, 255) / 127.5 - 1


def grey(x: Float[Tensor, "N C H W"], numbers: Int64[Tensor, " N"]) -> Float[Tensor, "N 1 H W"]:
    """0.299 R + 0.587 G + 0.114 B."""
    return x if x.shape[1] == 1 else (x * x.new_tensor(LUMA)[:, None, None]).sum(1, keepdim=True)


def edges(x: Float[Tensor, "N C H W"], numbers: Int64[Tensor, " N"]) -> Float[Tensor, "N 1 H W"]:
    """Dark lines on white: |gradient| by Sobel's operator, of the channel where it is largest; half of the range is black."""
    across = x.new_tensor(SOBEL) / 4
    kernels = torch.stack([across, across.T])[:, None]
    slopes = F.conv2d(F.pad(x, (1, 1, 1, 1), mode="replicate").flatten(0, 1)[:, None], kernels)
    steps = slopes.square().sum(1).sqrt().unflatten(0, x.shape[:2]).amax(1, keepdim=True)
    return 1 - 2 * (steps / BLACK).clamp(max=1)


def masked(x: Float[Tensor, "N C H W"], numbers: Int64[Tensor, " N"]) -> Float[Tensor, "N C H W"]:
    """A square of half the side, somewhere, is filled with mean grey."""
    height, width = x.shape[-2:]
    tall, wide = int(height * HOLE), int(width * HOLE)
    room = torch.tensor([height - tall + 1, width - wide + 1])
    # a multiplicative hash of each number: its high bits are the row, its low bits the column
    mixed = (numbers * 2_654_435_761) & 0xFFFFFFFF
    top, left = (torch.stack([mixed >> 16, mixed & 0xFFFF], 1) * room >> 16).T[..., None]
    rows, columns = (torch.arange(side) - start for side, start in ((height, top), (width, left)))
    inside = ((rows >= 0) & (rows < tall))[:, None, :, None] & ((columns >= 0) & (columns < wide))[:, None, None, :]
    return x.masked_fill(inside, 0.0)


def down(factor: int) -> Make:
    """f times smaller, by antialiased bicubic interpolation (a = -0.5), as Pillow and Matlab's imresize do it."""

    def make(x: Float[Tensor, "N C H W"], numbers: Int64[Tensor, " N"]) -> Float[Tensor, "N C h w"]:
        size = (x.shape[-2] // factor, x.shape[-1] // factor)
        return F.interpolate(x, size=size, mode="bicubic", antialias=True)

    return make


def worse(factor: int) -> Make:
    """f times smaller, and blurred, noisy and compressed as photographs on the web are; each picture in a way of its own."""

    def make(x: Float[Tensor, "N C H W"], numbers: Int64[Tensor, " N"]) -> Float[Tensor, "N C h w"]:
        dice = [torch.Generator().manual_seed(number) for number in numbers.tolist()]
        return torch.stack([degraded((one + 1) / 2, factor, die) for one, die in zip(x, dice, strict=True)]) * 2 - 1

    return make
