"""The peer: DCGAN as every tutorial writes it. fp32, contiguous, BCE after a sigmoid, two backward passes for D, `.item()`
on every step, Adam 2e-4 (0.5, 0.999), batch 64. The networks are the published ones, built here from torch alone.

Given an advantage over the tutorials: its data is one tensor in memory, so it never waits for a loader.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

BATCH, Z = 64, 100


def generator(size: int, channels: int, width: int = 64) -> nn.Sequential:
    now = width * size // 8
    layers: list[nn.Module] = [nn.ConvTranspose2d(Z, now, 4, 1, 0, bias=False), nn.BatchNorm2d(now), nn.ReLU(True)]
    while now > width:
        layers += [nn.ConvTranspose2d(now, now // 2, 4, 2, 1, bias=False), nn.BatchNorm2d(now // 2), nn.ReLU(True)]
        now //= 2
    return nn.Sequential(*layers, nn.ConvTranspose2d(now, channels, 4, 2, 1, bias=False), nn.Tanh())


def discriminator(size: int, channels: int, width: int = 64) -> nn.Sequential:
    now = width
    layers: list[nn.Module] = [nn.Conv2d(channels, now, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, inplace=True)]
    while now < width * size // 8:
        layers += [nn.Conv2d(now, now * 2, 4, 2, 1, bias=False), nn.BatchNorm2d(now * 2), nn.LeakyReLU(0.2, inplace=True)]
        now *= 2
    return nn.Sequential(*layers, nn.Conv2d(now, 1, 4, 1, 0, bias=False), nn.Sigmoid())


def initialise(module: nn.Module) -> None:
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


class PlainLoop:
    """The tutorial's loop, a step at a time.

    Args:
        images: (N, C, S, S) in [-1, 1].
    """

    def __init__(self, images: Tensor, seed: int = 0) -> None:
        torch.manual_seed(seed)
        self.images, (channels, size) = images, images.shape[1:3]
        self.g, self.d = generator(size, channels).apply(initialise), discriminator(size, channels).apply(initialise)
        self.criterion = nn.BCELoss()
        self.d_optimizer = torch.optim.Adam(self.d.parameters(), lr=2e-4, betas=(0.5, 0.999))
        self.g_optimizer = torch.optim.Adam(self.g.parameters(), lr=2e-4, betas=(0.5, 0.999))
        self.steps = 0
        self.order: list[Tensor] = []

    def step(self) -> tuple[float, float]:
        """One step of both networks; returns the losses, as the tutorials print them."""
        if not self.order:
            self.order = [part for part in torch.randperm(len(self.images)).split(BATCH) if len(part) == BATCH]
        real = self.images[self.order.pop()]
        label = torch.full((BATCH,), 1.0)
        self.d.zero_grad()
        real_loss = self.criterion(self.d(real).view(-1), label)
        real_loss.backward()
        fake = self.g(torch.randn(BATCH, Z, 1, 1))
        fake_loss = self.criterion(self.d(fake.detach()).view(-1), label.fill_(0.0))
        fake_loss.backward()
        d_loss = (real_loss + fake_loss).item()
        self.d_optimizer.step()
        self.g.zero_grad()
        g_loss = self.criterion(self.d(fake).view(-1), label.fill_(1.0))
        g_loss.backward()
        self.g_optimizer.step()
        self.steps += 1
        return d_loss, g_loss.item()

    def train(self, seconds: float) -> None:
        """Step until `seconds` of wall time are over."""
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            self.step()

    def sampler(self, *, training: bool) -> Callable[[int, int], Tensor]:
        """(start, n) -> n samples, with batch statistics (as the tutorials draw them) or with running ones."""
        self.g.train(training)

        @torch.no_grad()
        def draw(start: int, n: int) -> Tensor:
            return self.g(torch.randn(n, Z, 1, 1, generator=torch.Generator().manual_seed(10_000 + start)))

        return draw
