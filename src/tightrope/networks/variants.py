"""Random variants of DCGAN: depth, width, nonlinearity and normalisation of each player drawn from a grid.

Gulrajani et al. 2017, "Improved training of Wasserstein GANs", arXiv:1704.00028, section 5.1 and table 1: 200 architectures, to
see which objective trains them. Run: `tightrope bench architectures`. Axes: N batch, Z latent, C H W.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from tightrope.networks.layers.normalisation import LayerNorm2d
from tightrope.networks.shapes import doublings, widened

DEPTHS = (4, 8, 12, 20)
FILTERS = (32, 64, 128)
Activation = Callable[[Tensor], Tensor]


def shifted_softplus(x: Tensor) -> Tensor:
    """softplus(2 x + 2) / 2 - 1, which is smooth, close to the identity above and bounded by -1 below."""
    return F.softplus(2 * x + 2) / 2 - 1


def _leaky(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.2)


ACTIVATIONS: dict[str, Activation] = {"relu": F.relu, "leaky": _leaky, "softplus": shifted_softplus, "tanh": torch.tanh}


@dataclass(frozen=True)
class Side:
    """One player: its nonlinearity, number of layers, whether it is normalised, filters at the highest resolution."""

    activation: str
    depth: int
    norm: bool
    filters: int


def draw(number: int) -> tuple[Side, Side]:
    """G and D of architecture `number`: the same for the same number, on every machine."""
    dice = random.Random(f"architecture {number}")
    g, d = (
        Side(dice.choice(list(ACTIVATIONS)), dice.choice(DEPTHS), dice.random() < 0.5, dice.choice(FILTERS)) for _ in range(2)
    )
    return g, d


class _Layer(nn.Module):
    """A convolution (or a linear layer), its normalisation, its nonlinearity."""

    def __init__(self, linear: nn.Module, norm: nn.Module | None, activation: str) -> None:
        super().__init__()
        self.linear, self.norm, self.activation = linear, norm, activation

    def forward(self, x: Tensor) -> Tensor:
        x = self.linear(x)
        return ACTIVATIONS[self.activation](self.norm(x) if self.norm is not None else x)


def _extra(depth: int, stages: int) -> list[int]:
    """How many layers are added to each resolution, from 4 px up: a depth of stages + 1 needs none."""
    more = max(0, depth - stages - 1)
    return [more // stages + (i < more % stages) for i in range(stages)]


class VariantGenerator(nn.Module):
    """Linear to 4x4, a transposed convolution a doubling, 3x3 convolutions spread over the resolutions, 3x3 to colours, tanh."""

    def __init__(self, side: Side, z: int, channels: int, size: int) -> None:
        super().__init__()
        steps = doublings(size, start=4, family="the variants")
        now = side.filters << steps
        extra = _extra(side.depth, steps + 1)
        stem = nn.Sequential(nn.Linear(z, now * 16), nn.Unflatten(1, (now, 4, 4)))
        layers: list[nn.Module] = [self._layer(stem, now, side)]
        for step in range(steps + 1):
            if step:
                layers.append(self._layer(nn.ConvTranspose2d(now, now // 2, 4, 2, 1), now // 2, side))
                now //= 2
            layers += [self._layer(nn.Conv2d(now, now, 3, padding=1), now, side) for _ in range(extra[step])]
        self.main = nn.Sequential(*layers, nn.Conv2d(now, channels, 3, padding=1), nn.Tanh())
        _initialise(self)

    @staticmethod
    def _layer(linear: nn.Module, channels: int, side: Side) -> nn.Module:
        return _Layer(linear, nn.BatchNorm2d(channels) if side.norm else None, side.activation)

    def forward(self, z: Float[Tensor, "n z"]) -> Float[Tensor, "n c h w"]:
        return widened(self.main(z))


class VariantCritic(nn.Module):
    """The mirror image, with one logit. `per_sample`: layer instead of batch normalisation, as a gradient penalty needs."""

    def __init__(self, side: Side, channels: int, size: int, per_sample: bool) -> None:
        super().__init__()
        steps = doublings(size, start=4, family="the variants")
        extra = _extra(side.depth, steps + 1)[::-1]
        now = side.filters

        def layer(inputs: int, outputs: int, stride: int, norm: bool = side.norm) -> nn.Module:
            kernel = 4 if stride == 2 else 3
            kind = LayerNorm2d if per_sample else nn.BatchNorm2d
            return _Layer(nn.Conv2d(inputs, outputs, kernel, stride, 1), kind(outputs) if norm else None, side.activation)

        layers: list[nn.Module] = [layer(channels, now, 1, norm=False)]  # DCGAN's rule: none at D's input
        for step in range(steps + 1):
            layers += [layer(now, now, 1) for _ in range(extra[step])]
            if step < steps:
                layers.append(layer(now, now * 2, 2))
                now *= 2
        self.main = nn.Sequential(*layers, nn.Flatten(), nn.Linear(now * 16, 1))
        _initialise(self)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        return widened(self.main(x).squeeze(1))


def _initialise(net: nn.Module) -> None:
    """He et al. 2015, so that twenty layers without normalisation neither vanish nor explode at the start."""
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            fan = module.weight[0].numel()
            if isinstance(module, nn.ConvTranspose2d):
                fan = module.in_channels * 4  # each output pixel of a 4x4 kernel with stride 2 sums four taps a channel
            nn.init.normal_(module.weight, 0.0, (2 / fan) ** 0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
