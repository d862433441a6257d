"""StyleGAN2 and StyleGAN2-ADA. Axis: N batch, Z latent, W style, K classes, C H W.

Shapes tell widths, resolution, channels, classes, the mapping's layers, the architecture. Hints, as the constructors take them,
`synthesis_kwargs` or `block_kwargs` (conv_clamp, activation), `mapping_kwargs` (activation, lr_multiplier, w_avg_beta),
`epilogue_kwargs` (mbstd_group_size), `conv_clamp` and `channel_base`. What else they hold is of no consequence here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import nn

from tightrope.core.errors import InputError
from tightrope.interop.published import Makes, Player, unchanged
from tightrope.interop.tensors import Tensors, agree
from tightrope.networks.stylegan2 import StyleGAN2Generator
from tightrope.networks.stylegan2_critic import StyleGAN2Critic

Settings = dict[str, Any]


def told(hints: Mapping[str, Any], group: str, *names: str) -> Settings:
    """Those of a group of hints ("" for the top) that are wanted."""
    given = (hints.get(group) or {}) if group else hints
    return {name: given[name] for name in names if name in given}


def mapping_of(tensors: Tensors, hints: Mapping[str, Any]) -> tuple[int, int, int, Settings]:
    """(z_dim, c_dim, w_dim, the mapping's settings)."""
    layers = tensors.count(r"mapping\.fc(\d+)\.")
    first, last = (tensors.shape(f"mapping.fc{k}.weight", 2) for k in (0, layers - 1))
    embed = tensors.shape("mapping.embed.weight", 2) if "mapping.embed.weight" in tensors else (0, 0)
    found = told(hints, "mapping_kwargs", "activation", "lr_multiplier", "w_avg_beta") | {"num_layers": layers}
    if layers > 1:
        found["layer_features"] = first[0]
    if embed[1]:
        found["embed_features"] = embed[0]
    return first[1] - embed[0], embed[1], last[0], found


def _resolutions(tensors: Tensors, pattern: str) -> list[int]:
    found = sorted({int(match[1]) for key in tensors.state if (match := re.match(pattern, key))})
    if not found or found != [4 << k for k in range(len(found))]:
        raise InputError(
            f"there are blocks of {found or 'no'} px, where 4, 8, 16 ... belong; take the system that the file is of."
        )
    return found


def _widths(channels: dict[int, int], hints: Mapping[str, Any]) -> Settings:
    """channel_base and channel_max that give these channels a resolution: min(base // resolution, most)."""
    most = max(channels.values())
    seen = max(width * r for r, width in channels.items()), most
    asked = hints.get("channel_base") or seen[0], hints.get("channel_max") or most
    for base, top in (asked, seen):
        if all(width == min(base // r, top) for r, width in channels.items()):
            return {"channel_base": base, "channel_max": top}
    raise InputError(
        f"channels of {channels} (px: channels) follow no channel_base and channel_max; {seen[0]} and {most} come nearest."
    )


def _filter(tensors: Tensors, key: str) -> Settings:
    return {"resample_filter": tensors.state[key].tolist()} if key in tensors else {}


def generator(tensors: Tensors, hints: Mapping[str, Any]) -> nn.Module:
    z, classes, w, mapping = mapping_of(tensors, hints)
    sizes = _resolutions(tensors, r"synthesis\.b(\d+)\.")
    colours = tensors.shape(f"synthesis.b{sizes[-1]}.torgb.weight", 4)[0]
    agree(hints, z_dim=z, c_dim=classes, w_dim=w, img_resolution=sizes[-1], img_channels=colours)
    given = hints.get("synthesis_kwargs") or {}
    channels = {r: tensors.shape(f"synthesis.b{r}.conv1.weight", 4)[0] for r in sizes}
    residual = any(f"synthesis.b{r}.skip.weight" in tensors for r in sizes)
    plain = "orig" if len(sizes) > 1 and "synthesis.b4.torgb.weight" not in tensors else "skip"
    found = told(hints, "synthesis_kwargs", "conv_clamp", "activation") | _widths(channels, given)
    found |= _filter(tensors, "synthesis.b4.resample_filter") | {
        "architecture": "resnet" if residual else plain,
        "use_noise": "synthesis.b4.conv1.noise_strength" in tensors,
    }
    mapping |= {} if "mapping.w_avg" in tensors else {"w_avg_beta": None}
    return StyleGAN2Generator(z, classes, w, sizes[-1], colours, mapping_kwargs=mapping, synthesis_kwargs=found)


def discriminator(tensors: Tensors, hints: Mapping[str, Any]) -> nn.Module:
    sizes = _resolutions(tensors, r"b(\d+)\.")
    top, last = sizes[-1], tensors.shape("b4.conv.weight", 4)
    colours = tensors.shape(f"b{top}.fromrgb.weight", 4)[1]
    channels = {4: last[0]} | {r: tensors.shape(f"b{r}.conv0.weight", 4)[0] for r in sizes[1:]}
    found = told(hints, "", "conv_clamp") | _widths(channels, hints)
    if any(key.startswith("mapping.") for key in tensors.state):
        _, classes, found["cmap_dim"], found["mapping_kwargs"] = mapping_of(tensors, hints)
        found["mapping_kwargs"].pop("w_avg_beta", None)
    else:
        classes = 0
    agree(hints, c_dim=classes, img_resolution=top, img_channels=colours)
    skips = "skip" if top > 4 and "b4.fromrgb.weight" in tensors else "orig"
    found["architecture"] = "resnet" if f"b{top}.skip.weight" in tensors else skips
    found["block_kwargs"] = told(hints, "block_kwargs", "activation") | _filter(tensors, f"b{top}.resample_filter")
    found["epilogue_kwargs"] = told(hints, "epilogue_kwargs", "activation", "mbstd_group_size")
    found["epilogue_kwargs"]["mbstd_num_channels"] = last[1] - last[0]
    return StyleGAN2Critic(classes, top, colours, **found)


def makes(net: Any) -> Makes:
    """Of a StyleGAN2 or StyleGAN3."""
    return Makes(net.z_dim, (net.img_channels, net.img_resolution, net.img_resolution), net.c_dim)


PLAYERS = {
    "generator": Player(build=generator, kinds=(StyleGAN2Generator,), names=unchanged, call=None, makes=makes),
    "discriminator": Player(build=discriminator, kinds=(StyleGAN2Critic,), names=unchanged, call=None),
}
