"""SN-GAN's standard convolutional networks, and the ways to normalise a critic. Axis: N batch, C H W.

Miyato, Kataoka, Koyama & Yoshida 2018, table 3; its residual networks (table 4) are `networks.resnet`.
Run: `tightrope train sngan fashion`.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from tightrope.networks.layers.convolution import FastConv2d, FastConvTranspose2d
from tightrope.networks.layers.normalisation import LayerNorm2d
from tightrope.networks.layers.spectral import spectral
from tightrope.networks.shapes import doublings, widened

SLOPE = 0.1  # of the critic's leaky rectifiers
LAYERS = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)


def between(norm: str, channels: int) -> nn.Module:
    """What stands between a convolution and its rectifier: batch or layer normalisation, or nothing."""
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    return LayerNorm2d(channels) if norm == "layer" else nn.Identity()


def bound(net: nn.Module, norm: str) -> nn.Module:
    """Normalise every weight of an initialised network: spectral norm, weight norm (Salimans & Kingma 2016), or nothing."""
    for module in list(net.modules()):
        if isinstance(module, LAYERS) and norm == "spectral":
            spectral(module)
        elif isinstance(module, LAYERS) and norm == "weight":
            weight_norm(module)
    return net


def _initialise(module: nn.Module) -> None:
    if isinstance(module, LAYERS):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class SNGenerator(nn.Module):
    """Linear to 4x4, 4x4 transposed convolutions of stride 2 whose channels halve down to `width`, a 3x3 to colours, tanh."""

    def __init__(self, z: int, *, channels: int, size: int, width: int = 64) -> None:
        super().__init__()
        steps = doublings(size, start=4, family="SN-GAN")
        now = width << steps
        self.linear = nn.Linear(z, now * 16)
        layers: list[nn.Module] = []
        for _ in range(steps):
            layers += [FastConvTranspose2d(now, now // 2, 4, 2, 1), nn.BatchNorm2d(now // 2), nn.ReLU(True)]
            now //= 2
        self.main = nn.Sequential(*layers, nn.Conv2d(now, channels, 3, 1, 1), nn.Tanh())
        self.apply(_initialise)

    def forward(self, z: Float[Tensor, "n z"]) -> Float[Tensor, "n c h w"]:
        return widened(self.main(self.linear(z).unflatten(1, (-1, 4, 4))))


class SNCritic(nn.Module):
    """At each resolution a 3x3 and a 4x4 convolution of stride 2; channels double from `width`; 3x3 and linear at 4x4.

    Args:
        norm: spectral, weight, batch, layer or none. As usual the first layer has neither batch nor layer normalisation.
    """

    def __init__(self, *, channels: int, size: int, width: int = 64, norm: str = "spectral") -> None:
        super().__init__()
        steps = doublings(size, start=4, family="SN-GAN")
        layers: list[nn.Module] = []
        now = channels
        for step in range(steps):
            here = width << step
            layers += [nn.Conv2d(now, here, 3, 1, 1), between(norm if layers else "none", here), nn.LeakyReLU(SLOPE, True)]
            layers += [FastConv2d(here, here, 4, 2, 1), between(norm, here), nn.LeakyReLU(SLOPE, True)]
            now = here
        layers += [nn.Conv2d(now, width << steps, 3, 1, 1), between(norm, width << steps), nn.LeakyReLU(SLOPE, True)]
        self.main = nn.Sequential(*layers)
        self.linear = nn.Linear((width << steps) * 16, 1)
        self.apply(_initialise)
        bound(self, norm)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        return widened(self.linear(self.main(x).flatten(1)).squeeze(1))
