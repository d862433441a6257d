"""pix2pix's U-Net, `latest_net_G.pth`: keys `model.model.0.weight`, `model.model.1.model.3 ...`. Axis: N, C, H W.

Shapes and keys tell input_nc, output_nc, ngf, num_downs, the norm. Hints that they do not tell: use_dropout (True unless told, as
pix2pix has it; it counts in training alone), track_running_stats (see `interop.translators`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from tightrope.interop.published import Player, Translates, plainly, unchanged
from tightrope.interop.tensors import Tensors, agree
from tightrope.interop.translators import norm_of, unread
from tightrope.networks.unet import UNetTranslator

INNER = "model.model.1"
HALVING = r"model\.model\.1\.model\.(?:3\.model\.)*1\.weight"  # of every level but the outermost


def unet(tensors: Tensors, hints: Mapping[str, Any]) -> nn.Module:
    width, inputs = tensors.shape("model.model.0.weight", 4)[:2]
    outputs = tensors.shape("model.model.3.weight", 4)[1]
    downs = 1 + len(tensors.kernels(HALVING, 4, least=1))
    agree(hints, input_nc=inputs, output_nc=outputs, ngf=width, num_downs=downs)
    norm, bias = norm_of(tensors, f"{INNER}.model.1", f"{INNER}.model.2", hints)
    dropout = bool(hints.get("use_dropout", True))
    return UNetTranslator(inputs, outputs, width=width, downs=downs, norm=norm, bias=bias, dropout=dropout)


def _translates(net: UNetTranslator) -> Translates:
    return Translates(net.inputs, net.outputs, multiple=1 << net.downs)


PLAYERS = {
    "unet": Player(build=unet, kinds=(UNetTranslator,), names=unchanged, call=plainly, unused=unread, translates=_translates),
}
