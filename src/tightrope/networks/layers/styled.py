"""Layers of StyleGAN2: convolutions of equalised rate, with resampling, and those that a style modulates. Axis: N batch, W style.

Karras et al. 2020, "Analyzing and improving the image quality of StyleGAN", section 2 and figure 2 (revised architecture), as
configured by StyleGAN2-ADA, whose parameter names they have.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tightrope.core.errors import InputError
from tightrope.networks.layers.activated import activated, gain_of, homogeneous, known
from tightrope.networks.layers.equalised import EqualisedLinear
from tightrope.networks.layers.filters import fir
from tightrope.networks.layers.modulated import coloured, modulated, resampled

Pixels = Float[Tensor, "n c h w"]
NoiseMode = Literal["random", "const", "none"]


class Affine(EqualisedLinear):
    """A style's scale of each input channel, about 1; in fp32 whatever surrounds it."""

    def __init__(self, w_dim: int, channels: int) -> None:
        super().__init__(w_dim, channels, gain=1.0)
        nn.init.ones_(self.bias)

    def forward(self, input: Float[Tensor, "n w"]) -> Float[Tensor, "n c"]:
        with torch.autocast(input.device.type, enabled=False):
            return super().forward(input.to(self.weight.dtype))


class Conv2dLayer(nn.Module):
    """A convolution of equalised rate that may halve or double the resolution, bias, activation, gain, clamp.

    Args:
        kernel_size: odd.
        up, down: factors of the resolution.
        conv_clamp: the largest absolute value that comes out, for a gain of 1.
    """

    resample_filter: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        bias: bool = True,
        activation: str = "linear",
        up: int = 1,
        down: int = 1,
        resample_filter: Sequence[float] | None = (1, 3, 3, 1),
        conv_clamp: float | None = None,
    ) -> None:
        super().__init__()
        self.activation, self.up, self.down, self.conv_clamp = known(activation), up, down, conv_clamp
        self.register_buffer("resample_filter", fir(resample_filter))
        self.scale = 1 / math.sqrt(in_channels * kernel_size**2)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def forward(self, x: Pixels, gain: float = 1) -> Pixels:
        total = gain_of(self.activation) * gain
        inner = total if homogeneous(self.activation) else 1.0  # the gain costs less on weights than on pixels
        weight = self.weight * (self.scale * inner)
        y = resampled(x, weight, self.resample_filter, up=self.up, down=self.down, flip_weight=self.up == 1)
        bias = None if self.bias is None else self.bias * inner
        clamp = None if self.conv_clamp is None else self.conv_clamp * gain
        return activated(y, bias, self.activation, gain=total / inner, clamp=clamp)


class SynthesisLayer(nn.Module):
    """Modulated convolution, noise, bias, activation. Its weights have no run-time scale: demodulation takes it out.

    Args:
        resolution: of what comes out.
        up: factor of the resolution.
        use_noise: add one noise map to all channels, with a learned strength.
        conv_clamp: the largest absolute value that comes out, for a gain of 1.
    """

    resample_filter: Tensor
    noise_const: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        w_dim: int,
        resolution: int,
        *,
        kernel_size: int = 3,
        up: int = 1,
        use_noise: bool = True,
        activation: str = "lrelu",
        resample_filter: Sequence[float] | None = (1, 3, 3, 1),
        conv_clamp: float | None = None,
    ) -> None:
        super().__init__()
        self.resolution, self.up, self.use_noise = resolution, up, use_noise
        self.activation, self.conv_clamp = known(activation), conv_clamp
        self.register_buffer("resample_filter", fir(resample_filter))
        self.affine = Affine(w_dim, in_channels)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel_size, kernel_size))
        if use_noise:
            self.register_buffer("noise_const", torch.randn(resolution, resolution))
            self.noise_strength = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(self, x: Pixels, w: Float[Tensor, "n w"], noise_mode: NoiseMode = "random", gain: float = 1) -> Pixels:
        total = gain_of(self.activation) * gain
        inner = total if homogeneous(self.activation) else 1.0  # then scale, shift and gain are one operation
        y = modulated(x, self.weight, self.affine(w), self.resample_filter, up=self.up, gain=inner, shift=self.bias * inner)
        noise = self._noise(x.shape[0], noise_mode)
        y = y if noise is None else y.add_((noise * inner).to(y.dtype))
        clamp = None if self.conv_clamp is None else self.conv_clamp * gain
        return activated(y, None, self.activation, gain=total / inner, clamp=clamp)

    def _noise(self, samples: int, mode: NoiseMode) -> Tensor | None:
        if mode not in ("random", "const", "none"):
            raise InputError(f"there is no noise_mode {mode!r}; take random, const or none")
        if not self.use_noise or mode == "none":
            return None
        if mode == "const":
            return self.noise_const * self.noise_strength
        drawn = torch.randn(samples, 1, self.resolution, self.resolution, dtype=self.bias.dtype, device=self.bias.device)
        return drawn * self.noise_strength


class ToRGBLayer(nn.Module):
    """Features to an image: a modulated 1x1 convolution without demodulation."""

    def __init__(self, in_channels: int, out_channels: int, w_dim: int, conv_clamp: float | None = None) -> None:
        super().__init__()
        self.conv_clamp, self.scale = conv_clamp, 1 / math.sqrt(in_channels)
        self.affine = Affine(w_dim, in_channels)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(self, x: Pixels, w: Float[Tensor, "n w"]) -> Pixels:
        return activated(coloured(x, self.weight, self.affine(w) * self.scale, self.bias), clamp=self.conv_clamp)
