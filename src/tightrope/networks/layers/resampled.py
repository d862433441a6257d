"""A 3x3 convolution after nearest-neighbour doubling, or before 2x2 averaging, as one 4x4 convolution of stride 2.

The two filters of each pair are linear, so their composition is one filter: exact (to rounding), and 16 products a pixel where
the pair needs 36. Inside `convolution.plain` it is the pair. Axis: O outputs, I inputs, H W pixels.
"""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from tightrope.networks.layers import convolution
from tightrope.networks.layers.spectral import effective

Weight = Float[Tensor, "o i 3 3"]


def _overlapped(weight: Weight) -> Float[Tensor, "o i 4 4"]:
    """The filter and itself one pixel further, added, in both directions: its convolution with a 2x2 box of ones."""
    wide = F.pad(weight, (0, 1)) + F.pad(weight, (1, 0))
    return F.pad(wide, (0, 0, 0, 1)) + F.pad(wide, (0, 0, 1, 0))


def up_convolution(x: Float[Tensor, "n i h w"], conv: nn.Conv2d) -> Float[Tensor, "n o 2h 2w"]:
    """`conv`, 3x3 with padding 1, of x at twice the resolution (each pixel four times)."""
    if not convolution.fast():
        return conv(F.interpolate(x, scale_factor=2))
    weight = _overlapped(effective(conv).flip(2, 3)).transpose(0, 1)
    return F.conv_transpose2d(x, weight, conv.bias, stride=2, padding=1)


def down_convolution(x: Float[Tensor, "n i 2h 2w"], conv: nn.Conv2d) -> Float[Tensor, "n o h w"]:
    """The 2x2 means of `conv`, 3x3 with padding 1, of x."""
    if not convolution.fast():
        return F.avg_pool2d(conv(x), 2)
    return F.conv2d(x, _overlapped(effective(conv)) / 4, conv.bias, stride=2, padding=1)
