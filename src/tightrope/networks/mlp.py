"""Multi-layer perceptrons: generator and critic for points, and for small images as flat vectors. Axis: N batch, Z latent.

Maxout: Goodfellow et al. 2013. Run: `tightrope train gan ring8`.
"""

from __future__ import annotations

import math

from jaxtyping import Float
from torch import Tensor, nn

from tightrope.networks.shapes import widened


def _initialise(layers: nn.Sequential, *, spread: float) -> None:
    """He et al. 2015; the first layer's biases are uniform in +-spread, so that its kinks lie all over the data."""
    linears = [m for m in layers.modules() if isinstance(m, nn.Linear)]
    for linear in linears:
        gain = 1.0 if linear is linears[-1] else math.sqrt(2)
        nn.init.normal_(linear.weight, 0.0, gain / math.sqrt(linear.in_features))
        nn.init.zeros_(linear.bias)
    nn.init.uniform_(linears[0].bias, -spread, spread)


class Maxout(nn.Module):
    """The largest of `pieces` affine maps, unit by unit (Goodfellow et al. 2013, equation 2)."""

    def __init__(self, inputs: int, outputs: int, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces
        self.linear = nn.Linear(inputs, outputs * pieces)

    def forward(self, x: Float[Tensor, "n i"]) -> Float[Tensor, "n o"]:
        return self.linear(x).unflatten(1, (-1, self.pieces)).amax(2)


class MLPGenerator(nn.Module):
    """Latents -> `depth` hidden ReLU layers of `width` -> samples of `shape`; images end in tanh, points in nothing."""

    def __init__(self, z: int, shape: tuple[int, ...], *, width: int, depth: int) -> None:
        super().__init__()
        self.shape = shape
        sizes = [z] + [width] * depth
        layers: list[nn.Module] = []
        for before, after in zip(sizes[:-1], sizes[1:], strict=True):
            layers += [nn.Linear(before, after), nn.ReLU()]
        layers.append(nn.Linear(sizes[-1], math.prod(shape)))
        if len(shape) == 3:
            layers.append(nn.Tanh())
        self.layers = nn.Sequential(*layers)
        _initialise(self.layers, spread=float(len(shape) == 1))

    def forward(self, z: Float[Tensor, "n z"]) -> Float[Tensor, "n *x"]:
        return self.layers(z).unflatten(1, self.shape)


class MLPCritic(nn.Module):
    """Samples -> `depth` hidden layers of `width` -> one logit. `pieces` > 1 makes the hidden layers maxout."""

    def __init__(self, shape: tuple[int, ...], *, width: int, depth: int, pieces: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        sizes = [math.prod(shape)] + [width] * depth
        layers: list[nn.Module] = [nn.Flatten()]
        for before, after in zip(sizes[:-1], sizes[1:], strict=True):
            if pieces > 1:
                layers.append(Maxout(before, after, pieces))
            else:
                layers += [nn.Linear(before, after), nn.LeakyReLU(0.2)]
            if dropout:
                layers.append(nn.Dropout(dropout))
        layers.append(nn.Linear(sizes[-1], 1))
        self.layers = nn.Sequential(*layers)
        _initialise(self.layers, spread=float(len(shape) == 1))

    def forward(self, x: Float[Tensor, "n *x"]) -> Float[Tensor, " n"]:
        return widened(self.layers(x).squeeze(1))
