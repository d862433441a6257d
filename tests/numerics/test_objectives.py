"""Objectives against hand-computed values, their ideals, and float64 gradients."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tightrope.objectives import ALL, minimax, non_saturating, relativistic, relativistic_average
from tightrope.objectives.adversarial import Objective
from tightrope.objectives.began import Balance, began_d, began_g, copying_error
from tightrope.objectives.classes import (
    auxiliary,
    log_categorical,
    log_gaussian,
    mutual_information,
    real_logit,
    semi_supervised_d,
    semi_supervised_g,
)
from tightrope.objectives.matching import History, feature_matching, historical, squared_feature_matching
from tightrope.objectives.shaping import smoothed

EVERY = [*ALL.values(), smoothed(0.9)]
EXPONENTIAL = ("kl", "reverse-kl")  # they overflow by their nature
each = pytest.mark.parametrize("objective", EVERY, ids=lambda o: o.name)


def soft(x: float) -> float:
    return math.log1p(math.exp(x))


# D's and G's loss for D(x) = (1, -2) and D(G(z)) = (0.5, -1), written out
R, F_ = (1.0, -2.0), (0.5, -1.0)
MEAN_R, MEAN_F = -0.5, -0.25
BCE = (soft(-1) + soft(2) + soft(0.5) + soft(-1)) / 2
NON_SATURATING = (soft(-0.5) + soft(1)) / 2
BY_HAND = {
    "minimax": (BCE, -(soft(0.5) + soft(-1)) / 2),
    "non-saturating": (BCE, NON_SATURATING),
    "least-squares": ((0 + 9 + 0.25 + 1) / 4, (0.25 + 4) / 4),
    "hinge": ((0 + 3 + 1.5 + 0) / 2, 0.25),
    "wasserstein": (-0.25 + 0.5, 0.25),
    "relativistic": ((soft(0.5 - 1) + soft(-1 + 2)) / 2, (soft(1 - 0.5) + soft(-2 + 1)) / 2),
    "relativistic-average": (
        (soft(MEAN_F - 1) + soft(MEAN_F + 2) + soft(0.5 - MEAN_R) + soft(-1 - MEAN_R)) / 2,
        (soft(MEAN_R - 0.5) + soft(MEAN_R + 1) + soft(1 - MEAN_F) + soft(-2 - MEAN_F)) / 2,
    ),
    "kl": ((math.exp(-0.5) + math.exp(-2)) / 2 + 0.5, 0.25),
    "reverse-kl": ((math.exp(-1) + math.exp(2)) / 2 - 0.25 - 1, (math.exp(-0.5) + math.exp(1)) / 2),
    "pearson": (0.5 + (0.0625 + 0.5 + 0.25 - 1) / 2, 0.25),
    "js": (BCE - math.log(4), NON_SATURATING - math.log(2)),
    "smoothed-0.9": (
        0.9 * (soft(-1) + soft(2)) / 2 + 0.1 * (soft(1) + soft(-2)) / 2 + (soft(0.5) + soft(-1)) / 2,
        NON_SATURATING,
    ),
}


@each
def test_values_by_hand(objective: Objective) -> None:
    real, fake = torch.tensor(R, dtype=torch.double), torch.tensor(F_, dtype=torch.double)
    d, g = BY_HAND[objective.name]
    assert objective.d(real, fake).item() == pytest.approx(d, rel=1e-12)
    assert objective.g(fake, real).item() == pytest.approx(g, rel=1e-12)


@each
def test_gradients(objective: Objective) -> None:
    torch.manual_seed(0)
    real, fake = (torch.randn(5, dtype=torch.double, requires_grad=True) for _ in range(2))
    assert torch.autograd.gradcheck(objective.d, (real, fake))
    assert torch.autograd.gradcheck(objective.g, (fake, real))
    assert torch.autograd.gradgradcheck(objective.d, (real, fake))
    assert torch.autograd.gradgradcheck(objective.g, (fake, real))


@each
def test_ideal_is_the_loss_of_the_best_blind_critic(objective: Objective) -> None:
    """Where real and generated data are the same, no critic can do better than the best constant."""
    constants = torch.linspace(-4, 4, 80001, dtype=torch.double)
    losses = torch.stack([objective.d(c[None], c[None]) for c in constants[::100]])
    best = losses.argmin()
    near = constants[max(0, 100 * int(best) - 100) : 100 * int(best) + 100]
    assert min(objective.d(c[None], c[None]).item() for c in near) == pytest.approx(objective.ideal, abs=1e-8)


@each
def test_ideal_is_the_least_over_all_critics(objective: Objective) -> None:
    """No function of a sample beats the constant either, where each sample is as often real as generated. (Gradient descent on
    one logit for each of five samples, the same samples on both sides; pairs are drawn apart, so all of them count.)"""
    if objective.name == "wasserstein":
        logits = torch.randn(5, dtype=torch.double)
        assert objective.d(logits, logits).item() == pytest.approx(0, abs=1e-12)  # whatever the critic
        return
    torch.manual_seed(1)
    logits = torch.randn(5, dtype=torch.double, requires_grad=True)
    optimizer = torch.optim.LBFGS([logits], lr=0.5, max_iter=200, tolerance_grad=1e-10, tolerance_change=0)

    def loss() -> Tensor:
        optimizer.zero_grad()
        rows, columns = logits.repeat_interleave(5), logits.repeat(5)
        value = objective.d(rows, columns)
        value.backward()
        return value

    optimizer.step(loss)
    assert loss().item() == pytest.approx(objective.ideal, abs=1e-6)


@each
def test_losses_pull_the_right_way(objective: Objective) -> None:
    """D gains from a higher logit on real and a lower one on fake; G from a higher one on fake."""
    real, fake = (torch.full((3,), 0.5, requires_grad=True) for _ in range(2))
    d_real, d_fake = torch.autograd.grad(objective.d(real, fake), (real, fake))
    (g_fake,) = torch.autograd.grad(objective.g(fake, real.detach()), fake)
    assert (d_real < 0).all()
    assert (d_fake > 0).all()
    assert (g_fake < 0).all()


@each
def test_losses_of_saturated_logits_stay_finite(objective: Objective) -> None:
    far = torch.tensor([1e4, -1e4])
    finite = torch.isfinite(objective.d(far, -far)) and torch.isfinite(objective.g(far, -far))
    assert finite == (objective.name not in EXPONENTIAL)


@each
def test_paired_objectives_alone_look_at_reals(objective: Objective) -> None:
    fake = torch.tensor(F_)
    if objective.paired:
        with pytest.raises(ValueError, match="reals"):
            objective.g(fake, None)
    else:
        assert torch.equal(objective.g(fake, None), objective.g(fake, torch.tensor(R)))


def test_names_are_the_keys() -> None:
    assert all(name == objective.name for name, objective in ALL.items())
    assert len(ALL) == 11


def test_minimax_gradient_vanishes_where_the_other_does_not() -> None:
    """Goodfellow et al. 2014, section 3: early on D(G(z)) is near 0 and log(1 - D(G(z))) saturates."""
    logit = torch.tensor([-10.0], requires_grad=True)
    (flat,) = torch.autograd.grad(minimax.g(logit, None), logit)
    (steep,) = torch.autograd.grad(non_saturating.g(logit, None), logit)
    assert abs(flat.item()) < 1e-4
    assert steep.item() == pytest.approx(-1, abs=1e-3)


def test_relativistic_losses_do_not_see_a_shift_of_all_logits() -> None:
    real, fake = torch.randn(6, dtype=torch.double), torch.randn(6, dtype=torch.double)
    for objective in (relativistic, relativistic_average):
        assert objective.d(real + 3, fake + 3).item() == pytest.approx(objective.d(real, fake).item())
        assert objective.g(fake + 3, real + 3).item() == pytest.approx(objective.g(fake, real).item())


@pytest.mark.parametrize(("name", "f"), [
    ("kl", lambda u: u * math.log(u)),
    ("reverse-kl", lambda u: -math.log(u)),
    ("pearson", lambda u: (u - 1) ** 2),
    ("js", lambda u: u * math.log(u) - (u + 1) * math.log((1 + u) / 2)),
])  # fmt: skip
def test_the_best_critic_of_f_gan_gives_the_divergence(name: str, f) -> None:
    """Nowozin et al. 2016, equation 6 on two symbols: the maximum of the bound is sum_x q f(p / q)."""
    p, q = torch.tensor([0.7, 0.3], dtype=torch.double), torch.tensor([0.4, 0.6], dtype=torch.double)
    divergence = sum(b * f(a / b) for a, b in zip(p.tolist(), q.tolist(), strict=True))
    logits = torch.zeros(2, dtype=torch.double, requires_grad=True)
    optimizer = torch.optim.LBFGS([logits], max_iter=200, tolerance_grad=1e-12, tolerance_change=0)
    seven, three = logits.new_tensor([0] * 7 + [1] * 3).long(), logits.new_tensor([0] * 4 + [1] * 6).long()

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = ALL[name].d(logits[seven], logits[three])
        value.backward()
        return value

    optimizer.step(loss)
    assert -loss().item() == pytest.approx(divergence, abs=1e-9)


# ---------------------------------------------------------------- classes and codes
def test_auxiliary_takes_whole_numbers_and_shares() -> None:
    logits = torch.tensor([[2.0, 0.0, -1.0], [0.0, 1.0, 0.0]], dtype=torch.double)
    by_hand = [math.log(math.exp(2) + 1 + math.exp(-1)) - 2, math.log(math.exp(1) + 2) - 0]
    assert auxiliary(logits, torch.tensor([0, 2])).item() == pytest.approx(sum(by_hand) / 2)
    shares = torch.tensor([[1, 0, 0], [0, 0, 1.0]], dtype=torch.double)
    assert auxiliary(logits, shares).item() == pytest.approx(sum(by_hand) / 2)
    assert torch.autograd.gradcheck(lambda x: auxiliary(x, shares), logits.requires_grad_())


def test_k_plus_one_classes_as_in_the_authors_code() -> None:
    """-1/2 E lse + 1/2 E softplus(lse) + 1/2 E softplus(lse on fakes); and the same as K + 1 explicit classes."""
    torch.manual_seed(0)
    real, fake = (torch.randn(4, 3, dtype=torch.double, requires_grad=True) for _ in range(2))
    lse_real, lse_fake = real.logsumexp(1), fake.logsumexp(1)
    theirs = (-lse_real.mean() + nn.functional.softplus(lse_real).mean() + nn.functional.softplus(lse_fake).mean()) / 2
    assert semi_supervised_d(real, fake).item() == pytest.approx(theirs.item())
    explicit = torch.cat([real, torch.zeros(4, 1)], 1).softmax(1)
    assert torch.allclose(real_logit(real).sigmoid(), 1 - explicit[:, 3])
    assert semi_supervised_g(fake).item() == pytest.approx(nn.functional.softplus(-lse_fake).mean().item())
    assert torch.autograd.gradcheck(semi_supervised_d, (real, fake))
    assert torch.autograd.gradcheck(semi_supervised_g, (fake,))
    blind = torch.full((4, 3), -math.log(3))
    assert semi_supervised_d(blind, blind).item() == pytest.approx(math.log(2))


def test_the_bound_of_infogan_is_tight_for_the_true_posterior() -> None:
    """Codes that are read off without doubt: I(c; x) = H(c). Codes that are lost: 0."""
    codes = torch.arange(4)
    certain = nn.functional.one_hot(codes, 4).double() * 50
    assert mutual_information(log_categorical(certain, codes), math.log(4)).item() == pytest.approx(math.log(4))
    assert mutual_information(log_categorical(torch.zeros(4, 4), codes), math.log(4)).item() == pytest.approx(0, abs=1e-6)
    mean, log_sd = torch.tensor([[0.5, -1.0]], dtype=torch.double), torch.tensor([[0.2, -0.3]], dtype=torch.double)
    normal = torch.distributions.Normal(mean, log_sd.exp())
    where = torch.tensor([[0.1, 0.4]], dtype=torch.double)
    assert log_gaussian(mean, log_sd, where).item() == pytest.approx(normal.log_prob(where).sum().item())
    assert torch.autograd.gradcheck(log_gaussian, (mean.requires_grad_(), log_sd.requires_grad_(), where))


# ---------------------------------------------------------------- BEGAN
def test_began_by_hand() -> None:
    x, copy = torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    on_real = copying_error(x, copy)
    assert on_real.tolist() == [0.5, 1.5]
    assert copying_error(x, copy, power=2).tolist() == [0.5, 2.5]
    on_fake = torch.tensor([2.0, 0.0])
    assert began_d(on_real, on_fake, torch.tensor(0.25)).item() == 1 - 0.25
    assert began_g(on_fake).item() == 1
    balance = Balance(gamma=0.5, rate=0.1)
    balance.update(on_real, on_fake)  # gamma 1 - 1 = -0.5: k stays at its floor
    assert balance.k.item() == 0 and balance.measure.item() == pytest.approx(1.5)
    balance.update(4 * on_real, on_fake)
    assert balance.k.item() == pytest.approx(0.1) and balance.measure.item() == pytest.approx(5)
    for _ in range(20):
        balance.update(4 * on_real, on_fake)
    assert balance.k.item() == 1
    assert set(balance.state_dict()) == {"k", "measure"} and not list(balance.parameters())


def test_began_gradients() -> None:
    x, copy = (torch.randn(3, 2, dtype=torch.double, requires_grad=True) for _ in range(2))
    assert torch.autograd.gradcheck(copying_error, (x, copy))
    assert torch.autograd.gradcheck(lambda r, f: began_d(r, f, torch.tensor(0.3)), (x[:, 0], copy[:, 0]))


# ---------------------------------------------------------------- matching
def test_feature_matching_by_hand() -> None:
    real, fake = torch.tensor([[1.0, 2.0], [3.0, 0.0]]), torch.tensor([[0.0, 0.0], [0.0, 4.0]])
    assert feature_matching(real, fake).item() == (2 + 1) / 2
    assert squared_feature_matching(real, fake).item() == 4 + 1
    torch.manual_seed(0)
    a, b = torch.randn(4, 2, 3, dtype=torch.double), torch.randn(4, 2, 3, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(lambda f: feature_matching(a, f), b)
    assert torch.autograd.gradcheck(lambda f: squared_feature_matching(a, f), b)


def test_history_is_the_mean_of_all_weights_so_far() -> None:
    net = nn.Linear(2, 1).double()
    history, past = History(net), []
    for step in range(5):
        with torch.no_grad():
            net.weight.fill_(step**2)
            net.bias.fill_(-step)
        past.append(torch.cat([p.detach().flatten() for p in net.parameters()]))
        history.update(net)
    mean = torch.stack(past).mean(0)
    assert history.penalty(net).item() == pytest.approx((past[-1] - mean).square().sum().item())
    assert not list(history.parameters()) and set(history.state_dict()) == {"count", "mean0", "mean1"}
    w = torch.randn(3, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(lambda w: historical([w], [torch.ones(3, dtype=torch.double)]), w)


# ---------------------------------------------------------------- several processes
HALF = """
import sys, torch, torch.distributed as dist
from tightrope.objectives import relativistic_average
from tightrope.objectives.matching import feature_matching
rank = int(sys.argv[1])
dist.init_process_group("gloo", init_method="file://" + sys.argv[2], rank=rank, world_size=2)
torch.manual_seed(0)
real, fake = torch.randn(8, 2, dtype=torch.double), torch.randn(8, 2, dtype=torch.double)
w = torch.ones(2, dtype=torch.double, requires_grad=True)
part = slice(4 * rank, 4 * rank + 4)
loss = relativistic_average.d(real[part] @ w, fake[part] @ w) + feature_matching(real[part] * w, fake[part] * w)
(gradient,) = torch.autograd.grad(loss, w)
dist.all_reduce(gradient)  # as the engine averages them
if rank == 0:
    torch.save(gradient / 2, sys.argv[2] + ".pt")
dist.barrier()
dist.destroy_process_group()
"""


def test_means_over_a_batch_are_those_of_all_processes(tmp_path: Path) -> None:
    """Two halves of a batch in two processes give the gradient of the whole, though the losses are not sums over samples."""
    commands = [[sys.executable, "-c", HALF, str(rank), str(tmp_path / "meeting")] for rank in range(2)]
    workers = [subprocess.Popen(command) for command in commands]
    assert [worker.wait(timeout=300) for worker in workers] == [0, 0]
    torch.manual_seed(0)
    real, fake = torch.randn(8, 2, dtype=torch.double), torch.randn(8, 2, dtype=torch.double)
    w = torch.ones(2, dtype=torch.double, requires_grad=True)
    loss = relativistic_average.d(real @ w, fake @ w) + feature_matching(real * w, fake * w)
    (whole,) = torch.autograd.grad(loss, w)
    torch.testing.assert_close(torch.load(tmp_path / "meeting.pt"), whole, rtol=1e-12, atol=1e-12)
