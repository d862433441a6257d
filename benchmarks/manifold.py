"""Precision, recall, density and coverage: time and memory at 10,000 x 10,000 x 512, and agreement with their peers.

    python benchmarks/manifold.py

The bars: precision and recall under 60 s and 1 GB of growth; equal to torch-fidelity and prdc to 1 / N. The peers are compared
where they are installed (`pip install --no-deps prdc torch-fidelity`, with scikit-learn and scipy), on 2,000 samples.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import resource
import sys
import time
from collections.abc import Callable
from types import ModuleType
from unittest.mock import MagicMock

import torch
from torch import Tensor

from tightrope.metrics.manifold import coverage_null, density_coverage, precision_recall

PEERS = 2_000


def features(n: int, d: int, seed: int) -> Tensor:
    """Like those of a network: not negative, of low rank but for some noise."""
    draw = torch.Generator().manual_seed(seed)
    mixing = torch.randn(16, d, generator=torch.Generator().manual_seed(0))
    return (torch.randn(n, 16, generator=draw) @ mixing + torch.randn(n, d, generator=draw)).relu()


def measured(name: str, run: Callable[[], object]) -> None:
    """Print the result, the seconds and the growth of the peak of memory."""
    before, start, cpu = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter(), time.process_time()
    result = run()
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    growth = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e3
    print(f"{name}: {seconds:.1f} s ({cpu:.1f} s of CPU), {growth:+,.0f} MB, {result}", flush=True)


def peer(name: str) -> ModuleType | None:
    if importlib.util.find_spec("torchvision") is None:  # torch-fidelity's extractors want it, its statistics do without
        for part in ("", ".transforms", ".transforms.functional", ".datasets", ".models"):
            sys.modules.setdefault(f"torchvision{part}", MagicMock(__spec__=MagicMock()))
    try:
        return importlib.import_module(name)
    except ImportError as error:
        print(f"{name}: not compared ({error})")
        return None


def agreement(real: Tensor, fake: Tensor) -> None:
    fidelity, prdc = peer("torch_fidelity.metric_prc"), peer("prdc")
    if fidelity:
        for k in (3, 5):
            options = {"prc_neighborhood": k, "prc_batch_size": 1_000, "save_cpu_ram": False, "verbose": False}
            theirs = fidelity.prc_features_to_metric(fake, real, **options)
            print(
                f"k {k}: torch-fidelity {theirs['precision']:.6f} {theirs['recall']:.6f}, ours", precision_recall(real, fake, k)
            )
    if prdc:
        for k in (3, 5):
            theirs = prdc.compute_prdc(real.double().numpy(), fake.double().numpy(), k)
            print(f"k {k}: prdc {theirs['density']:.6f} {theirs['coverage']:.6f}, ours", density_coverage(real, fake, k))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--n", type=int, default=10_000, help="samples of each set")
    parser.add_argument("--d", type=int, default=512, help="features")
    arguments = parser.parse_args()
    print(f"{torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f}")
    real, fake = features(arguments.n, arguments.d, 1), features(arguments.n, arguments.d, 2)
    measured("precision and recall", lambda: precision_recall(real, fake))
    measured("density and coverage", lambda: density_coverage(real, fake))
    print(f"coverage of equal distributions: {coverage_null(arguments.n, arguments.n):.6f}")
    agreement(real[:PEERS], fake[:PEERS] * 0.9)


if __name__ == "__main__":
    main()
