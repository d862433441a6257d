"""Real-ESRGAN's critic of every pixel, `net_d` of BasicSR: keys `conv1.weight_orig`, `conv1.weight_u` ... Axis: N, C, H W.

Shapes tell num_in_ch and num_feat. A hint that they do not tell: skip_connection (True unless told).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from tightrope.interop.published import Player, plainly, unchanged
from tightrope.interop.tensors import Tensors, agree
from tightrope.networks.unet import UNetCritic


def discriminator(tensors: Tensors, hints: Mapping[str, Any]) -> nn.Module:
    width, inputs = tensors.shape("conv0.weight", 4)[:2]
    agree(hints, num_in_ch=inputs, num_feat=width)
    return UNetCritic(inputs, width=width, skip=bool(hints.get("skip_connection", True)))


PLAYERS = {"sn-discriminator": Player(build=discriminator, kinds=(UNetCritic,), names=unchanged, call=plainly)}
