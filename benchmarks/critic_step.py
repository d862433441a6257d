"""A critic's step with a penalty against the plain loop of the same mathematics: DCGAN's critic without normalisation, 32 px.

plain: what tutorials write: torch's layers in contiguous fp32, one forward pass for every use,
`autograd.grad(create_graph=True)`, Adam as it comes, `.item()`. ours: what a recipe of this package does: bf16 with
channels-last, one pass where samples do not mix, logits with their gradient as one function, fused Adam. Both are given the same
weights, batch and random numbers; the cosine is between their gradients.

python benchmarks/critic_step.py --threads 1
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tightrope.core.game import Adam, Knobs
from tightrope.networks.dcgan import DCGANCritic
from tightrope.objectives import non_saturating, relativistic, wasserstein
from tightrope.penalties import LeCam, balanced, dragan, interpolated, squared, with_gradient
from tightrope.training.engine import Engine
from tightrope.training.optimizers import Optimizer

SIZE, CHANNELS, WEIGHT = 32, 3, 5.0
Terms = Callable[[nn.Module, Tensor, Tensor, Tensor, Tensor], Tensor]  # critic, real, fake, alpha (N,), noise -> D's loss


def plain_critic(width: int) -> nn.Sequential:
    """The same layers from torch alone; its state dict is that of `DCGANCritic.main`."""
    layers: list[nn.Module] = [nn.Conv2d(CHANNELS, width, 4, 2, 1), nn.LeakyReLU(0.2, inplace=True)]
    while width < 4 * layers[0].out_channels:  # type: ignore[operator]
        layers += [nn.Conv2d(width, 2 * width, 4, 2, 1), nn.LeakyReLU(0.2, inplace=True)]
        width *= 2
    return nn.Sequential(*layers, nn.Conv2d(width, 1, 4, 1, 0))


# ---------------------------------------------------------------- the textbook
def slope(d: nn.Module, x: Tensor) -> Tensor:
    x = x.clone().requires_grad_(True)
    out = d(x).view(-1)
    (gradient,) = torch.autograd.grad(out, x, torch.ones_like(out), create_graph=True, retain_graph=True)
    return gradient.view(len(x), -1)


def bce(d: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    return F.softplus(-d(real).view(-1)).mean() + F.softplus(d(fake).view(-1)).mean()


def pairs(d: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    return F.softplus(d(fake).view(-1) - d(real).view(-1)).mean()


def between(real: Tensor, fake: Tensor, alpha: Tensor) -> Tensor:
    return alpha.view(-1, 1, 1, 1) * real + (1 - alpha.view(-1, 1, 1, 1)) * fake


def plain_lecam(d: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    on_real, on_fake = d(real).view(-1), d(fake).view(-1)
    penalty = F.relu(on_real - on_fake.mean().detach()).pow(2).mean() + F.relu(on_real.mean().detach() - on_fake).pow(2).mean()
    return F.softplus(-on_real).mean() + F.softplus(on_fake).mean() + 0.3 * penalty


def plain_bcr(d: nn.Module, real: Tensor, fake: Tensor, noise: Tensor) -> Tensor:
    change = (d(real) - d(real + noise)).pow(2).mean() + (d(fake) - d(fake + noise)).pow(2).mean()
    return bce(d, real, fake) + 10 * change


PLAIN: dict[str, Terms] = {
    "none": lambda d, real, fake, alpha, noise: bce(d, real, fake),
    "r1": lambda d, real, fake, alpha, noise: bce(d, real, fake) + WEIGHT * slope(d, real).pow(2).sum(1).mean(),
    "r1+r2": lambda d, real, fake, alpha, noise: (
        pairs(d, real, fake) + WEIGHT * (slope(d, real).pow(2).sum(1).mean() + slope(d, fake).pow(2).sum(1).mean())
    ),
    "wgan-gp": lambda d, real, fake, alpha, noise: (
        d(fake).mean() - d(real).mean() + 10 * (slope(d, between(real, fake, alpha)).norm(2, dim=1) - 1).pow(2).mean()
    ),
    "0-gp": lambda d, real, fake, alpha, noise: (
        bce(d, real, fake) + WEIGHT * slope(d, between(real, fake, alpha)).pow(2).sum(1).mean()
    ),
    "dragan": lambda d, real, fake, alpha, noise: (
        bce(d, real, fake) + 10 * (slope(d, real + noise).norm(2, dim=1) - 1).pow(2).mean()
    ),
    "lecam": lambda d, real, fake, alpha, noise: plain_lecam(d, real, fake),
    "bcr": lambda d, real, fake, alpha, noise: plain_bcr(d, real, fake, noise),
}


# ---------------------------------------------------------------- ours
def r1_step(d: nn.Module, real: Tensor, fake: Tensor, alpha: Tensor, noise: Tensor) -> Tensor:
    on_real, gradient = with_gradient(d, real)
    return non_saturating.d(on_real, d(fake)) + WEIGHT * squared(gradient).mean()


def r1_r2_step(d: nn.Module, real: Tensor, fake: Tensor, alpha: Tensor, noise: Tensor) -> Tensor:
    logits, gradient = with_gradient(d, torch.cat([real, fake]))
    return relativistic.d(*logits.chunk(2)) + 2 * WEIGHT * squared(gradient).mean()


def both(d: nn.Module, real: Tensor, fake: Tensor) -> list[Tensor]:
    return list(d(torch.cat([real, fake])).chunk(2))


def lecam_step(d: nn.Module, real: Tensor, fake: Tensor, alpha: Tensor, noise: Tensor) -> Tensor:
    regulariser, logits = LeCam(start=0), both(d, real, fake)
    regulariser.update(*logits)
    return non_saturating.d(*logits) + 0.3 * regulariser(*logits)


def bcr_step(d: nn.Module, real: Tensor, fake: Tensor, alpha: Tensor, noise: Tensor) -> Tensor:
    real_logits, real_copies, fake_logits, fake_copies = d(torch.cat([real, real + noise, fake, fake + noise])).chunk(4)
    return non_saturating.d(real_logits, fake_logits) + balanced(real_logits, real_copies, fake_logits, fake_copies)


OURS: dict[str, Terms] = {
    "none": lambda d, real, fake, alpha, noise: non_saturating.d(*both(d, real, fake)),
    "r1": r1_step,
    "r1+r2": r1_r2_step,
    "wgan-gp": lambda d, real, fake, alpha, noise: (
        wasserstein.d(*both(d, real, fake)) + 10 * interpolated(d, real, fake, alpha=alpha).mean()
    ),
    "0-gp": lambda d, real, fake, alpha, noise: (
        non_saturating.d(*both(d, real, fake)) + WEIGHT * interpolated(d, real, fake, target=0, alpha=alpha).mean()
    ),
    "dragan": lambda d, real, fake, alpha, noise: (
        non_saturating.d(*both(d, real, fake)) + 10 * dragan(d, real, noise=noise).mean()
    ),
    "lecam": lecam_step,
    "bcr": bcr_step,
}


class Pair:
    """The two loops on one penalty."""

    def __init__(self, name: str, width: int, batch: int) -> None:
        torch.manual_seed(0)
        self.name, self.engine = name, Engine("cpu", "bf16")
        self.ours = self.engine.place(DCGANCritic(channels=CHANNELS, size=SIZE, width=width, norm=False))
        with torch.no_grad():  # slopes of the size that training gives them, so that a penalty counts
            for p in self.ours.parameters():
                p.copy_(torch.randn_like(p) * (2 / max(1, p[0].numel())) ** 0.5 if p.dim() > 1 else 0.1 * torch.randn_like(p))
        self.plain = plain_critic(width)
        self.plain.load_state_dict({key: value.contiguous() for key, value in self.ours.main.state_dict().items()})
        self.batch = [torch.rand(batch, CHANNELS, SIZE, SIZE) * 2 - 1 for _ in range(2)]
        self.batch += [torch.rand(batch), 0.2 * torch.rand(batch, CHANNELS, SIZE, SIZE)]
        self.brought = [self.engine.bring(part) for part in self.batch]
        rule = Adam(lr=2e-4, beta1=0.5)
        self.optimizer = Optimizer(self.ours, rule)
        self.textbook = torch.optim.Adam(self.plain.parameters(), lr=rule.lr, betas=(rule.beta1, rule.beta2))

    def plain_step(self) -> float:
        self.textbook.zero_grad()
        loss = PLAIN[self.name](self.plain, *self.batch)
        loss.backward()
        self.textbook.step()
        return loss.item()

    def our_step(self) -> None:
        self.optimizer.zero()
        with self.engine.autocast():
            loss = OURS[self.name](self.ours, *self.brought)
        loss.backward()
        self.optimizer.step(Knobs())

    def cosine(self) -> float:
        """Between the gradients of the first step."""
        PLAIN[self.name](self.plain, *self.batch).backward()
        with self.engine.autocast():
            loss = OURS[self.name](self.ours, *self.brought)
        loss.backward()
        sides = [torch.cat([p.grad.flatten() for p in net.parameters() if p.grad is not None]) for net in (self.plain, self.ours)]
        return F.cosine_similarity(*[side.double() for side in sides], dim=0).item()


def measure(pair: Pair, clock: Callable[[], float], repeats: int, steps: int) -> tuple[list[float], list[float]]:
    """Seconds a step of both, interleaved; the first round warms up."""
    plain, ours = [], []
    for repeat in range(repeats + 1):
        start = clock()
        for _ in range(steps):
            pair.plain_step()
        middle = clock()
        for _ in range(steps):
            pair.our_step()
        if repeat:
            plain.append((middle - start) / steps)
            ours.append((clock() - middle) / steps)
    return plain, ours


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--penalties", default=",".join(PLAIN))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    clock, what = (time.process_time, "CPU") if arguments.threads == 1 else (time.perf_counter, "wall")
    print(f"load before: {os.getloadavg()[0]:.2f}; {arguments.threads} threads, {what} time; torch {torch.__version__}")
    print(f"width {arguments.width}, batch {arguments.batch}, {SIZE} px\n")
    print("| penalty | plain ms | ours ms | ratio | least to most | cosine |\n|---|---|---|---|---|---|")
    for name in arguments.penalties.split(","):
        pair = Pair(name, arguments.width, arguments.batch)
        cosine = pair.cosine()
        plain, ours = measure(pair, clock, arguments.repeats, arguments.steps)
        ratios = [p / o for p, o in zip(plain, ours, strict=True)]
        middle = [statistics.median(of) for of in (plain, ours, ratios)]
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        print(
            f"| {name} | {middle[0] * 1e3:.0f} | {middle[1] * 1e3:.0f} | {middle[2]:.2f} | {spread} | {cosine:.5f} |", flush=True
        )


if __name__ == "__main__":
    main()
