"""What shapes objectives, the schedules of the numbers in them, and the constants of lazy regularisation."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from tightrope.core.game import Adam, Knobs
from tightrope.core.schedules import cosine, exponential, halving, linear, warm_up
from tightrope.networks.mlp import MLPCritic
from tightrope.objectives import non_saturating
from tightrope.objectives.shaping import instance_noise, pack, smoothed, top_k, top_k_count, unrolled
from tightrope.training.optimizers import Optimizer


def test_smoothed_labels_touch_reals_alone() -> None:
    real, fake = torch.tensor([0.3, -1.0]), torch.tensor([2.0, 0.1])
    cross = nn.functional.binary_cross_entropy_with_logits
    objective = smoothed(0.9)
    expected = cross(real, torch.full((2,), 0.9)) + cross(fake, torch.zeros(2))
    assert objective.d(real, fake).item() == pytest.approx(expected.item(), rel=1e-6)
    assert smoothed(1.0).d(real, fake).item() == pytest.approx(non_saturating.d(real, fake).item(), rel=1e-6)
    assert smoothed(1.0).ideal == pytest.approx(math.log(4))


def test_instance_noise() -> None:
    x = torch.zeros(50, 3, 20, 20).to(memory_format=torch.channels_last)
    noisy = instance_noise(x, 0.2)
    assert noisy.std().item() == pytest.approx(0.2, rel=0.02)
    assert noisy.is_contiguous(memory_format=torch.channels_last)
    before = torch.get_rng_state()
    assert instance_noise(x, 0.0) is x and torch.equal(before, torch.get_rng_state())


def test_packs_hold_neighbours_of_the_batch() -> None:
    x = torch.arange(4 * 2 * 3).view(4, 2, 3, 1).float()
    packed = pack(x, 2)
    assert packed.shape == (2, 4, 3, 1)
    assert torch.equal(packed[1], torch.cat([x[2], x[3]]))
    assert pack(torch.randn(6, 2), 3).shape == (2, 6)
    with pytest.raises(ValueError, match="multiple"):
        pack(x, 3)


def test_top_k_passes_gradients_to_the_best_alone() -> None:
    logits = torch.tensor([0.1, 3.0, -1.0, 2.0], requires_grad=True)
    (gradient,) = torch.autograd.grad(top_k(logits, 2).sum(), logits)
    assert gradient.tolist() == [0, 1, 0, 1]
    assert len(top_k(logits, 9)) == 4
    assert [top_k_count(64, epoch) for epoch in (0, 1, 10, 68, 70, 1000)] == [64, 63, 58, 32, 32, 32]


# ---------------------------------------------------------------- unrolling
def test_unrolled_by_hand() -> None:
    """D(x) = w x with the loss w a: after k steps w - k lr a, whatever G's loss; its derivative in a is -k lr."""
    critic = nn.Linear(1, 1, bias=False).double()
    with torch.no_grad():
        critic.weight.fill_(0.5)
    a = torch.tensor([[2.0]], dtype=torch.double, requires_grad=True)
    ahead = unrolled(critic, lambda d: d(a).sum(), steps=3, lr=0.1)
    assert ahead(torch.ones(1, 1, dtype=torch.double)).item() == pytest.approx(0.5 - 0.6)
    (gradient,) = torch.autograd.grad(ahead(torch.ones(1, 1, dtype=torch.double)).sum(), a)
    assert gradient.item() == pytest.approx(-0.3)
    assert critic.weight.item() == 0.5 and critic.weight.grad is None


