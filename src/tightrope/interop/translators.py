"""What image-to-image networks of CycleGAN's family have in common: which norm they were built with, told by their tensors.

| norm | a convolution's bias | the norm's weight | running moments |
|---|---|---|---|
| batch | none (in pix2pixHD: there) | there | there |
| instance | there | none | in files of 2018 alone, or from before PyTorch 0.4 |
| instance, affine | there | there | likewise |
| none | none | none | none |

Before PyTorch 0.4 instance normalisation wrote running moments down and never used them. From 0.4.1 on, layers that use them also
count batches, and so are recognised; between the two, only the hint `track_running_stats` tells.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from torch import nn

from tightrope.core.errors import InputError
from tightrope.interop.tensors import Tensors, agree
from tightrope.networks.layers.instance import InstanceNorm2d
from tightrope.networks.translation import Norm, Pad, ResNetTranslator

MOMENTS = ("running_mean", "running_var", "num_batches_tracked")
BLOCK = r"model\.(\d+)\.conv_block\.\d+\.weight"
# places of a residual block's convolutions -> (padded by layers, values dropped)
PLACES: dict[tuple[int, ...], tuple[bool, bool]] = {
    (1, 5): (True, False), (1, 6): (True, True), (0, 3): (False, False), (0, 4): (False, True),
}  # fmt: skip


def norm_of(
    tensors: Tensors, convolution: str, norm: str, hints: Mapping[str, Any], *, biased: bool = False
) -> tuple[Norm, bool]:
    """(the norm, whether the convolutions before it have biases).

    Args:
        convolution, norm: a convolution's place and that of the norm behind it, such as "model.1" and "model.2".
        biased: convolutions always have biases, whatever the norm.
    """
    bias, weight = f"{convolution}.bias" in tensors, f"{norm}.weight" in tensors
    moments = f"{norm}.running_mean" in tensors
    batch = weight and (moments and hints.get("norm") != "instance" if biased else not bias)
    if batch:
        agree(hints, norm="batch")
        return nn.BatchNorm2d, bias
    if not bias:
        agree(hints, norm="none")
        return nn.Identity, bias
    agree(hints, norm="instance")
    tracked = hints.get("track_running_stats", f"{norm}.num_batches_tracked" in tensors)
    return partial(InstanceNorm2d, affine=weight, tracked=bool(tracked)), bias


def unread(net: nn.Module) -> set[str]:
    """Moments that an instance norm has in old files and does not use."""
    norms = (place for place, layer in net.named_modules() if isinstance(layer, InstanceNorm2d) and not layer.tracked)
    return {f"{place}.{name}" for place in norms for name in MOMENTS}


def resnet(tensors: Tensors, hints: Mapping[str, Any], *, biased: bool = False) -> ResNetTranslator:
    """CycleGAN's generator, or pix2pixHD's global one (`biased`)."""
    downs, blocks = trunk(tensors)
    pad, dropout = block(tensors, f"model.{4 + 3 * downs}", hints)
    norm, bias = norm_of(tensors, "model.1", "model.2", hints, biased=biased)
    width, inputs = tensors.shape("model.1.weight", 4)[:2]
    outputs = tensors.shape(f"model.{5 + 6 * downs + blocks}.weight", 4)[0]
    agree(hints, input_nc=inputs, output_nc=outputs, ngf=width, n_blocks=blocks, use_dropout=dropout)
    return ResNetTranslator(
        inputs, outputs, width=width, blocks=blocks, downs=downs, norm=norm, bias=bias, dropout=dropout, pad=pad
    )  # fmt: skip


def trunk(tensors: Tensors) -> tuple[int, int]:
    """(halvings, residual blocks) of `model`.

    Raises:
        InputError: it has no blocks, or not where a network of this family has them.
    """
    places = sorted({int(key.split(".")[1]) for key in tensors.matching(BLOCK)})
    if not places or places != list(range(places[0], places[0] + len(places))) or places[0] < 4 or places[0] % 3 != 1:
        raise InputError("its residual blocks (model.10.conv_block ...) are not all there; take the system that the file is of.")
    return (places[0] - 4) // 3, len(places)


def block(tensors: Tensors, place: str, hints: Mapping[str, Any]) -> tuple[Pad, bool]:
    """(what pads, whether values are dropped) in the residual block at this place: layers in between shift the convolutions."""
    head = rf"{place}.conv_block".replace(".", r"\.")
    kernels = [key for key in tensors.matching(rf"{head}\.\d+\.weight") if tensors.state[key].dim() == 4]
    found = PLACES.get(tuple(int(key.split(".")[-2]) for key in kernels))
    if found is None:
        raise InputError(f"{place}.conv_block has not its two convolutions; take the system that the file is of.")
    padded, dropout = found
    if not padded:
        agree(hints, padding_type="zero")
        return None, dropout
    if hints.get("padding_type") == "replicate":  # tensors do not tell it from "reflect"
        return nn.ReplicationPad2d, dropout
    agree(hints, padding_type="reflect")
    return nn.ReflectionPad2d, dropout
