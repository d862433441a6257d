"""StyleGAN2's generator: latents to styles, styles to images. Axis: N batch, L layers, W style, Z latent, K classes, C H W.

Karras et al. 2020, "Analyzing and improving the image quality of StyleGAN", section 2 and appendix B, as configured by Karras
et al. 2020, "Training generative adversarial networks with limited data" (StyleGAN2-ADA), whose parameter names and arguments
it has, so that published weights load as they are. Run: `tightrope train stylegan2 emoji`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tightrope.core.errors import InputError
from tightrope.networks.layers.filters import fir, upsample2d
from tightrope.networks.layers.styled import Conv2dLayer, NoiseMode, Pixels, SynthesisLayer, ToRGBLayer
from tightrope.networks.mapping import MappingNetwork

Styles = Float[Tensor, "n l w"]
ARCHITECTURES = ("orig", "skip", "resnet")
HALF = math.sqrt(0.5)  # gain of either branch of a residual block


def channels_of(resolution: int, base: int, most: int) -> int:
    """Channels at a resolution: the larger the picture the fewer."""
    return min(base // resolution, most)


def resolutions_of(img_resolution: int, least: int = 4) -> list[int]:
    """4, 8, 16 ... up to the image's, a power of two."""
    if img_resolution < least or img_resolution & (img_resolution - 1):
        raise InputError(f"img_resolution is {img_resolution}; this network takes a power of two from {least} on")
    return [2**step for step in range(2, img_resolution.bit_length())]


def architecture_of(name: str) -> str:
    """One of the paper's three (figure 7)."""
    if name not in ARCHITECTURES:
        raise InputError(f"there is no architecture {name!r}; take one of {', '.join(ARCHITECTURES)}")
    return name


def _channels_last(x: Pixels) -> Pixels:
    """In the order that convolutions, filters and products of pixels are fastest in; what follows keeps it."""
    return x.contiguous(memory_format=torch.channels_last)


class SynthesisBlock(nn.Module):
    """Two layers at one resolution (one and a learned constant at 4x4), and an image beside them.

    Args:
        in_channels: 0 for the first block.
        is_last: gives an image whatever the architecture.
    """

    resample_filter: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        w_dim: int,
        resolution: int,
        img_channels: int,
        is_last: bool,
        architecture: str = "skip",
        resample_filter: Sequence[float] | None = (1, 3, 3, 1),
        conv_clamp: float | None = None,
        **layer_kwargs: Any,
    ) -> None:
        super().__init__()
        self.in_channels, self.architecture = in_channels, architecture_of(architecture)
        self.register_buffer("resample_filter", fir(resample_filter))
        shared = {"resample_filter": resample_filter, "conv_clamp": conv_clamp}
        if in_channels:
            self.conv0 = SynthesisLayer(in_channels, out_channels, w_dim, resolution, up=2, **shared, **layer_kwargs)  # type: ignore[arg-type]
        else:
            self.const = nn.Parameter(torch.randn(out_channels, resolution, resolution))
        self.conv1 = SynthesisLayer(out_channels, out_channels, w_dim, resolution, **shared, **layer_kwargs)  # type: ignore[arg-type]
        draws = is_last or architecture == "skip"
        self.torgb = ToRGBLayer(out_channels, img_channels, w_dim, conv_clamp=conv_clamp) if draws else None
        if in_channels and architecture == "resnet":
            self.skip = Conv2dLayer(in_channels, out_channels, 1, bias=False, up=2, resample_filter=resample_filter)
        self.num_conv, self.num_torgb = 2 if in_channels else 1, int(draws)

    def forward(
        self, x: Pixels | None, image: Pixels | None, ws: Styles, noise_mode: NoiseMode = "random"
    ) -> tuple[Pixels, Pixels | None]:
        """Features and the image so far, both None before the first block; `ws` are this block's styles, the image's last."""
        styles = iter(ws.unbind(1))
        if x is None:
            y = self.conv1(self.const.expand(ws.shape[0], -1, -1, -1), next(styles), noise_mode)
        elif self.architecture == "resnet":
            straight = self.skip(x, gain=HALF)
            y = straight + self.conv1(self.conv0(x, next(styles), noise_mode), next(styles), noise_mode, HALF)
        else:
            y = self.conv1(self.conv0(x, next(styles), noise_mode), next(styles), noise_mode)
        image = None if image is None else upsample2d(image, self.resample_filter)
        if self.torgb is not None:
            drawn = self.torgb(y, next(styles))
            drawn = drawn.to(torch.promote_types(drawn.dtype, torch.float32))
            image = drawn if image is None else image + drawn
        return y, image


