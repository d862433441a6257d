"""Precision and recall (Kynkaanniemi et al. 2019), density and coverage (Naeem et al. 2020) in a space of features.

A set's manifold is the union of the balls around its samples that reach to their k-th neighbour within the set.
Precision and recall take the ball with its surface, density and coverage without, as the papers' own code does.

Axes: n real samples, m fake samples, d features.
"""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Bool, Float
from torch import Tensor

from tightrope.core.errors import InputError
from tightrope.metrics.neighbours import feature_sets, nearest, within


class PrecisionRecall(NamedTuple):
    """Both in [0, 1].

    Attributes:
        precision: share of the fakes on the manifold of the real samples: are they faithful?
        recall: share of the real samples on the manifold of the fakes: are they diverse?
    """

    precision: float
    recall: float


class DensityCoverage(NamedTuple):
    """The pair that outliers of either set move less.

    Attributes:
        density: real balls around a fake, on average, over k; 1 for equal distributions, and it may exceed 1.
        coverage: share of the real samples with a fake in their ball, in [0, 1]; see `coverage_null`.
    """

    density: float
    coverage: float


def precision_recall(real: Float[Tensor, "n d"], fake: Float[Tensor, "m d"], k: int = 3) -> PrecisionRecall:
    """Improved precision and recall (Kynkaanniemi et al. 2019, equations 1 and 2): distance <= radius.

    Raises:
        InputError: see `realistic`.
    """
    return PrecisionRecall(_share(realistic(real, fake, k)), _share(realistic(fake, real, k)))


def density_coverage(real: Float[Tensor, "n d"], fake: Float[Tensor, "m d"], k: int = 5) -> DensityCoverage:
    """Density and coverage (Naeem et al. 2020, equations 3 and 4): distance < radius.

    Raises:
        InputError: see `realistic`.
    """
    inside = within(fake, real, _radii("density_coverage", real, fake, k), strict=True)
    density = inside.per_query.double().mean().item() / k
    return DensityCoverage(density, _share(inside.per_centre > 0))


def realistic(real: Float[Tensor, "n d"], fake: Float[Tensor, "m d"], k: int = 3) -> Bool[Tensor, " m"]:
    """Which fakes are on the manifold of the real samples; with the two swapped, which real samples the fakes reach.

    Raises:
        InputError: a set is empty or not (n, d), holds a NaN or an infinity, has another d; n <= k.
    """
    return within(fake, real, _radii("realistic", real, fake, k)).per_query > 0


def covered(real: Float[Tensor, "n d"], fake: Float[Tensor, "m d"], k: int = 5) -> Bool[Tensor, " n"]:
    """Which real samples have a fake nearer than their k-th real neighbour.

    Raises:
        InputError: see `realistic`.
    """
    return within(fake, real, _radii("covered", real, fake, k), strict=True).per_centre > 0


def coverage_null(n_real: int, n_fake: int, k: int = 5) -> float:
    """Coverage that is expected when real and fake samples have one distribution.

    A real sample is left out when its k nearest among all the others are real: 1 - prod_{i=1..k} (n - i) / (n + m - i).

    Raises:
        InputError: no fakes, or n_real <= k.
    """
    if k < 1 or n_real <= k or n_fake < 1:
        raise InputError(f"coverage_null: {n_real} real and {n_fake} fake samples at k {k}; give n_real > k >= 1 and a fake.")
    missed = 1.0
    for i in range(1, k + 1):
        missed *= (n_real - i) / (n_real + n_fake - i)
    return 1 - missed


def _radii(caller: str, real: Tensor, fake: Tensor, k: int) -> Float[Tensor, " n"]:
    """Distance of each real sample to its k-th neighbour among the others."""
    real, _ = feature_sets(caller, real=real, fake=fake)
    if not 1 <= k < len(real):
        raise InputError(f"{caller}: k is {k} and {len(real)} samples make the manifold; give more than k, k at least 1.")
    return nearest(real, real, k, apart=True).distance[:, -1]


def _share(outcomes: Bool[Tensor, " n"]) -> float:
    return outcomes.double().mean().item()
