"""R3GAN's generator and discriminator, with classes or without. Axis: N batch, Z latent, K classes, C H W.

Keys `Model.MainLayers.2.Layers.1.LinearLayer2.Layer.weight`. Shapes tell all: NoiseDimension, WidthPerStage, CardinalityPerStage,
BlocksPerStage, ExpansionFactor, classes. The one hint they do not tell is FP16Stages: those are computed in bf16, as published.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from tightrope.core.errors import InputError
from tightrope.interop.published import Makes, Names, Player, State
from tightrope.interop.tensors import Tensors, agree
from tightrope.networks.r3 import Block, Downsample, R3Critic, R3Generator, Upsample

MODEL = "Model."
RULES = (
    (r"^to_image\.", "AggregationLayer.Layer."),
    (r"^from_image\.", "ExtractionLayer.Layer."),
    (r"^embed\.", "EmbeddingLayer."),
    (r"\.expand\.", ".LinearLayer1.Layer."),
    (r"\.grouped\.", ".LinearLayer2.Layer."),
    (r"\.reduce\.", ".LinearLayer3.Layer."),
    (r"\.act(\d)\.bias$", r".NonLinearity\1.Bias"),
)


def _wrapped(state: State) -> State:
    """The network of the paper's code stands inside the trainer's, which calls it Model."""
    bare = not any(key.startswith(MODEL) for key in state)
    return {MODEL + key if bare else key: value for key, value in state.items()}


def _stages(tensors: Tensors, hints: Mapping[str, Any]) -> dict[str, Any]:
    """What both networks' constructors are told of their stages."""
    widths, groups, blocks, expansions = [], [], [], set()
    for stage in range(tensors.count(r"Model\.MainLayers\.(\d+)\.")):
        at = rf"Model\.MainLayers\.{stage}\.Layers\.\d+\.LinearLayer"
        expand, grouped = (
            tensors.kernels(at + r"1\.Layer\.weight", 4, least=1),
            tensors.kernels(at + r"2\.Layer\.weight", 4, least=1),
        )
        widths.append(expand[0][1])
        groups.append(grouped[0][0] // grouped[0][1])
        blocks.append(len(expand))
        expansions.add(expand[0][0] // expand[0][1])
    agree(hints, WidthPerStage=widths, CardinalityPerStage=groups, BlocksPerStage=blocks, ExpansionFactor=min(expansions))
    if not all(group and width * min(expansions) % group == 0 for width, group in zip(widths, groups, strict=True)):
        raise InputError(
            f"the grouped convolutions' shapes make no whole groups ({groups}); take the system that the file is of."
        )
    half = hints.get("FP16Stages") or ()
    return {"widths": widths, "groups": groups, "blocks": blocks, "expansion": min(expansions), "half": half}


def _classes(tensors: Tensors) -> tuple[int, int]:
    """(classes, width of the vector of a class)."""
    key = "Model.EmbeddingLayer.weight"
    return tensors.shape(key, 2)[::-1] if key in tensors else (0, 0)  # type: ignore[return-value]


def _conditions(classes: int, embedded: int) -> dict[str, int]:
    return {"c_dim": classes} | ({"ConditionDimension": classes, "ConditionEmbeddingDimension": embedded} if classes else {})


def _picture(channels: int, stages: dict[str, Any]) -> dict[str, int]:
    return {"img_channels": channels, "img_resolution": 2 << len(stages["widths"])}


def generator(tensors: Tensors, hints: Mapping[str, Any]) -> nn.Module:
    stages, (classes, embedded) = _stages(tensors, hints), _classes(tensors)
    z = tensors.shape("Model.MainLayers.0.Layers.0.LinearLayer.weight", 2)[1] - embedded
    channels = tensors.shape("Model.AggregationLayer.Layer.weight", 4)[0]
    agree(hints, NoiseDimension=z, z_dim=z, **_conditions(classes, embedded), **_picture(channels, stages))
    return R3Generator(z, channels, **stages, classes=classes, embedded=embedded)


def discriminator(tensors: Tensors, hints: Mapping[str, Any]) -> nn.Module:
    stages, (classes, embedded) = _stages(tensors, hints), _classes(tensors)
    channels = tensors.shape("Model.ExtractionLayer.Layer.weight", 4)[1]
    agree(hints, **_conditions(classes, embedded), **_picture(channels, stages))
    return R3Critic(channels, **stages, classes=classes, embedded=embedded)


def _layers(net: nn.Module) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Our layers' places by theirs, and the filters: a resampler and the 1x1 beside it are one layer there."""
    assert isinstance(net, (R3Generator, R3Critic))
    draws, places, filters = isinstance(net, R3Generator), {}, {}
    for stage, layers in enumerate(net.stages):
        theirs = f"{MODEL}MainLayers.{stage}.Layers."
        # a generator's stage begins with its basis or resampler, a critic's ends with it
        block, other = (1, 0) if draws else (0, sum(isinstance(layer, Block) for layer in layers.children()))
        for name, layer in layers.named_children():
            if isinstance(layer, (Upsample, Downsample)):
                filters[f"{theirs}{other}.Resampler.Kernel"] = layer.taps[0, 0]
            elif isinstance(layer, Block):
                places[f"stages.{stage}.{name}"], block = f"{theirs}{block}", block + 1
            else:
                places[f"stages.{stage}.{name}"] = f"{theirs}{other}.LinearLayer.Layer"
    last, layers = len(net.stages) - 1, net.stages[-1]
    ends = f"{MODEL}MainLayers.0.Layers.0" if draws else f"{MODEL}MainLayers.{last}.Layers.{len(list(layers.children()))}"
    return places | {"basis": f"{ends}.Basis", "scale" if draws else "head": f"{ends}.LinearLayer"}, filters


def _names(net: nn.Module) -> Names:
    found, places = {}, _layers(net)[0]
    for key in net.state_dict():
        place = next((ours for ours in places if key == ours or key.startswith(f"{ours}.")), None)
        theirs = key if place is None else places[place] + key.removeprefix(place)
        for pattern, name in RULES:
            theirs = re.sub(pattern, name, theirs)
        found[key] = theirs if theirs.startswith(MODEL) else MODEL + theirs
    return found


def _filters(net: nn.Module) -> State:
    return _layers(net)[1]


def _known(c: Tensor | None) -> Tensor | None:
    """One-hot rows; none, or rows of width 0, where there are no classes."""
    return c if c is not None and c.numel() else None


def _draw(
    net: nn.Module,
    z: Tensor,
    c: Tensor | None = None,
    truncation_psi: float = 1,
    truncation_cutoff: int | None = None,
    noise_mode: str = "const",
) -> Tensor:
    """Latents (N, Z) and classes (N, K) to images. There is no mapping to truncate and no noise in this network."""
    if truncation_psi != 1:
        raise InputError(f"truncation_psi={truncation_psi}: R3GAN has no styles to truncate; leave it at 1.")
    return net(z, _known(c))


def _score(net: nn.Module, x: Tensor, c: Tensor | None = None) -> Tensor:
    """Logits, (N,)."""
    return net(x, _known(c))


def _makes(net: R3Generator) -> Makes:
    size = 2 << len(net.stages)
    z = net.scale.in_features - (0 if net.embed is None else net.embed.out_features)
    return Makes(z, (net.to_image.out_channels, size, size), net.classes)


PLAYERS = {
    "generator": Player(
        build=generator, kinds=(R3Generator,), names=_names, call=_draw, read=_wrapped, constants=_filters, makes=_makes
    ),
    "discriminator": Player(build=discriminator, kinds=(R3Critic,), names=_names, call=_score, read=_wrapped, constants=_filters),
}
