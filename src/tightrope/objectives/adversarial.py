"""Adversarial objectives: one pair of pure functions each, over D's logits. Axis: N batch.

Goodfellow et al. 2014 (minimax, non-saturating); Jolicoeur-Martineau 2019 and Huang et al. 2024 (relativistic pairing).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Logits = Float[Tensor, " n"]
Scalar = Float[Tensor, ""]


@dataclass(frozen=True)
class Objective:
    """One game's losses, both to be minimised.

    Attributes:
        name: as written on the command line.
        d: (logits on real, logits on fake) -> D's loss.
        g: (logits on fake, logits on real) -> G's loss; only a paired objective looks at the second.
        paired: True where G's loss compares fakes with reals, so that G's phase needs D(real).
        ideal: D's loss where generated and real data have the same distribution and D is optimal.
    """

    name: str
    d: Callable[[Logits, Logits], Scalar]
    g: Callable[[Logits, Logits | None], Scalar]
    paired: bool
    ideal: float


def _bce_d(on_real: Logits, on_fake: Logits) -> Scalar:
    """-E log sigmoid(D(x)) - E log(1 - sigmoid(D(G(z)))), Goodfellow et al. 2014, equation 1."""
    return F.softplus(-on_real).mean() + F.softplus(on_fake).mean()


def _minimax_g(on_fake: Logits, on_real: Logits | None = None) -> Scalar:
    """E log(1 - sigmoid(D(G(z)))): the value of the game itself; its gradient vanishes where D wins."""
    return -F.softplus(on_fake).mean()


def _non_saturating_g(on_fake: Logits, on_real: Logits | None = None) -> Scalar:
    """-E log sigmoid(D(G(z))), Goodfellow et al. 2014, section 3."""
    return F.softplus(-on_fake).mean()


def _relativistic_d(on_real: Logits, on_fake: Logits) -> Scalar:
    """E softplus(-(D(x) - D(G(z)))) over pairs, Huang et al. 2024, equation 2."""
    return F.softplus(on_fake - on_real).mean()


def _relativistic_g(on_fake: Logits, on_real: Logits | None) -> Scalar:
    """E softplus(-(D(G(z)) - D(x))) over pairs."""
    if on_real is None:
        raise ValueError("the relativistic objective compares fakes with reals: pass D's logits on a batch of reals too")
    return F.softplus(on_real - on_fake).mean()


minimax = Objective("minimax", _bce_d, _minimax_g, paired=False, ideal=math.log(4))
non_saturating = Objective("non-saturating", _bce_d, _non_saturating_g, paired=False, ideal=math.log(4))
relativistic = Objective("relativistic", _relativistic_d, _relativistic_g, paired=True, ideal=math.log(2))

ALL = {objective.name: objective for objective in (minimax, non_saturating, relativistic)}
