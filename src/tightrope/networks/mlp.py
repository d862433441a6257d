"""Multi-layer perceptrons: generator and critic for points, and for small images as flat vectors. Axis: N batch, Z, K classes.

Maxout: Goodfellow et al. 2013. Labels beside samples: Mirza & Osindero 2014. Run: `tightrope train gan ring8`.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tightrope.core.labels import weights
from tightrope.networks.layers.slopes import with_gradient
from tightrope.networks.shapes import widened


def _initialise(layers: nn.Module, *, spread: float, sd: float = 0.0) -> None:
    """He et al. 2015; the first layer's biases are uniform in +-spread, so that its kinks lie all over the data.

    `sd` above 0: N(0, sd^2) for all weights and biases of 0 instead.
    """
    linears = [m for m in layers.modules() if isinstance(m, nn.Linear)]
    for linear in linears:
        gain = 1.0 if linear is linears[-1] else math.sqrt(2)
        nn.init.normal_(linear.weight, 0.0, sd or gain / math.sqrt(linear.in_features))
        if linear.bias is not None:
            nn.init.zeros_(linear.bias)
    if not sd and linears[0].bias is not None:
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
    """Latents -> `depth` hidden ReLU layers of `width` -> samples of `shape`; images end in tanh, points in nothing.

    Args:
        norm: batch normalisation before every ReLU.
        sd: standard deviation of the initial weights; 0 is He's rule.
    """

    def __init__(self, z: int, shape: tuple[int, ...], *, width: int, depth: int, norm: bool = False, sd: float = 0.0) -> None:
        super().__init__()
        self.shape = shape
        sizes = [z] + [width] * depth
        layers: list[nn.Module] = []
        for before, after in zip(sizes[:-1], sizes[1:], strict=True):
            layers += [nn.Linear(before, after, bias=not norm), *([nn.BatchNorm1d(after)] if norm else []), nn.ReLU()]
        layers.append(nn.Linear(sizes[-1], math.prod(shape)))
        if len(shape) == 3:
            layers.append(nn.Tanh())
        self.layers = nn.Sequential(*layers)
        _initialise(self.layers, spread=float(len(shape) == 1), sd=sd)

    def forward(self, z: Float[Tensor, "n z"]) -> Float[Tensor, "n *x"]:
        return widened(self.layers(z).unflatten(1, self.shape))


class MLPCritic(nn.Module):
    """Samples -> `depth` hidden layers of `width` -> one logit. `pieces` > 1 makes the hidden layers maxout."""

    def __init__(
        self, shape: tuple[int, ...], *, width: int, depth: int, pieces: int = 1, dropout: float = 0.0, sd: float = 0.0
    ) -> None:
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
        _initialise(self.layers, spread=float(len(shape) == 1), sd=sd)

    def forward(self, x: Float[Tensor, "n *x"]) -> Float[Tensor, " n"]:
        return widened(self.layers(x).squeeze(1))

    def with_gradient(self, x: Float[Tensor, "n *x"]) -> tuple[Tensor, Tensor] | None:
        """Logits and their gradient in x at once, for penalties; None for maxout and dropout."""
        return with_gradient(self.layers, x)


class LabelledMLPGenerator(nn.Module):
    """Latent and label have a hidden layer each (one sixth and five sixths of `width`), concatenated before a joint one.

    Mirza & Osindero 2014, section 4.1: 200 and 1,000 rectifiers, then 1,200.
    """

    def __init__(self, z: int, classes: int, shape: tuple[int, ...], *, width: int) -> None:
        super().__init__()
        self.classes, self.shape = classes, shape
        share = max(1, width // 6)
        self.latent = nn.Sequential(nn.Linear(z, share), nn.ReLU())
        self.label = nn.Sequential(nn.Linear(classes, width - share), nn.ReLU())
        self.joint = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, math.prod(shape)), nn.Tanh())
        for part in (self.latent, self.label, self.joint):
            _initialise(part, spread=0.0)

    def forward(self, z: Float[Tensor, "n z"], labels: Tensor) -> Float[Tensor, "n *x"]:
        hidden = torch.cat([self.latent(z), self.label(weights(labels, self.classes).to(z.dtype))], 1)
        return widened(self.joint(hidden).unflatten(1, self.shape))


class LabelledMLPCritic(nn.Module):
    """Sample and label have a maxout layer each (`width` and a fifth of it), concatenated before a joint one of `width`.

    Mirza & Osindero 2014, section 4.1: 240 units of 5 pieces and 50 of 5, then 240 of 4; dropout after each.
    """

    def __init__(self, shape: tuple[int, ...], classes: int, *, width: int, pieces: int = 5, dropout: float = 0.5) -> None:
        super().__init__()
        self.classes = classes
        share = max(1, width // 5)
        self.sample = nn.Sequential(nn.Flatten(), Maxout(math.prod(shape), width, pieces), nn.Dropout(dropout))
        self.label = nn.Sequential(Maxout(classes, share, pieces), nn.Dropout(dropout))
        self.joint = nn.Sequential(Maxout(width + share, width, max(1, pieces - 1)), nn.Dropout(dropout), nn.Linear(width, 1))
        for part in (self.sample, self.label, self.joint):
            _initialise(part, spread=0.0)

    def forward(self, x: Float[Tensor, "n *x"], labels: Tensor) -> Float[Tensor, " n"]:
        hidden = torch.cat([self.sample(x), self.label(weights(labels, self.classes).to(x.dtype))], 1)
        return widened(self.joint(hidden).squeeze(1))
