"""Gradient penalties: what a critic's gradient may be. Axis: N batch. Each gives a value a sample; factors are the caller's.

Mescheder, Geiger & Nowozin 2018, equation 9 (R1 at real samples, R2 at generated ones; factor gamma / 2). Gulrajani et al. 2017,
equation 3 (WGAN-GP; lambda). Thanh-Tung et al. 2019, arXiv:1902.03984 (0-GP). Kodali et al. 2017, arXiv:1705.07215 (DRAGAN).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Critic = Callable[[Tensor], Tensor]
Values = Float[Tensor, " n"]
Gradient = Float[Tensor, "n *x"]


@runtime_checkable
class Sloped(Protocol):
    """A critic that can give its logits together with their gradient for less than autograd does; None where it cannot."""

    def with_gradient(self, points: Float[Tensor, "n *x"]) -> tuple[Values, Gradient] | None: ...


def with_gradient(critic: Critic, points: Float[Tensor, "n *x"]) -> tuple[Values, Gradient]:
    """Logits and their gradient in the points, for losses on both: one forward pass serves the game and its penalty.

    on_real, slope = with_gradient(D, real); r1 = squared(slope)
    """
    points = points.detach()
    found = critic.with_gradient(points) if isinstance(critic, Sloped) else None
    if found is None:
        points = points.requires_grad_(True)
        logits = critic(points)
        found = logits, _gradient(logits, points)
    return found


def squared(gradient: Gradient) -> Values:
    """||gradient||^2 of each sample."""
    return gradient.flatten(1).square().sum(1)


def distance(gradient: Gradient, target: float = 1.0, *, one_sided: bool = False) -> Values:
    """(||gradient|| - target)^2 of each sample; one-sided: only what exceeds the target.

    Where the gradient is exactly 0 its norm counts as flat.
    """
    if target == 0:
        return squared(gradient)
    excess = torch.linalg.vector_norm(gradient.flatten(1), dim=1) - target
    return (F.relu(excess) if one_sided else excess).square()


def squared_gradient(logits: Float[Tensor, " n"], points: Float[Tensor, "n *x"]) -> Values:
    """||d logits_i / d points_i||^2 of each sample, differentiable once more, from a forward pass that is there already.

    `points` must have required grad before the critic saw them. A critic that mixes samples (batch normalisation) has no
    gradient of one sample alone: this is then the gradient of the sum.
    """
    return squared(_gradient(logits, points))


def _gradient(logits: Float[Tensor, " n"], points: Float[Tensor, "n *x"]) -> Gradient:
    (gradient,) = torch.autograd.grad(logits.sum(), points, create_graph=True)
    return gradient.to(torch.promote_types(gradient.dtype, torch.float32))


def r1(critic: Critic, points: Float[Tensor, "n *x"]) -> Values:
    """Squared norm of the critic's gradient at each real sample."""
    return squared(with_gradient(critic, points)[1])


def r2(critic: Critic, points: Float[Tensor, "n *x"]) -> Values:
    """R1's formula at generated samples."""
    return r1(critic, points)


def interpolated(
    critic: Critic,
    real: Float[Tensor, "n *x"],
    fake: Float[Tensor, "n *x"],
    target: float = 1.0,
    one_sided: bool = False,
    alpha: Float[Tensor, " n"] | None = None,
) -> Values:
    """(||grad D(x)|| - target)^2 at x = alpha real + (1 - alpha) fake, alpha uniform a pair (Gulrajani et al. 2017, equation 3).

    Args:
        target: 1 is WGAN-GP, 0 the zero-centred penalty 0-GP (Thanh-Tung et al. 2019, equation 8).
        one_sided: punish only slopes above the target (Gulrajani et al., section 4 "two-sided penalty"; Petzka et al. 2018).
        alpha: given for a test; drawn from torch's generator otherwise.
    """
    share = torch.rand(len(real), dtype=real.dtype, device=real.device) if alpha is None else alpha
    share = share.view(-1, *[1] * (real.dim() - 1))
    points = share * real.detach() + (1 - share) * fake.detach()
    return distance(with_gradient(critic, points)[1], target, one_sided=one_sided)


def dragan(
    critic: Critic,
    real: Float[Tensor, "n *x"],
    spread: float = 0.5,
    target: float = 1.0,
    one_sided: bool = False,
    noise: Float[Tensor, "n *x"] | None = None,
) -> Values:
    """(||grad D(x + d)|| - target)^2 near real samples (Kodali et al. 2017, section 2.3).

    Args:
        spread: size of the neighbourhood in standard deviations of the batch. As in the authors' code, d is `spread` deviations
            times uniform noise in [0, 1] times one uniform number a sample; the paper's equation says a Gaussian.
        noise: d itself, given for a test.
    """
    if noise is None:
        lengths = torch.rand(len(real), *[1] * (real.dim() - 1), dtype=real.dtype, device=real.device)
        noise = spread * real.detach().std() * lengths * torch.rand_like(real)
    return distance(with_gradient(critic, real.detach() + noise)[1], target, one_sided=one_sided)
