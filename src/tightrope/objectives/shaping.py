"""What D sees and whom G listens to: labels, noise, packs, the best samples, a critic that thinks ahead. Axis: N batch.

One-sided label smoothing: Salimans et al. 2016, section 3.4. Instance noise: Sonderby et al. 2017, arXiv:1610.04490. PacGAN: Lin
et al. 2018, arXiv:1712.04086. Top-k: Sinha et al. 2020, arXiv:2002.06224. Unrolling: Metz et al. 2017, arXiv:1611.02163.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from tightrope.objectives.adversarial import Logits, Objective, Scalar, non_saturating_g


def smoothed(target: float = 0.9) -> Objective:
    """The non-saturating objective with reals labelled `target` instead of 1 and fakes still 0.

    D's optimum is target p / (p + q), so the ideal is its loss where D says target / 2 everywhere.
    """

    def d(on_real: Logits, on_fake: Logits) -> Scalar:
        return (F.softplus(-on_real) + (1 - target) * on_real).mean() + F.softplus(on_fake).mean()

    ideal = -target * math.log(target / 2) - (2 - target) * math.log(1 - target / 2)
    return Objective(f"smoothed-{target:g}", d, non_saturating_g, paired=False, ideal=ideal)


def instance_noise(x: Float[Tensor, "n *x"], sd: float) -> Float[Tensor, "n *x"]:
    """x with Gaussian noise of standard deviation `sd` (`Knobs.noise`, so that a schedule can let it fade). 0 draws nothing.

    Give it reals and fakes alike, in both players' phases: the game is then between the blurred distributions.
    """
    return x + sd * torch.randn_like(x) if sd else x


def pack(x: Float[Tensor, "n c *s"], m: int) -> Float[Tensor, "n/m m*c *s"]:
    """m samples side by side along the channels, for D to judge together (PacGAN, section 2).

    D's first layer has m times the inputs. With classes, order the batch so that the m samples of a pack share theirs.
    """
    if x.shape[0] % m:
        raise ValueError(f"a batch of {x.shape[0]} cannot be packed by {m}: choose a multiple")
    return x.reshape(x.shape[0] // m, m * x.shape[1], *x.shape[2:])


def top_k(on_fake: Logits, k: int) -> Float[Tensor, " k"]:
    """The k largest logits on fakes: G learns from its best samples only (Sinha et al. 2020, equation 4)."""
    return on_fake.topk(min(k, len(on_fake))).values


def top_k_count(batch: int, epoch: float, decay: float = 0.99, least: float = 0.5) -> int:
    """How many samples to keep: the batch times decay^epoch, at least that share of it (Sinha et al. 2020, section 3.1)."""
    return max(1, round(batch * max(least, decay**epoch)))


def unrolled(critic: nn.Module, loss: Callable[[Callable[..., Tensor]], Scalar], steps: int, lr: float) -> Callable[..., Tensor]:
    """The critic as it would be after `steps` steps of gradient descent on its loss, differentiable in all that the loss saw.

    Metz et al. 2017, equations 4 to 8: G minimises its loss against `unrolled(D, ...)`, and so sees how D would answer. The
    critic itself does not move.

    unrolled(D, lambda d: objective.d(d(real), d(fake)), steps=5, lr=1e-4)(fake)

    Args:
        loss: D's loss as a function of the critic, which is called like the network.
        lr: of the imagined steps, those of plain gradient descent as in the paper's equations.
    """
    weights = {name: p.detach().requires_grad_(True) for name, p in critic.named_parameters()}
    for _ in range(steps):
        gradients = torch.autograd.grad(loss(_bound(critic, weights)), list(weights.values()), create_graph=True)
        weights = {name: w - lr * g for (name, w), g in zip(weights.items(), gradients, strict=True)}
    return _bound(critic, weights)


def _bound(critic: nn.Module, weights: dict[str, Tensor]) -> Callable[..., Tensor]:
    """The critic with other weights."""

    def call(*inputs: Tensor) -> Tensor:
        return torch.func.functional_call(critic, weights, inputs)

    return call
