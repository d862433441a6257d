"""Frechet distance at D = 2048: speed beside scipy's matrix root and torch-fidelity's eigenvalues; memory of the moments.

    pip install scipy
    python benchmarks/frechet.py --threads 2 --repeats 3

All work on the same two covariances of 4,096 samples, in float64, in turns within one run; ours with the factor of the
reference at hand (`Reference`), and without. Medians, with the least and the most; OPENBLAS_NUM_THREADS sets the peers' threads.
The time of the eigenvalues of a product that is not symmetric depends on its spectrum, ours does not: so there are three spectra.
First, a fresh process streams 50,000 x 2048 in batches of 500 and prints how far its peak of resident memory rises above what it
was before the first batch.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable

import numpy as np
import torch

from tightrope.metrics.frechet import Moments, Reference, frechet_distance


def moments(n: int, d: int, seed: int, decay: float) -> Moments:
    """Of rotated Gaussian features whose standard deviations fall by 10^decay."""
    draw, found = torch.Generator().manual_seed(seed), Moments()
    turn = torch.linalg.qr(torch.randn(d, d, generator=torch.Generator().manual_seed(0)))[0]
    mixing = torch.logspace(0, -decay, d)[:, None] * turn
    for _ in range(n // 512):
        found.add(torch.randn(512, d, generator=draw) @ mixing + 0.01 * seed)
    return found


def peer_formulas(real: Moments, fake: Moments) -> dict[str, Callable[[], float]]:
    from scipy.linalg import sqrtm

    a, b = real.covariance().numpy(), fake.covariance().numpy()
    rest = (real.mean - fake.mean).square().sum().item() + np.trace(a) + np.trace(b)
    return {
        "scipy.linalg.sqrtm (pytorch-fid)": lambda: float(rest - 2 * np.trace(sqrtm(a @ b)).real),
        "eigvals (torch-fidelity)": lambda: float(rest - 2 * np.sqrt(np.linalg.eigvals(a @ b).astype(complex)).real.sum()),
    }


def speed(d: int, repeats: int, decay: float) -> None:
    real, fake = (moments(2 * d, d, seed, decay) for seed in (1, 2))
    reference = Reference.of(real)
    runs: dict[str, Callable[[], float]] = {
        "ours, factor at hand": lambda: frechet_distance(reference, fake),
        "ours, factor computed": lambda: frechet_distance(real, fake),
        **peer_formulas(real, fake),
    }
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    values = {}
    for _ in range(repeats):
        for name, run in runs.items():
            start = time.perf_counter()
            values[name] = run()
            seconds[name].append(time.perf_counter() - start)
    base = statistics.median(seconds["ours, factor at hand"])
    print(f"D = {d}, {torch.get_num_threads()} threads, {repeats} repeats in turns, standard deviations from 1 to 1e-{decay:g}")
    for name, times in seconds.items():
        middle = statistics.median(times)
        print(
            f"  {name:<34} {middle:7.2f} s ({min(times):.2f} ... {max(times):.2f})  {middle / base:6.1f} x  {values[name]:.12g}",
            flush=True,
        )


def growth(n: int = 50_000, d: int = 2_048, batch: int = 500) -> None:
    draw, found = torch.Generator().manual_seed(0), Moments()
    features = torch.randn(batch, d, generator=draw)
    features @ features.T  # the libraries' own buffers
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    for _ in range(n // batch):
        found.add(features.normal_(generator=draw))
    rise = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / 1e6
    print(f"{n} x {d} in batches of {batch}: peak resident memory + {rise:.0f} MB, {time.perf_counter() - start:.0f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dimensions", type=int, default=2_048)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--decays", type=float, nargs="+", default=[0, 1, 3], help="powers of ten")
    parser.add_argument("--memory", action="store_true", help="the second part alone, in this process")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(arguments.threads)
    if arguments.memory:
        growth()
        return
    subprocess.run([sys.executable, __file__, "--memory", "--threads", str(arguments.threads)], check=True)
    for decay in arguments.decays:
        speed(arguments.dimensions, arguments.repeats, decay)


if __name__ == "__main__":
    main()
