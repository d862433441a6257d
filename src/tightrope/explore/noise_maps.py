"""Noise maps of a style-based generator as something to be found: kept free of signal, so that the style has to tell the picture.

Karras et al. 2020, "Analyzing and improving the image quality of StyleGAN", arXiv:1912.04958, appendix D.
Axes: N pictures, H W pixels of a layer.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import avg_pool2d

BUFFER = "noise_const"  # how the published networks call a layer's constant noise
SMALLEST = 8  # pixels: a map is compared with itself down to this side
Maps = dict[str, Float[Tensor, "N 1 H W"]]


def constant(synthesis: nn.Module, n: int) -> Maps:
    """The constant map of each layer that adds noise, by the buffer's name, n times. Empty where no layer does."""
    return {name: x.repeat(n, 1, 1, 1) for name, x in synthesis.named_buffers() if name.rpartition(".")[2] == BUFFER}


def synthesise(synthesis: nn.Module, styles: Float[Tensor, "N L W"], maps: Mapping[str, Tensor]) -> Float[Tensor, "N C H W"]:
    """Images for styles, each with its own noise maps; without maps with the network's constant ones."""
    return functional_call(synthesis, dict(maps), (styles,), {"noise_mode": "const"})


def autocorrelation(maps: Mapping[str, Tensor]) -> Float[Tensor, " N"]:
    """Squared correlations of each map with itself one pixel to the side and one below, summed over scales and maps.

    In units of what white noise has by chance (1 / pixels), so that one weight fits maps of every size; the paper sums them as
    they are, which at 8 pixels weighs 16,000 times as much as at 1,024 pixels.
    """
    total: Tensor | float = 0.0
    for x in maps.values():
        while True:
            across, down = ((x * x.roll(1, axis)).mean((1, 2, 3)).square() for axis in (3, 2))
            total = total + (across + down) * x[0].numel()
            if min(x.shape[-2:]) <= SMALLEST:
                break
            x = avg_pool2d(x, 2) * 2  # twice the mean of four keeps white noise at variance 1
    return torch.as_tensor(total)


@torch.no_grad()
def normalise_(maps: Mapping[str, Tensor]) -> None:
    """Bring every map back to mean 0 and variance 1, in place."""
    for x in maps.values():
        x -= x.mean((1, 2, 3), keepdim=True)
        x /= x.square().mean((1, 2, 3), keepdim=True).sqrt().clamp(min=1e-8)
