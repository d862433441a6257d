"""StyleGAN2's critic. Axis: N batch, C channel, H W, K classes.

Karras et al. 2020, "Analyzing and improving the image quality of StyleGAN", figure 7 (orig, skip, resnet), as configured by
StyleGAN2-ADA, whose parameter names and arguments it has; classes by projection (Miyato & Koyama 2018). Logits are (N, 1).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tightrope.core.errors import InputError
from tightrope.networks.layers.activated import activated, known
from tightrope.networks.layers.batch import MinibatchStd
from tightrope.networks.layers.equalised import EqualisedLinear
from tightrope.networks.layers.filters import downsample2d, fir
from tightrope.networks.layers.styled import Conv2dLayer, Pixels
from tightrope.networks.mapping import MappingNetwork
from tightrope.networks.stylegan2 import HALF, architecture_of, channels_of, resolutions_of


class CriticBlock(nn.Module):
    """Two convolutions, of which the second halves the resolution.

    Args:
        in_channels: 0 for the first block, which sees the image alone.
        tmp_channels, out_channels: of the first convolution, and of the second.
    """

    resample_filter: Tensor

    def __init__(
        self,
        in_channels: int,
        tmp_channels: int,
        out_channels: int,
        img_channels: int,
        architecture: str = "resnet",
        activation: str = "lrelu",
        resample_filter: Sequence[float] | None = (1, 3, 3, 1),
        conv_clamp: float | None = None,
    ) -> None:
        super().__init__()
        self.in_channels, self.architecture = in_channels, architecture_of(architecture)
        self.register_buffer("resample_filter", fir(resample_filter))
        how: dict[str, Any] = {"activation": activation, "resample_filter": resample_filter, "conv_clamp": conv_clamp}
        self.fromrgb = Conv2dLayer(img_channels, tmp_channels, 1, **how) if not in_channels or architecture == "skip" else None
        self.conv0 = Conv2dLayer(tmp_channels, tmp_channels, 3, **how)
        self.conv1 = Conv2dLayer(tmp_channels, out_channels, 3, down=2, **how)
        if architecture == "resnet":
            self.skip = Conv2dLayer(tmp_channels, out_channels, 1, bias=False, down=2, resample_filter=resample_filter)

    def forward(self, x: Pixels | None, image: Pixels | None) -> tuple[Pixels, Pixels | None]:
        """Features of half the size, None before the first block, and the image where blocks below want it."""
        if self.fromrgb is not None:
            assert image is not None
            seen = self.fromrgb(image)
            x = seen if x is None else x + seen
            image = downsample2d(image, self.resample_filter) if self.architecture == "skip" else None
        if self.architecture == "resnet":
            return self.skip(x, gain=HALF) + self.conv1(self.conv0(x), gain=HALF), image
        return self.conv1(self.conv0(x)), image


class CriticEpilogue(nn.Module):
    """What is left at 4x4: the spread within the batch, a convolution, two connected layers.

    Args:
        cmap_dim: width of the embedded class; 0 without classes.
        mbstd_group_size: samples whose spread is measured together, all of a batch if None; divides the batch.
        mbstd_num_channels: 0 leaves it out.
    """

    def __init__(
        self,
        in_channels: int,
        cmap_dim: int,
        resolution: int,
        img_channels: int,
        architecture: str = "resnet",
        mbstd_group_size: int | None = 4,
        mbstd_num_channels: int = 1,
        activation: str = "lrelu",
        conv_clamp: float | None = None,
    ) -> None:
        super().__init__()
        self.cmap_dim, self.activation = cmap_dim, known(activation)
        self.spread = MinibatchStd(mbstd_group_size, mbstd_num_channels) if mbstd_num_channels else None
        how: dict[str, Any] = {"activation": activation}
        self.fromrgb = Conv2dLayer(img_channels, in_channels, 1, **how) if architecture == "skip" else None
        self.conv = Conv2dLayer(in_channels + mbstd_num_channels, in_channels, 3, conv_clamp=conv_clamp, **how)
        self.fc = EqualisedLinear(in_channels * resolution**2, in_channels, gain=1.0)
        self.out = EqualisedLinear(in_channels, cmap_dim or 1, gain=1.0)

    def forward(self, x: Pixels, image: Pixels | None, cmap: Float[Tensor, "n m"] | None) -> Float[Tensor, "n 1"]:
        with torch.autocast(x.device.type, enabled=False):
            x = x.to(self.fc.weight.dtype)
            if self.fromrgb is not None and image is not None:
                x = x + self.fromrgb(image.to(x.dtype))
            x = x if self.spread is None else self.spread(x)
            x = activated(self.fc(self.conv(x).flatten(1)), None, self.activation)
            logits = self.out(x)
            return logits if cmap is None else (logits * cmap).sum(1, keepdim=True) / math.sqrt(self.cmap_dim)


class StyleGAN2Critic(nn.Module):
    """Images, and their classes where there are any, to logits.

    Args:
        c_dim: width of a one-hot class; 0 without classes.
        architecture: "resnet" as published, "skip", "orig".
        channel_base, channel_max: a block at resolution r has min(channel_base / r, channel_max) channels.
        num_fp16_res: accepted as published, and without effect: precision is the caller's, by autocast.
        cmap_dim: width of the embedded class, the channels at 4x4 unless given.
        block_kwargs, mapping_kwargs, epilogue_kwargs: of `CriticBlock`, `MappingNetwork` and `CriticEpilogue`.
    """

    def __init__(
        self,
        c_dim: int,
        img_resolution: int,
        img_channels: int,
        architecture: str = "resnet",
        channel_base: int = 32768,
        channel_max: int = 512,
        num_fp16_res: int = 0,
        conv_clamp: float | None = None,
        cmap_dim: int | None = None,
        block_kwargs: dict[str, Any] | None = None,
        mapping_kwargs: dict[str, Any] | None = None,
        epilogue_kwargs: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.c_dim, self.img_resolution, self.img_channels = c_dim, img_resolution, img_channels
        self.resolutions = resolutions_of(img_resolution, least=8)[::-1]
        widths = {r: channels_of(r, channel_base, channel_max) for r in self.resolutions}
        cmap = (widths[4] if cmap_dim is None else cmap_dim) if c_dim else 0
        how: dict[str, Any] = {"architecture": architecture, "conv_clamp": conv_clamp}
        for r in self.resolutions[:-1]:
            inputs = widths[r] if r < img_resolution else 0
            block = CriticBlock(inputs, widths[r], widths[r // 2], img_channels, **how, **(block_kwargs or {}))
            self.add_module(f"b{r}", block)
        if c_dim:
            self.mapping = MappingNetwork(0, c_dim, cmap, None, w_avg_beta=None, **(mapping_kwargs or {}))
        self.b4 = CriticEpilogue(widths[4], cmap, 4, img_channels, **how, **(epilogue_kwargs or {}))

    def forward(self, image: Float[Tensor, "n c h w"], c: Float[Tensor, "n k"] | None = None) -> Float[Tensor, "n 1"]:
        shape = (self.img_channels, self.img_resolution, self.img_resolution)
        if image.dim() != 4 or image.shape[1:] != shape:
            raise InputError(f"images of shape {tuple(image.shape)} were given; this critic takes (batch, *{shape})")
        x: Pixels | None = None
        below: Pixels | None = image.contiguous(memory_format=torch.channels_last)
        for r in self.resolutions[:-1]:
            x, below = self.get_submodule(f"b{r}")(x, below)
        return self.b4(x, below, self.mapping(None, c) if self.c_dim else None)
