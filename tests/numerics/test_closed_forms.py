"""Objectives and penalties against closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from tightrope.networks.mlp import MLPCritic
from tightrope.objectives import ALL, minimax, non_saturating, relativistic
from tightrope.penalties import r1, r2, squared_gradient


@pytest.mark.parametrize("objective", ALL.values(), ids=lambda o: o.name)
def test_ideal_is_the_loss_of_a_blind_critic(objective) -> None:
    zero = torch.zeros(7)
    assert objective.d(zero, zero).item() == pytest.approx(objective.ideal)


@pytest.mark.parametrize("objective", ALL.values(), ids=lambda o: o.name)
def test_losses_pull_the_right_way(objective) -> None:
    """D gains from a higher logit on real and a lower one on fake; G from a higher one on fake."""
    real, fake = torch.zeros(3, requires_grad=True), torch.zeros(3, requires_grad=True)
    d_real, d_fake = torch.autograd.grad(objective.d(real, fake), (real, fake))
    (g_fake,) = torch.autograd.grad(objective.g(fake, real.detach()), fake)
    assert (d_real < 0).all()
    assert (d_fake > 0).all()
    assert (g_fake < 0).all()


def test_losses_of_saturated_logits_stay_finite() -> None:
    far = torch.tensor([1e4, -1e4])
    for objective in ALL.values():
        assert torch.isfinite(objective.d(far, -far))
        assert torch.isfinite(objective.g(far, -far))


def test_minimax_gradient_vanishes_where_the_other_does_not() -> None:
    """Goodfellow et al. 2014, section 3: early on D(G(z)) is near 0 and log(1 - D(G(z))) saturates."""
    logit = torch.tensor([-10.0], requires_grad=True)
    (flat,) = torch.autograd.grad(minimax.g(logit, None), logit)
    (steep,) = torch.autograd.grad(non_saturating.g(logit, None), logit)
    assert abs(flat.item()) < 1e-4
    assert steep.item() == pytest.approx(-1, abs=1e-3)


def test_relativistic_compares_pairs() -> None:
    real, fake = torch.tensor([1.0, 5.0]), torch.tensor([0.0, 5.0])
    expected = (math.log1p(math.exp(-1)) + math.log(2)) / 2
    assert relativistic.d(real, fake).item() == pytest.approx(expected)
    with pytest.raises(ValueError, match="reals"):
        relativistic.g(fake, None)


def test_r1_of_a_linear_critic_is_its_squared_norm() -> None:
    linear = nn.Linear(5, 1).double()
    points = torch.randn(4, 5, dtype=torch.float64)
    expected = linear.weight.square().sum()
    assert torch.allclose(r1(lambda x: linear(x).squeeze(1), points), expected.expand(4))
    assert torch.equal(r1(lambda x: linear(x).squeeze(1), points), r2(lambda x: linear(x).squeeze(1), points))


def test_r1_of_a_quadratic_is_four_times_its_value() -> None:
    points = torch.randn(6, 3, 2, 2)
    penalty = r1(lambda x: x.square().flatten(1).sum(1), points)
    assert torch.allclose(penalty, 4 * points.square().flatten(1).sum(1))


def test_penalty_is_differentiable_in_the_weights() -> None:
    torch.manual_seed(0)
    critic = MLPCritic((3,), width=4, depth=2).double()
    points = torch.randn(2, 3, dtype=torch.float64)

    def penalty(*weights: torch.Tensor) -> torch.Tensor:
        named = dict(zip([n for n, _ in critic.named_parameters()], weights, strict=True))
        x = points.clone().requires_grad_(True)
        (gradient,) = torch.autograd.grad(torch.func.functional_call(critic, named, (x,)).sum(), x, create_graph=True)
        return gradient.square().sum()

    assert torch.autograd.gradcheck(penalty, tuple(p.detach().requires_grad_() for p in critic.parameters()))
    x = points.clone().requires_grad_(True)
    ours = squared_gradient(critic(x), x).sum()
    assert ours.item() == pytest.approx(penalty(*critic.parameters()).item(), rel=1e-6)


def test_diracgan_under_r1_converges_and_without_it_does_not() -> None:
    """Mescheder et al. 2018: on two parameters the plain game circles, R1 pulls it to the origin."""

    def distance(gamma: float) -> float:
        theta, psi = torch.tensor(1.0), torch.tensor(1.0)
        for _ in range(600):
            t, p = theta.clone().requires_grad_(), psi.clone().requires_grad_()
            penalty = r1(lambda x, p=p: p * x, torch.zeros(1, 1)).mean()
            d_loss = non_saturating.d(torch.zeros(1), (p * t.detach())[None]) + gamma / 2 * penalty
            g_loss = non_saturating.g((p.detach() * t)[None], None)
            psi = psi - 0.1 * torch.autograd.grad(d_loss, p)[0]
            theta = theta - 0.1 * torch.autograd.grad(g_loss, t)[0]
        return math.hypot(theta.item(), psi.item())

    assert distance(gamma=1.0) < 0.05
    assert distance(gamma=0.0) > 0.3
