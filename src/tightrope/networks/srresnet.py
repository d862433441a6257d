"""Residual super-resolution networks and their critic: small pictures to large ones in [-1, 1]. Axis: N, C, H W, s the scale.

Ledig et al. 2017, "Photo-realistic single image super-resolution using a generative adversarial network", arXiv:1609.04802,
figure 4 (SRResNet, and a critic in the manner of VGG). `LightSR` is the same idea where minutes count: no normalisation (Lim et
al. 2017, EDSR, section 3.1), all work at the small size and channels to pixels once (Shi et al. 2016), and the network makes only
what an enlargement by cubic interpolation lacks (Kim et al. 2016, VDSR, section 3.2).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from tightrope.core.errors import InputError
from tightrope.core.spec import DataSpec
from tightrope.networks.layers.tiled import TiledConv2d
from tightrope.networks.shapes import widened

Small = Float[Tensor, "n c h w"]
Large = Float[Tensor, "n c s*h s*w"]
Norm = Callable[[int], nn.Module]
SLOPE = 0.2  # of leaky rectifiers
FINE = 8  # channels of LightSR at the large size: a convolution there leaves no trace of the small pixels' grid
START = 0.1  # factor on what a block of a fresh LightSR adds to its input; its square on what the network adds
HALVINGS = 4  # of the critic


def enlargement(spec: DataSpec, recipe: str) -> int:
    """s, by how much pictures are to become larger.

    Raises:
        InputError: by no whole number, or they are to have other channels than those given.
    """
    (c, h, w), (channels, height, width) = spec.given, spec.shape
    s = height // h
    if c != channels or s < 1 or (s * h, s * w) != (height, width):
        given, wanted = f"{c} channels of {h}x{w} px", f"{channels} channels of {height}x{width} px"
        raise InputError(
            f"{recipe} makes the same picture a whole number of times larger, and these pairs go from {given} to {wanted}: "
            "make them with down4:DATA, or choose a recipe that translates (pix2pix)."
        )
    return s


class Block(nn.Module):
    """x + norm(conv(act(norm(conv(x)))))."""

    def __init__(self, width: int, *, norm: Norm, activation: Callable[[], nn.Module]) -> None:
        super().__init__()
        first, last = (TiledConv2d(width, width, 3, padding=1) for _ in range(2))
        self.body = nn.Sequential(first, norm(width), activation(), last, norm(width))

    def forward(self, x: Small) -> Small:
        return x + self.body(x)


class SRResNet(nn.Module):
    """The paper's generator; a scale of 2, 4 or 8 is reached by doublings, any other at once.

    Args:
        scale: s.
        width: channels.
        blocks: residual ones.
        norm: behind the convolutions of the trunk.
    """

    def __init__(
        self, channels: int = 3, *, scale: int = 4, width: int = 64, blocks: int = 16, norm: Norm = nn.BatchNorm2d
    ) -> None:
        super().__init__()
        self.channels, self.scale = channels, scale
        self.head = nn.Sequential(nn.Conv2d(channels, width, 9, padding=4), nn.PReLU())
        body = [Block(width, norm=norm, activation=nn.PReLU) for _ in range(blocks)]
        self.body = nn.Sequential(*body, TiledConv2d(width, width, 3, padding=1), norm(width))
        ups: list[nn.Module] = []
        for s in _steps(scale):
            ups += [TiledConv2d(width, width * s * s, 3, padding=1), nn.PixelShuffle(s), nn.PReLU()]
        self.tail = nn.Sequential(*ups, nn.Conv2d(width, channels, 9, padding=4))

    def forward(self, x: Small) -> Large:
        y = self.head(x)
        return widened(self.tail(y + self.body(y)))


class LightSR(nn.Module):
    """Residual blocks at the small size, channels to pixels, one convolution of few channels, and the cubic interpolation added.

    A fresh one is nearly that interpolation, so that it learns at a high rate from the first step on.

    Args:
        scale: s.
        width: channels.
        blocks: residual ones, without normalisation.
    """

    def __init__(self, channels: int = 3, *, scale: int = 4, width: int = 48, blocks: int = 8) -> None:
        super().__init__()
        self.channels, self.scale = channels, scale
        self.head = nn.Conv2d(channels, width, 3, padding=1)
        self.body = nn.Sequential(*(Block(width, norm=lambda _: nn.Identity(), activation=nn.ReLU) for _ in range(blocks)))
        last = nn.Conv2d(FINE, channels, 3, padding=1)
        first = nn.Conv2d(width, FINE * scale**2, 3, padding=1)
        self.tail = nn.Sequential(first, nn.PixelShuffle(scale), nn.LeakyReLU(SLOPE), last)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight)
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        with torch.no_grad():
            for block in self.body:
                block.body[3].weight.mul_(START)  # type: ignore[index, union-attr]
            last.weight.mul_(START**2)  # noise of the size of what is to be learned would first have to be unlearned

    def forward(self, x: Small) -> Large:
        y = self.tail(self.body(self.head(x)))
        if self.scale > 1:
            x = F.interpolate(x, scale_factor=self.scale, mode="bicubic", align_corners=False)
        return widened(y + x)


class VGGCritic(nn.Module):
    """The paper's critic: eight 3x3 convolutions, every other of stride 2, twice the channels at half the size, two dense layers.

    Args:
        size: pixels of a side; the features of a picture of another size are brought by means to as many.
        width: channels at full size (64; the dense layer has 16 times as many).
        norm: behind all convolutions but the first.
    """

    def __init__(self, channels: int = 3, *, size: int = 96, width: int = 64, norm: Norm = nn.BatchNorm2d) -> None:
        super().__init__()
        stages: list[nn.Module] = []
        inputs, left = channels, size
        for k in range(2 * HALVINGS):
            outputs, halves = width << k // 2, k % 2 == 1 and left > 1
            convolution = nn.Conv2d(inputs, outputs, 3, 2, 1) if halves else TiledConv2d(inputs, outputs, 3, 1, 1)
            stages.append(nn.Sequential(convolution, norm(outputs) if k else nn.Identity(), nn.LeakyReLU(SLOPE)))
            inputs, left = outputs, -(-left // 2) if halves else left
        self.left, self.stages = left, nn.ModuleList(stages)
        self.head = nn.Sequential(nn.Linear(inputs * left**2, 16 * width), nn.LeakyReLU(SLOPE), nn.Linear(16 * width, 1))

    def forward(self, x: Large) -> Float[Tensor, " n"]:
        return self.features(x)[-1]

    def features(self, x: Large) -> list[Tensor]:
        """What comes out of every convolution's rectifier, and the logits (N,) last."""
        found = []
        for stage in self.stages:
            x = stage(x)
            found.append(x)
        dense = F.adaptive_avg_pool2d(x, self.left).flatten(1)  # the very values where pictures are of the critic's size
        return [*found, widened(self.head(dense).flatten())]


def _steps(scale: int) -> list[int]:
    """Factors by which it is reached."""
    doublings = scale.bit_length() - 1
    return [2] * doublings if 1 << doublings == scale else [scale]
