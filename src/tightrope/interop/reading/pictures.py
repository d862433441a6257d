"""Which network that is given pictures a state dict is of: translators, their critics, super-resolution.

Most of them are a plain list `model`, so that places and shapes tell them apart where names do not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from tightrope.interop.reading.arrays import Tensor

State = Mapping[str, Tensor]
MARKS = (  # all of these names -> the system
    (("conv_first.weight", "conv_body.weight", "body.0.rdb1.conv1.weight"), "rrdbnet"),
    (("conv_first.weight", "trunk_conv.weight", "RRDB_trunk.0.RDB1.conv1.weight"), "rrdbnet"),
    (("model.0.weight", "model.1.sub.0.RDB1.conv1.0.weight", "model.10.weight"), "rrdbnet"),
    (("conv0.weight", "conv1.weight_orig", "conv8.weight_u", "conv9.weight"), "unet-sn-discriminator"),
    (("model.model.0.weight", "model.model.1.model.1.weight", "model.model.3.weight"), "pix2pix-unet"),
    (("model.1.weight", "model1_1.1.weight"), "pix2pixhd-local"),
)
CRITICS = ("patchgan", "pixelgan")
BLOCK = re.compile(r"model\.(\d{1,4})\.conv_block\.")
PLAIN = re.compile(r"(model|body|net)\.\d{1,4}\.\w+")
FIRST = 10  # block of CycleGAN's generator


def system(state: State) -> str | None:
    """Such as "cyclegan-resnet"; None where it is none of those that are read."""
    for names, marked in MARKS:
        if all(name in state for name in names):
            return marked
    blocks = [int(found[1]) for name in state if (found := BLOCK.match(name))]
    if blocks and _kernel(state, "model.1.weight") == 7:
        return _resnet(state, min(blocks))
    return _stack(state) if state and all(PLAIN.fullmatch(name) for name in state) else None


def refused(state: State) -> str | None:
    """What it is, where it is known and not read."""
    if any(name.endswith(".filt") for name in state) and any(BLOCK.match(name) for name in state):
        return "a generator of CUT with anti-aliased halvings"
    return None


def _resnet(state: State, first: int) -> str | None:
    """CycleGAN's generator halves twice; pix2pixHD's, four times unless it was told otherwise."""
    if refused(state):
        return None
    return "cyclegan-resnet" if first == FIRST else "pix2pixhd-global"


def _stack(state: State) -> str | None:
    """Layers in a row: patch critics of 4x4 kernels, pixel critics of 1x1, compact networks of 3x3."""
    if _kernel(state, "model.0.weight") == _kernel(state, "model.2.weight") == 4:
        return "patchgan"
    if _kernel(state, "net.0.weight") == _kernel(state, "net.5.weight") == 1 and "net.2.weight" in state:
        return "pixelgan"
    if _kernel(state, "body.0.weight") == _kernel(state, "body.2.weight") == 3:
        return "srvgg"
    return None


def _kernel(state: State, name: str) -> int | None:
    """Side of a convolution's kernel."""
    shape = state[name].shape if name in state else ()
    return shape[3] if len(shape) == 4 and shape[2] == shape[3] else None
