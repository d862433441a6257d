"""f-GAN: adversarial objectives from any f-divergence of data P and samples Q. Axis: N batch.

Nowozin, Cseke & Tomioka, "f-GAN", NeurIPS 2016, arXiv:1606.00709. D's output V is a plain logit; the activation g that maps
it into the domain of the conjugate f* is inside the objective (table 2). D maximises the bound of equation 6,

    F = E_P g(V) - E_Q f*(g(V)) <= D_f(P, Q),

so its loss -F has the ideal value -D_f(P, P) = 0. G follows the authors' section 3.2: it maximises E_Q g(V) instead of minimising
-E_Q f*(g(V)), as Goodfellow's non-saturating loss does. Both KL objectives contain exp(V): they grow without bound, and overflow
in fp32 where |V| > 88.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from tightrope.objectives.adversarial import Logits, Objective, Scalar

Elementwise = Callable[[Tensor], Tensor]


def _objective(name: str, activation: Elementwise, conjugate: Elementwise) -> Objective:
    """The objective of a divergence. `conjugate` is V -> f*(g(V)), simplified: no logarithm of an exponential is left."""

    def d(on_real: Logits, on_fake: Logits) -> Scalar:
        return conjugate(on_fake).mean() - activation(on_real).mean()

    def g(on_fake: Logits, on_real: Logits | None = None) -> Scalar:
        return -activation(on_fake).mean()

    return Objective(name, d, g, paired=False, ideal=0.0)


# KL(P || Q): f(u) = u log u, g(v) = v, f*(t) = exp(t - 1). The best blind D says 1.
kl = _objective("kl", lambda v: v, lambda v: (v - 1).exp())

# KL(Q || P): f(u) = -log u, g(v) = -exp(-v), f*(t) = -1 - log(-t). The paper prints -exp(v), which falls with v, and asks for a g
# that rises; -exp(-v) does. The best blind D says 0.
reverse_kl = _objective("reverse-kl", lambda v: -(-v).exp(), lambda v: v - 1)

# Pearson's chi squared: f(u) = (u - 1)^2, g(v) = v, f*(t) = t^2 / 4 + t. The best blind D says 0.
pearson = _objective("pearson", lambda v: v, lambda v: v.square() / 4 + v)

# Jensen-Shannon: f(u) = -(u + 1) log((1 + u) / 2) + u log u, g(v) = log 2 + log sigmoid(v), f*(t) = -log(2 - exp(t)): minimax and
# non-saturating with their ideal moved to 0 (D) and by log 2 (G).
js = _objective("js", lambda v: math.log(2) - F.softplus(-v), lambda v: F.softplus(v) - math.log(2))
