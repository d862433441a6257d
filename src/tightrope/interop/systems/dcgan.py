"""DCGAN as in the PyTorch example: `netG`, `netD`, keys `main.0.weight` ... Axis: N batch, Z latent, C H W.

Hints: nz, nc, ngf, ndf, image_size; shapes tell all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from tightrope.interop.published import Makes, Player, unchanged
from tightrope.interop.tensors import Tensors, agree
from tightrope.networks.dcgan import DCGANCritic, DCGANGenerator

KERNELS = r"main\.\d+\.weight"


def generator(tensors: Tensors, hints: Mapping[str, Any]) -> nn.Module:
    first, *between, last = tensors.kernels(KERNELS, 4)
    size = 8 << len(between)
    agree(hints, nz=first[0], nc=last[1], ngf=last[0], image_size=size)
    return DCGANGenerator(first[0], channels=last[1], size=size, width=last[0])


def discriminator(tensors: Tensors, hints: Mapping[str, Any]) -> nn.Module:
    first, *between, _ = tensors.kernels(KERNELS, 4)
    size = 8 << len(between)
    agree(hints, nc=first[1], ndf=first[0], image_size=size)
    return DCGANCritic(channels=first[1], size=size, width=first[0])


def _draw(net: nn.Module, z: Tensor) -> Tensor:
    """z (N, Z, 1, 1) to images."""
    return net(z)


def _score(net: nn.Module, x: Tensor) -> Tensor:
    """Images to probabilities (N,); our critic ends a layer earlier."""
    return torch.sigmoid(net(x))


def _makes(net: Any) -> Makes:
    first, *between, last = [layer for layer in net.main if isinstance(layer, nn.ConvTranspose2d)]
    size = 8 << len(between)
    return Makes(first.in_channels, (last.out_channels, size, size))


PLAYERS = {
    "generator": Player(build=generator, kinds=(DCGANGenerator,), names=unchanged, call=_draw, makes=_makes),
    "discriminator": Player(build=discriminator, kinds=(DCGANCritic,), names=unchanged, call=_score),
}
