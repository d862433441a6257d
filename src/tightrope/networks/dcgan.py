"""DCGAN's networks: strided convolutions, batch normalisation, no fully connected layers. Axis: N batch, Z latent, C H W.

Radford, Metz & Chintala 2015, figure 1 and section 3 "architecture guidelines"; weights from N(0, 0.02).
Parameter names are those of the widely used PyTorch version (`main.0.weight` ...), so its checkpoints load as they are.
Run: `tightrope train dcgan fashion`.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from tightrope.networks.layers.convolution import FastConv2d, FastConvTranspose2d
from tightrope.networks.shapes import doublings, widened

SLOPE = 0.2  # of every leaky rectifier, section 3


def _initialise(module: nn.Module) -> None:
    """Section 4: zero-centred normal with standard deviation 0.02; batch norm's gain around 1."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


class DCGANGenerator(nn.Module):
    """z -> 4x4 -> doubled until `size`; channels halve from `width * size / 8` to `width`; tanh."""

    def __init__(self, z: int, *, channels: int, size: int, width: int = 64) -> None:
        super().__init__()
        steps = doublings(size, start=4, family="DCGAN")
        now = width << (steps - 1)
        layers: list[nn.Module] = [FastConvTranspose2d(z, now, 4, 1, 0, bias=False), nn.BatchNorm2d(now), nn.ReLU(True)]
        for _ in range(steps - 1):
            layers += [
                FastConvTranspose2d(now, now // 2, 4, 2, 1, bias=False),
                nn.BatchNorm2d(now // 2),
                nn.ReLU(True),
            ]
            now //= 2
        layers += [FastConvTranspose2d(now, channels, 4, 2, 1, bias=False), nn.Tanh()]
        self.main = nn.Sequential(*layers)
        self.apply(_initialise)

    def forward(self, z: Float[Tensor, "n z"]) -> Float[Tensor, "n c h w"]:
        return widened(self.main(z.flatten(1)[:, :, None, None]))


class DCGANCritic(nn.Module):
    """The mirror image: halved until 4x4, batch norm from the second layer on, one logit (the paper's sigmoid is in the loss)."""

    def __init__(self, *, channels: int, size: int, width: int = 64, norm: bool = True) -> None:
        super().__init__()
        steps = doublings(size, start=4, family="DCGAN")
        layers: list[nn.Module] = [FastConv2d(channels, width, 4, 2, 1, bias=not norm), nn.LeakyReLU(SLOPE, True)]
        now = width
        for _ in range(steps - 1):
            layers.append(FastConv2d(now, now * 2, 4, 2, 1, bias=not norm))
            if norm:
                layers.append(nn.BatchNorm2d(now * 2))
            layers.append(nn.LeakyReLU(SLOPE, True))
            now *= 2
        layers.append(FastConv2d(now, 1, 4, 1, 0, bias=not norm))
        self.main = nn.Sequential(*layers)
        self.apply(_initialise)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        return widened(self.main(x).flatten())
