"""Progressive growing: the widely used PyTorch version, and the authors' TensorFlow variables. Axis: N, Z, K classes, C H W.

Keys `layers.3.conv_1.weight`, or `8x8/Conv0_up/weight`: keys say which of the two versions it is; they differ in constants.
Shapes tell depth, num_channels, latent_size and the classes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from tightrope.core.errors import InputError
from tightrope.interop.published import Makes, Names, Player, State
from tightrope.interop.tensors import Tensors, agree
from tightrope.networks.progressive import (
    AKANIMAX,
    KARRAS,
    Layout,
    ProgressiveCritic,
    ProgressiveGenerator,
    enlarged,
    from_tensorflow,
)

AUTHORS = "/weight"  # ends the authors' variables of kernels
PLAIN = "use_eql"  # False makes layers without equalised rates


def _ours(state: State) -> State:
    """The authors' variables become tensors of the PyTorch version's shapes and names; others stay."""
    if not any(key.endswith(AUTHORS) for key in state):
        return state
    try:
        read = from_tensorflow(state)
    except (KeyError, ValueError, RuntimeError, IndexError) as error:
        raise InputError(
            f"these are no variables of a progressive network ({error}); take the system that the file is of."
        ) from error
    return {key: value for key, value in read.items() if key != "stage"}


def _layout(tensors: Tensors, hints: Mapping[str, Any]) -> Layout:
    """Whose constants: the authors', halving in a convolution where they did so, or the PyTorch version's."""
    if not hints.get(PLAIN, True):
        raise InputError(f"{PLAIN}=False: networks without equalised rates are not read.")
    if not any(key.endswith(AUTHORS) for key in tensors.written):
        return AKANIMAX
    fused = any("_up/" in key or "_down/" in key for key in tensors.written)
    return dataclasses.replace(KARRAS, means_first=fused)


def generator(tensors: Tensors, hints: Mapping[str, Any]) -> nn.Module:
    widths = [tensors.shape(f"layers.{k}.conv_2.weight", 4)[0] for k in range(tensors.count(r"layers\.(\d+)\."))]
    z, channels = tensors.shape("layers.0.conv_1.weight", 4)[0], tensors.shape("rgb_converters.0.weight", 4)[0]
    agree(hints, depth=len(widths) + 1, num_channels=channels, latent_size=z)
    net = ProgressiveGenerator(z, channels, widths=widths, layout=_layout(tensors, hints))
    net.stage.fill_(len(widths) - 1)
    return net


def discriminator(tensors: Tensors, hints: Mapping[str, Any]) -> nn.Module:
    last = tensors.count(r"layers\.(\d+)\.") - 1
    features, width = tensors.shape(f"layers.{last}.conv_2.weight", 4)[:2]
    widths = [width] + [tensors.shape(f"layers.{k}.conv_2.weight", 4)[1] for k in reversed(range(last))]
    table = f"layers.{last}.label_embedder.weight"
    classes = tensors.shape(table, 2)[0] if table in tensors else 0
    channels = tensors.shape("from_rgb.0.0.weight", 4)[1]
    agree(hints, depth=last + 2, num_channels=channels, num_classes=classes or None)
    layout = _layout(tensors, hints)
    return ProgressiveCritic(channels, widths=widths, features=features, layout=layout, classes=classes)


def _names(net: nn.Module) -> Names:
    """Ours are theirs; the stage is kept by ours alone."""
    return {key: key for key in net.state_dict() if key != "stage"}


def _stage(layers: int, depth: int | None, alpha: float) -> tuple[float, int]:
    """Our stage, and the side of the image: theirs counts 4 px as depth 2, and alpha is the share of the newest resolution.

    Raises:
        InputError: the network has no such depth.
    """
    depth = layers + 1 if depth is None else depth
    if not 2 <= depth <= layers + 1 or not 0 <= alpha <= 1:
        raise InputError(f"depth {depth}, alpha {alpha}: this network has depths 2 to {layers + 1}, and alpha goes from 0 to 1.")
    return (0.0 if depth == 2 else depth - 3 + alpha), 2**depth


def _draw(net: ProgressiveGenerator, z: Tensor, depth: int | None = None, alpha: float = 1.0) -> Tensor:
    """Latents (N, Z) to images of 2^depth px, the full size unless told."""
    stage, size = _stage(len(net.layers), depth, alpha)
    return enlarged(net(z, stage), size)


def _score(
    net: ProgressiveCritic, x: Tensor, depth: int | None = None, alpha: float = 1.0, labels: Tensor | None = None
) -> Tensor:
    """Images of 2^depth px to logits (N,). A fade that has not begun is the resolution below."""
    stage, _ = _stage(len(net.layers), depth, alpha)
    return net(F.avg_pool2d(x, 2) if alpha == 0 and stage == int(stage) and x.shape[-1] > 4 else x, stage, labels)


def _refusal(net: ProgressiveGenerator | ProgressiveCritic) -> str | None:
    if net.layout == AKANIMAX:
        return None
    return "this network has the layout of the authors' TensorFlow version, which the PyTorch version's keys cannot hold."


def _makes(net: ProgressiveGenerator) -> Makes:
    size, colours = 2 << len(net.layers), net.rgb_converters[0]
    assert isinstance(colours, nn.Conv2d)
    return Makes(net.layers[0].conv_1.in_channels, (colours.out_channels, size, size))  # type: ignore[union-attr, arg-type]


PLAYERS = {
    "generator": Player(
        build=generator, kinds=(ProgressiveGenerator,), names=_names, call=_draw, read=_ours, makes=_makes, refusal=_refusal
    ),
    "discriminator": Player(
        build=discriminator, kinds=(ProgressiveCritic,), names=_names, call=_score, read=_ours, refusal=_refusal
    ),
}
