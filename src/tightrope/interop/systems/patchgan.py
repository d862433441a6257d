"""The patch critic of pix2pix and CycleGAN, `latest_net_D.pth`: keys `model.0.weight`, `model.2.weight` ... Axis: N, C, H W.

Shapes and keys tell input_nc, ndf, n_layers, the norm. Hints that they do not tell: use_sigmoid (of early versions),
track_running_stats (see `interop.translators`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from tightrope.interop.published import Player, plainly, unchanged
from tightrope.interop.tensors import Tensors, agree
from tightrope.interop.translators import norm_of, unread
from tightrope.networks.patch import PatchCritic


def discriminator(tensors: Tensors, hints: Mapping[str, Any]) -> nn.Module:
    kernels = tensors.kernels(r"model\.\d+\.weight", 4, least=3)
    width, inputs, layers = kernels[0][0], kernels[0][1], len(kernels) - 2
    agree(hints, input_nc=inputs, ndf=width, n_layers=layers)
    norm, bias = norm_of(tensors, "model.2", "model.3", hints)
    sigmoid = bool(hints.get("use_sigmoid", False))
    return PatchCritic(inputs, width=width, layers=layers, norm=norm, bias=bias, sigmoid=sigmoid)


def _refusal(net: PatchCritic) -> str | None:
    return None if net.pad == 1 else f"this critic pads by {net.pad} pixels, and the reference's by 1."


PLAYERS = {
    "": Player(
        build=discriminator, kinds=(PatchCritic,), names=unchanged, call=plainly, unused=unread, refusal=_refusal
    ),
}  # fmt: skip
