"""Real-ESRGAN's compact generator, `realesr-general-x4v3.pth`: keys `body.0.weight`, `body.1.weight` ... Axis: N, C, H W.

Shapes tell num_in_ch, num_feat, num_conv, upscale, and act_type where it is "prelu". Hints that they do not tell: act_type
("relu" unless told, or "leakyrelu"), and outscale, how much larger pictures are in the end where that is less than upscale.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from tightrope.core.errors import InputError
from tightrope.interop.published import Player, Translates, plainly, unchanged
from tightrope.interop.tensors import Tensors, agree
from tightrope.networks.sr import SRVGGNet

SLOPE = 0.1  # of its leaky rectifiers


def _activation(learned: bool, hints: Mapping[str, Any]) -> Callable[[int], nn.Module]:
    if learned:
        agree(hints, act_type="prelu")
        return nn.PReLU
    if hints.get("act_type") == "leakyrelu":
        return lambda channels: nn.LeakyReLU(SLOPE)
    agree(hints, act_type="relu")
    return lambda channels: nn.ReLU()


def generator(tensors: Tensors, hints: Mapping[str, Any]) -> nn.Module:
    kernels = tensors.kernels(r"body\.\d+\.weight", 4, least=2)
    (width, channels), last, layers = kernels[0][:2], kernels[-1][0], len(kernels) - 2
    scale = math.isqrt(last // channels)
    if scale < 1 or channels * scale**2 != last:
        raise InputError(f"its last convolution makes {last} channels, which are no pixels of {channels} channels.")
    agree(hints, num_in_ch=channels, num_out_ch=channels, num_feat=width, num_conv=layers, upscale=scale)
    final = hints.get("outscale")
    if final is not None and (type(final) is not int or not 1 <= final <= scale):
        raise InputError(f"outscale={final!r}: give a whole number from 1 to {scale}.")
    activation = _activation("body.1.weight" in tensors, hints)
    return SRVGGNet(channels, scale=scale, width=width, layers=layers, activation=activation, final=final)


def _translates(net: SRVGGNet) -> Translates:
    return Translates(net.channels, net.channels, scale=net.scale, darkest=0.0)


PLAYERS = {"": Player(build=generator, kinds=(SRVGGNet,), names=unchanged, call=plainly, translates=_translates)}