class SynthesisNetwork(nn.Module):
    """Styles to images, a block a resolution. A block's image shares its style with the next block's first layer.

    Args:
        channel_base, channel_max: a block at resolution r has min(channel_base / r, channel_max) channels.
        bounded: the image goes through tanh, so that flat black and white are within reach and D cannot tell by them; the
            published networks have none.
        num_fp16_res: accepted as published, and without effect: precision is the caller's, by autocast.
        block_kwargs: architecture, resample_filter, conv_clamp, use_noise, activation.
    """

    def __init__(
        self,
        w_dim: int,
        img_resolution: int,
        img_channels: int,
        channel_base: int = 32768,
        channel_max: int = 512,
        num_fp16_res: int = 0,
        bounded: bool = False,
        **block_kwargs: Any,
    ) -> None:
        super().__init__()
        self.w_dim, self.img_resolution, self.img_channels = w_dim, img_resolution, img_channels
        self.resolutions, self.bounded = resolutions_of(img_resolution), bounded
        inputs = 0
        self.num_ws = 0
        for resolution in self.resolutions:
            channels = channels_of(resolution, channel_base, channel_max)
            last = resolution == img_resolution
            block = SynthesisBlock(inputs, channels, w_dim, resolution, img_channels, last, **block_kwargs)
            self.add_module(f"b{resolution}", block)
            self.num_ws += block.num_conv + (block.num_torgb if last else 0)
            inputs = channels

    def forward(self, ws: Styles, noise_mode: NoiseMode = "random") -> Pixels:
        if ws.dim() != 3 or ws.shape[1:] != (self.num_ws, self.w_dim):
            takes = f"this synthesis takes (batch, {self.num_ws}, {self.w_dim})"
            raise InputError(f"styles of shape {tuple(ws.shape)} were given; {takes}")
        x: Pixels | None = None
        image: Pixels | None = None
        at = 0
        for block in self.children():
            assert isinstance(block, SynthesisBlock)
            x, image = block(x, image, ws[:, at : at + block.num_conv + block.num_torgb], noise_mode)
            at += block.num_conv
        assert image is not None
        image = image.tanh() if self.bounded else image
        return image.contiguous()  # so that noise like it is drawn in the order of pixels


class StyleGAN2Generator(nn.Module):
    """Latents, and classes where there are any, to images.

    Args:
        z_dim, c_dim, w_dim: widths of a latent, of a one-hot class (0: none), of a style.
        img_resolution: a power of two.
        mapping_kwargs, synthesis_kwargs: of `MappingNetwork` and `SynthesisNetwork`.
    """

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        w_dim: int,
        img_resolution: int,
        img_channels: int,
        mapping_kwargs: dict[str, Any] | None = None,
        synthesis_kwargs: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.z_dim, self.c_dim, self.w_dim = z_dim, c_dim, w_dim
        self.img_resolution, self.img_channels = img_resolution, img_channels
        self.synthesis = SynthesisNetwork(w_dim, img_resolution, img_channels, **(synthesis_kwargs or {}))
        self.num_ws = self.synthesis.num_ws
        self.mapping = MappingNetwork(z_dim, c_dim, w_dim, self.num_ws, **(mapping_kwargs or {}))

    def forward(
        self,
        z: Float[Tensor, "n z"],
        c: Float[Tensor, "n k"] | None = None,
        truncation_psi: float = 1,
        truncation_cutoff: int | None = None,
        noise_mode: NoiseMode = "random",
    ) -> Float[Tensor, "n c h w"]:
        return self.synthesis(self.mapping(z, c, truncation_psi, truncation_cutoff), noise_mode=noise_mode)
