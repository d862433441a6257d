"""pix2pixHD's global and local generators, `latest_net_G.pth`: keys `model.1.weight`, `model1_1.1.weight`. Axis: N, C, H W.

Shapes and keys tell input_nc, output_nc, ngf, n_downsampling (or n_downsample_global), n_blocks (or n_blocks_global), and the
local ones' n_local_enhancers and n_blocks_local, and the norm. Hints that they do not tell: padding_type ("replicate"),
track_running_stats, and norm ("instance") where affine instance norms have running moments, which look like batch norms.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from tightrope.core.errors import InputError
from tightrope.interop.published import Player, Translates, plainly, unchanged
from tightrope.interop.systems.cyclegan import translates
from tightrope.interop.tensors import Tensors, agree
from tightrope.interop.translators import block, norm_of, resnet, trunk, unread
from tightrope.networks.translation import LocalEnhancer, ResNetTranslator


def whole(tensors: Tensors, hints: Mapping[str, Any]) -> nn.Module:
    net = resnet(tensors, hints, biased=True)
    agree(hints, n_downsampling=net.downs)
    return net


def local(tensors: Tensors, hints: Mapping[str, Any]) -> nn.Module:
    downs, blocks = trunk(tensors)
    enhancers = len(tensors.matching(r"model\d+_1\.1\.weight"))
    if not enhancers:
        raise InputError("it has no enhancers (model1_1 ...); take the system that the file is of.")
    inner = len(tensors.matching(r"model1_2\.\d+\.conv_block\.[01]\.weight"))
    width, inputs = tensors.shape(f"model{enhancers}_1.1.weight", 4)[:2]
    outputs = tensors.shape(f"model{enhancers}_2.{inner + 4}.weight", 4)[0]
    agree(hints, input_nc=inputs, output_nc=outputs, ngf=width, n_downsample_global=downs, n_blocks_global=blocks)
    agree(hints, n_local_enhancers=enhancers, n_blocks_local=inner)
    norm, _ = norm_of(tensors, "model.1", "model.2", hints, biased=True)
    pad, _ = block(tensors, f"model.{4 + 3 * downs}", hints)
    return LocalEnhancer(
        inputs, outputs, width=width, downs=downs, blocks=blocks, enhancers=enhancers, local=inner, norm=norm, pad=pad
    )  # fmt: skip


def _translates(net: LocalEnhancer) -> Translates:
    return Translates(net.inputs, net.outputs, multiple=1 << (net.downs + net.enhancers))


PLAYERS = {
    "global": Player(build=whole, kinds=(ResNetTranslator,), names=unchanged, call=plainly, unused=unread, translates=translates),
    "local": Player(build=local, kinds=(LocalEnhancer,), names=unchanged, call=plainly, unused=unread, translates=_translates),
}
