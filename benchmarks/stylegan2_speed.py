"""StyleGAN2 at 64 px on a CPU: a training step and sampling, against the same as its papers write it.

plain: a kernel a sample in grouped convolutions, zeros put between pixels, padding and a sliding filter, contiguous fp32; fakes
drawn again for G, Adam as it comes (`tests/plain_stylegan2.py`). ours: `tightrope.networks`, fakes drawn once a round, fused
Adam. Both have the same weights, latents and random numbers; before anything is timed their losses and gradients are compared.
A step is what a round costs: D and G, path lengths every 4th and R1 every 16th round. Times are CPU seconds of one thread, the
two interleaved, so that other work on the machine bears on both alike; ratios are medians over rounds, with the least and the
most. Networks stand still (a rate of 0), so that no gradient dies out into slow denormal numbers. On Linux both keep freed
memory: clearing fresh pages is the kernel's work and not what is compared (`--fresh`: as PyTorch does by itself).

python benchmarks/stylegan2_speed.py                    # 64 px, the published automatic widths (16384, at most 512), batch 16
python benchmarks/stylegan2_speed.py --base 4096 --most 128 --batch 16
"""

from __future__ import annotations

import argparse
import copy
import ctypes
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import plain_stylegan2 as plain
from tightrope.networks.stylegan2 import StyleGAN2Generator
from tightrope.networks.stylegan2_critic import StyleGAN2Critic
from tightrope.penalties import r1
from tightrope.penalties.path_length import path_lengths

SIZE, Z, EVERY = 64, 512, {"sampling": 0.0, "G and D": 1.0, "path lengths": 1 / 4, "R1": 1 / 16}


