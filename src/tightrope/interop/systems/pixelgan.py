"""The 1x1 critic of pix2pix: keys `net.0.weight`, `net.2.weight` ... Axis: N, C, H W.

Shapes and keys tell input_nc, ndf, the norm. A hint that they do not tell: track_running_stats (see `interop.translators`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from tightrope.interop.published import Player, plainly, unchanged
from tightrope.interop.tensors import Tensors, agree
from tightrope.interop.translators import norm_of, unread
from tightrope.networks.patch import PixelCritic


def discriminator(tensors: Tensors, hints: Mapping[str, Any]) -> nn.Module:
    width, inputs = tensors.shape("net.0.weight", 4)[:2]
    agree(hints, input_nc=inputs, ndf=width)
    norm, bias = norm_of(tensors, "net.2", "net.3", hints)
    return PixelCritic(inputs, width=width, norm=norm, bias=bias)


PLAYERS = {"": Player(build=discriminator, kinds=(PixelCritic,), names=unchanged, call=plainly, unused=unread)}
