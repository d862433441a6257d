"""Layers with equalised rates: weights start at N(0, 1) and are scaled in every forward pass by He's constant.

Karras, Aila, Laine & Lehtinen 2018, "Progressive growing of GANs", section 4.1: an optimizer that normalises its gradients
(Adam) then moves every weight at the same relative speed. The constant is gain / sqrt(inputs of one output). Axis: N batch.
"""

from __future__ import annotations

import math

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

RECTIFIER = math.sqrt(2)  # gain before a (leaky) rectifier; 1 before none


class EqualisedConv2d(nn.Conv2d):
    """`nn.Conv2d`, padded so that an odd kernel keeps the size unless told otherwise; same state dict.

    Args:
        gain: of what follows.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, *, padding: int | None = None, gain: float = RECTIFIER) -> None:
        super().__init__(inputs, outputs, kernel, padding=kernel // 2 if padding is None else padding)
        self.scale = gain / math.sqrt(inputs * kernel * kernel)
        _start(self)

    def forward(self, input: Float[Tensor, "n i h w"]) -> Float[Tensor, "n o h w"]:
        return self._conv_forward(input, self.weight * self.scale, self.bias)


class EqualisedDoubling(EqualisedConv2d):
    """Every pixel twice along both axes (nearest), then an odd kernel, as one transposed convolution: half of the arithmetic."""

    def forward(self, input: Float[Tensor, "n i h w"]) -> Float[Tensor, "n o 2*h 2*w"]:
        kernel = _shifted(self.weight.flip(2, 3) * self.scale).transpose(0, 1)
        return F.conv_transpose2d(input, kernel, self.bias, 2, self.kernel_size[0] // 2)


class EqualisedHalving(EqualisedConv2d):
    """An odd kernel, then means of 2x2, as one convolution of stride 2: half of the arithmetic."""

    def forward(self, input: Float[Tensor, "n i 2*h 2*w"]) -> Float[Tensor, "n o h w"]:
        return F.conv2d(input, _shifted(self.weight * (self.scale / 4)), self.bias, 2, self.kernel_size[0] // 2)


def _shifted(kernel: Float[Tensor, "o i k k"]) -> Float[Tensor, "o i k+1 k+1"]:
    """The sum of a kernel's copies at four places, a pixel apart along both axes."""
    wide = F.pad(kernel, (1, 1, 1, 1))
    return wide[:, :, 1:, 1:] + wide[:, :, :-1, 1:] + wide[:, :, 1:, :-1] + wide[:, :, :-1, :-1]


class EqualisedLinear(nn.Linear):
    """`nn.Linear`; same state dict.

    Args:
        gain: of what follows.
        rate: factor of this layer's learning rate (StyleGAN's mapping: 0.01), as a factor of its weights and bias.
    """

    def __init__(self, inputs: int, outputs: int, *, gain: float = RECTIFIER, rate: float = 1.0) -> None:
        super().__init__(inputs, outputs)
        self.rate = rate
        self.scale = gain * rate / math.sqrt(inputs)
        _start(self, 1 / rate)

    def forward(self, input: Float[Tensor, "n *x i"]) -> Float[Tensor, "n *x o"]:
        return F.linear(input, self.weight * self.scale, self.bias * self.rate)


class EqualisedSquare(nn.ConvTranspose2d):
    """A vector to a square of pixels: a transposed convolution of one pixel, (I, O, kernel, kernel); same state dict.

    Each pixel's channel sees all I inputs once.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int = 4, *, gain: float = RECTIFIER) -> None:
        super().__init__(inputs, outputs, kernel)
        self.scale = gain / math.sqrt(inputs)
        _start(self)

    def forward(self, input: Float[Tensor, "n i"], output_size: list[int] | None = None) -> Float[Tensor, "n o k k"]:
        square = (input @ (self.weight * self.scale).flatten(1)).unflatten(1, self.weight.shape[1:])
        return square if self.bias is None else square + self.bias[:, None, None]


def _start(layer: nn.Conv2d | nn.Linear | nn.ConvTranspose2d, deviation: float = 1.0) -> None:
    nn.init.normal_(layer.weight, 0.0, deviation)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
