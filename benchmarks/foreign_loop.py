"""What the guardian finds in somebody else's loop: a tutorial's DCGAN with faults planted in it, watched in three lines.

Each fault begins at a known step of a run on embedded fashion at 32 px. The table says when the guardian first told the right
verdict, what else it told before the fault and on the loop without one, and the share of CPU time that it took.

python benchmarks/foreign_loop.py                          # all faults, one seed, about 6 minutes of one core
python benchmarks/foreign_loop.py --fault nan --seeds 0 1 2
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import plain_dcgan
import torch
from torch import Tensor, nn

import tightrope
from tightrope import data

BATCH, Z, WIDTH, LR = 64, 100, 16, 5e-4
COLLAPSED = ("duplicating", "mode dropping", "shrinking")
RIGHT = {"none": (), "collapse": COLLAPSED, "strong-d": ("D overpowers",), "nan": ("non-finite",)}


class Told(NamedTuple):
    """A verdict and the step at which it was told."""

    step: int
    name: str


class Run(NamedTuple):
    """What came of one run: verdicts in order, CPU seconds of all of it and of the guardian, samples of the end."""

    told: list[Told]
    seconds: float
    guarding: float
    samples: Tensor


def images() -> Tensor:
    """(N, 1, 32, 32) in [-1, 1]."""
    fashion = data.load("fashion", size=32)
    return fashion.batch(torch.arange(len(fashion)))


def play(reals: Tensor, fault: str, steps: int, at: int, seed: int, watch: bool = True) -> Run:
    """The loop of every tutorial; what is not of it is marked."""
    torch.manual_seed(seed)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(reals), batch_size=BATCH, shuffle=True, drop_last=True)
    netG = plain_dcgan.generator(32, 1, WIDTH).apply(plain_dcgan.initialise)
    netD = plain_dcgan.discriminator(32, 1, WIDTH).apply(plain_dcgan.initialise)[:-1]  # BCELoss would raise at a NaN by itself
    criterion = nn.BCEWithLogitsLoss()
    optimizerD = torch.optim.Adam(netD.parameters(), lr=LR, betas=(0.5, 0.999))
    optimizerG = torch.optim.Adam(netG.parameters(), lr=LR, betas=(0.5, 0.999))
    started, guarding, step, told = time.process_time(), 0.0, 0, list[Told]()

    guardian = tightrope.Guardian(  # the first line
        D=netD, G=netG, optimizers={"D": optimizerD, "G": optimizerG}, steps=steps, tell=None,
        sample=lambda n: netG(torch.randn(n, Z, 1, 1)), data=reals,
    ) if watch else None  # fmt: skip
    guarding += time.process_time() - started

    while step < steps:
        for (real,) in loader:
            real = PLANTED[fault](real, optimizerD, optimizerG, step, at)  # planted

            netD.zero_grad()
            label = torch.full((BATCH,), 1.0)
            output_real = netD(real).view(-1)
            errD_real = criterion(output_real, label)
            errD_real.backward()
            fake = netG(torch.randn(BATCH, Z, 1, 1))
            label.fill_(0.0)
            output_fake = netD(fake.detach()).view(-1)
            errD_fake = criterion(output_fake, label)
            errD_fake.backward()
            errD = errD_real + errD_fake
            optimizerD.step()

            netG.zero_grad()
            label.fill_(1.0)
            output = netD(fake).view(-1)
            errG = criterion(output, label)
            errG.backward()
            optimizerG.step()

            step += 1
            if guardian is not None:
                before, verdict = time.process_time(), guardian.verdict.name
                guardian.step(D=errD, G=errG, real=output_real, fake=output_fake)  # the second line
                guarding += time.process_time() - before
                told += [Told(step, guardian.verdict.name)] if guardian.verdict.name != verdict else []
            if step == steps or (guardian is not None and guardian.stop):  # the third line
                break
    return Run(told, time.process_time() - started, guarding, _samples(netG))


@torch.no_grad()
def _samples(net: nn.Module) -> Tensor:
    net.eval()
    return net(torch.randn(64, Z, 1, 1, generator=torch.Generator().manual_seed(0)))


def _nothing(real: Tensor, d: Any, g: Any, step: int, at: int) -> Tensor:
    return real


def _collapse(real: Tensor, d: Any, g: Any, step: int, at: int) -> Tensor:
    """D no longer learns and G's rate is times 10: G runs to where D once said it was best."""
    if step == at:
        d.param_groups[0]["lr"] = 0.0
        g.param_groups[0]["lr"] *= 10
    return real


def _strong_d(real: Tensor, d: Any, g: Any, step: int, at: int) -> Tensor:
    if step == at:
        d.param_groups[0]["lr"] *= 20
    return real


def _nan(real: Tensor, d: Any, g: Any, step: int, at: int) -> Tensor:
    """One pixel of one image is not a number."""
    if step == at:
        real = real.clone()
        real[0, 0, 16, 16] = math.nan
    return real


Plant = Callable[[Tensor, Any, Any, int, int], Tensor]
PLANTED: dict[str, Plant] = {"none": _nothing, "collapse": _collapse, "strong-d": _strong_d, "nan": _nan}


def row(fault: str, run: Run, at: int, seed: int) -> str:
    """One line of the table."""
    right = RIGHT[fault]
    found = next((t for t in run.told if t.name in right and t.step > at), None)
    early = [t for t in run.told if (t.step <= at or not right) and t.name not in ("healthy", "converged")]
    delay = f"{found.step - at}" if found else "-"
    cells = (
        fault, f"{seed}", f"{at}" if right else "-", f"{found.step}" if found else "-", found.name if found else "-", delay,
        ", ".join(f"{t.name} at {t.step}" for t in early) or "none",
        f"{run.guarding / run.seconds:.1%} of {run.seconds:.0f} s",
    )  # fmt: skip
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--fault", nargs="*", choices=sorted(PLANTED), default=list(PLANTED))
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--at", type=int, default=900, help="the step at which faults begin; a strong D is strong from the start")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0])
    parser.add_argument("--verbose", action="store_true", help="every verdict in order, and a picture of the last samples")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    reals = images()
    print("| fault | seed | planted at step | found at step | verdict | delay, steps | false alarms | guardian's CPU |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for seed in arguments.seeds:
        for fault in arguments.fault:
            at = 0 if fault == "strong-d" else arguments.at
            run = play(reals, fault, arguments.steps, at, seed)
            print(row(fault, run, at, seed), flush=True)
            if arguments.verbose:
                print(*run.told, sep="\n", flush=True)


if __name__ == "__main__":
    main()
