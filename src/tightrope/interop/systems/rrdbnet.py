"""ESRGAN's and Real-ESRGAN's generator, `RealESRGAN_x4plus.pth`: keys `body.0.rdb1.conv1.weight` ... Axis: N, C, H W.

Shapes tell num_feat, num_block, num_grow_ch, and scale and num_in_ch together: pictures have as many channels as they come out
with, unless the hint num_in_ch says otherwise. The names of ESRGAN's first two releases are read as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import nn

from tightrope.core.errors import InputError
from tightrope.interop.published import Player, State, Translates, plainly, unchanged
from tightrope.interop.tensors import Tensors, agree
from tightrope.networks.sr import STEPS, RRDBNet

OLD = (  # ESRGAN's names; then those of its first release, a plain list of layers
    (r"^RRDB_trunk\.(\d+)\.RDB(\d)\.", r"body.\1.rdb\2."),
    (r"^trunk_conv\.", "conv_body."),
    (r"^upconv(\d)\.", r"conv_up\1."),
    (r"^HRconv\.", "conv_hr."),
    (r"^model\.0\.", "conv_first."),
    (r"^model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0\.", r"body.\1.rdb\2.conv\3."),
    (r"^model\.1\.sub\.\d+\.(weight|bias)$", r"conv_body.\1"),
    (r"^model\.3\.", "conv_up1."),
    (r"^model\.6\.", "conv_up2."),
    (r"^model\.8\.", "conv_hr."),
    (r"^model\.10\.", "conv_last."),
)
SCALES = {(STEPS // scale) ** 2: scale for scale in (4, 2, 1)}  # how many values of a channel lie side by side -> scale


def _renamed(key: str) -> str:
    for pattern, name in OLD:
        key, found = re.subn(pattern, name, key)
        if found:
            break
    return key


def _current(state: State) -> State:
    return {_renamed(key): value for key, value in state.items()}


def generator(tensors: Tensors, hints: Mapping[str, Any]) -> nn.Module:
    width, given = tensors.shape("conv_first.weight", 4)[:2]
    outputs = tensors.shape("conv_last.weight", 4)[0]
    growth, blocks = tensors.shape("body.0.rdb1.conv1.weight", 4)[0], tensors.count(r"body\.(\d+)\.")
    inputs = hints.get("num_in_ch") or (outputs if given in [outputs * folded for folded in SCALES] else given)
    if given % inputs or given // inputs not in SCALES:
        raise InputError(f"its first convolution takes {given} channels, which are no whole pictures of {inputs} channels.")
    scale = SCALES[given // inputs]
    agree(hints, num_out_ch=outputs, scale=scale, num_feat=width, num_block=blocks, num_grow_ch=growth)
    return RRDBNet(inputs, outputs, scale=scale, width=width, blocks=blocks, growth=growth)


def _translates(net: RRDBNet) -> Translates:
    return Translates(net.inputs, net.outputs, scale=net.scale, multiple=net.folded, darkest=0.0)


PLAYERS = {
    "": Player(build=generator, kinds=(RRDBNet,), names=unchanged, call=plainly, read=_current, translates=_translates),
}
