"""Consistency: D should not notice a small change, G should. Axis: N batch, Z latent.

CR: Zhang et al. 2020, arXiv:1910.12027. bCR and zCR: Zhao et al. 2021, arXiv:2002.04724. The change of a sample (the authors
shift and flip it) is the caller's.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

Values = Float[Tensor, " n"]


def consistency(before: Float[Tensor, "n *f"], after: Float[Tensor, "n *f"]) -> Values:
    """||D(x) - D(T(x))||^2 of each sample (Zhang et al. 2020, equation 3). On D(G(z)) and D(G(T(z))) it is zCR's term of D."""
    return (before - after).unsqueeze(1).flatten(1).square().sum(1)


def balanced(
    on_real: Values, on_real_copy: Values, on_fake: Values, on_fake_copy: Values, real: float = 10.0, fake: float = 10.0
) -> Float[Tensor, ""]:
    """bCR: the weighted means of `consistency` on reals and on fakes (Zhao et al. 2021, algorithm 1)."""
    return real * consistency(on_real, on_real_copy).mean() + fake * consistency(on_fake, on_fake_copy).mean()


def nearby(z: Float[Tensor, "n z"], sd: float = 0.03) -> Float[Tensor, "n z"]:
    """Latents a little way off, T(z) = z + N(0, sd^2) (Zhao et al. 2021, section 3.2)."""
    return z + sd * torch.randn_like(z)


def latent_spread(x: Float[Tensor, "n *x"], near: Float[Tensor, "n *x"]) -> Values:
    """zCR's term of G: -||G(z) - G(T(z))||^2 of each sample, so that neighbours differ (Zhao et al. 2021, algorithm 2)."""
    return -consistency(x, near)