def test_unrolled_follows_gradient_descent_and_is_differentiable() -> None:
    torch.manual_seed(0)
    critic = MLPCritic((2,), width=4, depth=2).double().requires_grad_(False)  # frozen, as in G's phase
    real = torch.randn(5, 2, dtype=torch.double)
    fake = torch.randn(5, 2, dtype=torch.double, requires_grad=True)

    def loss(d) -> Tensor:
        return non_saturating.d(d(real), d(fake))

    twin = MLPCritic((2,), width=4, depth=2).double()
    twin.load_state_dict(critic.state_dict())
    optimizer = torch.optim.SGD(twin.parameters(), lr=0.3)
    for _ in range(4):
        optimizer.zero_grad()
        loss(twin).backward()
        optimizer.step()
    ahead = unrolled(critic, loss, steps=4, lr=0.3)
    torch.testing.assert_close(ahead(real), twin(real), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(unrolled(critic, loss, steps=0, lr=0.3)(real), critic(real))

    def value(fake: Tensor) -> Tensor:
        ahead = unrolled(critic, lambda d: non_saturating.d(d(real), d(fake)), steps=2, lr=0.3)
        return non_saturating.g(ahead(fake), None)

    assert torch.autograd.gradcheck(value, fake)


# ---------------------------------------------------------------- schedules
def test_schedules_by_hand() -> None:
    assert [cosine(2, 1, p) for p in (-1, 0, 0.5, 1, 9)] == pytest.approx([2, 2, 1.5, 1, 1])
    assert [linear(2, 0, p) for p in (0, 0.25, 1, 2)] == [2, 1.5, 0, 0]
    assert [linear(1, 0, p, start=0.5) for p in (0, 0.5, 0.75, 1)] == [1, 1, 0.5, 0]
    assert [exponential(1, 1e-4, p) for p in (0, 0.25, 0.5, 1, 3)] == pytest.approx([1, 1e-1, 1e-2, 1e-4, 1e-4])
    assert [halving(8, 1000, seen) for seen in (0, 1000, 3000)] == [8, 4, 1]
    assert [warm_up(seen, 100) for seen in (0, 50, 100, 900)] == [0, 0.5, 1, 1]
    assert warm_up(0, 0) == 1


# ---------------------------------------------------------------- lazy regularisation
def test_lazy_constants_are_the_published_ones() -> None:
    """StyleGAN2 (Karras et al. 2020, appendix B): G every 4 and D every 16 steps from 0.0025 and (0, 0.99)."""
    paper = Adam(lr=0.0025, beta1=0, beta2=0.99)
    g, d = paper.lazy(4), paper.lazy(16)
    assert g.lr == pytest.approx(0.002) and g.beta2 == pytest.approx(0.991992, abs=1e-6)
    assert d.lr == pytest.approx(0.0025 * 16 / 17) and d.beta2 == pytest.approx(0.99 ** (16 / 17))
    assert g.beta1 == d.beta1 == 0 and g.eps == paper.eps


@pytest.mark.parametrize("rule", [Adam(lr=1e-3, beta1=0, beta2=1 - 1e-3).lazy(16), Adam(lr=1e-3, beta1=0, beta2=0)])
def test_whole_numbers_as_betas_work(rule: Adam) -> None:
    """PyTorch's fused Adam refuses decay rates that are whole numbers."""
    net = nn.Linear(2, 1)
    optimizer = Optimizer(net, rule)
    before = net.weight.detach().clone()
    net(torch.ones(1, 2)).sum().backward()
    optimizer.step(Knobs(beta2=0))
    assert torch.allclose(net.weight, before - rule.lr, atol=1e-6)


def test_lazy_steps_end_where_full_ones_do() -> None:
    """A constant gradient: k steps and one of k times the penalty move a weight as far as k steps with the penalty in each.

    (With beta1 = 0 and a second moment at rest, a step is lr g / sqrt(E g^2): the two agree to first order, which is why the
    rate is scaled by k / (k + 1).)
    """
    rule, every = Adam(lr=1e-3, beta1=0.0, beta2=0.0), 4
    net, lazy = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
    lazy.load_state_dict(net.state_dict())
    start = net.weight.item()
    full, sparse = Optimizer(net, rule), Optimizer(lazy, rule.lazy(every))
    for _ in range(every):
        net.weight.grad = torch.ones(1, 1)
        full.step(Knobs())
    for _ in range(every + 1):
        lazy.weight.grad = torch.ones(1, 1)
        sparse.step(Knobs())
    assert start - lazy.weight.item() == pytest.approx(start - net.weight.item(), rel=1e-4)
