"""StyleGAN3's generator, T and R; its discriminator is StyleGAN2's. Axis: N batch, Z latent, W style, K classes, C H W.

The layers' names ("L5_148_512") tell resolution, canvas and channels, shapes tell the rest. Hints, as the constructor takes them:
the frequencies (num_critical, first_cutoff, first_stopband, last_stopband_rel), lrelu_upsampling, conv_clamp, output_scale,
magnitude_ema_beta, mapping_kwargs; the published ones unless told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from tightrope.core.errors import InputError
from tightrope.interop.published import Player, unchanged
from tightrope.interop.systems.stylegan2 import Settings, makes, mapping_of, told
from tightrope.interop.tensors import Tensors, agree
from tightrope.networks.stylegan3 import StyleGAN3Generator
from tightrope.networks.stylegan3_plan import StyleGAN3Plan

NAME = r"synthesis\.L\d+_\d+_\d+\.weight"
TOLD = (
    "num_critical", "first_cutoff", "first_stopband", "last_stopband_rel", "lrelu_upsampling", "conv_clamp", "output_scale",
    "magnitude_ema_beta", "margin_size", "filter_size", "channel_base", "channel_max",
)  # fmt: skip


def generator(tensors: Tensors, hints: Mapping[str, Any]) -> nn.Module:
    z, classes, w, mapping = mapping_of(tensors, hints)
    layers = [key.split(".")[1] for key in tensors.matching(NAME)]
    if len(layers) < 3:
        raise InputError("there are no layers of names such as L0_36_512; take the system that the file is of.")
    places = [tuple(int(part) for part in name[1:].split("_")) for name in layers]
    (_, canvas, _), (_, size, colours) = places[0], places[-1]
    agree(hints, z_dim=z, c_dim=classes, w_dim=w, img_resolution=size, img_channels=colours, num_layers=len(layers) - 1)
    found = {"img_resolution": size, "img_channels": colours, "num_layers": len(layers) - 1} | told(hints, "", *TOLD)
    found["conv_kernel"] = tensors.shape(f"synthesis.{layers[0]}.weight", 4)[2]
    down = [tensors.state[key] for key in tensors.matching(r"synthesis\.L\d+_\d+_\d+\.down_filter")]
    found["use_radial_filters"] = any(taps.dim() == 2 for taps in down)
    found = _filters(tensors, layers[0], canvas, found)
    found = _channels([tensors.shape("synthesis.input.weight", 2)[0], *(place[2] for place in places)], found)
    wanted = [layer.name for layer in StyleGAN3Plan.of(**found).layers()]
    if wanted != layers:
        odd = next((a, b) for a, b in zip(layers, wanted, strict=True) if a != b)
        raise InputError(
            f"the layer {odd[0]} would be {odd[1]} in the published plan; give the constructor's arguments as hints."
        )
    if "mapping.w_avg" not in tensors:
        mapping["w_avg_beta"] = None
    return StyleGAN3Generator(z, classes, w, mapping_kwargs=mapping, **found)


def _filters(tensors: Tensors, first: str, canvas: int, found: Settings) -> Settings:
    """The margin around the first canvas, and the taps of a filter over its factor."""
    bare = StyleGAN3Plan.of(**found)
    layer, rate = bare.layers()[0], bare.bands()[0].rate
    inferred = {"margin_size": (canvas - rate) // 2}
    key = f"synthesis.{first}.up_filter"
    if key in tensors and layer.up > 1:
        inferred["filter_size"] = tensors.shape(key, 1)[0] // layer.up
    return {**inferred, **found}


def _channels(widths: list[int], found: Settings) -> Settings:
    """channel_base and channel_max of these channels, the input's first, the image's last: half the base over the cutoff."""
    most = found.get("channel_max", max(widths[:-1]))
    cutoffs = [band.cutoff for band in StyleGAN3Plan.of(**found).bands()]
    behind = list(zip(widths[:-1], [cutoffs[0], *cutoffs[:-1]], strict=True))
    narrow = [(width, cutoff) for width, cutoff in behind if width < most]
    least = max((width - 0.5) * 2 * cutoff for width, cutoff in behind)
    highest = min(((width + 0.5) * 2 * cutoff for width, cutoff in narrow), default=2 * max(w * c for w, c in behind))
    return {"channel_base": round((max(least, 0) + highest) / 2), "channel_max": most, **found}


PLAYERS = {
    "generator": Player(build=generator, kinds=(StyleGAN3Generator,), names=unchanged, call=None, makes=makes),
}
