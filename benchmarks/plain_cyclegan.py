"""The peer: CycleGAN as published and as every tutorial writes it. fp32, contiguous, batches of one, six or nine residual blocks,
critics of 70x70 patches, least squares, cycle 10, identity 0.5, pools of 50, Adam 2e-4 (0.5, 0.999), losses read at every step.

The networks are built here from torch alone.
"""

from __future__ import annotations

import itertools
import random

import torch
from torch import Tensor, nn


class Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        half = [nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3), nn.InstanceNorm2d(width)]
        other = [nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3), nn.InstanceNorm2d(width)]
        self.model = nn.Sequential(*half, nn.ReLU(True), *other)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.model(x)


def generator(blocks: int, width: int = 64) -> nn.Sequential:
    layers: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(3, width, 7), nn.InstanceNorm2d(width), nn.ReLU(True)]
    for k in (1, 2):
        layers += [nn.Conv2d(k * width, 2 * k * width, 3, 2, 1), nn.InstanceNorm2d(2 * k * width), nn.ReLU(True)]
    layers += [Residual(4 * width) for _ in range(blocks)]
    for k in (4, 2):
        up = nn.ConvTranspose2d(k * width, k * width // 2, 3, 2, 1, 1)
        layers += [up, nn.InstanceNorm2d(k * width // 2), nn.ReLU(True)]
    return nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(width, 3, 7), nn.Tanh())


def discriminator(width: int = 64) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(3, width, 4, 2, 1), nn.LeakyReLU(0.2, True)]
    for k, stride in ((1, 2), (2, 2), (4, 1)):
        layers += [nn.Conv2d(k * width, 2 * k * width, 4, stride, 1), nn.InstanceNorm2d(2 * k * width), nn.LeakyReLU(0.2, True)]
    return nn.Sequential(*layers, nn.Conv2d(8 * width, 1, 4, 1, 1))


def initialise(module: nn.Module) -> None:
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0.0, 0.02)
        nn.init.zeros_(module.bias)


class Pool:
    """Fifty earlier fakes, one of which is shown half of the time."""

    def __init__(self, size: int = 50) -> None:
        self.size, self.kept = size, []

    def __call__(self, fake: Tensor) -> Tensor:
        if len(self.kept) < self.size:
            self.kept.append(fake)
            return fake
        if random.random() < 0.5:
            return fake
        place = random.randrange(self.size)
        old, self.kept[place] = self.kept[place], fake
        return old


class PlainLoop:
    """The published loop, a step at a time: G and F, then both critics."""

    def __init__(self, blocks: int, seed: int = 0) -> None:
        torch.manual_seed(seed)
        self.g, self.f = (generator(blocks).apply(initialise) for _ in range(2))
        self.d_a, self.d_b = (discriminator().apply(initialise) for _ in range(2))
        makers, critics = (itertools.chain(a.parameters(), b.parameters()) for a, b in ((self.g, self.f), (self.d_a, self.d_b)))
        self.optimizer, self.d_optimizer = (torch.optim.Adam(p, lr=2e-4, betas=(0.5, 0.999)) for p in (makers, critics))
        self.pool_a, self.pool_b, self.mse, self.l1 = Pool(), Pool(), nn.MSELoss(), nn.L1Loss()

    def learn(self, a: Tensor, b: Tensor) -> tuple[float, ...]:
        """One step of all four networks on a picture of each domain."""
        for critic in (self.d_a, self.d_b):
            critic.requires_grad_(False)
        self.optimizer.zero_grad()
        fake_b, fake_a = self.g(a), self.f(b)
        cycle = self.l1(self.f(fake_b), a) + self.l1(self.g(fake_a), b)
        identity = self.l1(self.g(b), b) + self.l1(self.f(a), a)
        on_b, on_a = self.d_b(fake_b), self.d_a(fake_a)
        adversarial = self.mse(on_b, torch.ones_like(on_b)) + self.mse(on_a, torch.ones_like(on_a))
        (adversarial + 10 * cycle + 5 * identity).backward()
        self.optimizer.step()
        for critic in (self.d_a, self.d_b):
            critic.requires_grad_(True)
        self.d_optimizer.zero_grad()
        losses = []
        for critic, real, fake in ((self.d_a, a, self.pool_a(fake_a.detach())), (self.d_b, b, self.pool_b(fake_b.detach()))):
            on_real, on_fake = critic(real), critic(fake)
            loss = 0.5 * (self.mse(on_real, torch.ones_like(on_real)) + self.mse(on_fake, torch.zeros_like(on_fake)))
            loss.backward()
            losses.append(loss.item())
        self.d_optimizer.step()
        return (adversarial.item(), cycle.item(), identity.item(), *losses)
