"""What a critic may see of a whole batch, so that it notices when samples are alike. Axis: N batch, C channel, K kernels.

These layers mix samples: a logit depends on what else is in the batch, reals and fakes must be shown apart, and a gradient
penalty is that of the sum.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tightrope.core.errors import InputError


class MinibatchDiscrimination(nn.Module):
    """How near every other sample is under K learned maps (Salimans et al. 2016, section 3.2), beside the features themselves.

    f_k(x_i) = sum over j != i of exp(-||M_k x_i - M_k x_j||_1) + b_k, each M_k with `dims` rows. Rows are of the form
    theta exp(s) / ||theta|| and b starts at -1, as in the authors' code.

    Args:
        inputs: features of a sample.
        kernels: K.
        dims: rows of each map.
    """

    def __init__(self, inputs: int, kernels: int = 100, dims: int = 5) -> None:
        super().__init__()
        self.theta = nn.Parameter(0.05 * torch.randn(inputs, kernels, dims))
        self.log_scale = nn.Parameter(torch.zeros(kernels, dims))
        self.bias = nn.Parameter(torch.full((kernels,), -1.0))

    def distances(self, x: Float[Tensor, "n i"]) -> Float[Tensor, "n n k"]:
        """||M_k x_i - M_k x_j||_1, with a million on the diagonal, so that nobody counts as his own neighbour."""
        maps = self.theta * (self.log_scale.exp() / self.theta.norm(dim=0))
        mapped = torch.einsum("ni,ikd->nkd", x, maps)
        apart = (mapped[:, None] - mapped[None]).abs().sum(3)
        return apart + 1e6 * torch.eye(len(x), dtype=apart.dtype, device=x.device)[:, :, None]

    def forward(self, x: Float[Tensor, "n i"]) -> Float[Tensor, "n i+k"]:
        with torch.autocast(x.device.type, enabled=False):
            near = torch.exp(-self.distances(x.to(self.theta.dtype))).sum(1) + self.bias
        return torch.cat([x, near.to(x.dtype)], 1)

    @torch.no_grad()
    def initialise_(self, x: Float[Tensor, "n i"]) -> None:
        """Scale the maps by a batch, as the authors' code does: the mean distance to the nearest other becomes 2, f's mean 0."""
        nearest = 0.5 * self.distances(x).amin(1).mean(0)
        self.log_scale.sub_(nearest.log()[:, None])
        self.bias.copy_(-torch.exp(-self.distances(x)).sum(1).mean(0))


class MinibatchStd(nn.Module):
    """The mean standard deviation within a group of samples, as more channels (Karras et al. 2018, section 3).

    Groups are strided: of N samples, i stands with i + N / group, i + 2 N / group ... A batch smaller than `group` is one group.

    Args:
        group: samples of a group, which must divide the batch; None for all of them.
        features: channels appended, each over its share of the channels.
    """

    def __init__(self, group: int | None = 4, features: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        self.group, self.features, self.eps = group, features, eps

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c+f h w"]:
        n, c, h, w = x.shape
        group = n if self.group is None else min(self.group, n)
        if n % group:
            raise InputError(f"a batch of {n} cannot be split into groups of {group} for D to compare; choose a multiple.")
        y = x.to(torch.promote_types(x.dtype, torch.float32)).reshape(group, n // group, self.features, c // self.features, h, w)
        spread = ((y - y.mean(0)).square().mean(0) + self.eps).sqrt().mean((2, 3, 4))
        spread = spread.repeat(group, 1)[:, :, None, None].expand(n, self.features, h, w)
        return torch.cat([x, spread.to(x.dtype)], 1)
