"""BEGAN: the critic is an autoencoder, and a controller keeps its errors on reals and fakes in proportion. Axis: N batch.

Berthelot, Schumm & Metz, "BEGAN: boundary equilibrium generative adversarial networks", 2017, arXiv:1703.10717, section 3.4.
There is no ideal value: D's loss depends on how well the autoencoder copies real samples; `Balance.measure` tells convergence.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tightrope.core import processes

Scalar = Float[Tensor, ""]
Errors = Float[Tensor, " n"]


def copying_error(x: Float[Tensor, "n *x"], copy: Float[Tensor, "n *x"], power: int = 1) -> Errors:
    """L(x) = |x - D(x)|^power, the mean over a sample's elements (equation 1); the authors use 1."""
    return (x - copy).abs().pow(power).flatten(1).mean(1)


def began_d(on_real: Errors, on_fake: Errors, k: Scalar) -> Scalar:
    """L(x) - k L(G(z))."""
    return on_real.mean() - k * on_fake.mean()


def began_g(on_fake: Errors) -> Scalar:
    """L(G(z))."""
    return on_fake.mean()


class Balance(nn.Module):
    """The controller: k <- k + rate (gamma L(x) - L(G(z))), kept in [0, 1].

    Args:
        gamma: wanted ratio of the errors, E L(G(z)) / E L(x); more makes samples more diverse.
        rate: the paper's lambda_k.

    Attributes:
        k: weight of the error on fakes in D's loss.
        measure: the convergence measure M = L(x) + |gamma L(x) - L(G(z))| of the last batch.
    """

    k: Tensor
    measure: Tensor

    def __init__(self, gamma: float = 0.5, rate: float = 1e-3) -> None:
        super().__init__()
        self.gamma, self.rate = gamma, rate
        self.register_buffer("k", torch.zeros(()))
        self.register_buffer("measure", torch.zeros(()))

    @torch.no_grad()
    def update(self, on_real: Errors, on_fake: Errors) -> None:
        """Move k by the errors of this batch, over all processes."""
        real, fake = processes.mean(on_real), processes.mean(on_fake)
        gap = self.gamma * real - fake
        self.k.add_(self.rate * gap).clamp_(0, 1)
        self.measure.copy_(real + gap.abs())
