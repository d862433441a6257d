"""The peer: pix2pix as published and as every tutorial writes it. fp32, contiguous, batches of one, binary cross-entropy plus 100
times L1, two backward passes for D, losses read at every step, Adam 2e-4 (0.5, 0.999) that falls to 0 in the second half.

The networks are the published ones, built here from torch alone: a U-Net of 64 channels that halves to one pixel, with dropout,
and a critic of 70x70 patches. Given an advantage: its data are tensors in memory, so it never waits for a loader.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ENLARGED = 286 / 256  # pictures are enlarged so much before a square is cut out


class Block(nn.Module):
    """One level of the U-Net."""

    def __init__(self, outer: int, inner: int, within: nn.Module | None, *, inputs: int, last: bool = False, drop: bool = False):
        super().__init__()
        down = nn.Conv2d(inputs, inner, 4, 2, 1, bias=False)
        up = nn.ConvTranspose2d(inner if within is None else 2 * inner, outer, 4, 2, 1, bias=last)
        before = [down] if last else [nn.LeakyReLU(0.2), down]
        middle: list[nn.Module] = []
        if within is not None:
            middle = [within] if last else [nn.BatchNorm2d(inner), within]
        after = [nn.Tanh()] if last else [nn.BatchNorm2d(outer), *([nn.Dropout(0.5)] if drop else [])]
        self.last, self.model = last, nn.Sequential(*before, *middle, nn.ReLU(), up, *after)

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x) if self.last else torch.cat([x, self.model(x)], 1)


def generator(size: int, width: int = 64) -> nn.Module:
    """8 halvings at 256 px, 6 at 64 px."""
    downs = size.bit_length() - 1
    net = Block(8 * width, 8 * width, None, inputs=8 * width)
    for _ in range(downs - 5):
        net = Block(8 * width, 8 * width, net, inputs=8 * width, drop=True)
    for k in (4, 2, 1):
        net = Block(k * width, 2 * k * width, net, inputs=k * width)
    return Block(3, width, net, inputs=3, last=True)


def discriminator(width: int = 64) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(6, width, 4, 2, 1), nn.LeakyReLU(0.2, True)]
    for k, stride in ((1, 2), (2, 2), (4, 1)):
        conv = nn.Conv2d(k * width, 2 * k * width, 4, stride, 1, bias=False)
        layers += [conv, nn.BatchNorm2d(2 * k * width), nn.LeakyReLU(0.2, True)]
    return nn.Sequential(*layers, nn.Conv2d(8 * width, 1, 4, 1, 1))


def initialise(module: nn.Module) -> None:
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d) and module.affine:
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


class PlainLoop:
    """The published loop, a step at a time.

    Args:
        given, real: (N, 3, S, S) in [-1, 1], pairs.
        total: steps after which the rates are 0; None leaves them as they are.
    """

    def __init__(self, given: Tensor, real: Tensor, seed: int = 0, total: int | None = None) -> None:
        torch.manual_seed(seed)
        self.pairs, self.size, self.total = torch.cat([given, real], 1), real.shape[-1], total
        self.g, self.d = generator(self.size).apply(initialise), discriminator().apply(initialise)
        self.criterion, self.l1 = nn.BCEWithLogitsLoss(), nn.L1Loss()
        self.g_optimizer = torch.optim.Adam(self.g.parameters(), lr=2e-4, betas=(0.5, 0.999))
        self.d_optimizer = torch.optim.Adam(self.d.parameters(), lr=2e-4, betas=(0.5, 0.999))
        self.steps = 0
        self.order: list[int] = []

    def draw(self) -> tuple[Tensor, Tensor]:
        """A pair, enlarged, cut and perhaps mirrored."""
        if not self.order:
            self.order = torch.randperm(len(self.pairs)).tolist()
        pair, large = self.pairs[self.order.pop()][None], round(self.size * ENLARGED)
        pair = F.interpolate(pair, size=(large, large), mode="bicubic", align_corners=False).clamp(-1, 1)
        top, left = torch.randint(large - self.size + 1, (2,)).tolist()
        pair = pair[:, :, top : top + self.size, left : left + self.size]
        pair = pair.flip(3) if torch.rand(()) < 0.5 else pair
        return pair[:, :3].contiguous(), pair[:, 3:].contiguous()

    def step(self) -> tuple[float, ...]:
        """One step of both networks; returns the losses, as the published loop prints them."""
        given, real = self.draw()
        return self.learn(given, real)

    def learn(self, given: Tensor, real: Tensor) -> tuple[float, ...]:
        """D, then G, on a pair."""
        if self.total:
            for optimizer in (self.g_optimizer, self.d_optimizer):
                optimizer.param_groups[0]["lr"] = 2e-4 * min(1.0, max(0.0, 2 - 2 * self.steps / self.total))
        fake = self.g(given)
        self.d.requires_grad_(True)
        self.d_optimizer.zero_grad()
        on_fake = self.d(torch.cat([given, fake], 1).detach())
        on_real = self.d(torch.cat([given, real], 1))
        fakes, reals = (self.criterion(x, torch.full_like(x, y)) for x, y in ((on_fake, 0.0), (on_real, 1.0)))
        ((fakes + reals) * 0.5).backward()
        self.d_optimizer.step()
        self.d.requires_grad_(False)
        self.g_optimizer.zero_grad()
        on_fake = self.d(torch.cat([given, fake], 1))
        adversarial, near = self.criterion(on_fake, torch.ones_like(on_fake)), 100 * self.l1(fake, real)
        (adversarial + near).backward()
        self.g_optimizer.step()
        self.steps += 1
        return fakes.item(), reals.item(), adversarial.item(), near.item()

    def train(self, seconds: float) -> None:
        """Step until `seconds` of wall time are over; the rates fall with the time."""
        begin = time.perf_counter()
        while (gone := time.perf_counter() - begin) < seconds:
            if gone > 0.1 * seconds and self.steps % 50 == 0:
                self.total = int(self.steps / gone * seconds)
            self.step()

    def translator(self, *, as_published: bool) -> Callable[[Tensor], Tensor]:
        """(N, 3, S, S) -> (N, 3, S, S): a picture at a time with its own statistics and dropout (published), or averages."""
        self.g.train(as_published)

        @torch.no_grad()
        def translate(given: Tensor) -> Tensor:
            self.g.train(as_published)
            torch.manual_seed(0)
            return torch.cat([self.g(one) for one in given.split(1)])

        return translate
