"""Adversarial objectives: one pair of pure functions each, over D's logits. Axis: N batch.

Goodfellow et al. 2014 (minimax, non-saturating); Mao et al. 2017 (least squares); Lim & Ye 2017 and Miyato et al. 2018
(hinge); Arjovsky et al. 2017 (Wasserstein); Jolicoeur-Martineau 2019 and Huang et al. 2024 (relativistic).
The f-divergences of f-GAN are in `divergences`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from tightrope.core import processes

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
        ideal: D's loss where generated and real data have the same distribution and D is optimal; None where there is no
            such number.
    """

    name: str
    d: Callable[[Logits, Logits], Scalar]
    g: Callable[[Logits, Logits | None], Scalar]
    paired: bool
    ideal: float | None


def _reals(on_real: Logits | None) -> Logits:
    if on_real is None:
        raise ValueError("a relativistic objective compares fakes with reals: pass D's logits on a batch of reals too")
    return on_real


def bce_d(on_real: Logits, on_fake: Logits) -> Scalar:
    """-E log sigmoid(D(x)) - E log(1 - sigmoid(D(G(z)))), Goodfellow et al. 2014, equation 1."""
    return F.softplus(-on_real).mean() + F.softplus(on_fake).mean()


def _minimax_g(on_fake: Logits, on_real: Logits | None = None) -> Scalar:
    """E log(1 - sigmoid(D(G(z)))): the value of the game itself; its gradient vanishes where D wins."""
    return -F.softplus(on_fake).mean()


def non_saturating_g(on_fake: Logits, on_real: Logits | None = None) -> Scalar:
    """-E log sigmoid(D(G(z))), Goodfellow et al. 2014, section 3."""
    return F.softplus(-on_fake).mean()


def _least_squares_d(on_real: Logits, on_fake: Logits) -> Scalar:
    """1/2 E (D(x) - 1)^2 + 1/2 E D(G(z))^2, Mao et al. 2017, equation 9 (targets 0 and 1). The best blind D says 1/2."""
    return (on_real - 1).square().mean() / 2 + on_fake.square().mean() / 2


def _least_squares_g(on_fake: Logits, on_real: Logits | None = None) -> Scalar:
    """1/2 E (D(G(z)) - 1)^2, Mao et al. 2017, equation 9."""
    return (on_fake - 1).square().mean() / 2


def _hinge_d(on_real: Logits, on_fake: Logits) -> Scalar:
    """E max(0, 1 - D(x)) + E max(0, 1 + D(G(z))), Miyato et al. 2018, equation 16. Any constant in [-1, 1] is a best blind D."""
    return F.relu(1 - on_real).mean() + F.relu(1 + on_fake).mean()


def _wasserstein_d(on_real: Logits, on_fake: Logits) -> Scalar:
    """E D(G(z)) - E D(x): minus the estimate of the distance, Arjovsky et al. 2017, equation 2. D must be kept Lipschitz."""
    return on_fake.mean() - on_real.mean()


def _minus_mean_g(on_fake: Logits, on_real: Logits | None = None) -> Scalar:
    """-E D(G(z)), Arjovsky et al. 2017, equation 3; Miyato et al. 2018, equation 17."""
    return -on_fake.mean()


def _relativistic_d(on_real: Logits, on_fake: Logits) -> Scalar:
    """E softplus(-(D(x) - D(G(z)))) over pairs, Huang et al. 2024, equation 2."""
    return F.softplus(on_fake - on_real).mean()


def _relativistic_g(on_fake: Logits, on_real: Logits | None) -> Scalar:
    """E softplus(-(D(G(z)) - D(x))) over pairs."""
    return F.softplus(_reals(on_real) - on_fake).mean()


def _average_d(on_real: Logits, on_fake: Logits) -> Scalar:
    """-E log sigmoid(D(x) - E D(G(z))) - E log(1 - sigmoid(D(G(z)) - E D(x))), Jolicoeur-Martineau 2019, equations 8 and 9."""
    real, fake = processes.batch_mean(on_real), processes.batch_mean(on_fake)
    return F.softplus(fake - on_real).mean() + F.softplus(on_fake - real).mean()


def _average_g(on_fake: Logits, on_real: Logits | None) -> Scalar:
    """D's loss with reals and fakes in each other's place."""
    return _average_d(on_fake, _reals(on_real))


minimax = Objective("minimax", bce_d, _minimax_g, paired=False, ideal=math.log(4))
non_saturating = Objective("non-saturating", bce_d, non_saturating_g, paired=False, ideal=math.log(4))
least_squares = Objective("least-squares", _least_squares_d, _least_squares_g, paired=False, ideal=1 / 4)
hinge = Objective("hinge", _hinge_d, _minus_mean_g, paired=False, ideal=2.0)
wasserstein = Objective("wasserstein", _wasserstein_d, _minus_mean_g, paired=False, ideal=0.0)
relativistic = Objective("relativistic", _relativistic_d, _relativistic_g, paired=True, ideal=math.log(2))
relativistic_average = Objective("relativistic-average", _average_d, _average_g, paired=True, ideal=math.log(4))
