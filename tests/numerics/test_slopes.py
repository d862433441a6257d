"""Logits with their gradient as one function: the same numbers as autograd's double backward, in every direction."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tightrope.networks.dcgan import DCGANCritic
from tightrope.networks.layers import convolution, slopes
from tightrope.networks.layers.slopes import with_gradient
from tightrope.networks.mlp import MLPCritic
from tightrope.networks.wgan import ConvCritic, PerceptronCritic
from tightrope.objectives import non_saturating
from tightrope.penalties import r1, squared_gradient
from tightrope.penalties import with_gradient as of_critic

CRITICS = {
    "dcgan": (lambda: DCGANCritic(channels=3, size=16, width=32, norm=False), (5, 3, 16, 16)),
    "mlp": (lambda: MLPCritic((2,), width=8, depth=3), (6, 2)),
    "wgan-gp's perceptron": (lambda: PerceptronCritic((2,), width=8, depth=3), (6, 2)),
    "wgan-gp's convolutions": (lambda: ConvCritic(channels=3, size=16, width=8), (4, 3, 16, 16)),
    "mlp on images": (lambda: MLPCritic((1, 4, 4), width=8, depth=2), (3, 1, 4, 4)),
}
STACKS = {
    "other convolutions": (
        lambda: nn.Sequential(
            nn.Conv2d(4, 6, 3, 1, 1, groups=2), nn.ReLU(), nn.Conv2d(6, 8, 3, 2, 0, bias=False), nn.LeakyReLU(0.1), nn.Flatten(), nn.Linear(32, 1)
        ),
        (3, 4, 6, 6),
    ),
    "one map": (lambda: nn.Sequential(nn.Flatten(), nn.Linear(6, 1)), (4, 6)),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _small_layers_take_the_routes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_BROAD", "_DEEP", "_WHOLE"):
        monkeypatch.setattr(convolution, name, 1 if name != "_DEEP" else 32)


def twice(critic: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """By automatic differentiation."""
    x = x.clone().requires_grad_(True)
    logits = critic(x).flatten()
    (gradient,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return logits, gradient


def gradients(loss: Tensor, parameters: list[nn.Parameter]) -> list[Tensor]:
    """Zeros where the loss does not see a parameter."""
    found = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
    return [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, found, strict=True)]


def losses(logits: Tensor, gradient: Tensor) -> dict[str, Tensor]:
    tilt = torch.linspace(-1, 1, gradient[0].numel(), dtype=gradient.dtype).view(gradient[0].shape)
    return {
        "both": logits.sin().sum() + gradient.square().sum() + (gradient * tilt).sin().sum(),
        "logits alone": logits.sin().sum(),
        "gradient alone": gradient.square().flatten(1).sum(1).sqrt().sum(),
    }


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("name", [*CRITICS, *STACKS])
def test_is_what_autograd_finds(name: str, channels_last: bool) -> None:
    torch.manual_seed(0)
    make, shape = (CRITICS | STACKS)[name]
    critic, x = make().double(), torch.randn(shape, dtype=torch.double)
    if channels_last and x.dim() == 4:
        critic, x = critic.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    with torch.no_grad():
        for p in critic.parameters():  # biases start at 0, which would hide a mistake
            p.add_(0.1 * torch.randn_like(p))
    found = with_gradient(critic, x) if isinstance(critic, nn.Sequential) else critic.with_gradient(x)
    assert found is not None
    expected = twice(critic, x)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)
    parameters = list(critic.parameters())
    for ours, theirs in zip(losses(*found).values(), losses(*expected).values(), strict=True):
        for a, b in zip(gradients(ours, parameters), gradients(theirs, parameters), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)


def test_gradcheck() -> None:
    torch.manual_seed(0)
    critic = DCGANCritic(channels=2, size=8, width=3, norm=False).double()
    steps = slopes._steps(critic.main)
    x = torch.randn(2, 2, 8, 8, dtype=torch.double)
    parameters = [
        p.detach().add(0.3 * torch.randn_like(p)).requires_grad_() for step in steps for p in (step.layer.weight, step.layer.bias)
    ]
    assert torch.autograd.gradcheck(lambda *p: slopes._WithGradient.apply(x, steps, torch.double, *p), parameters)


@pytest.mark.parametrize("name", CRITICS)
def test_bf16_stays_near_fp32(name: str) -> None:
    torch.manual_seed(0)
    make, shape = CRITICS[name]
    critic, x = make(), torch.randn(shape)
    expected = gradients(losses(*twice(critic, x))["both"], list(critic.parameters()))
    with torch.autocast("cpu", torch.bfloat16):
        found, usual = critic.with_gradient(x), twice(critic, x)
    assert all(part.dtype == torch.float32 for part in found)
    errors = []
    for way in (found, usual):
        ours = gradients(losses(*way)["both"], list(critic.parameters()))
        assert all(p.dtype == torch.float32 for p in ours)
        sides = (torch.cat([g.flatten() for g in side]) for side in (ours, expected))
        errors.append(1 - torch.cosine_similarity(*sides, dim=0).item())
    assert errors[0] < max(1e-4, 1.5 * errors[1]), "no farther from fp32 than autograd in bf16"


def test_other_stacks_are_left_to_autograd() -> None:
    x = torch.randn(3, 1, 8, 8)
    for critic in (
        DCGANCritic(channels=1, size=8, width=4, norm=False, outputs=2),
        MLPCritic((1, 8, 8), width=4, depth=1, pieces=2),
        MLPCritic((1, 8, 8), width=4, depth=1, dropout=0.5),
    ):
        assert critic.with_gradient(x) is None
    assert DCGANCritic(channels=1, size=16, width=4).with_gradient(torch.randn(3, 1, 16, 16)) is None
    plain = MLPCritic((1, 8, 8), width=4, depth=1)
    assert plain.with_gradient(x.clone().requires_grad_()) is None, "x has a graph of its own"
    assert MLPCritic((1, 8, 8), width=4, depth=1, dropout=0.5).eval().with_gradient(x) is not None
    nn.utils.parametrizations.spectral_norm(plain.layers[1])
    assert plain.with_gradient(x) is None


def test_penalties_take_the_short_way_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    critic, x = MLPCritic((2,), width=8, depth=2), torch.randn(6, 2)
    calls: list[int] = []
    apply = slopes._WithGradient.apply
    monkeypatch.setattr(slopes._WithGradient, "apply", lambda *a: calls.append(1) or apply(*a))
    points = x.clone().requires_grad_()
    torch.testing.assert_close(r1(critic, x), squared_gradient(critic(points), points))
    assert calls == [1]
    r1(lambda x: critic(x), x)
    assert calls == [1]


def test_a_whole_step_of_d_is_the_same() -> None:
    """The adversarial loss and R1 from one forward pass, against separate passes."""
    torch.manual_seed(0)
    critic = DCGANCritic(channels=3, size=16, width=8, norm=False).double()
    real, fake = torch.randn(4, 3, 16, 16, dtype=torch.double), torch.randn(4, 3, 16, 16, dtype=torch.double)
    on_real, gradient = of_critic(critic, real)
    ours = non_saturating.d(on_real, critic(fake)) + 3 * gradient.flatten(1).square().sum(1).mean()
    plain = non_saturating.d(critic(real), critic(fake)) + 3 * r1(lambda x: critic(x), real).mean()
    parameters = list(critic.parameters())
    for a, b in zip(torch.autograd.grad(ours, parameters), torch.autograd.grad(plain, parameters), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)
