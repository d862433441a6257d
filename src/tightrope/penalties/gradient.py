"""Zero-centred gradient penalties: the squared norm of a critic's gradient at points. Axis: N batch.

Mescheder, Geiger & Nowozin 2018, equation 9 (R1 at real samples, R2 at generated ones). The factor gamma/2 is the caller's.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor


def squared_gradient(logits: Float[Tensor, " n"], points: Float[Tensor, "n *x"]) -> Float[Tensor, " n"]:
    """||d logits_i / d points_i||^2 of each sample, differentiable once more.

    `points` must have required grad before the critic saw them; use this to save the forward pass of `r1`. A critic
    that mixes samples (batch normalisation) has no gradient of one sample alone: this is then the gradient of the sum.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), points, create_graph=True)
    wide = torch.promote_types(gradient.dtype, torch.float32)
    return gradient.to(wide).flatten(1).square().sum(1)


def r1(critic: Callable[[Tensor], Tensor], points: Float[Tensor, "n *x"]) -> Float[Tensor, " n"]:
    """Squared norm of the critic's gradient at each real sample."""
    points = points.detach().requires_grad_(True)
    return squared_gradient(critic(points), points)


def r2(critic: Callable[[Tensor], Tensor], points: Float[Tensor, "n *x"]) -> Float[Tensor, " n"]:
    """R1's formula at generated samples."""
    return r1(critic, points)
