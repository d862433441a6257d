"""Both players from one backward pass: G's gradient is D's, rescaled sample by sample. Axis: N batch.

Both losses reach a fake through its logit alone, so the gradients of G's loss and of D's at that fake are parallel; the factor is
(dL_G / d logit) / (dL_D / d logit), for the non-saturating loss -exp(-logit). This generalises the gradient reversal of
Ganin & Lempitsky 2015 (factor -1) and saves G's phase: one pass of G and one of D a round instead of two and three.
Exact for any D that does not mix samples, with both players moving at once.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from tightrope.objectives.adversarial import Objective

SMALLEST = 1e-30  # of dL_D / d logit: below, D is certain and gives G no gradient


def gradient_ratio(
    objective: Objective, on_real: Float[Tensor, " n"], on_fake: Float[Tensor, " n"]
) -> Float[Tensor, " n"]:
    """(dL_G / d logit) / (dL_D / d logit) at each fake's logit."""
    with torch.enable_grad():
        real, fake = on_real.detach(), on_fake.detach().requires_grad_(True)
        (of_d,) = torch.autograd.grad(objective.d(real, fake), fake)
        (of_g,) = torch.autograd.grad(objective.g(fake, real), fake)
    return torch.where(of_d.abs() > SMALLEST, of_g / of_d, torch.zeros_like(of_d))


def teach_generator(
    objective: Objective, fake: Float[Tensor, "n *x"], on_real: Float[Tensor, " n"], on_fake: Float[Tensor, " n"]
) -> Float[Tensor, ""]:
    """Make D's backward pass carry G's gradient from `fake` on; returns G's loss, detached, to be watched.

    `fake` is G's output with its graph, `on_fake` D's logits on it; nothing else may be minimised through `fake`.
    """
    ratio = gradient_ratio(objective, on_real, on_fake)
    fake.register_hook(lambda gradient: gradient * ratio.to(gradient.dtype).view(-1, *[1] * (gradient.dim() - 1)))
    return objective.g(on_fake.detach(), on_real.detach())