class Side:
    """Two networks, how they are called, and what is done with them."""

    def __init__(self, g: nn.Module, d: nn.Module, widths: dict[str, Any], *, ours: bool) -> None:
        self.g, self.d, self.ours = copy.deepcopy(g), copy.deepcopy(d), ours
        self.stepping, self.learned = False, list[Tensor]()
        how: dict[str, Any] = {"lr": 0.0, "betas": (0.0, 0.99)} | ({"fused": True} if ours else {})
        self.adam = [torch.optim.Adam(net.parameters(), **how) for net in (self.g, self.d)]
        states = [{**dict(net.named_parameters()), **dict(net.named_buffers())} for net in (self.g, self.d)]
        layers = self.g.num_ws
        self.mapping: Callable[[Tensor], Tensor] = self.g.mapping
        self.synthesis: Callable[[Tensor], Tensor] = self.g.synthesis
        self.critic: Callable[[Tensor], Tensor] = self.d
        if not ours:
            self.mapping = lambda z: plain.mapped(states[0], "mapping.", z, None)[:, None].repeat(1, layers, 1)
            self.synthesis = lambda ws: plain.synthesised(states[0], ws, widths, SIZE, "random")
            self.critic = lambda x: plain.judged(states[1], x, None, widths, SIZE)

    def learns(self, g: bool, d: bool) -> None:
        self.g.requires_grad_(g)
        self.d.requires_grad_(d)
        for adam in self.adam:
            adam.zero_grad()

    def sampling(self, z: Tensor, real: Tensor, noise: Tensor) -> Tensor:
        with torch.no_grad():
            return self.synthesis(self.mapping(z)).norm()

    def players(self, z: Tensor, real: Tensor, noise: Tensor) -> Tensor:
        """D, then G, on the same fakes: plain draws them again for G."""
        seed = torch.random.get_rng_state()
        self.learns(True, True)
        with torch.set_grad_enabled(self.ours):
            fake = self.synthesis(self.mapping(z))
        d_loss = F.softplus(self.critic(fake.detach())).mean() + F.softplus(-self.critic(real)).mean()
        self._taken(d_loss, 1)
        learned = self.learned
        self.learns(True, False)
        if not self.ours:
            torch.random.set_rng_state(seed)
            fake = self.synthesis(self.mapping(z))
        g_loss = self._taken(F.softplus(-self.critic(fake)).mean(), 0)
        self.learned += learned
        return g_loss + d_loss.detach()

    def paths(self, z: Tensor, real: Tensor, noise: Tensor) -> Tensor:
        """On half a batch, as published."""
        self.learns(True, False)
        ws = self.mapping(z[: len(z) // 2])
        loss = 2 * 4 * path_lengths(self.synthesis(ws), ws, noise[: len(z) // 2]).square().mean()
        return self._taken(loss, 0)

    def slopes(self, z: Tensor, real: Tensor, noise: Tensor) -> Tensor:
        self.learns(False, True)
        return self._taken(16 * r1(lambda x: self.critic(x)[:, 0], real).mean(), 1)

    def _taken(self, loss: Tensor, player: int) -> Tensor:
        loss.backward()
        if self.stepping:
            self.adam[player].step()
        else:
            self.learned = gradients((self.g, self.d)[player])
        return loss.detach()

    def moves(self) -> dict[str, Callable[..., Tensor]]:
        return dict(zip(EVERY, (self.sampling, self.players, self.paths, self.slopes), strict=True))


def gradients(net: nn.Module) -> list[Tensor]:
    return [torch.zeros(1) if p.grad is None else p.grad.clone() for p in net.parameters()]


def compared(sides: list[Side], given: tuple[Tensor, ...]) -> None:
    """Losses and gradients of both, before anybody has moved."""
    for name in EVERY:
        found = []
        for side in sides:
            torch.manual_seed(5)
            side.learned = []
            loss = float(side.moves()[name](*given))
            found.append((loss, side.learned))
        (a, ga), (b, gb) = found
        scale = max((g.norm().item() for g in gb), default=1.0)
        apart = max(((x - y).norm().item() / scale for x, y in zip(ga, gb, strict=True)), default=0.0)
        assert abs(a - b) < 1e-4 * max(1.0, abs(b)), (name, a, b)
        assert apart < 1e-3, (name, apart)
        print(f"  {name:13} {b:.5g}, apart {abs(a - b):.1e}; gradients at most {apart:.1e} of the largest apart")


def measured(sides: list[Side], given: tuple[Tensor, ...], rounds: int) -> dict[str, list[tuple[float, float]]]:
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in EVERY}
    for turn in range(rounds):
        for name in EVERY:
            pair = [0.0, 0.0]
            for index in (0, 1) if turn % 2 == 0 else (1, 0):
                torch.manual_seed(turn)
                started = time.process_time()
                sides[index].moves()[name](*given)
                pair[index] = time.process_time() - started
            times[name].append((pair[0], pair[1]))
    return times


def keep_freed_memory() -> None:
    """No block is mapped by itself, and the heap does not shrink: glibc's M_MMAP_MAX (-4) and M_TRIM_THRESHOLD (-1)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).mallopt(-4, 0)
        ctypes.CDLL(None).mallopt(-1, 2**31 - 1)


def row(name: str, pairs: list[tuple[float, float]]) -> str:
    ratios = [a / b for a, b in pairs]
    plain_ms, ours_ms = (1e3 * statistics.median(column) for column in zip(*pairs, strict=True))
    return (
        f"{name:13} {plain_ms:9.0f} {ours_ms:9.0f}   {statistics.median(ratios):5.2f}  ({min(ratios):.2f} to {max(ratios):.2f})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=int, default=16384, help="channels times pixels of a side")
    parser.add_argument("--most", type=int, default=512, help="most channels")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--fresh", action="store_true", help="give freed memory back")
    args = parser.parse_args()
    if not args.fresh:
        keep_freed_memory()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    widths = {"channel_base": args.base, "channel_max": args.most, "conv_clamp": 256}
    g, d = StyleGAN2Generator(Z, 0, 512, SIZE, 3, {"num_layers": 2}, widths), StyleGAN2Critic(0, SIZE, 3, **widths)
    for name, p in g.named_parameters():
        if name.endswith("noise_strength"):
            nn.init.constant_(p, 0.1)
    sides = [Side(g, d, widths, ours=False), Side(g, d, widths, ours=True)]
    shape = (args.batch, 3, SIZE, SIZE)
    given = torch.randn(args.batch, Z), torch.randn(shape), torch.randn(shape)
    load = os.getloadavg()[0]
    print(
        f"StyleGAN2, {SIZE} px, widths {args.base} / {args.most}, batch {args.batch}, one thread, fp32, load {load:.1f}", end=""
    )
    print(f"; memory {'fresh' if args.fresh else 'kept'} on both sides")
    compared(sides, given)
    for side in sides:
        side.stepping = True
    times = measured(sides, given, args.rounds)
    steps = [tuple(sum(share * times[n][k][i] for n, share in EVERY.items()) for i in (0, 1)) for k in range(args.rounds)]
    print(f"{'CPU ms':13} {'plain':>9} {'ours':>9}   ratio  (least to most of {args.rounds} rounds)")
    for name, pairs in times.items():
        print(row(name, pairs))
    print(row("training step", steps))


if __name__ == "__main__":
    main()
