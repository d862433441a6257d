"""An encoder, a decoder and both in one: plain convolutions with exponential linear units. Axis: N batch, Z latent, H code.

Berthelot, Schumm & Metz 2017, "BEGAN", figure 1: two 3x3 convolutions a resolution, the encoder's channels grow by the same
number with every halving (stride 2), the decoder's stay and its pixels are doubled (nearest); fully connected layers
without a non-linearity to the code and from it, at 8x8. The critic is encoder and decoder, the generator a decoder of its
own. Weights by Glorot's rule, as the authors' framework starts them. Run: `tightrope train began fashion`.
"""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from tightrope.networks.shapes import doublings, widened

SMALLEST = 8  # px, where the code is read


def _start(module: nn.Module) -> None:
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def _levels(size: int) -> int:
    """Doublings from 8 px to the image."""
    return doublings(size, start=SMALLEST, family="BEGAN", low=16)


class Decoder(nn.Module):
    """Vector -> image, not bounded.

    Args:
        inputs: Z or H.
        width: channels of every layer.
    """

    def __init__(self, inputs: int, *, channels: int, size: int, width: int = 64) -> None:
        super().__init__()
        levels = _levels(size)
        self.width = width
        self.read = nn.Linear(inputs, SMALLEST * SMALLEST * width)
        self.layers = nn.ModuleList([nn.Conv2d(width, width, 3, padding=1) for _ in range(2 * (levels + 1))])
        self.draw = nn.Conv2d(width, channels, 3, padding=1)
        self.apply(_start)

    def forward(self, z: Float[Tensor, "n z"]) -> Float[Tensor, "n c h w"]:
        x = self.read(z.flatten(1)).view(-1, self.width, SMALLEST, SMALLEST)
        for index, layer in enumerate(self.layers):
            if index and index % 2 == 0:
                x = F.interpolate(x, scale_factor=2, mode="nearest")
            x = F.elu(layer(x))
        return widened(self.draw(x))


class Encoder(nn.Module):
    """Image -> code.

    Args:
        code: H.
        width: channels at full size, and how many more there are after each halving.
    """

    def __init__(self, code: int, *, channels: int, size: int, width: int = 64) -> None:
        super().__init__()
        levels = _levels(size)
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 3, padding=1), nn.ELU()]
        for level in range(1, levels + 2):
            now, after, stride = (level * width, (level + 1) * width, 2) if level <= levels else (level * width, level * width, 1)
            layers += [nn.Conv2d(now, now, 3, padding=1), nn.ELU(), nn.Conv2d(now, after, 3, stride, padding=1), nn.ELU()]
        self.layers = nn.Sequential(*layers)
        self.write = nn.Linear(SMALLEST * SMALLEST * (levels + 1) * width, code)
        self.apply(_start)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n h"]:
        return self.write(self.layers(x).flatten(1))


class Autoencoder(nn.Module):
    """Image -> its copy through a code."""

    def __init__(self, code: int, *, channels: int, size: int, width: int = 64) -> None:
        super().__init__()
        self.encoder = Encoder(code, channels=channels, size=size, width=width)
        self.decoder = Decoder(code, channels=channels, size=size, width=width)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        return self.decoder(self.encoder(x))
