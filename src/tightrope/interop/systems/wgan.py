"""The Wasserstein GAN's networks, convolutional and perceptrons. Axis: N batch, Z latent, C H W.

Keys `main.initial:100-512:convt.weight` say a layer's place, channels and kind; older files have dots for colons, or other
names in the same order. Hints: nc of perceptrons of unusual pictures; shapes tell the rest (isize, nz, ngf, ndf, n_extra_layers).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from torch import Tensor, nn

from tightrope.interop.published import Makes, Names, Player, State
from tightrope.interop.tensors import Tensors, agree, picture
from tightrope.networks.wgan import PerceptronCritic, PerceptronGenerator, WGANCritic, WGANGenerator

PERCEPTRON = r"main\.\d+\.weight"
OLDER = re.compile(
    r"main\.(initial|extra-layers-\d+|pyramid|final)[.:](?:(conv)\.)?(\d+(?:-\d+)?)[.:]?(convt?|batchnorm)?\.(\w+)"
)


def _current(state: State, large: str) -> State:
    """Keys as they are written today: with colons for dots, or, of names that say nothing, by order and shape.

    Args:
        large: what the kernels of 4x4 are, "conv" or "convt".
    """
    found = {}
    for key, value in state.items():
        match = OLDER.fullmatch(key)
        kind = match and (match[2] or match[4])
        found[f"main.{match[1]}:{match[3]}:{kind}.{match[5]}" if match and kind else key] = value
    return found if any(key.startswith("main.initial:") for key in found) else _by_order(state, large)


def _by_order(state: State, large: str) -> State:
    """Names by what stands where: a stack of kernels of 3x3 and 4x4, each with its norm behind it. Else the file stays."""
    kernels = [key for key, value in state.items() if value.dim() == 4]
    if any(state[key].shape[2] not in (3, 4) for key in kernels) or any(value.dim() in (2, 3) for value in state.values()):
        return state
    found, place, width, extra = {}, "", (0, 0), 0
    for key, value in state.items():
        label = f"{place}:{width[1]}:batchnorm"
        if key in kernels:
            plain = value.shape[2] == 3
            place = "initial" if key == kernels[0] else "final" if key == kernels[-1] else "pyramid"
            place = f"extra-layers-{extra}" if plain else place
            width, extra = _width(value, large), extra + plain
            label = f"{place}:{width[0]}:conv" if plain else f"{place}:{width[0]}-{width[1]}:{large}"
        found[f"main.{label}.{key.rpartition('.')[2]}"] = value
    return found if len(found) == len(state) else state


def _width(kernel: Tensor, large: str) -> tuple[int, int]:
    """(inputs, outputs)."""
    a, b = kernel.shape[:2]
    return (a, b) if large == "convt" and kernel.shape[2] != 3 else (b, a)


def _convolutions(tensors: Tensors, place: str, kind: str) -> list[tuple[int, ...]]:
    return tensors.kernels(
        rf"main\.{place}:\d+-?\d*:{kind}\.weight", 4, least=place != r"extra-layers-\d+" and place != "pyramid"
    )


def generator(tensors: Tensors, hints: Mapping[str, Any]) -> nn.Module:
    if tensors.matching(PERCEPTRON):
        layers = tensors.kernels(PERCEPTRON, 2)
        return PerceptronGenerator(layers[0][1], picture(layers[-1][0], hints), width=layers[0][0], depth=len(layers) - 1)
    (first,), (last,) = (_convolutions(tensors, place, "convt") for place in ("initial", "final"))
    size = 8 << len(_convolutions(tensors, "pyramid", "convt"))
    extra = len(_convolutions(tensors, r"extra-layers-\d+", "conv"))
    agree(hints, isize=size, nz=first[0], nc=last[1], ngf=last[0], n_extra_layers=extra)
    norm = bool(tensors.matching(r"main\.initial:\d+:batchnorm\.weight"))
    return WGANGenerator(first[0], channels=last[1], size=size, width=last[0], extra=extra, norm=norm)


def discriminator(tensors: Tensors, hints: Mapping[str, Any]) -> nn.Module:
    if tensors.matching(PERCEPTRON):
        layers = tensors.kernels(PERCEPTRON, 2)
        return PerceptronCritic(picture(layers[0][1], hints), width=layers[0][0], depth=len(layers) - 1)
    (first,), _ = (_convolutions(tensors, place, "conv") for place in ("initial", "final"))
    size = 8 << len(_convolutions(tensors, "pyramid", "conv"))
    extra = len(_convolutions(tensors, r"extra-layers-\d+", "conv"))
    agree(hints, isize=size, nc=first[1], ndf=first[0], n_extra_layers=extra)
    return WGANCritic(channels=first[1], size=size, width=first[0], extra=extra)


def _names(net: nn.Module) -> Names:
    """Each layer's place and channels make its name."""
    ours = net.state_dict()
    if isinstance(net, (PerceptronGenerator, PerceptronCritic)):
        return {key: key for key in ours}
    assert isinstance(net, (WGANGenerator, WGANCritic))
    layers = [(index, layer) for index, layer in enumerate(net.main) if next(layer.parameters(), None) is not None]
    convolutions = [layer for _, layer in layers if not isinstance(layer, nn.BatchNorm2d)]
    found: dict[str, str] = {}
    place, extra = "", 0
    for index, layer in layers:
        if isinstance(layer, nn.BatchNorm2d):
            label = f"{place}:{layer.num_features}:batchnorm"
        else:
            plain = layer.kernel_size == (3, 3)
            place = f"extra-layers-{extra}" if plain else "initial" if layer is convolutions[0] else "pyramid"
            place, extra = "final" if layer is convolutions[-1] else place, extra + plain
            channels = f"{layer.in_channels}" if plain else f"{layer.in_channels}-{layer.out_channels}"
            label = f"{place}:{channels}:{'convt' if isinstance(layer, nn.ConvTranspose2d) else 'conv'}"
        mine = f"main.{index}."
        found |= {key: f"main.{label}.{key.removeprefix(mine)}" for key in ours if key.startswith(mine)}
    return found


def _draw(net: Any, z: Tensor) -> Tensor:
    """z (N, Z, 1, 1) to images."""
    return net(z.flatten(1))


def _score(net: Any, x: Tensor) -> Tensor:
    """The mean over the batch, (1,), as the reference returns it."""
    return net(x).mean(0, keepdim=True)


def _makes(net: Any) -> Makes:
    if isinstance(net, PerceptronGenerator):
        channels, height, width = net.shape
        first: Any = net.main[0]
        return Makes(first.in_features, (channels, height, width))
    layers = [layer for layer in net.main if isinstance(layer, nn.ConvTranspose2d)]
    size = 4 << (len(layers) - 1)
    return Makes(layers[0].in_channels, (layers[-1].out_channels, size, size))


PLAYERS = {
    "generator": Player(
        build=generator,
        kinds=(WGANGenerator, PerceptronGenerator),
        names=_names,
        call=_draw,
        read=partial(_current, large="convt"),
        makes=_makes,
    ),
    "discriminator": Player(
        build=discriminator, kinds=(WGANCritic, PerceptronCritic), names=_names, call=_score, read=partial(_current, large="conv")
    ),
}
