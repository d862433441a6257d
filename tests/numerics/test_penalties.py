"""Penalties against closed forms, the reference's numbers, and float64 gradients (in the weights: second derivatives of the critic)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tightrope.networks.mlp import MLPCritic
from tightrope.penalties import (
    LeCam,
    balanced,
    clip_,
    consensus,
    consistency,
    distance,
    dragan,
    field,
    followed,
    interpolated,
    latent_spread,
    lecam,
    nearby,
    orthogonal,
    r1,
    r2,
    squared,
    squared_gradient,
    with_gradient,
)
from tightrope.penalties.weights import off_diagonal

REAL = torch.randn(4, 3, dtype=torch.double, generator=torch.Generator().manual_seed(1))
FAKE = torch.randn(4, 3, dtype=torch.double, generator=torch.Generator().manual_seed(2))
ALPHA = torch.tensor([0.1, 0.5, 0.7, 1.0], dtype=torch.double)
NOISE = 0.3 * REAL.roll(1, 0)

Penalty = Callable[[Callable[[Tensor], Tensor]], Tensor]
OF_GRADIENTS: dict[str, Penalty] = {
    "r1": lambda critic: r1(critic, REAL),
    "r2": lambda critic: r2(critic, FAKE),
    "wgan-gp": lambda critic: interpolated(critic, REAL, FAKE, alpha=ALPHA),
    "wgan-gp one-sided": lambda critic: interpolated(critic, REAL, FAKE, target=0.5, one_sided=True, alpha=ALPHA),
    "0-gp": lambda critic: interpolated(critic, REAL, FAKE, target=0.0, alpha=ALPHA),
    "dragan": lambda critic: dragan(critic, REAL, noise=NOISE),
    "dragan one-sided": lambda critic: dragan(critic, REAL, target=0.5, one_sided=True, noise=NOISE),
}
each = pytest.mark.parametrize("name", OF_GRADIENTS)


def linear(slope: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda x: x.flatten(1) @ slope + 0.7


@each
def test_of_a_linear_critic(name: str) -> None:
    """A linear critic has the same gradient everywhere: a closed form in its norm alone."""
    slope = torch.tensor([1.0, -2.0, 2.0], dtype=torch.double)  # of norm 3
    expected = {
        "r1": 9.0,
        "r2": 9.0,
        "wgan-gp": 4.0,
        "wgan-gp one-sided": 2.5**2,
        "0-gp": 9.0,
        "dragan": 4.0,
        "dragan one-sided": 2.5**2,
    }
    assert torch.allclose(OF_GRADIENTS[name](linear(slope)), torch.full((4,), expected[name], dtype=torch.double))
    gentle = {"wgan-gp": 0.81, "wgan-gp one-sided": 0.0, "dragan": 0.81, "dragan one-sided": 0.0}
    assert torch.allclose(OF_GRADIENTS[name](linear(slope / 30)), torch.full((4,), gentle.get(name, 0.01), dtype=torch.double))


@each
def test_of_a_quadratic_critic(name: str) -> None:
    """D(x) = |x|^2 has the gradient 2 x: the value tells at which points it was taken."""
    mixed = ALPHA[:, None] * REAL + (1 - ALPHA[:, None]) * FAKE
    points = {
        "r1": REAL,
        "r2": FAKE,
        "wgan-gp": mixed,
        "wgan-gp one-sided": mixed,
        "0-gp": mixed,
        "dragan": REAL + NOISE,
        "dragan one-sided": REAL + NOISE,
    }
    target = {"r1": 0.0, "r2": 0.0, "0-gp": 0.0, "wgan-gp": 1.0, "dragan": 1.0}.get(name, 0.5)
    excess = 2 * points[name].norm(dim=1) - target
    expected = (excess.clamp_min(0) if "one-sided" in name else excess).square()
    assert torch.allclose(OF_GRADIENTS[name](lambda x: x.square().sum(1)), expected)


@each
def test_gradients_in_the_weights(name: str) -> None:
    torch.manual_seed(0)
    critic = MLPCritic((3,), width=4, depth=2).double()
    names = [n for n, _ in critic.named_parameters()]

    def penalty(*weights: Tensor) -> Tensor:
        named = dict(zip(names, weights, strict=True))
        return OF_GRADIENTS[name](lambda x: torch.func.functional_call(critic, named, (x,)))

    weights = tuple(p.detach().clone().requires_grad_() for p in critic.parameters())
    assert torch.autograd.gradcheck(penalty, weights)


def test_one_forward_pass_serves_logits_and_penalty() -> None:
    critic = MLPCritic((3,), width=4, depth=2).double()
    x = REAL.clone().requires_grad_(True)
    assert torch.allclose(squared_gradient(critic(x), x), r1(critic, REAL))
    logits, gradient = with_gradient(critic, REAL)
    assert torch.allclose(logits, critic(REAL)) and torch.allclose(squared(gradient), r1(critic, REAL))
    assert torch.equal(distance(gradient, 0.0), squared(gradient))


def test_of_images_in_bf16_comes_out_in_fp32() -> None:
    points = torch.randn(6, 3, 2, 2)
    assert torch.allclose(r1(lambda x: x.square().flatten(1).sum(1), points), 4 * points.square().flatten(1).sum(1))
    assert r1(lambda x: x.square().flatten(1).sum(1), points.bfloat16()).dtype == torch.float32


def test_a_flat_critic_gives_finite_gradients() -> None:
    """The norm has no derivative at 0: there it counts as flat, not as NaN."""
    slope = torch.zeros(3, dtype=torch.double, requires_grad=True)
    value = interpolated(linear(slope), REAL, FAKE).mean()
    value.backward()
    assert value.item() == 1 and torch.equal(slope.grad, torch.zeros(3, dtype=torch.double))


def test_drawn_points_lie_where_they_should() -> None:
    seen: list[Tensor] = []

    def critic(x: Tensor) -> Tensor:
        seen.append(x.detach())
        return x.flatten(1).sum(1)

    real, fake = torch.zeros(500, 2, 3, 3), torch.ones(500, 2, 3, 3)
    interpolated(critic, real, fake)
    assert (seen[0].flatten(1).std(1) < 1e-6).all(), "one alpha a pair"
    assert 0.45 < seen[0].mean() < 0.55 and seen[0].min() >= 0 and seen[0].max() <= 1
    spread = torch.randn(500, 2, 3, 3)
    dragan(critic, spread, spread=0.5)
    away = (seen[1] - spread) / spread.std()
    assert away.min() >= 0 and away.max() <= 0.5 and away.mean().item() == pytest.approx(0.125, abs=0.01)


# ---------------------------------------------------------------- weights
def test_clipping() -> None:
    net = nn.Linear(3, 2)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[-1.0, 0.005, 0.2], [0.01, -0.01, 0.0]]))
        net.bias.copy_(torch.tensor([3.0, -0.002]))
    clip_(net, 0.01)
    assert torch.equal(net.weight, torch.tensor([[-0.01, 0.005, 0.01], [0.01, -0.01, 0.0]]))
    assert torch.equal(net.bias, torch.tensor([0.01, -0.002]))


def test_orthogonal_by_hand() -> None:
    w = torch.tensor([[1.0, 2.0], [3.0, -1.0], [2.0, -1.0]], dtype=torch.double)  # products of rows: 1, 0 and 7
    assert off_diagonal(w).item() == 1 + 0 + 49
    assert off_diagonal(torch.diag(torch.tensor([1.0, 5.0, -2.0]))).item() == 0
    assert torch.autograd.gradcheck(off_diagonal, torch.randn(3, 2, 2, 2, dtype=torch.double, requires_grad=True))
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 2)).double()
    assert orthogonal(net).item() == pytest.approx((off_diagonal(net[0].weight) + off_diagonal(net[2].weight)).item())
    assert orthogonal(net, without=[net[2]]).item() == pytest.approx(off_diagonal(net[0].weight).item())


@pytest.mark.parity
def test_orthogonal_of_the_reference(parity: Path) -> None:
    vectors = torch.load(parity / "biggan_misc.pt", weights_only=True)
    w = vectors["inputs"]["w"].requires_grad_(True)
    (gradient,) = torch.autograd.grad(1e-4 * off_diagonal(w), w)
    torch.testing.assert_close(gradient, vectors["outputs"]["ortho_grad"], rtol=1e-5, atol=1e-10)


# ---------------------------------------------------------------- consistency and LeCam
def test_consistency_by_hand() -> None:
    before, after = torch.tensor([1.0, 2.0]), torch.tensor([0.0, 4.0])
    assert consistency(before, after).tolist() == [1, 4]
    assert consistency(torch.ones(2, 3), torch.zeros(2, 3)).tolist() == [3, 3]
    assert balanced(before, after, after, before, real=10, fake=2).item() == 25 + 5
    assert latent_spread(torch.ones(2, 3, 2, 2), torch.zeros(2, 3, 2, 2)).tolist() == [-12, -12]
    pair = tuple(torch.randn(3, 2, dtype=torch.double, requires_grad=True) for _ in range(2))
    assert torch.autograd.gradcheck(consistency, pair)
    z = torch.zeros(20000, 2)
    assert nearby(z, 0.03).std().item() == pytest.approx(0.03, rel=0.05)


def test_lecam_by_hand() -> None:
    real, fake = torch.tensor([1.0, -3.0], dtype=torch.double), torch.tensor([-1.0, 2.0], dtype=torch.double)
    value = lecam(real, fake, torch.tensor(0.5), torch.tensor(-1.0))  # (2^2 + 0) / 2 + (1.5^2 + 0) / 2
    assert value.item() == pytest.approx(2 + 1.125)
    assert torch.autograd.gradcheck(
        lambda r, f: lecam(r, f, torch.tensor(0.5), torch.tensor(-1.0)), (real.requires_grad_(), fake.requires_grad_())
    )


def test_lecam_remembers() -> None:
    regulariser = LeCam(decay=0.9, start=2)
    batches = [(torch.tensor([1.0, 3.0]), torch.tensor([-1.0])), (torch.tensor([4.0]), torch.tensor([0.0]))] * 2
    real = fake = 0.0
    for step, (on_real, on_fake) in enumerate(batches, 1):
        regulariser.update(on_real, on_fake)
        share = 1.0 if step <= 2 else 0.1
        real, fake = real + share * (on_real.mean().item() - real), fake + share * (on_fake.mean().item() - fake)
        assert regulariser.real.item() == pytest.approx(real) and regulariser.fake.item() == pytest.approx(fake)
        expected = lecam(on_real, on_fake, torch.tensor(real), torch.tensor(fake)) if step > 2 else torch.tensor(0.0)
        assert regulariser(on_real, on_fake).item() == pytest.approx(expected.item(), rel=1e-6)
    assert set(regulariser.state_dict()) == {"real", "fake", "steps"} and not list(regulariser.parameters())


# ---------------------------------------------------------------- consensus
def test_consensus_of_a_bilinear_game() -> None:
    """L_D = 2 a b = -L_G: v = (2 b, -2 a), so 1/2 |v|^2 = 2 (a^2 + b^2)."""
    a, b = torch.tensor(1.5, dtype=torch.double, requires_grad=True), torch.tensor(-0.5, dtype=torch.double, requires_grad=True)
    v = field((2 * a * b, [a]), (-2 * a * b, [b]))
    assert [part.item() for part in v] == [-1.0, -3.0]
    assert consensus(v).item() == pytest.approx(2 * (1.5**2 + 0.5**2))
    loss = followed(v, [a, b]) + 0.1 * consensus(v)
    gradient = torch.autograd.grad(loss, [a, b])
    assert gradient[0].item() == pytest.approx(-1.0 + 0.1 * 4 * 1.5)
    assert gradient[1].item() == pytest.approx(-3.0 + 0.1 * 4 * -0.5)

    def length(a: Tensor, b: Tensor) -> Tensor:
        return consensus(field(((a * b).sin(), [a]), ((a - b) ** 3, [b])))

    assert torch.autograd.gradcheck(length, (a, b))
