"""Distances between sets of features by kernels: the KID (Binkowski et al. 2018) and the CMMD (Jayasumana et al. 2024).

    MMD^2 = E k(x, x') + E k(y, y') - 2 E k(x, y)
    KID:    k(x, y) = (x.y / d + 1)^3, without the diagonals: unbiased, and negative as often as positive for equal sets
    CMMD:   k(x, y) = exp(-|x - y|^2 / (2 sigma^2)) on the unit sphere, with the diagonals, times 1000

The polynomial kernel has no scale of its own: on features that are not of unit variance the value is theirs to the
sixth power, and a few large features decide it. Other features than Inception's go through a `standardiser` first.

Axes: n real samples, m fake samples, d features.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from tightrope.core.errors import InputError
from tightrope.metrics.intervals import Estimate
from tightrope.metrics.neighbours import feature_sets

ROWS = 1_024  # side of a block of the kernel's matrix: 8 MB of float64
CMMD_SIGMA = 10.0
CMMD_SCALE = 1_000.0

Kernel = Callable[[Tensor, int], Tensor]  # of inner products and d


class Standardiser(NamedTuple):
    """Features less the reference's mean, divided by its root mean square standard deviation: one scale for all of them."""

    mean: Float[Tensor, " d"]
    scale: float

    def __call__(self, features: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        return ((features.double() - self.mean) / self.scale).float()


def standardiser(reference: Float[Tensor, "n d"]) -> Standardiser:
    """The standardiser whose output has zero mean and a mean variance of 1 on `reference`.

    Raises:
        InputError: see `feature_sets`; fewer than 2 samples, or all of them equal.
    """
    (reference,) = feature_sets("standardiser", least=2, reference=reference)
    variance, mean = torch.var_mean(reference.double(), 0)
    if not variance.any():
        raise InputError("standardiser: all samples of the reference are equal; give the real data's features.")
    return Standardiser(mean, variance.mean().sqrt().item())


def kernel_distance(
    real: Float[Tensor, "n d"], fake: Float[Tensor, "m d"], *, subsets: int = 100, size: int = 1_000, seed: int = 2020
) -> Estimate:
    """KID: mean and standard deviation (ddof 0) of the unbiased MMD^2 over random subsets of both sets.

    The subsets are those of torch-fidelity's `kid_features_to_metric(fake, real)` at the same seed.

    Raises:
        InputError: see `feature_sets`; fewer samples than `size`, a size below 2, or no subsets.
    """
    real, fake = feature_sets("kernel_distance", real=real, fake=fake)
    if not 2 <= size <= min(len(real), len(fake)) or subsets < 1:
        raise InputError(
            f"kernel_distance: {subsets} subsets of {size} from {len(real)} real and {len(fake)} fake samples; "
            "give more samples, or a size between 2 and their number and at least one subset."
        )
    draw, values = np.random.RandomState(seed), []
    for _ in range(subsets):
        y = fake[draw.choice(len(fake), size, replace=False)]
        x = real[draw.choice(len(real), size, replace=False)]
        values.append(_mmd2(x, y, _cubic, unbiased=True))
    return Estimate(float(np.mean(values)), float(np.std(values)))


def unbiased_kernel_distance(real: Float[Tensor, "n d"], fake: Float[Tensor, "m d"]) -> float:
    """The unbiased MMD^2 with KID's kernel over all samples at once: no subsets, no luck, and 0 on average for equal sets.

    Raises:
        InputError: see `feature_sets`; fewer than 2 samples in either set.
    """
    real, fake = feature_sets("unbiased_kernel_distance", least=2, real=real, fake=fake)
    return _mmd2(real, fake, _cubic, unbiased=True)


def cmmd(real: Float[Tensor, "n d"], fake: Float[Tensor, "m d"]) -> float:
    """CMMD of features of any length (they are brought to length 1): the biased MMD^2, RBF of sigma 10, times 1000; >= 0.

    It is called CMMD with the embeddings of CLIP ViT-L/14 at 336 px alone.

    Raises:
        InputError: see `feature_sets`; a feature vector of length 0.
    """
    real, fake = feature_sets("cmmd", real=real, fake=fake)
    if not (real.any(1).all() and fake.any(1).all()):
        raise InputError("cmmd: a sample's features are all zero and have no direction; use another extractor.")
    x, y = (side.double() / torch.linalg.vector_norm(side.double(), dim=1, keepdim=True) for side in (real, fake))
    return max(CMMD_SCALE * _mmd2(x, y, _gaussian, unbiased=False), 0.0)


def _cubic(product: Tensor, d: int) -> Tensor:
    return (product / d + 1).pow_(3)


def _gaussian(product: Tensor, d: int) -> Tensor:
    """On the unit sphere, where |x - y|^2 = 2 - 2 x.y."""
    return ((product - 1) / CMMD_SIGMA**2).exp_()


def _mmd2(x: Float[Tensor, "n d"], y: Float[Tensor, "m d"], kernel: Kernel, unbiased: bool) -> float:
    return _within(x, kernel, unbiased) + _within(y, kernel, unbiased) - 2 * _total(x, y, kernel) / (len(x) * len(y))


def _within(x: Float[Tensor, "n d"], kernel: Kernel, unbiased: bool) -> float:
    total, n = _total(x, x, kernel), len(x)
    if not unbiased:
        return total / (n * n)
    diagonal = sum(kernel(rows.double().square().sum(1), x.shape[1]).sum().item() for rows in x.split(ROWS))
    return (total - diagonal) / (n * (n - 1))


def _total(x: Float[Tensor, "n d"], y: Float[Tensor, "m d"], kernel: Kernel) -> float:
    """Sum of the kernel's matrix, block by block in float64."""
    return sum(kernel(a.double() @ b.double().T, x.shape[1]).sum().item() for a in x.split(ROWS) for b in y.split(ROWS))
